//go:build linux

package main

import (
	"os"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/internal/stall"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/procfs"
)

func TestMPTCPIsNoticedWhenShowSocketsSays(t *testing.T) {
	nstest.Parallel(t)
	nstest.Run(t, mptcpIsNoticed)
}

func TestRootMPTCPIsNoticedWhenShowSocketsSays(t *testing.T) {
	nstest.Parallel(t)
	nstest.RunRoot(t, mptcpIsNoticed)
}

// The subflow of a peer that is gone ends by its keepalive, and its program hears
// of it the close timeout later.
func mptcpIsNoticed(t *testing.T) {
	if _, err := (procfs.FS{}).MPTCPCloseTimeout(); err != nil {
		nstest.Missing(t, "the kernel does not say when the program hears of it: "+err.Error())
	}
	hz, err := procfs.HZ()
	if err != nil {
		t.Fatal(err)
	}
	const outlived = 2 * time.Second
	nstest.Sysctl(t, "net.mptcp.close_timeout", "2")
	settings := keepalive.Settings{Time: time.Second, Intvl: time.Second, Probes: 2}
	client, _, err := (wish{on: true, time: 1, intvl: 1, probes: 2, protocol: unix.IPPROTO_MPTCP}).connect()
	if err != nil {
		t.Fatal(err)
	}
	from := time.Now()
	loopbackDown(t)
	got, _ := showSockets(t, "--pid", strconv.Itoa(os.Getpid()), "--keepalive", "on")
	if len(got) != 1 {
		t.Fatalf("%v", got)
	}
	said := 0.0
	for _, row := range got {
		said, _ = row["detection_seconds"].(float64)
	}
	kernel := calc.Kernel{HZ: hz}
	p := kernel.IdlePeerGone(settings)
	if want := p.Exact + outlived; said != want.Seconds() {
		t.Errorf("said: %v s, want %v", said, want)
	}

	took, late := hears(t, client, from)
	latest := p.Latest + outlived + kernel.Slack(outlived)
	t.Logf("said %v s, took %v, at the latest %v", said, took, latest)
	// The last segment came a little before the clock was looked at.
	if took < p.Earliest+outlived-250*time.Millisecond || took > latest+late {
		t.Errorf("took %v, said %v s, at the latest %v and the machine's %v", took, said, latest, late)
	}
	if _, err := unix.Read(client, make([]byte, 1)); err != unix.ENOTCONN {
		t.Errorf("the program gets %v", err)
	}
}

// hears waits until a program hears of something on a socket, and says how late the
// machine may have been.
func hears(t *testing.T, fd int, from time.Time) (took, late time.Duration) {
	t.Helper()
	stalls, begin := stall.Watch(10*time.Millisecond), stall.Now()
	defer stalls.End()
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for n := 0; n == 0; {
		var err error
		if n, err = unix.Poll(poll, 300_000); err == unix.EINTR {
			n = 0
		} else if err != nil || n == 0 {
			t.Fatalf("the program hears of nothing: %v", err)
		}
	}
	took = time.Since(from)
	// The end is made by a worker of the kernel's, which waits for its turn on a busy machine
	// as a process does, and that is not seen from here. Source: net/mptcp/protocol.c,
	// mptcp_worker.
	const worker = time.Second
	return took, stalls.Between(begin, stall.Now()) + 250*time.Millisecond + worker + nstest.Late()
}

// TestWhatAnMPTCPConnectionOutlives: its program hears of it later where data is in
// flight, too, and at once where the peer has nothing to say any more.
func TestWhatAnMPTCPConnectionOutlives(t *testing.T) {
	nstest.Parallel(t)
	const outlived = 3 * time.Second
	s := keepalive.Settings{Time: time.Second, Intvl: time.Second, Probes: 2}
	const retries = 3
	for name, row := range map[string]struct {
		wish   wish
		closed time.Duration
		ends   func(k calc.Kernel, rto time.Duration) calc.Prediction
	}{
		"data in flight": {wish{on: true, time: 1, intvl: 1, probes: 2}, outlived, func(k calc.Kernel, rto time.Duration) calc.Prediction { return k.DataInFlight(0, rto) }},
		"half-closed":    {wish{on: true, time: 1, intvl: 1, probes: 2, halfClosed: true}, 0, func(k calc.Kernel, _ time.Duration) calc.Prediction { return k.IdlePeerGone(s) }},
	} {
		t.Run(name, func(t *testing.T) {
			nstest.Parallel(t)
			nstest.Run(t, func(t *testing.T) {
				if _, err := (procfs.FS{}).MPTCPCloseTimeout(); err != nil {
					nstest.Missing(t, "the kernel does not say when the program hears of it: "+err.Error())
				}
				hz, err := procfs.HZ()
				if err != nil {
					t.Fatal(err)
				}
				nstest.Sysctl(t, "net.mptcp.close_timeout", strconv.Itoa(int(outlived/time.Second)))
				nstest.Sysctl(t, "net.ipv4.tcp_retries2", strconv.Itoa(retries))
				client := multipath(t, row.wish)
				if row.wish.halfClosed {
					if n, err := unix.Read(client, make([]byte, 1)); n != 0 || err != nil {
						t.Fatalf("read %d, %v", n, err)
					}
				}
				info, err := unix.GetsockoptTCPInfo(client, unix.IPPROTO_TCP, unix.TCP_INFO)
				if err != nil {
					t.Fatal(err)
				}
				from := time.Now()
				loopbackDown(t)
				fd := client
				if row.wish.halfClosed {
					// What has been read stays readable: only an error is news.
					fd = epollForErrors(t, client)
				} else if _, err := unix.Write(client, []byte("x")); err != nil {
					t.Fatal(err)
				}
				took, late := hears(t, fd, from)
				kernel := calc.DefaultKernel()
				kernel.HZ, kernel.Retries2 = hz, retries
				p := row.ends(kernel, time.Duration(info.Rto)*time.Microsecond)
				earliest, latest := p.Earliest+row.closed, p.Latest+row.closed
				if row.closed > 0 {
					latest += kernel.Slack(row.closed)
				}
				t.Logf("took %v of %v to %v", took, earliest, latest)
				if took < earliest-250*time.Millisecond || took > latest+late {
					t.Errorf("took %v, of %v to %v and the machine's %v", took, earliest, latest, late)
				}
			})
		})
	}
}

// epollForErrors is readable when the socket has ended.
func epollForErrors(t *testing.T, fd int) int {
	t.Helper()
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: 0}); err != nil {
		t.Fatal(err)
	}
	return ep
}

// loopbackDown cuts everybody in the namespace off, where a filter on the socket
// cannot: an MPTCP socket takes none.
func loopbackDown(t *testing.T) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		t.Fatal(err)
	}
	lo.SetUint16(0)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo); err != nil {
		t.Fatal(err)
	}
}

package sockopt_test

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/sockopt"
)

func TestEveryOptionReadsBackAsSet(t *testing.T) {
	c, _ := pair(t)
	set(t, c, keepalive.Change{
		Enabled: new(true), Time: new(600 * time.Second), Intvl: new(60 * time.Second), Probes: new(5), UserTimeout: new(1500 * time.Millisecond),
	})
	wantState(t, c, on(600, 60, 5, 1500))

	set(t, c, keepalive.Change{Enabled: new(false), UserTimeout: new(time.Duration(0))})
	want := on(600, 60, 5, 0)
	want.Enabled = false
	wantState(t, c, want)
}

func TestNilLeavesAValueAsItIs(t *testing.T) {
	for _, row := range []struct {
		name   string
		change keepalive.Change
		want   sockopt.State
	}{
		{"nothing", keepalive.Change{}, on(600, 60, 5, 9000)},
		{"the time", keepalive.Change{Time: new(601 * time.Second)}, on(601, 60, 5, 9000)},
		{"the intvl", keepalive.Change{Intvl: new(61 * time.Second)}, on(600, 61, 5, 9000)},
		{"the probes", keepalive.Change{Probes: new(6)}, on(600, 60, 6, 9000)},
		{"the user timeout", keepalive.Change{UserTimeout: new(9001 * time.Millisecond)}, on(600, 60, 5, 9001)},
		{"the switch", keepalive.Change{Enabled: new(true)}, on(600, 60, 5, 9000)},
	} {
		t.Run(row.name, func(t *testing.T) {
			c, _ := pair(t)
			set(t, c, everyOption)
			set(t, c, row.change)
			wantState(t, c, row.want)
		})
	}
}

// From tcp(7), which gives no ranges:
//
//	TCP_KEEPIDLE      The time (in seconds) the connection needs to remain idle
//	                  before TCP starts sending keepalive probes
//	TCP_KEEPINTVL     The time (in seconds) between individual keepalive probes.
//	TCP_KEEPCNT       The maximum number of keepalive probes TCP should send
//	                  before dropping the connection.
//	TCP_USER_TIMEOUT  This option takes an unsigned int as an argument.
//
// The last is not so: the upper half of an unsigned int is EINVAL.
func TestTheRangesAreTheKernels(t *testing.T) {
	limits := keepalive.Socket()
	for _, row := range []struct {
		name     string
		option   int
		min, max int
	}{
		{"TCP_KEEPIDLE", unix.TCP_KEEPIDLE, int(limits.TimeMin / time.Second), int(limits.TimeMax / time.Second)},
		{"TCP_KEEPINTVL", unix.TCP_KEEPINTVL, int(limits.TimeMin / time.Second), int(limits.TimeMax / time.Second)},
		{"TCP_KEEPCNT", unix.TCP_KEEPCNT, limits.ProbesMin, limits.ProbesMax},
		{"TCP_USER_TIMEOUT", unix.TCP_USER_TIMEOUT, int(limits.UserTimeoutMin / time.Millisecond), int(limits.UserTimeoutMax / time.Millisecond)},
	} {
		t.Run(row.name, func(t *testing.T) {
			c, _ := pair(t)
			try := func(value int) error {
				return control(t, c, func(fd int) error { return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, row.option, value) })
			}
			for _, v := range []int{row.min, row.max} {
				if err := try(v); err != nil {
					t.Errorf("the kernel refuses %d: %v", v, err)
				}
			}
			// An int option is 32 bits: one above the largest is the smallest.
			for _, v := range []int{row.min - 1, int(int32(uint32(row.max) + 1))} {
				if err := try(v); !errors.Is(err, unix.EINVAL) {
					t.Errorf("the kernel answers %v to %d, want EINVAL", err, v)
				}
			}
		})
	}
}

func TestAValueOutOfRangeChangesNothing(t *testing.T) {
	for _, row := range []struct {
		name   string
		change keepalive.Change
	}{
		{"time 0", keepalive.Change{Time: new(time.Duration(0))}},
		{"time 32768 s", keepalive.Change{Time: new(32768 * time.Second)}},
		{"half a second", keepalive.Change{Time: new(500 * time.Millisecond)}},
		{"intvl below zero", keepalive.Change{Intvl: new(-time.Second)}},
		{"128 probes", keepalive.Change{Probes: new(128)}},
		{"user timeout above int", keepalive.Change{UserTimeout: new(keepalive.MaxUserTimeout + time.Millisecond)}},
	} {
		t.Run(row.name, func(t *testing.T) {
			c, _ := pair(t)
			before := get(t, c)
			row.change.Enabled = new(!before.Enabled)
			var refused *keepalive.RangeError
			if err := sockopt.Set(raw(t, c), row.change); !errors.As(err, &refused) {
				t.Errorf("got %v, want a RangeError", err)
			}
			wantState(t, c, before)
		})
	}
}

func TestWhatIsNotTCPIsRefused(t *testing.T) {
	socket := func(domain, kind, protocol int) func(t *testing.T) int {
		return func(t *testing.T) int {
			fd, err := unix.Socket(domain, kind|unix.SOCK_CLOEXEC, protocol)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { unix.Close(fd) })
			return fd
		}
	}
	for _, row := range []struct {
		name string
		open func(t *testing.T) int
	}{
		{"a UDP socket", socket(unix.AF_INET, unix.SOCK_DGRAM, 0)},
		{"a Unix stream", socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)},
		{"a netlink socket, whose protocol 6 is XFRM", socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_XFRM)},
		{"a file", func(t *testing.T) int {
			f, err := os.Open("/dev/null")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { f.Close() })
			return int(f.Fd())
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			fd := row.open(t)
			if _, err := sockopt.GetFD(fd); !errors.Is(err, sockopt.ErrNotTCP) {
				t.Errorf("GetFD: %v, want ErrNotTCP", err)
			}
			if err := sockopt.SetFD(fd, keepalive.Change{Enabled: new(true)}); !errors.Is(err, sockopt.ErrNotTCP) {
				t.Errorf("SetFD: %v, want ErrNotTCP", err)
			}
		})
	}
}

// A raw socket of protocol 6 passes for TCP by SO_PROTOCOL alone.
func TestARawSocketIsRefused(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
		if err != nil {
			t.Fatal(err)
		}
		if err := sockopt.SetFD(fd, keepalive.Change{Enabled: new(true)}); !errors.Is(err, sockopt.ErrNotTCP) {
			t.Errorf("got %v, want ErrNotTCP", err)
		}
	})
}

func TestAClosedConnectionIsErrClosed(t *testing.T) {
	c, _ := pair(t)
	rc := raw(t, c)
	c.Close()
	if _, err := sockopt.Get(rc); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Get: %v, want net.ErrClosed", err)
	}
	if err := sockopt.Set(rc, keepalive.Change{Enabled: new(true)}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Set: %v, want net.ErrClosed", err)
	}
	if _, err := sockopt.GetFD(-1); !errors.Is(err, unix.EBADF) {
		t.Errorf("GetFD(-1): %v, want EBADF", err)
	}
}

func TestACookieIsOneSockets(t *testing.T) {
	a, b := pair(t)
	cookie := func(c *net.TCPConn) (v uint64) {
		if err := control(t, c, func(fd int) (err error) { v, err = sockopt.Cookie(fd); return err }); err != nil {
			t.Fatal(err)
		}
		return v
	}
	first, second, again := cookie(a), cookie(b), cookie(a)
	if first == 0 || first == second || first != again {
		t.Errorf("cookies %d and %d, and of the first again %d", first, second, again)
	}
}

func TestASocketFollowsTheSysctlUntilItHasItsOwn(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		sysctls := func(time, intvl, probes string) {
			nstest.Sysctl(t, "net.ipv4.tcp_keepalive_time", time)
			nstest.Sysctl(t, "net.ipv4.tcp_keepalive_intvl", intvl)
			nstest.Sysctl(t, "net.ipv4.tcp_keepalive_probes", probes)
		}
		state := func(time, intvl, probes int) sockopt.State {
			s := on(time, intvl, probes, 0)
			s.Enabled = false
			return s
		}
		c, _ := pair(t)
		wantState(t, c, state(7200, 75, 9))

		sysctls("1000", "100", "20")
		wantState(t, c, state(1000, 100, 20))

		set(t, c, keepalive.Change{Time: new(600 * time.Second)})
		sysctls("2000", "200", "200")
		wantState(t, c, state(600, 200, 200))

		// Harmful, but the kernel can hold it: it is shown.
		sysctls("-1", "0", "0")
		wantState(t, c, state(600, 0, 0))
		other, _ := pair(t)
		wantState(t, other, state(-1, 0, 0))
	})
}

func TestAcceptedConnectionsInheritFromTheListener(t *testing.T) {
	lc := net.ListenConfig{KeepAlive: -1}
	lc.SetMultipathTCP(false)
	ln, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	rc, err := ln.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := sockopt.Set(rc, everyOption); err != nil {
		t.Fatal(err)
	}
	_, accepted := connect(t, net.Dialer{KeepAlive: -1}, ln)
	wantState(t, accepted, on(600, 60, 5, 9000))
}

// everyOption is a change to on(600, 60, 5, 9000).
var everyOption = keepalive.Change{
	Enabled:     new(true),
	Time:        new(600 * time.Second),
	Intvl:       new(60 * time.Second),
	Probes:      new(5),
	UserTimeout: new(9 * time.Second),
}

// on is a socket with keepalive on: seconds, seconds, probes, milliseconds.
func on(time_, intvl, probes, userTimeout int) sockopt.State {
	return sockopt.State{Enabled: true, Settings: keepalive.Settings{
		Time:        time.Duration(time_) * time.Second,
		Intvl:       time.Duration(intvl) * time.Second,
		Probes:      probes,
		UserTimeout: time.Duration(userTimeout) * time.Millisecond,
	}}
}

// pair returns the two ends of a TCP connection on which nobody touched
// keepalive, Go included.
func pair(t testing.TB) (dialed, accepted *net.TCPConn) {
	t.Helper()
	lc := net.ListenConfig{KeepAlive: -1}
	lc.SetMultipathTCP(false)
	ln, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return connect(t, net.Dialer{KeepAlive: -1}, ln)
}

func connect(t testing.TB, d net.Dialer, ln net.Listener) (dialed, accepted *net.TCPConn) {
	t.Helper()
	c, err := d.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	s, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return c.(*net.TCPConn), s.(*net.TCPConn)
}

func raw(t testing.TB, c syscall.Conn) syscall.RawConn {
	t.Helper()
	rc, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	return rc
}

func control(t testing.TB, c syscall.Conn, f func(fd int) error) error {
	t.Helper()
	var err error
	if cerr := raw(t, c).Control(func(fd uintptr) { err = f(int(fd)) }); cerr != nil {
		t.Fatal(cerr)
	}
	return err
}

func get(t testing.TB, c syscall.Conn) sockopt.State {
	t.Helper()
	s, err := sockopt.Get(raw(t, c))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func set(t testing.TB, c syscall.Conn, change keepalive.Change) {
	t.Helper()
	if err := sockopt.Set(raw(t, c), change); err != nil {
		t.Fatal(err)
	}
}

func wantState(t testing.TB, c syscall.Conn, want sockopt.State) {
	t.Helper()
	if diff := cmp.Diff(want, get(t, c)); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
}

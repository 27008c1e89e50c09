package sockets_test

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/sockets"
)

func TestRootOwnLimits(t *testing.T) {
	nstest.RunRoot(t, func(t *testing.T) { ownLimits(t, byKernel, byLibrary, byDiag) })
}

func TestOwnLimits(t *testing.T) {
	nstest.Run(t, func(t *testing.T) { ownLimits(t, byDiag) })
}

// What decides an end and is the socket's own: options, what a sysctl was when it was
// made, and how much of the time is spent.
func ownLimits(t *testing.T, readers ...sockets.Query) {
	const rtoMaxMs = 44 // TCP_RTO_MAX_MS
	set := func(option, value int) func(int) error {
		return func(fd int) error { return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, option, value) }
	}
	// sending is a socket that has retransmitted what it has sent.
	sending := func(prepare func(int) error) int {
		t.Helper()
		fd, deaf, err := nstest.Pair(unix.AF_INET, prepare)
		if err == unix.ENOPROTOOPT {
			t.Skip("this kernel has no TCP_RTO_MAX_MS")
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := nstest.DropAll(deaf); err != nil {
			t.Fatal(err)
		}
		if _, err := unix.Write(fd, []byte("x")); err != nil {
			t.Fatal(err)
		}
		return fd
	}
	connecting := func(prepare func(int) error) int {
		t.Helper()
		listener, at, err := nstest.Listen(unix.AF_INET)
		if err != nil {
			t.Fatal(err)
		}
		if err := nstest.DropAll(listener); err != nil {
			t.Fatal(err)
		}
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_TCP)
		if err != nil {
			t.Fatal(err)
		}
		if err := prepare(fd); err != nil {
			t.Fatal(err)
		}
		if err := unix.Connect(fd, at); err != unix.EINPROGRESS {
			t.Fatal(err)
		}
		return fd
	}
	begin := time.Now()
	asMade := 120 * time.Second
	if fd, _, err := nstest.Pair(unix.AF_INET, set(rtoMaxMs, 1500)); err == unix.ENOPROTOOPT {
		asMade = 0 // before Linux 6.15 there is none
	} else if err != nil {
		t.Fatal(err)
	} else {
		unix.Close(fd)
	}
	rows := []struct {
		name       string
		fd         int
		synRetries int
		rtoMax     time.Duration
	}{
		{"TCP_SYNCNT", connecting(set(unix.TCP_SYNCNT, 3)), 3, asMade},
		{"what the sysctl was", sending(nil), 0, asMade},
	}
	if asMade != 0 {
		nstest.Sysctl(t, "net.ipv4.tcp_rto_max_ms", "5000")
		rows = append(rows, rows[0])
		last := &rows[len(rows)-1]
		last.name, last.fd, last.synRetries, last.rtoMax = "TCP_RTO_MAX_MS", sending(set(rtoMaxMs, 1500)), 0, 1500*time.Millisecond
	}
	for _, row := range rows[1:] {
		for i := 0; ; i++ {
			if info, err := unix.GetsockoptTCPInfo(row.fd, unix.IPPROTO_TCP, unix.TCP_INFO); err != nil {
				t.Fatal(err)
			} else if info.Retransmits > 0 {
				break
			}
			if i == 1000 {
				t.Fatalf("%s: nothing is retransmitted", row.name)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	for _, q := range readers {
		all := list(t, q).sockets
		passed := time.Since(begin)
		for _, row := range rows {
			cookie, err := unix.GetsockoptUint64(row.fd, unix.SOL_SOCKET, unix.SO_COOKIE)
			if err != nil {
				t.Fatal(err)
			}
			s := all[cookie]
			if s.RTOMax != row.rtoMax && !(q.Source == sockets.Diag && s.State == sockets.SynSent) ||
				s.State == sockets.SynSent && s.SynRetries != row.synRetries {
				t.Errorf("%v: %s: the longest timeout is %v, the SYN is repeated %d times", q.Source, row.name, s.RTOMax, s.SynRetries)
			}
			want := sockets.ClockRunning
			if q.Source == sockets.Diag {
				want = sockets.ClockUnknown
			}
			if s.Clock != want || s.Spent < 0 || s.Spent > passed+time.Millisecond { // the kernel counts whole ones
				t.Errorf("%v: %s: clock %v, %v spent of %v", q.Source, row.name, s.Clock, s.Spent, passed)
			}
		}
	}
}

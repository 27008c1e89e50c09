package sockopt_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/sockopt"
)

func TestMultipathHasNoUserTimeout(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		d := net.Dialer{KeepAlive: -1}
		d.SetMultipathTCP(true)
		dialed, accepted := connect(t, d, multipathListener(t))
		for _, c := range []*net.TCPConn{dialed, accepted} {
			if multipath, err := c.MultipathTCP(); err != nil || !multipath {
				t.Fatalf("not an MPTCP connection: %v", err)
			}
			err := sockopt.Set(raw(t, c), everyOption)
			if !errors.Is(err, unix.ENOPROTOOPT) {
				t.Errorf("user timeout: %v, want ENOPROTOOPT", err)
			}
		}

		// Nothing was set before the refusal: they follow the sysctls still.
		nstest.Sysctl(t, "net.ipv4.tcp_keepalive_time", "1000")
		nstest.Sysctl(t, "net.ipv4.tcp_keepalive_intvl", "100")
		nstest.Sysctl(t, "net.ipv4.tcp_keepalive_probes", "20")
		for _, c := range []*net.TCPConn{dialed, accepted} {
			want := on(1000, 100, 20, 0)
			want.Enabled = false
			wantState(t, c, want)

			set(t, c, keepalive.Change{Enabled: new(true), Time: new(600 * time.Second), Intvl: new(60 * time.Second), Probes: new(5)})
			wantState(t, c, on(600, 60, 5, 0))
		}
	})
}

func TestMultipathThatFellBackToTCPHasEveryOption(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		plain := net.Dialer{KeepAlive: -1}
		plain.SetMultipathTCP(false)
		_, accepted := connect(t, plain, multipathListener(t))

		multipath := net.Dialer{KeepAlive: -1}
		multipath.SetMultipathTCP(true)
		lc := net.ListenConfig{KeepAlive: -1}
		lc.SetMultipathTCP(false)
		ln, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		dialed, _ := connect(t, multipath, ln)

		for _, c := range []*net.TCPConn{dialed, accepted} {
			set(t, c, everyOption)
			wantState(t, c, on(600, 60, 5, 9000))
		}
	})
}

// multipathListener is what net.Listen returns where the kernel has MPTCP.
func multipathListener(t *testing.T) net.Listener {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_MPTCP)
	if err != nil {
		nstest.Missing(t, "MPTCP: "+err.Error())
	}
	unix.Close(fd)
	lc := net.ListenConfig{KeepAlive: -1}
	lc.SetMultipathTCP(true)
	ln, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

package launch

import (
	"context"
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/keepalive"
)

// roleEnv makes the test binary one of the programs that the tests start.
const roleEnv = "TCPKA_LAUNCH_ROLE"

func TestMain(m *testing.M) {
	role := os.Getenv(roleEnv)
	if role == "" {
		os.Exit(m.Run())
	}
	play, ok := roles[role]
	if !ok {
		fmt.Fprintln(os.Stderr, "no role", role)
		os.Exit(2)
	}
	if err := play(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// roles are programs. Those that make a connection to themselves print the
// keepalive of both ends, see values.
var roles = map[string]func() error{
	// Package net as it comes: it sets 15 s, 15 s, 9.
	"go": func() error { return pair("127.0.0.1:0", net.Dialer{}, net.ListenConfig{}) },

	// Package net told to leave keepalive alone.
	"go-off": func() error {
		return pair("127.0.0.1:0", net.Dialer{KeepAlive: -1}, net.ListenConfig{KeepAlive: -1})
	},
	"go-off-ipv6": func() error {
		return pair("[::1]:0", net.Dialer{KeepAlive: -1}, net.ListenConfig{KeepAlive: -1})
	},

	// As libpq and curl do: values before connect; and before listen.
	"before": func() error {
		set := control(option{unix.SOL_TCP, unix.TCP_KEEPIDLE, 33}, option{unix.SOL_TCP, unix.TCP_USER_TIMEOUT, 4000})
		return pair("127.0.0.1:0", net.Dialer{KeepAlive: -1, Control: set}, net.ListenConfig{KeepAlive: -1, Control: set})
	},
	"off-before": func() error {
		set := control(option{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0})
		return pair("127.0.0.1:0", net.Dialer{KeepAlive: -1, Control: set}, net.ListenConfig{KeepAlive: -1, Control: set})
	},

	// As Redis and PostgreSQL do: when the connection is there.
	"after": func() error {
		return pair("127.0.0.1:0", net.Dialer{KeepAlive: -1}, net.ListenConfig{KeepAlive: -1},
			option{unix.SOL_TCP, unix.TCP_KEEPINTVL, 7}, option{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0})
	},

	"others": otherSockets,
	"crash":  crash,
}

type option struct{ level, name, value int }

func control(options ...option) func(string, string, syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) error { return setAll(c, options) }
}

func setAll(c syscall.RawConn, options []option) error {
	var err error
	cerr := c.Control(func(fd uintptr) {
		for _, o := range options {
			if err == nil {
				err = unix.SetsockoptInt(int(fd), o.level, o.name, o.value)
			}
		}
	})
	if err == nil {
		err = cerr
	}
	return err
}

// pair makes a connection and sets options on both ends.
func pair(address string, d net.Dialer, lc net.ListenConfig, options ...option) error {
	lc.SetMultipathTCP(false)
	l, err := lc.Listen(context.Background(), "tcp", address)
	if err != nil {
		return err
	}
	connected, err := d.Dial("tcp", l.Addr().String())
	if err != nil {
		return err
	}
	accepted, err := l.Accept()
	if err != nil {
		return err
	}
	for _, c := range []net.Conn{connected, accepted} {
		raw, err := c.(*net.TCPConn).SyscallConn()
		if err != nil {
			return err
		}
		if err := setAll(raw, options); err != nil {
			return err
		}
		var text string
		if err := raw.Control(func(fd uintptr) { text, err = values(int(fd)) }); err != nil {
			return err
		}
		fmt.Println(text)
	}
	return err
}

// values are SO_KEEPALIVE, time, intvl, probes and user timeout, as the owner of
// a socket reads them.
func values(fd int) (string, error) {
	text := ""
	for _, o := range []option{
		{level: unix.SOL_SOCKET, name: unix.SO_KEEPALIVE},
		{level: unix.SOL_TCP, name: unix.TCP_KEEPIDLE},
		{level: unix.SOL_TCP, name: unix.TCP_KEEPINTVL},
		{level: unix.SOL_TCP, name: unix.TCP_KEEPCNT},
		{level: unix.SOL_TCP, name: unix.TCP_USER_TIMEOUT},
	} {
		v, err := unix.GetsockoptInt(fd, o.level, o.name)
		if err != nil {
			return "", err
		}
		text += fmt.Sprintf(" %d", v)
	}
	return text[1:], nil
}

// otherSockets does what nobody may notice: the programs watch every setsockopt.
func otherSockets() error {
	udp, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	if err := unix.SetsockoptInt(udp, unix.SOL_TCP, unix.TCP_KEEPIDLE, 9); err == nil {
		return fmt.Errorf("a UDP socket has TCP_KEEPIDLE")
	}
	local, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	for _, fd := range []int{udp, local} {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1); err != nil {
			return err
		}
		if v, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE); v != 1 || err != nil {
			return fmt.Errorf("SO_KEEPALIVE of another socket was set and is %d, %v", v, err)
		}
	}
	tcp, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	// The kernel takes what it needs of a buffer of any size.
	long := string(append([]byte{1, 0, 0, 0}, make([]byte, 3*os.Getpagesize())...))
	if err := unix.SetsockoptString(tcp, unix.SOL_TCP, unix.TCP_NODELAY, long); err != nil {
		return fmt.Errorf("a long buffer: %w", err)
	}
	if v, err := unix.GetsockoptInt(tcp, unix.SOL_TCP, unix.TCP_NODELAY); v != 1 || err != nil {
		return fmt.Errorf("TCP_NODELAY was set and is %d, %v", v, err)
	}
	if err := unix.SetsockoptInt(tcp, unix.SOL_TCP, unix.TCP_SYNCNT, 1000); err != unix.EINVAL {
		return fmt.Errorf("a value out of range: %v", err)
	}
	fmt.Println("fine")
	return nil
}

// crash is a caller of this package that is killed.
func crash() error {
	if _, err := New(keepalive.Change{}, false); err != nil {
		return err
	}
	return unix.Kill(os.Getpid(), unix.SIGKILL)
}

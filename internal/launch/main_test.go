package launch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
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
	// Accepts a connection of its own from the listener that it is handed, and sets an option.
	"accept-3": func() error {
		at, err := unix.Getsockname(3)
		if err != nil {
			return err
		}
		out, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err != nil {
			return err
		}
		if err := unix.Connect(out, at); err != nil {
			return err
		}
		fd, _, err := unix.Accept(3)
		if err != nil {
			return err
		}
		text, err := values(fd)
		fmt.Println("accepted", text)
		if err == nil {
			err = unix.SetsockoptInt(fd, unix.SOL_TCP, unix.TCP_KEEPIDLE, 77)
		}
		text, _ = values(fd)
		fmt.Println("after setsockopt", text)
		return err
	},

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

	// The ends of the ranges, and beyond them.
	"least-before": func() error {
		set := control(option{unix.SOL_TCP, unix.TCP_KEEPIDLE, 1}, option{unix.SOL_TCP, unix.TCP_KEEPINTVL, 1},
			option{unix.SOL_TCP, unix.TCP_KEEPCNT, 1}, option{unix.SOL_TCP, unix.TCP_USER_TIMEOUT, 0})
		return pair("127.0.0.1:0", net.Dialer{KeepAlive: -1, Control: set}, net.ListenConfig{KeepAlive: -1, Control: set})
	},
	"most-before": func() error {
		set := control(option{unix.SOL_TCP, unix.TCP_KEEPIDLE, 32767}, option{unix.SOL_TCP, unix.TCP_KEEPINTVL, 32767},
			option{unix.SOL_TCP, unix.TCP_KEEPCNT, 127}, option{unix.SOL_TCP, unix.TCP_USER_TIMEOUT, math.MaxInt32})
		return pair("127.0.0.1:0", net.Dialer{KeepAlive: -1, Control: set}, net.ListenConfig{KeepAlive: -1, Control: set})
	},
	"refused-before": func() error {
		set := func(_, _ string, c syscall.RawConn) error {
			return errors.Join(refused(c, unix.SOL_TCP, unix.TCP_KEEPIDLE, 0), refused(c, unix.SOL_TCP, unix.TCP_KEEPIDLE, 32768),
				refused(c, unix.SOL_TCP, unix.TCP_KEEPINTVL, 40000), refused(c, unix.SOL_TCP, unix.TCP_KEEPINTVL, -1),
				refused(c, unix.SOL_TCP, unix.TCP_KEEPCNT, 128), refused(c, unix.SOL_TCP, unix.TCP_KEEPCNT, 0),
				refused(c, unix.SOL_TCP, unix.TCP_USER_TIMEOUT, -1), refusedShort(c))
		}
		return pair("127.0.0.1:0", net.Dialer{KeepAlive: -1, Control: set}, net.ListenConfig{KeepAlive: -1, Control: set})
	},
	"odd-before": func() error {
		set := control(option{unix.SOL_SOCKET, unix.SO_KEEPALIVE, -5})
		return pair("127.0.0.1:0", net.Dialer{KeepAlive: -1, Control: set}, net.ListenConfig{KeepAlive: -1, Control: set})
	},

	// MPTCP, at one end or both: see timers.
	"mptcp":           func() error { return timers(true, true) },
	"mptcp-time":      func() error { return timers(true, true, ownTime...) },
	"mptcp-off":       func() error { return timers(true, true, ownOff) },
	"from-mptcp-time": func() error { return timers(true, false, ownTime...) },
	"to-mptcp-time":   func() error { return timers(false, true, ownTime...) },
	"to-mptcp-off":    func() error { return timers(false, true, ownOff) },
	"to-mptcp-user":   func() error { return timers(false, true, ownUser) },

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
		text, err := look(c)
		if err != nil {
			return err
		}
		fmt.Println(text)
	}
	return nil
}

func look(c net.Conn) (text string, err error) {
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		return "", err
	}
	cerr := raw.Control(func(fd uintptr) { text, err = values(int(fd)) })
	return text, errors.Join(cerr, err)
}

// refused sets a value that the kernel refuses. With force the program is told
// that it was set.
func refused(c syscall.RawConn, level, name, value int) error {
	err := setAll(c, []option{{level, name, value}})
	if err == nil || err == unix.EINVAL {
		return nil
	}
	return fmt.Errorf("%d of option %d: %w", value, name, err)
}

func refusedShort(c syscall.RawConn) (err error) {
	cerr := c.Control(func(fd uintptr) {
		if err = unix.SetsockoptString(int(fd), unix.SOL_SOCKET, unix.SO_KEEPALIVE, "\x01"); err == unix.EINVAL {
			err = nil
		}
	})
	return errors.Join(err, cerr)
}

// ownTime is told from what the test gives by what ss prints of the timer, which
// is minutes, the same for 59 s.
var (
	ownTime = []option{{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1}, {unix.SOL_TCP, unix.TCP_KEEPIDLE, 333*60 + 59}}
	ownOff  = option{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0}
	ownUser = option{unix.SOL_TCP, unix.TCP_USER_TIMEOUT, 4000}
)

// timers makes a connection whose ends may be MPTCP sockets, with options set
// before connect and listen, and prints the keepalive timers, and the user
// timeout of an accepted plain TCP connection. The owner of an MPTCP socket does
// not see the values of the connections below it: ss does.
func timers(dial, listen bool, options ...option) error {
	set := func(_, _ string, c syscall.RawConn) error {
		for _, o := range options {
			// MPTCP has no user timeout, and in an older kernel no time.
			if err := setAll(c, []option{o}); err != nil && err != unix.EOPNOTSUPP && err != unix.ENOPROTOOPT {
				return err
			}
		}
		return nil
	}
	d, lc := net.Dialer{KeepAlive: -1, Control: set}, net.ListenConfig{KeepAlive: -1, Control: set}
	d.SetMultipathTCP(dial)
	lc.SetMultipathTCP(listen)
	l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
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
	userTimeout := ""
	if !dial || !listen { // accepted is plain TCP
		text, err := look(accepted)
		if err != nil {
			return err
		}
		userTimeout = ", user timeout " + text[strings.LastIndexByte(text, ' ')+1:]
	}
	// By the port: those of an earlier program take a moment to close.
	port := fmt.Sprintf(":%d", l.Addr().(*net.TCPAddr).Port)
	out, err := exec.Command("ss", "-tnoH", "sport", port, "or", "dport", port).Output()
	if err != nil {
		return err
	}
	var found []string
	for _, m := range regexp.MustCompile(`keepalive,(\w+)`).FindAllSubmatch(out, -1) {
		found = append(found, string(m[1]))
	}
	slices.Sort(found)
	fmt.Printf("%d ends: %s%s\n", bytes.Count(out, []byte("ESTAB")), strings.Join(found, " "), userTimeout)
	return errors.Join(connected.Close(), accepted.Close())
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

// Package sockopt reads and changes the keepalive of one TCP socket: its own,
// by descriptor or [syscall.RawConn]; one that a program is about to make, by
// [Control]; another process's, by [Borrow].
//
// It speaks of five socket options: SO_KEEPALIVE, which is the switch, and
// TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT and TCP_USER_TIMEOUT, the values.
// See socket(7) and tcp(7). A socket's own options need no privilege.
package sockopt

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/keepalive"
)

// ErrNotTCP is returned for a descriptor that is not a TCP or MPTCP socket. The
// kernel itself would not object: it takes SO_KEEPALIVE on a Unix or UDP socket
// and does nothing with it.
var ErrNotTCP = errors.New("not a TCP socket")

// State is the keepalive of one socket.
//
// The values are those in effect. The kernel answers with the sysctl of the
// socket's network namespace where the socket has no value of its own, so State
// cannot tell the two apart, and follows the sysctl only in the second case.
// Source: net/ipv4/tcp.c, do_tcp_getsockopt; include/net/tcp.h,
// keepalive_time_when.
type State struct {
	Enabled bool // SO_KEEPALIVE; without it the kernel sends no probe
	keepalive.Settings
}

// Get reads the keepalive of c. It answers [ErrNotTCP], and [net.ErrClosed] for
// a net connection that was closed.
//
// An MPTCP socket has no user timeout: it reads as zero there.
func Get(c syscall.RawConn) (State, error) {
	var s State
	err := control(c, func(fd int) (err error) {
		s, err = GetFD(fd)
		return err
	})
	return s, err
}

// GetFD is [Get] for a descriptor.
func GetFD(fd int) (State, error) {
	protocol, err := tcpProtocol(fd)
	if err != nil {
		return State{}, err
	}
	return read(fd, protocol)
}

func read(fd, protocol int) (State, error) {
	r := reader{fd: fd}
	s := State{
		Enabled: r.get(soKeepalive) != 0,
		Settings: keepalive.Settings{
			Time:   time.Duration(r.get(tcpKeepidle)) * time.Second,
			Intvl:  time.Duration(r.get(tcpKeepintvl)) * time.Second,
			Probes: r.get(tcpKeepcnt),
		},
	}
	if !lacksUserTimeout(fd, protocol) {
		s.UserTimeout = time.Duration(r.get(tcpUserTimeout)) * time.Millisecond
	}
	if r.err != nil {
		return State{}, r.err
	}
	return s, nil
}

// Cookie returns the number that the kernel gave the socket fd. No other socket
// of this machine has it until the next boot, whatever its namespace, so it
// tells whether a pid and a descriptor still mean the socket they once meant.
// See SO_COOKIE (Linux 4.12).
func Cookie(fd int) (uint64, error) {
	v, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
	if err != nil {
		return 0, fmt.Errorf("get SO_COOKIE: %w", err)
	}
	return v, nil
}

// tcpProtocol returns IPPROTO_TCP or IPPROTO_MPTCP, or else ErrNotTCP. It asks
// for the type, too: a raw socket can have protocol 6, and to a netlink socket
// 6 is NETLINK_XFRM.
func tcpProtocol(fd int) (int, error) {
	r := reader{fd: fd}
	kind, protocol := r.get(soType), r.get(soProtocol)
	switch {
	case errors.Is(r.err, unix.ENOTSOCK):
		return 0, fmt.Errorf("%w: %w", ErrNotTCP, unix.ENOTSOCK)
	case r.err != nil:
		return 0, r.err
	case kind != unix.SOCK_STREAM, protocol != unix.IPPROTO_TCP && protocol != unix.IPPROTO_MPTCP:
		return 0, ErrNotTCP
	}
	return protocol, nil
}

// lacksUserTimeout reports whether the socket is MPTCP in earnest: one that fell
// back to TCP keeps its protocol number and takes all the options. Source:
// net/mptcp/sockopt.c, mptcp_getsockopt.
func lacksUserTimeout(fd, protocol int) bool {
	if protocol != unix.IPPROTO_MPTCP {
		return false
	}
	r := reader{fd: fd}
	r.get(tcpUserTimeout)
	return errors.Is(r.err, unix.EOPNOTSUPP)
}

// control runs f with the descriptor of c, which stays open meanwhile.
func control(c syscall.RawConn, f func(fd int) error) error {
	var inner error
	if err := c.Control(func(fd uintptr) { inner = f(int(fd)) }); err != nil {
		return err
	}
	return inner
}

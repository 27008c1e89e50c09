package selftest

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// TCP states. Source: include/net/tcp_states.h.
const (
	synRecv  = 3
	finWait1 = 4
)

// connection is one by its ends. It is found when no descriptor has it.
type connection struct {
	netlink       int // a socket of sock_diag(7)
	local, remote *unix.SockaddrInet4
}

// watchable finds a connection that is going to lose its descriptor, or that has
// none.
func (st *stage) watchable(local, remote unix.Sockaddr) connection {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	st.must(err)
	st.keep(fd)
	return connection{fd, local.(*unix.SockaddrInet4), remote.(*unix.SockaddrInet4)}
}

// in reports whether the connection is in this state. See sock_diag(7) and
// include/uapi/linux/inet_diag.h, inet_diag_req_v2, inet_diag_msg.
func (c connection) in(state uint8) (bool, error) {
	native := binary.NativeEndian
	req := make([]byte, 0, 72)
	req = native.AppendUint32(req, 72)
	req = native.AppendUint16(req, unix.SOCK_DIAG_BY_FAMILY)
	req = native.AppendUint16(req, unix.NLM_F_REQUEST)
	req = append(req, make([]byte, 8)...)                   // sequence, sender
	req = append(req, unix.AF_INET, unix.IPPROTO_TCP, 0, 0) // no attributes are wanted
	req = native.AppendUint32(req, ^uint32(0))              // in any state
	req = binary.BigEndian.AppendUint16(req, uint16(c.local.Port))
	req = binary.BigEndian.AppendUint16(req, uint16(c.remote.Port))
	req = append(append(req, c.local.Addr[:]...), make([]byte, 12)...)
	req = append(append(req, c.remote.Addr[:]...), make([]byte, 12)...)
	req = native.AppendUint32(req, 0)          // on any interface
	req = native.AppendUint64(req, ^uint64(0)) // with any cookie
	if err := unix.Sendto(c.netlink, req, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return false, fmt.Errorf("sock_diag: %w", err)
	}
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(c.netlink, answer, 0)
	if err != nil {
		return false, fmt.Errorf("sock_diag: %w", err)
	}
	if n < 20 {
		return false, fmt.Errorf("sock_diag: an answer of %d bytes", n)
	}
	switch native.Uint16(answer[4:]) {
	case unix.NLMSG_ERROR:
		if errno := unix.Errno(-int32(native.Uint32(answer[16:]))); errno != unix.ENOENT {
			return false, fmt.Errorf("sock_diag: %w", errno)
		}
		return false, nil // it is gone
	case unix.SOCK_DIAG_BY_FAMILY:
		return answer[17] == state, nil
	}
	return false, errors.New("sock_diag: an unknown answer")
}

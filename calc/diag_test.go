//go:build linux

package calc_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/calc"
)

// The messages of sock_diag(7). Source: include/uapi/linux/inet_diag.h.
type (
	diagIdentity struct {
		sourcePort, destPort [2]byte
		source, dest         [16]byte
		device               uint32
		cookie               [2]uint32
	}
	diagRequest struct {
		header           unix.NlMsghdr
		family, protocol uint8
		extensions       uint8
		_                uint8
		states           uint32
		id               diagIdentity
	}
	diagMessage struct {
		family, state, timer, retrans uint8
		id                            diagIdentity
		expires, rqueue, wqueue       uint32
		uid, inode                    uint32
	}
)

const inetDiagInfo = 2 // INET_DIAG_INFO

// identity is how sock_diag(7) finds a connected IPv4 socket, even when its
// descriptor is closed.
func (r *room) identity(fd int) diagIdentity {
	local, err := unix.Getsockname(fd)
	r.must(err)
	remote, err := unix.Getpeername(fd)
	if errors.Is(err, unix.ENOTCONN) {
		if r.deaf == nil {
			panic(missed{})
		}
		remote, err = r.deaf, nil // still connecting
	}
	r.must(err)
	return identity(local, remote)
}

func identity(local, remote unix.Sockaddr) diagIdentity {
	id := diagIdentity{cookie: [2]uint32{^uint32(0), ^uint32(0)}} // any
	put := func(at unix.Sockaddr, port *[2]byte, addr *[16]byte) {
		in4 := at.(*unix.SockaddrInet4)
		binary.BigEndian.PutUint16(port[:], uint16(in4.Port))
		copy(addr[:], in4.Addr[:])
	}
	put(local, &id.sourcePort, &id.source)
	put(remote, &id.destPort, &id.dest)
	return id
}

// diag asks sock_diag(7) for a socket and its state, which is 0 if there is no
// such socket.
func (r *room) diag(id diagIdentity) (live calc.Live, state uint8) {
	if r.netlink == 0 {
		fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
		if errors.Is(err, unix.EPROTONOSUPPORT) {
			panic(skipped{reason: "this kernel has no sock_diag"})
		}
		r.must(err)
		r.netlink = fd
		one, _ := r.pair(unix.AF_INET, nil)
		if _, state := r.diag(r.identity(one)); state == 0 {
			panic(skipped{reason: "this kernel has no tcp_diag"})
		}
	}
	req := diagRequest{
		family: unix.AF_INET, protocol: unix.IPPROTO_TCP,
		extensions: 1 << (inetDiagInfo - 1), states: ^uint32(0), id: id,
	}
	req.header = unix.NlMsghdr{Len: uint32(unsafe.Sizeof(req)), Type: unix.SOCK_DIAG_BY_FAMILY, Flags: unix.NLM_F_REQUEST}
	r.must(unix.Sendto(r.netlink, unsafe.Slice((*byte)(unsafe.Pointer(&req)), unsafe.Sizeof(req)), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}))
	buf := make([]byte, 8192)
	n, _, err := unix.Recvfrom(r.netlink, buf, 0)
	r.must(err)
	buf = buf[:n]
	if header := (*unix.NlMsghdr)(unsafe.Pointer(&buf[0])); header.Type == unix.NLMSG_ERROR {
		errno := unix.Errno(-*(*int32)(unsafe.Pointer(&buf[unix.NLMSG_HDRLEN])))
		if errno == unix.ENOENT {
			return calc.Live{}, 0
		}
		r.must(fmt.Errorf("sock_diag: %w", errno))
	}
	msg := (*diagMessage)(unsafe.Pointer(&buf[unix.NLMSG_HDRLEN]))
	live = calc.Live{
		Timer:      calc.Timer(msg.timer),
		Expires:    time.Duration(msg.expires) * ms,
		Unanswered: int(msg.retrans),
		Connecting: msg.state == tcpSynSent,
	}
	for attrs := buf[unix.NLMSG_HDRLEN+int(unsafe.Sizeof(*msg)):]; len(attrs) >= unix.SizeofRtAttr; {
		a := (*unix.RtAttr)(unsafe.Pointer(&attrs[0]))
		if a.Type == inetDiagInfo {
			var info unix.TCPInfo
			copy(unsafe.Slice((*byte)(unsafe.Pointer(&info)), unsafe.Sizeof(info)), attrs[unix.SizeofRtAttr:a.Len])
			live.Idle, live.RTO, live.Backoff = idleOf(&info), rtoOf(&info), int(info.Backoff)
		}
		attrs = attrs[min(len(attrs), (int(a.Len)+3)&^3):]
	}
	return live, msg.state
}

package sockets

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sock_diag(7): include/uapi/linux/inet_diag.h
const (
	// The request of before sock_diag: it is still there, and the only one that
	// dumps both families in one walk. Source: net/ipv4/inet_diag.c,
	// inet_diag_dump_compat.
	tcpdiagGetsock = 18

	inetDiagCgroupID = 21 // u64
)

// diagRequest is struct nlmsghdr and struct inet_diag_req.
type diagRequest struct {
	header                         unix.NlMsghdr
	family, srcLen, dstLen, ext    uint8
	ports                          [2]uint16
	src, dst                       [4]uint32
	ifindex, cookieLow, cookieHigh uint32
	states, dbs                    uint32
}

// diagMessage is struct inet_diag_msg.
type diagMessage struct {
	family, state, timer, retrans uint8
	sport, dport                  [2]byte
	src, dst                      [16]byte
	ifindex                       uint32
	cookie                        [2]uint32 // low, high
	expires                       uint32    // ms
	rqueue, wqueue, uid, inode    uint32
}

// left is the time until the timer. Before Linux 5.16 one that is overdue gives what
// is below zero as unsigned, so the last second of the range is taken for that, which
// no timer gives that was armed by a sysctl below zero. From the 2^32 ms, 49.7 days, on
// the kernel counts from zero again, and nothing tells. Source: net/ipv4/inet_diag.c,
// inet_sk_diag_fill; include/linux/jiffies.h, jiffies_delta_to_msecs.
func (m *diagMessage) left() time.Duration {
	if past := int32(m.expires); past < 0 && past > -1000 {
		return time.Duration(past) * time.Millisecond
	}
	return time.Duration(m.expires) * time.Millisecond
}

const diagMessageLen = int(unsafe.Sizeof(diagMessage{}))

// dumpSockets calls visit for each TCP socket of both families in one of the
// states, in the network namespace of the calling thread. It needs no privilege, and
// does not ask for INET_DIAG_INFO, for which the kernel would take each socket's lock:
// see [StuckError].
func dumpSockets(states States, visit func(*Socket) error) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return fmt.Errorf("sock_diag: %w", err)
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("sock_diag: %w", err)
	}
	buf := make([]byte, 64<<10) // the kernel fills 32 KiB at a time
	err = untilWhole(visit, func(n int, visit func(*Socket) error) (bool, error) {
		return dumpOnce(fd, uint32(n), states, buf, visit)
	})
	return err
}

// dumpOnce reports whether the kernel says that something may have been missed.
func dumpOnce(fd int, sequence uint32, states States, buf []byte, visit func(*Socket) error) (again bool, err error) {
	request := diagRequest{
		header: unix.NlMsghdr{
			Len:   uint32(unsafe.Sizeof(diagRequest{})),
			Type:  tcpdiagGetsock,
			Flags: unix.NLM_F_REQUEST | unix.NLM_F_DUMP,
			Seq:   sequence,
		},
		states: uint32(states),
	}
	b := unsafe.Slice((*byte)(unsafe.Pointer(&request)), unsafe.Sizeof(request))
	if err := unix.Sendto(fd, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return false, fmt.Errorf("sock_diag: request: %w", err)
	}
	d := diagDump{sequence: sequence, visit: visit}
	for !d.done {
		n, err := receive(fd, buf)
		if err != nil {
			return false, fmt.Errorf("sock_diag: %w", err)
		}
		if err := d.parse(buf[:n]); err != nil {
			return false, err
		}
	}
	return d.interrupted, nil
}

func receive(fd int, buf []byte) (int, error) {
	for {
		n, _, flags, from, err := unix.Recvmsg(fd, buf, nil, 0)
		switch kernel, ok := from.(*unix.SockaddrNetlink); {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return 0, err
		case flags&unix.MSG_TRUNC != 0:
			return 0, errors.New("a message was cut off")
		case ok && kernel.Pid == 0:
			return n, nil
		}
	}
}

// diagDump takes the answers to one request apart.
type diagDump struct {
	sequence          uint32
	visit             func(*Socket) error
	done, interrupted bool
	socket            Socket
}

var errShort = errors.New("sock_diag: a message is too short")

// parse reads the messages of one datagram. See netlink(7).
func (d *diagDump) parse(b []byte) error {
	for len(b) > 0 && !d.done {
		if len(b) < unix.NLMSG_HDRLEN {
			return errShort
		}
		size := binary.NativeEndian.Uint32(b)
		kind := binary.NativeEndian.Uint16(b[4:])
		flags := binary.NativeEndian.Uint16(b[6:])
		sequence := binary.NativeEndian.Uint32(b[8:])
		if size < unix.NLMSG_HDRLEN || uint64(size) > uint64(len(b)) {
			return errShort
		}
		payload := b[unix.NLMSG_HDRLEN:size]
		b = b[min(align4(int(size)), len(b)):]
		if sequence != d.sequence {
			continue // left from a dump before
		}
		d.interrupted = d.interrupted || flags&unix.NLM_F_DUMP_INTR != 0
		switch kind {
		case unix.NLMSG_DONE, unix.NLMSG_ERROR:
			d.done = true
			if len(payload) < 4 {
				return errShort
			}
			if n := int32(binary.NativeEndian.Uint32(payload)); n < 0 {
				return fmt.Errorf("sock_diag: %w", unix.Errno(-n))
			}
		case tcpdiagGetsock:
			if err := d.message(payload); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *diagDump) message(b []byte) error {
	if len(b) < diagMessageLen {
		return errShort
	}
	var m diagMessage
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&m)), diagMessageLen), b)
	s := &d.socket
	*s = Socket{
		State:      State(m.state),
		Local:      addrPort(m.family, &m.src, binary.BigEndian.Uint16(m.sport[:])),
		Remote:     addrPort(m.family, &m.dst, binary.BigEndian.Uint16(m.dport[:])),
		Owners:     s.Owners,
		UID:        m.uid,
		Inode:      m.inode,
		Cookie:     uint64(m.cookie[1])<<32 | uint64(m.cookie[0]),
		Timer:      Timer(m.timer),
		Unanswered: int(m.retrans),
	}
	if s.Timer != TimerNone {
		s.Left = m.left()
	}
	for b = b[diagMessageLen:]; len(b) >= unix.SizeofNlAttr; {
		size := int(binary.NativeEndian.Uint16(b))
		kind := binary.NativeEndian.Uint16(b[2:]) &^ (unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)
		if size < unix.SizeofNlAttr || size > len(b) {
			return errShort
		}
		switch value := b[unix.SizeofNlAttr:size]; kind {
		case inetDiagCgroupID:
			if len(value) >= 8 {
				s.CgroupID = binary.NativeEndian.Uint64(value)
			}
		}
		b = b[min(align4(size), len(b)):]
	}
	s.Keepalive = s.keepaliveByTimer()
	return d.visit(s)
}

// setInfo takes what there is of struct tcp_info. Older kernels have a shorter
// one.
func (s *Socket) setInfo(b []byte) {
	if !s.State.connected() || s.Timer == TimerTimeWait {
		return
	}
	var info unix.TCPInfo
	if n := copy(unsafe.Slice((*byte)(unsafe.Pointer(&info)), unsafe.Sizeof(info)), b); n < int(unsafe.Offsetof(info.Pmtu)) {
		return
	}
	s.RTO = time.Duration(info.Rto) * time.Microsecond
	s.Backoff = int(info.Backoff)
	s.Retransmitted = int(info.Total_retrans)
	s.Idle = time.Duration(min(info.Last_data_recv, info.Last_ack_recv)) * time.Millisecond
	s.IdleKnown = true
	s.LastData = time.Duration(info.Last_data_recv) * time.Millisecond
	if len(b) >= int(unsafe.Offsetof(info.Snd_wnd)+unsafe.Sizeof(info.Snd_wnd)) {
		s.Window = onOff(info.Snd_wnd > 0)
	}
}

// keepaliveByTimer tells SO_KEEPALIVE by the timer, where it does tell: while the
// connection has nothing to send the keepalive timer runs if and only if the
// option is on. Another timer hides it, and a closed socket in FIN-WAIT-2 has it
// for another purpose. Source: net/ipv4/tcp_timer.c, tcp_keepalive_timer.
func (s *Socket) keepaliveByTimer() OnOff {
	held := s.Inode != 0
	switch s.State {
	case FinWait2:
		if s.Timer == TimerTimeWait {
			return Off // nothing is left that could send a probe
		}
		if !held {
			return Unknown
		}
		fallthrough
	case Established, CloseWait:
		switch s.Timer {
		case TimerKeepalive:
			return On
		case TimerNone:
			return Off
		}
	case TimeWait:
		return Off
	}
	return Unknown
}

func align4(n int) int { return (n + 3) &^ 3 }

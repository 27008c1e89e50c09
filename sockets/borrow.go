package sockets

import (
	"errors"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/keepalive"
)

// borrower reads socket options by way of duplicates of the owners' descriptors.
// It is the part of package sockopt that a list wants, without its errors and
// with a process opened once for all its sockets.
type borrower struct {
	sysctl    keepalive.Settings
	processes map[int]int // pidfd by PID; -1: cannot be opened

	denied int  // sockets that lack a value for want of permission
	old    bool // the kernel has no pidfd_getfd: before Linux 5.6
}

// A process costs a descriptor as long as it is kept open.
const maxProcesses = 256

func (b *borrower) close() {
	for _, fd := range b.processes {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
	b.processes = nil
}

// fill reads the values of s from the first owner that lends it. That no owner
// does is no error: they close sockets and end.
func (b *borrower) fill(s *Socket) {
	denied := false
	for _, o := range s.Owners {
		if o.Ring {
			continue
		}
		err := b.read(s, o)
		if err == nil {
			return
		}
		denied = denied || errors.Is(err, os.ErrPermission)
		b.old = b.old || errors.Is(err, unix.ENOSYS)
	}
	if denied {
		b.denied++
	}
}

func (b *borrower) read(s *Socket, o Owner) error {
	process, err := b.process(o.PID)
	if err != nil {
		return err
	}
	fd, err := unix.PidfdGetfd(process, o.FD, 0)
	if err != nil {
		return err
	}
	// From here to the close the owner's close would not end the connection.
	v, err := readOptions(fd, s.Inode)
	if err == nil {
		s.readLimits(fd)
		s.readInfo(fd, !v.hasUserTimeout)
	}
	unix.Close(fd)
	if err != nil {
		return err
	}
	s.Keepalive = onOff(v.on)
	s.Settings = v.Settings
	s.ValuesKnown, s.UserTimeoutKnown = true, v.hasUserTimeout
	if s.Time != b.sysctl.Time {
		s.TimeFrom = FromSocket
	}
	if s.Intvl != b.sysctl.Intvl {
		s.IntvlFrom = FromSocket
	}
	if s.Probes != b.sysctl.Probes {
		s.ProbesFrom = FromSocket
	}
	return nil
}

func (b *borrower) process(pid int) (int, error) {
	if fd, ok := b.processes[pid]; ok {
		if fd < 0 {
			return -1, unix.ESRCH
		}
		return fd, nil
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil && !errors.Is(err, unix.ESRCH) {
		return -1, err
	}
	if len(b.processes) >= maxProcesses {
		b.close()
	}
	if b.processes == nil {
		b.processes = map[int]int{}
	}
	if err != nil {
		fd = -1
	}
	b.processes[pid] = fd
	return fd, err
}

// readLimits reads what decides the end of s as it is now. An MPTCP socket has not
// got the options, nor have older kernels.
func (s *Socket) readLimits(fd int) {
	const rtoMaxMs = 44 // TCP_RTO_MAX_MS of include/uapi/linux/tcp.h, since Linux 6.15
	if s.State == SynSent {
		if n, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_SYNCNT); err == nil {
			s.SynRetries = n
		}
	}
	if s.Timer == TimerRetransmit || s.Timer == TimerProbe0 {
		if ms, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, rtoMaxMs); err == nil {
			s.RTOMax = time.Duration(ms) * time.Millisecond
		}
	}
}

// readInfo reads what the kernel would not tell in a dump without the socket's lock. An
// MPTCP socket tells it of all its subflows, since Linux 5.16; which is which is certain
// where there is one.
func (s *Socket) readInfo(fd int, mptcp bool) {
	var data struct {
		mptcpSubflows
		info unix.TCPInfo
	}
	if mptcp {
		data.sizeUser = uint32(unsafe.Sizeof(data.info))
		if data.read(fd, unsafe.Sizeof(data)) && data.subflows == 1 {
			s.setInfo(unsafe.Slice((*byte)(unsafe.Pointer(&data.info)), min(data.sizeKernel, data.sizeUser)))
		}
		return
	}
	n := uint32(unsafe.Sizeof(data.info))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.IPPROTO_TCP, unix.TCP_INFO,
		uintptr(unsafe.Pointer(&data.info)), uintptr(unsafe.Pointer(&n)), 0)
	if errno == 0 {
		s.setInfo(unsafe.Slice((*byte)(unsafe.Pointer(&data.info)), n))
	}
}

type options struct {
	on bool
	keepalive.Settings
	hasUserTimeout bool
}

// errNotIt is a descriptor that has become something else since it was seen.
var errNotIt = errors.New("another file")

func readOptions(fd int, inode uint32) (options, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return options{}, err
	}
	if uint32(st.Ino) != inode || st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return options{}, errNotIt
	}
	var err error
	get := func(level, option int) int {
		v := 0
		if err == nil {
			v, err = unix.GetsockoptInt(fd, level, option)
		}
		return v
	}
	o := options{
		on: get(unix.SOL_SOCKET, unix.SO_KEEPALIVE) != 0,
		Settings: keepalive.Settings{
			Time:   time.Duration(get(unix.IPPROTO_TCP, unix.TCP_KEEPIDLE)) * time.Second,
			Intvl:  time.Duration(get(unix.IPPROTO_TCP, unix.TCP_KEEPINTVL)) * time.Second,
			Probes: get(unix.IPPROTO_TCP, unix.TCP_KEEPCNT),
		},
	}
	if err != nil {
		return options{}, err
	}
	o.UserTimeout = time.Duration(get(unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT)) * time.Millisecond
	o.hasUserTimeout = err == nil // an MPTCP socket has none
	return o, nil
}

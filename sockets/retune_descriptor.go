package sockets

import (
	"errors"
	"fmt"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/keepalive"
)

// descriptors changes sockets by way of duplicates of their owners' descriptors.
type descriptors struct {
	query *RetuneQuery
	borrower
	// mptcp has the outcomes of MPTCP sockets by inode: their subflows are
	// targets, and share it.
	mptcp map[uint32]Outcome
}

// retune sets the outcome, unless no owner lends the socket. The error is why, if
// it is not that they do not have it any more.
func (d *descriptors) retune(o *Outcome) (why error) {
	for _, owner := range o.Target.Owners {
		if owner.Ring {
			why = errRing
			continue
		}
		err := d.through(owner, o)
		if err == nil {
			return nil
		}
		if errors.Is(err, os.ErrPermission) || errors.Is(err, unix.ENOSYS) {
			why = fmt.Errorf("descriptor %d of process %d: %w", owner.FD, owner.PID, err)
		}
	}
	return why
}

// through fails if the owner's descriptor could not be had, or is another file.
func (d *descriptors) through(owner Owner, o *Outcome) error {
	process, err := d.process(owner.PID)
	if err != nil {
		return fmt.Errorf("pidfd_open: %w", err)
	}
	fd, err := unix.PidfdGetfd(process, owner.FD, 0)
	if err != nil {
		return fmt.Errorf("pidfd_getfd: %w", err)
	}
	// From here to the close the owner's close would not end the connection.
	err = d.duplicate(fd, o)
	unix.Close(fd)
	return err
}

func (d *descriptors) duplicate(fd int, o *Outcome) error {
	mptcp, err := identify(fd, o.Target)
	if err != nil {
		return err
	}
	if before, ok := d.mptcp[o.Target.Inode]; ok && mptcp {
		before.Target = o.Target
		*o = before
		return nil
	}
	*o = Outcome{Target: o.Target, Way: ByDescriptor}
	d.change(fd, mptcp, o)
	if mptcp {
		if d.mptcp == nil {
			d.mptcp = map[uint32]Outcome{}
		}
		d.mptcp[o.Target.Inode] = *o
	}
	return nil
}

// identify fails if fd is not the target. It reports whether it is an MPTCP
// socket of which the target is a subflow.
func identify(fd int, t *Target) (mptcp bool, err error) {
	cookie, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
	if err != nil {
		return false, err // ENOTSOCK
	}
	if cookie == t.Cookie {
		return false, nil
	}
	protocol, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL)
	if err != nil {
		return false, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return false, err
	}
	if protocol != unix.IPPROTO_MPTCP || t.Inode == 0 || uint32(st.Ino) != t.Inode {
		return false, errNotIt
	}
	return true, nil
}

// change does to the descriptor what the target wants.
func (d *descriptors) change(fd int, mptcp bool, o *Outcome) {
	var err error
	if o.State, err = d.state(fd, mptcp); err != nil {
		o.Result, o.Err = Failed, err
		return
	}
	if o.Before, err = d.values(fd, Values{}); err != nil {
		o.Result, o.Err = Failed, err
		return
	}
	o.After = o.Before
	steps, err := o.steps(d.query)
	if err != nil {
		return
	}
	done, err := take(fd, steps)
	if err != nil {
		o.Result, o.Err = Failed, err
		// SO_KEEPALIVE, if it was one of them, is put back last.
		o.After, _ = d.values(fd, o.Before)
		take(fd, plan(o.After, difference(o.After, o.Before), d.query.Sysctl))
	}
	var lost error
	if o.After, lost = d.values(fd, o.Before); lost != nil && err == nil {
		o.Result, o.Err = Failed, lost
		return
	}
	for _, s := range done {
		s.option.markSet(&o.After)
	}
	if err == nil {
		o.verify()
	}
}

// state is that of a TCP socket, or of one of the subflows of an MPTCP socket: one that
// can be changed, if there is such. TCP_INFO is of the first that the connection had,
// also where that was closed. Source: net/mptcp/sockopt.c, mptcp_getsockopt_first_sf_only.
func (d *descriptors) state(fd int, mptcp bool) (State, error) {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return 0, fmt.Errorf("get TCP_INFO: %w", err)
	}
	if first := State(info.State); !mptcp || d.query.eligible().Has(first) {
		return first, nil
	}
	for _, s := range subflowStates(fd) {
		if d.query.eligible().Has(s) {
			return s, nil
		}
	}
	return State(info.State), nil
}

// subflowStates are the states of the subflows of an MPTCP socket; none before Linux
// 5.16. tcpi_state is the first byte of tcp_info.
func subflowStates(fd int) []State {
	const maxSubflows = 64 // the kernel's path manager makes up to 8, a daemon may make more
	var data struct {
		mptcpSubflows
		infos [maxSubflows][8]byte
	}
	if data.sizeUser = 8; !data.read(fd, unsafe.Sizeof(data)) {
		return nil
	}
	var states []State
	for i := range min(data.subflows, maxSubflows) {
		states = append(states, State(data.infos[i][0]))
	}
	return states
}

// mptcpSubflows is mptcp_subflow_data of include/uapi/linux/mptcp.h. What follows it are
// the tcp_info of the subflows, of sizeUser bytes each.
type mptcpSubflows struct{ sizeHead, subflows, sizeKernel, sizeUser uint32 }

// read reads MPTCP_TCPINFO into d and what follows it, size bytes in all.
func (d *mptcpSubflows) read(fd int, size uintptr) bool {
	const tcpInfo = 2 // MPTCP_TCPINFO
	d.sizeHead = uint32(unsafe.Sizeof(*d))
	n := uint32(size)
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_MPTCP, tcpInfo,
		uintptr(unsafe.Pointer(d)), uintptr(unsafe.Pointer(&n)), 0)
	return errno == 0
}

// steps lists what to set, or ends the outcome if there is nothing to set on
// such a socket.
func (o *Outcome) steps(q *RetuneQuery) ([]step, error) {
	if err := o.ineligible(q); err != nil {
		o.Result, o.Err = Ineligible, err
		return nil, err
	}
	t := o.Target
	switch {
	case t.Rearm:
		return []step{{keepaliveOption, 0}, {keepaliveOption, 1}}, nil
	case t.Change.UserTimeout != nil && !o.Before.UserTimeoutKnown:
		// What the kernel would say, before an option is set instead of after.
		o.Result, o.Err = Failed, &OptionError{userTimeoutOption.name, unix.ENOPROTOOPT}
		return nil, o.Err
	}
	return plan(o.Before, t.Change, q.Sysctl), nil
}

// A socketOption is one of the five.
type socketOption struct {
	name        string
	level, code int
}

var (
	keepaliveOption   = socketOption{"SO_KEEPALIVE", unix.SOL_SOCKET, unix.SO_KEEPALIVE}
	timeOption        = socketOption{"TCP_KEEPIDLE", unix.IPPROTO_TCP, unix.TCP_KEEPIDLE}
	intvlOption       = socketOption{"TCP_KEEPINTVL", unix.IPPROTO_TCP, unix.TCP_KEEPINTVL}
	probesOption      = socketOption{"TCP_KEEPCNT", unix.IPPROTO_TCP, unix.TCP_KEEPCNT}
	userTimeoutOption = socketOption{"TCP_USER_TIMEOUT", unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT}
)

// markSet notes that a value is the socket's own.
func (o socketOption) markSet(v *Values) {
	switch o {
	case timeOption:
		v.TimeFrom = FromSocket
	case intvlOption:
		v.IntvlFrom = FromSocket
	case probesOption:
		v.ProbesFrom = FromSocket
	}
}

// step is an option to set.
type step struct {
	option socketOption
	value  int
}

// plan lists what c sets on a socket that has some values, in the order that
// [Retune] promises.
func plan(now Values, c keepalive.Change, sysctl keepalive.Settings) []step {
	var steps []step
	add := func(option socketOption, value int) { steps = append(steps, step{option, value}) }
	// Off also where it is off: subflows of MPTCP can be on beside that, see launch.
	if c.Enabled != nil && !*c.Enabled {
		add(keepaliveOption, 0)
	}
	// A value that is the sysctl's may be from there.
	own := func(v *time.Duration, now, sysctl time.Duration) bool { return *v == now && now != sysctl }
	if v := c.Intvl; v != nil && !own(v, now.Intvl, sysctl.Intvl) {
		add(intvlOption, int(*v/time.Second))
	}
	if v := c.Probes; v != nil && (*v != now.Probes || *v == sysctl.Probes) {
		add(probesOption, *v)
	}
	if v := c.UserTimeout; v != nil && *v != now.UserTimeout {
		add(userTimeoutOption, int(v.Milliseconds()))
	}
	if v := c.Time; v != nil && !own(v, now.Time, sysctl.Time) {
		add(timeOption, int(*v/time.Second))
	}
	if c.Enabled != nil && *c.Enabled && now.Keepalive != On {
		add(keepaliveOption, 1)
	}
	return steps
}

// take takes steps up to the first that is refused, and returns those that were
// not.
func take(fd int, steps []step) (done []step, err error) {
	for i, s := range steps {
		if err := unix.SetsockoptInt(fd, s.option.level, s.option.code, s.value); err != nil {
			return steps[:i], &OptionError{s.option.name, err}
		}
	}
	return steps, nil
}

// values reads those of a descriptor. What was the socket's own before still is.
func (d *descriptors) values(fd int, before Values) (Values, error) {
	var err error
	get := func(o socketOption) int {
		n := 0
		if err == nil {
			if n, err = unix.GetsockoptInt(fd, o.level, o.code); err != nil {
				err = fmt.Errorf("get %s: %w", o.name, err)
			}
		}
		return n
	}
	v := Values{
		Keepalive: onOff(get(keepaliveOption) != 0),
		Settings: keepalive.Settings{
			Time:   time.Duration(get(timeOption)) * time.Second,
			Intvl:  time.Duration(get(intvlOption)) * time.Second,
			Probes: get(probesOption),
		},
	}
	if err != nil {
		return Values{}, err
	}
	v.UserTimeout = time.Duration(get(userTimeoutOption)) * time.Millisecond
	v.UserTimeoutKnown = err == nil // an MPTCP socket has none
	origin := func(before Origin, differs bool) Origin {
		if differs {
			return FromSocket
		}
		return before
	}
	sysctl := d.query.Sysctl
	v.TimeFrom = origin(before.TimeFrom, v.Time != sysctl.Time)
	v.IntvlFrom = origin(before.IntvlFrom, v.Intvl != sysctl.Intvl)
	v.ProbesFrom = origin(before.ProbesFrom, v.Probes != sysctl.Probes)
	return v, nil
}

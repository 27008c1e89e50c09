package sockets

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/sockets/bpf"
)

// Target is a socket that is to be changed, and how.
type Target struct {
	// Cookie says which: what [List] gave as [Socket.Cookie]. A socket that is
	// gone is not mistaken for the one that has its addresses or its descriptor
	// now.
	Cookie uint64

	// Inode is [Socket.Inode]. It is wanted for MPTCP: a subflow has a cookie that
	// the owner's descriptor, which is the MPTCP socket, does not show.
	Inode uint32

	// Owners are where to borrow a descriptor, [Socket.Owners]. BPF needs none,
	// except for MPTCP. Those that are not right any more do no harm.
	Owners []Owner

	// Change holds the values, within [keepalive.Socket]; nil leaves one as it is.
	Change keepalive.Change

	// Rearm lets the timer that runs start anew, a full time from now, with the
	// value that is in effect. A socket that follows the sysctl then obeys one
	// that was lowered since, and goes on following it: nothing is set but
	// SO_KEEPALIVE, off and on. It excludes Change.
	Rearm bool
}

// Way is how a socket is reached.
type Way uint8

const (
	// AnyWay is by descriptor for a few sockets whose owners are known and for
	// MPTCP, and else BPF; where one does not serve, the other is tried.
	AnyWay Way = iota
	// ByBPF walks all sockets and changes those that are targets. It needs what
	// [BPF] needs, and Linux 5.15.
	ByBPF
	// ByDescriptor is a duplicate of an owner's descriptor, see pidfd_getfd(2).
	// Of one's own sockets that needs no privilege, of others' CAP_SYS_PTRACE;
	// Linux 5.6.
	//
	// While the duplicate lives, which is for some twenty system calls, the
	// owner's close does not end the connection: ours does, and waits in the
	// owner's place if SO_LINGER says so. On a kernel with cgroup v1 the socket
	// moves to the net_cls and net_prio group of the caller (net/core/sock.c,
	// __receive_sock). BPF does neither.
	ByDescriptor
)

func (w Way) String() string { return [...]string{"any", "bpf", "descriptor"}[w] }

// RetuneQuery is how to change sockets.
type RetuneQuery struct {
	// Sysctl holds the values of the namespace: they are in effect where a socket
	// has none of its own.
	Sysctl keepalive.Settings

	Listen bool // listeners too: every connection accepted later inherits the values

	Way    Way        // AnyWay, or the one to use, whatever comes of it
	Loader bpf.Loader // Auto, or the one to use for BPF
}

// Values are the keepalive of a socket at one time.
type Values struct {
	Keepalive OnOff // Unknown: nothing here is known

	// Settings are the values in effect, those of the namespace included.
	keepalive.Settings
	UserTimeoutKnown bool // an MPTCP socket has none

	// By descriptor a value that equals the sysctl is FromUnknown, until it is
	// set.
	TimeFrom, IntvlFrom, ProbesFrom Origin
}

// Outcome is what became of a target.
type Outcome struct {
	Target *Target
	Result Result
	// Err is why, where Result is not Done. For Failed it is mostly an
	// [*OptionError].
	Err error

	Way   Way   // by which the socket was reached; AnyWay if by none
	State State // in which it was; 0 is not known

	// Before and After were read from the socket, both times: After is not what
	// was asked for but what is there. Where nothing was tried they are equal,
	// or not known.
	Before, After Values
}

// Result is how it ended for one socket.
type Result uint8

const (
	_ Result = iota
	// Done: the socket has the values. It may have had them before.
	Done
	// Gone: there is no such socket any more.
	Gone
	// Ineligible: there is, but it is not changed in its state, or it has nothing
	// that could be armed anew.
	Ineligible
	// Failed: an option was refused, or no owner lends the socket. What had been
	// set by then was put back; what could not be is seen in After.
	Failed
)

func (r Result) String() string {
	return [...]string{"unknown", "done", "gone", "ineligible", "failed"}[r]
}

// Changed reports whether a value, the switch or the origin of a value is another
// than before. To be armed anew is not a change.
func (o *Outcome) Changed() bool { return o.Before != o.After }

// Pinned reports whether a value that followed the sysctl before, or may have,
// is the socket's own now. That cannot be undone: the kernel has no way to unset
// a value.
func (o *Outcome) Pinned() bool {
	pinned := func(before, after Origin) bool { return after == FromSocket && before != FromSocket }
	return pinned(o.Before.TimeFrom, o.After.TimeFrom) ||
		pinned(o.Before.IntvlFrom, o.After.IntvlFrom) ||
		pinned(o.Before.ProbesFrom, o.After.ProbesFrom)
}

// OptionError is a socket option that the kernel refused. Errors to test for are
// the kernel's: EINVAL, EPERM, ENOPROTOOPT.
type OptionError struct {
	Option string // "TCP_KEEPIDLE"
	Err    error
}

func (e *OptionError) Error() string { return fmt.Sprintf("set %s: %v", e.Option, e.Err) }

func (e *OptionError) Unwrap() error { return e.Err }

// Why a socket is ineligible.
var (
	errState     = errors.New("not changed in this state")
	errNoFile    = errors.New("closed by its program, or not accepted yet")
	errOff       = errors.New("keepalive is off: no timer runs")
	errListening = errors.New("a listening socket has no timer")
)

// Why a socket was not reached.
var (
	errGone     = errors.New("the socket is gone")
	errNoFD     = errors.New("no process that is known holds it")
	errRing     = errors.New("only an io_uring holds it, which BPF alone gets past")
	errNotThere = errors.New("the values are not there afterwards: someone else set them")
	errMPTCP    = errors.New("an MPTCP socket is only reached by descriptor")
	errTwice    = errors.New("named twice")
	errNoName   = errors.New("a target without a cookie")
	errBoth     = errors.New("a change and a rearm exclude each other")
)

// RetuneReport is what there is to say about all targets.
type RetuneReport struct {
	// WhyNotBPF is set where BPF was wanted, could not be had, and descriptors
	// were used in its place.
	WhyNotBPF error

	Done, Gone, Ineligible, Failed int // targets by result
}

// Retune changes sockets in the network namespace of the calling thread: those
// that the targets name and no other. It calls visit once for each target, in no
// particular order; the outcome is valid until visit returns. When visit returns
// an error, Retune ends and returns it; what was changed stays so.
//
// By descriptor the cookie alone counts, and a socket of another namespace is
// changed like one of this; for BPF it is gone.
//
// Where a process keeps the lock of a socket, which Retune looks for by BPF, nothing is
// changed, and the error is a [*StuckError].
//
// A target out of range, named twice or without a cookie is an error before
// anything is changed. For the range that is a [*keepalive.RangeError].
//
// Only connections in ESTAB, FIN-WAIT-2 and CLOSE-WAIT are changed, and listeners where
// the query says so. In FIN-WAIT-2 with a descriptor open nothing but keepalive ends a
// connection whose peer is gone. Never one that its program has closed: there the kernel
// uses the keepalive timer for the end of FIN-WAIT-2, and to stop that would leave the
// socket behind for ever. Source: net/ipv4/tcp.c, __tcp_close.
//
// The options are set in an order that lets no probe go out under a mixture of
// old and new:
//
//   - To a socket that is off: TCP_KEEPINTVL, TCP_KEEPCNT, TCP_USER_TIMEOUT and
//     TCP_KEEPIDLE, which are stored, then SO_KEEPALIVE, which arms the timer: a
//     full time from now, however long the socket was silent.
//   - To one that is on: the first three, which are used when the timer fires
//     next, then TCP_KEEPIDLE, which arms the timer anew, a time from the last
//     segment that came from the peer. One that was silent for longer than that
//     probes at once, and so would all idle sockets of a machine: spread their
//     times.
//   - To one that goes off: SO_KEEPALIVE first, which stops the timer, so that
//     the others are only stored.
//
// A value that is the socket's own already is not set again, so to repeat a
// change does nothing. Without a time in it a running timer keeps its deadline.
// Source: net/ipv4/tcp.c, tcp_sock_set_keepidle_locked; net/ipv4/tcp_timer.c,
// tcp_set_keepalive.
//
// If the kernel refuses an option, those that were set are put back. A value that
// followed the sysctl gets what the sysctl says now and stays the socket's own; a
// timer that was stopped counts from now.
//
// The subflows of an MPTCP connection are sockets of their own with the values of
// one. Of several that are targets the change of the first holds for all. A user
// timeout is ENOPROTOOPT there, and nothing is changed.
func Retune(q RetuneQuery, targets []Target, visit func(*Outcome) error) (RetuneReport, error) {
	if err := checkTargets(targets); err != nil {
		return RetuneReport{}, err
	}
	return retune(q, targets, visit)
}

func checkTargets(targets []Target) error {
	var seen cookieSet
	for i := range targets {
		t := &targets[i]
		err := keepalive.Socket().Check(t.Change)
		switch {
		case err != nil:
		case t.Cookie == 0:
			err = errNoName
		case !seen.add(t.Cookie):
			err = errTwice
		case t.Rearm && !t.Change.Empty():
			err = errBoth
		}
		if err != nil {
			return fmt.Errorf("socket %#x: %w", t.Cookie, err)
		}
	}
	return nil
}

// fewTargets are reached by descriptor if they can be: to walk all sockets would
// take longer.
const fewTargets = 16

// targetsAtOnce bounds the memory that BPF shares with the kernel: 128 to 256
// bytes for each.
const targetsAtOnce = 1 << 20

// retune is Retune with values that nobody looked at.
func retune(q RetuneQuery, targets []Target, visit func(*Outcome) error) (RetuneReport, error) {
	r := retuner{query: q, visit: visit}
	leave, err := r.look(targets)
	if err != nil {
		return r.report, err
	}
	defer leave()
	r.descriptors.query = &r.query
	defer r.descriptors.close()
	for at := 0; at < len(targets); at += targetsAtOnce {
		part := targets[at:min(at+targetsAtOnce, len(targets))]
		left := make([]pending, len(part))
		for i := range part {
			left[i].target = &part[i]
		}
		if err := r.all(left); err != nil {
			return r.report, err
		}
	}
	return r.report, nil
}

// look fails if a process keeps the lock of a socket that would be come by. Where BPF
// cannot be had nobody can look: then only descriptors are borrowed.
func (r *retuner) look(targets []Target) (leave func(), err error) {
	leave = func() {}
	it, err := bpf.Load(bpf.Query{}, r.query.Loader)
	if err != nil {
		return leave, nil
	}
	defer it.Close()
	var s Shared
	if err := s.look(it); err != nil {
		return leave, err
	}
	inodes := make(map[uint32]bool, len(targets))
	for _, t := range targets {
		inodes[t.Inode] = true
	}
	stuck, err := s.stuckHere(inodes)
	if stuck == nil && err == nil {
		leave, stuck = enter()
	}
	if stuck != nil {
		return leave, stuck
	}
	return leave, err
}

// retuner counts what it hands on.
type retuner struct {
	query       RetuneQuery
	visit       func(*Outcome) error
	descriptors descriptors
	report      RetuneReport
}

// pending is a target without an outcome.
type pending struct {
	target *Target
	why    error // it has none yet; nil is not known
}

// all tries one way after the other, with what is left.
func (r *retuner) all(left []pending) (err error) {
	direct := r.query.Way == ByDescriptor || r.query.Way == AnyWay && fewAndKnown(left)
	if direct {
		if left, err = r.byDescriptor(left); err != nil {
			return err
		}
	}
	if r.query.Way != ByDescriptor && len(left) > 0 {
		if left, err = r.byBPF(left); err != nil {
			return err
		}
	}
	if !direct {
		if left, err = r.byDescriptor(left); err != nil {
			return err
		}
	}
	return r.explain(left)
}

func fewAndKnown(targets []pending) bool {
	return len(targets) <= fewTargets &&
		!slices.ContainsFunc(targets, func(p pending) bool { return len(p.target.Owners) == 0 })
}

// byDescriptor returns the targets that no owner lends.
func (r *retuner) byDescriptor(targets []pending) (left []pending, err error) {
	for _, p := range targets {
		o := Outcome{Target: p.target}
		if why := r.descriptors.retune(&o); o.Result == 0 {
			if why != nil {
				p.why = why
			}
			left = append(left, p)
			continue
		}
		if err := r.outcome(&o); err != nil {
			return nil, err
		}
	}
	return left, nil
}

// byBPF returns the targets for which it takes a descriptor: all of them, where
// BPF cannot be had.
func (r *retuner) byBPF(targets []pending) (left []pending, err error) {
	w, err := newWalker(&r.query, targets)
	if err != nil && r.query.Way == ByBPF {
		return nil, err
	}
	if err != nil {
		r.report.WhyNotBPF = err
		return targets, nil
	}
	defer w.retuner.Close()
	return left, w.walk(func(o *Outcome) error {
		if o.Err == errMPTCP && r.query.Way == AnyWay {
			left = append(left, pending{o.Target, errMPTCP})
			return nil
		}
		return r.outcome(o)
	})
}

// explain ends the outcomes of sockets that were not reached: they are gone, or
// on their way, or nobody lends them.
func (r *retuner) explain(left []pending) error {
	if len(left) == 0 {
		return nil
	}
	states := make(map[uint64]Socket, len(left))
	for _, p := range left {
		states[p.target.Cookie] = Socket{}
	}
	err := dumpSockets(AllStates, func(s *Socket) error {
		if _, ok := states[s.Cookie]; ok {
			states[s.Cookie] = Socket{State: s.State, Inode: s.Inode}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, p := range left {
		s := states[p.target.Cookie]
		o := Outcome{Target: p.target, State: s.State}
		switch {
		case s.State == 0:
			o.Result, o.Err = Gone, errGone
		case !r.query.eligible().Has(s.State):
			o.Result, o.Err = Ineligible, o.ineligible(&r.query)
		case s.Inode == 0:
			o.Result, o.Err = Ineligible, errNoFile
		case p.why != nil:
			o.Result, o.Err = Failed, p.why
		default:
			o.Result, o.Err = Failed, errNoFD
		}
		if err := r.outcome(&o); err != nil {
			return err
		}
	}
	return nil
}

func (r *retuner) outcome(o *Outcome) error {
	switch o.Result {
	case Done:
		r.report.Done++
	case Gone:
		r.report.Gone++
	case Ineligible:
		r.report.Ineligible++
	case Failed:
		r.report.Failed++
	}
	return r.visit(o)
}

// eligible is the set of states in which a socket is changed.
func (q *RetuneQuery) eligible() States {
	s := StatesOf(Established, FinWait2, CloseWait)
	if q.Listen {
		s |= StatesOf(Listen)
	}
	return s
}

// ineligible is why a socket in a state and with a switch is not changed, or nil.
func (o *Outcome) ineligible(q *RetuneQuery) error {
	switch {
	case !q.eligible().Has(o.State):
		return fmt.Errorf("%v: %w", o.State, errState)
	case o.Target.Rearm && o.State == Listen:
		return errListening
	case o.Target.Rearm && o.Before.Keepalive == Off:
		return errOff
	}
	return nil
}

// verify compares what is there with what was asked for.
func (o *Outcome) verify() {
	o.Result = Done
	want := o.Target.Change.Apply(o.Before.Settings)
	on := o.Before.Keepalive
	if e := o.Target.Change.Enabled; e != nil {
		on = onOff(*e)
	}
	if o.After.Settings != want || o.After.Keepalive != on {
		o.Result, o.Err = Failed, errNotThere
	}
}

// difference is the change that leads from one set of values to another, as far
// as a socket takes them: a sysctl can hold more.
func difference(from, to Values) keepalive.Change {
	var c keepalive.Change
	limits := keepalive.Socket()
	if from.Keepalive != to.Keepalive {
		c.Enabled = new(to.Keepalive == On)
	}
	duration := func(from, to time.Duration, put **time.Duration, only func(*time.Duration) keepalive.Change) {
		if from != to && limits.Check(only(&to)) == nil {
			*put = &to
		}
	}
	duration(from.Time, to.Time, &c.Time, func(v *time.Duration) keepalive.Change { return keepalive.Change{Time: v} })
	duration(from.Intvl, to.Intvl, &c.Intvl, func(v *time.Duration) keepalive.Change { return keepalive.Change{Intvl: v} })
	if to.UserTimeoutKnown {
		duration(from.UserTimeout, to.UserTimeout, &c.UserTimeout, func(v *time.Duration) keepalive.Change { return keepalive.Change{UserTimeout: v} })
	}
	if from.Probes != to.Probes && limits.Check(keepalive.Change{Probes: &to.Probes}) == nil {
		c.Probes = &to.Probes
	}
	return c
}

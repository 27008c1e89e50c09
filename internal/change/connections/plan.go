// Package connections changes live sockets: their options (set sockets), and timers that run
// for longer than the sysctls say (set --rearm).
package connections

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"time"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/internal/connection"
	"github.com/tcpka/tcpka/internal/journal"
	"github.com/tcpka/tcpka/internal/netns"
	"github.com/tcpka/tcpka/internal/target"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/sockets"
)

// Plan is what set sockets is about to do.
type Plan struct {
	*cmdline.Invocation
	target.Where
	Filter sockets.Filter
	Listen bool
	Change keepalive.Change
	Jitter time.Duration

	rooms   []*Room
	stopped bool // by a signal, before all was done
}

// Room is what changes in one namespace.
type Room struct {
	ns     target.Namespace
	cookie uint64
	kernel calc.Kernel
	sysctl keepalive.Settings
	mptcp  connection.Outliving
	err    error // why nothing of it can be changed

	changing []*tuning // those that change alike follow each other
	Found    int
	already  int
	unseen   int // whose values cannot be read
	noUTO    int // MPTCP sockets that were to get a user timeout
	gaps     []sockets.Gap
	waiting  map[uint64]bool // cookies of those that were not accepted yet
	unwanted map[uint64]bool // by cookie: subflows that the filter does not want, see siblings

	undecided int    // sockets of which is not known what the filter goes by, and could be
	whyNot    string // it is not
}

// Gather looks for the sockets, and no others than were shown before if that is
// not nil: their cookies, for each namespace.
func (p *Plan) Gather(shown []map[uint64]bool) error {
	var shared lists
	defer shared.Close()
	for i, ns := range p.Namespaces {
		r := &Room{ns: ns}
		only := map[uint64]bool(nil)
		if shown != nil {
			only = shown[i]
		}
		r.err = ns.Do(func() error {
			snap, err := target.Look(p.Root)
			if err != nil {
				return err
			}
			r.sysctl, r.kernel = snap.Settings, snap.Kernel
			r.mptcp.Look()
			r.cookie, _ = netns.Cookie() // 0 before Linux 5.14
			return r.list(p, &shared, only)
		})
		if p.Gone(r.err) {
			r.err = nil // it has nothing to change
		}
		if r.err != nil && !p.All {
			return r.err
		}
		p.rooms = append(p.rooms, r)
	}
	if !slices.ContainsFunc(p.rooms, func(r *Room) bool { return r.err == nil }) {
		return p.Failures()
	}
	found := p.Count(func(r *Room) int { return r.Found })
	if err := p.undecided(); err != nil && found == 0 {
		return p.Permission(err)
	}
	if n, why := p.unseen(); n > 0 && n == found {
		return p.Permission(fmt.Errorf("%s: %w", answer.Some(n, "the values of 1 socket cannot be read", "the values of %d sockets cannot be read"), unseenError(why)))
	}
	return nil
}

// lists is what those of several namespaces share, each kind of list for itself.
type lists struct{ wanted, siblings, queued sockets.Shared }

func (l *lists) Close() error {
	return errors.Join(l.wanted.Close(), l.siblings.Close(), l.queued.Close())
}

// unseenError says why the values of sockets cannot be read: mostly for want of
// privilege.
type unseenError string

func (e unseenError) Error() string { return string(e) }

func (e unseenError) Is(t error) bool { return t == os.ErrPermission }

// Cookies are those of the sockets that change, for each namespace. A plan that is nil
// has none.
func (p *Plan) Cookies() []map[uint64]bool {
	if p == nil {
		return nil
	}
	var all []map[uint64]bool
	for _, r := range p.rooms {
		room := make(map[uint64]bool, len(r.changing))
		for _, t := range r.changing {
			room[t.Cookie] = true
		}
		all = append(all, room)
	}
	return all
}

func (r *Room) list(p *Plan, shared *lists, only map[uint64]bool) error {
	q := sockets.Query{Shared: &shared.wanted, Sysctl: r.sysctl, Filter: p.Filter}
	r.waiting = map[uint64]bool{}
	met := map[uint64]bool{} // MPTCP sockets that the filter wants
	rep, err := sockets.List(q, func(s *sockets.Socket) error {
		if isWaiting(s) {
			r.waiting[s.Cookie] = true
		} else if s.Inode != 0 {
			r.add(s, p.Change, only)
			if connection.IsMPTCP(s) {
				met[s.Cookie] = true
			}
		}
		return nil
	})
	if err = unstuck(rep, err); err == nil {
		err = r.siblings(p, shared, met, only)
	}
	r.gaps = rep.Incomplete
	for _, g := range r.gaps {
		switch {
		case g.What != sockets.Undecided:
		case g.Remedy != "":
			r.undecided += g.Sockets
			r.whyNot = g.Why + "; " + g.Remedy
		case only == nil: // no privilege shows more: it is told, once
			p.Notice("not known: %s", g)
		}
	}
	r.sort()
	if err != nil {
		return err
	}
	return r.queued(shared)
}

// unstuck is err, or else the reason to change nothing: some process keeps the lock of a
// socket, so that a walk that changes any would hang.
func unstuck(r sockets.Report, err error) error {
	if err == nil && r.Stuck != nil {
		return r.Stuck
	}
	return err
}

// siblings adds the other subflows of the MPTCP connections of which one changes, those
// that the filter does not want: what is set on one is set on the connection, and so
// on all of them. Source: net/mptcp/sockopt.c, mptcp_sol_socket_sync_intval.
func (r *Room) siblings(p *Plan, shared *lists, met, only map[uint64]bool) error {
	r.unwanted = map[uint64]bool{}
	connections := map[uint32]bool{} // by inode, which their subflows share
	for _, t := range r.changing {
		if t.isMPTCP() {
			connections[t.Inode] = true
		}
	}
	if len(connections) == 0 {
		return nil
	}
	q := sockets.Query{Shared: &shared.siblings, Sysctl: r.sysctl, Filter: sockets.Filter{States: Tunable(p.Listen)}}
	rep, err := sockets.List(q, func(s *sockets.Socket) error {
		if connections[s.Inode] && !met[s.Cookie] && connection.IsMPTCP(s) {
			r.add(s, p.Change, only)
			r.unwanted[s.Cookie] = true
		}
		return nil
	})
	return unstuck(rep, err)
}

// add looks what changes of a socket. One that was not shown before is passed
// over.
func (r *Room) add(s *sockets.Socket, want keepalive.Change, only map[uint64]bool) {
	r.Found++
	if !s.ValuesKnown || s.Keepalive == sockets.Unknown {
		r.unseen++
		return
	}
	if want.UserTimeout != nil && !s.UserTimeoutKnown {
		r.noUTO++
		want.UserTimeout = nil
	}
	t := newTuning(s)
	t.change = t.differing(want)
	t.late = t.isLateAfter(want)
	if t.change.Empty() {
		r.already++
	}
	switch {
	case t.change.Empty() && !t.late:
	case only == nil || only[s.Cookie]:
		r.changing = append(r.changing, t)
	case t.change.Empty(): // its timer was not shown
	default:
		r.Found--
	}
}

// isLateAfter reports whether the timer that runs is to start anew once the socket
// has what differs from want. A time that differs starts it anew by itself; one
// that is in effect already, mostly by the sysctl, is not set, and leaves a timer
// alone that was armed for longer. One that data on its way hides may be such,
// unless its time is the socket's own: that was armed when it was set.
func (t *tuning) isLateAfter(want keepalive.Change) bool {
	if want.Time == nil || t.change.Time != nil || t.change.Enabled != nil {
		return false
	}
	return connection.IsLate(&t.Socket, t.change.Apply(t.Settings)) || t.hidden()
}

// hidden reports whether the keepalive timer is not seen and may run for any time.
func (t *tuning) hidden() bool {
	return connection.IsHidden(&t.Socket) && t.TimeFrom != sockets.FromSocket
}

// sort puts together what changes alike: it is shown so, and takes less room in
// the journal.
func (r *Room) sort() {
	type kind struct {
		comm      string
		owned     bool
		listening bool
		values    sockets.Values
	}
	index := map[kind]int{}
	of := make(map[*tuning]int, len(r.changing))
	for _, t := range r.changing {
		k := kind{listening: t.State == sockets.Listen, values: t.values()}
		if comm := t.comm(); comm != nil {
			k.comm, k.owned = *comm, true
		}
		if _, ok := index[k]; !ok {
			index[k] = len(index)
		}
		of[t] = index[k]
	}
	slices.SortStableFunc(r.changing, func(a, b *tuning) int { return of[a] - of[b] })
}

// overdue reports whether the socket is probed as soon as it has its new time.
// To one that is off that does not happen: it is armed a full time from now.
// Source: net/ipv4/tcp.c, tcp_sock_set_keepidle_locked.
func (t *tuning) overdue() bool {
	staysOn := t.Keepalive == sockets.On && (t.change.Enabled == nil || *t.change.Enabled)
	return staysOn && t.change.Time != nil && t.Timer == sockets.TimerKeepalive && t.IdleKnown && t.Idle >= *t.change.Time
}

// waits reports whether a new user timeout has begun to run already: the kernel counts
// it from the first retransmission, or from the first probe of a closed window.
// Source: net/ipv4/tcp_timer.c, tcp_write_timeout, tcp_probe_timer.
func (t *tuning) waits() bool {
	uto := t.change.UserTimeout
	shorter := uto != nil && *uto > 0 && (t.UserTimeout == 0 || *uto < t.UserTimeout)
	return shorter && (t.Timer == sockets.TimerProbe0 || t.Timer == sockets.TimerRetransmit && t.Unanswered > 0)
}

// staysOff reports whether values are stored that have no effect.
func (t *tuning) staysOff() bool { return t.Keepalive == sockets.Off && t.change.Enabled == nil }

// eachTuning calls f for every socket that changes.
func (p *Plan) eachTuning(f func(r *Room, t *tuning)) {
	for _, r := range p.rooms {
		for _, t := range r.changing {
			f(r, t)
		}
	}
}

func (p *Plan) Count(of func(*Room) int) int {
	n := 0
	for _, r := range p.rooms {
		n += of(r)
	}
	return n
}

func (p *Plan) Record() (changes iter.Seq[journal.Change], applied func() []int) {
	if p.numbers().Changing == 0 { // but for timers, which need not be taken back
		return nil, nil
	}
	changes = func(yield func(journal.Change) bool) {
		for _, r := range p.rooms {
			ns := &journal.Netns{Name: r.ns.Name, Inode: r.ns.Inode, Cookie: r.cookie}
			for _, t := range r.changing {
				for _, c := range t.record(ns) {
					if !yield(c) {
						return
					}
				}
			}
		}
	}
	return changes, p.applied
}

// applied are the indices of the recorded changes that were made; nil is all.
func (p *Plan) applied() []int {
	indices, i := []int{}, 0
	p.eachTuning(func(_ *Room, t *tuning) {
		for _, o := range socketOptions {
			if o.wanted(t.recorded) == nil {
				continue
			}
			if t.applied(o) {
				indices = append(indices, i)
			}
			i++
		}
	})
	if len(indices) == i {
		return nil
	}
	return indices
}

func (p *Plan) carriedOut() bool {
	yes := p.stopped
	p.eachTuning(func(_ *Room, t *tuning) { yes = yes || t.result != 0 || t.rearmed.result != 0 })
	return yes
}

func (p *Plan) AnyApplied() bool {
	yes := false
	p.eachTuning(func(_ *Room, t *tuning) {
		yes = yes || t.rearmed.result == sockets.Done || slices.ContainsFunc(socketOptions, t.applied)
	})
	return yes
}

// Restored: what could not be changed was put back by the one who tried.
func (p *Plan) Restored() bool {
	yes := true
	p.eachTuning(func(_ *Room, t *tuning) {
		same := t.after.Settings == t.Settings && t.after.Keepalive == t.Keepalive
		yes = yes && (!t.tried() || same)
	})
	return yes
}

// Failures are the namespaces and the sockets that are left out, or could not be
// changed.
func (p *Plan) Failures() error {
	var errs []error
	for _, r := range p.rooms {
		if r.err != nil {
			errs = append(errs, fmt.Errorf("namespace %s: %w", r.ns.Name, r.err))
		}
	}
	if err := p.undecided(); err != nil {
		errs = append(errs, err)
	}
	if n, why := p.unseen(); n > 0 {
		errs = append(errs, fmt.Errorf("%s be read: %s", answer.Some(n, "the values of 1 socket cannot", "the values of %d sockets cannot"), why))
	}
	if n := p.Count(func(r *Room) int { return r.noUTO }); n > 0 {
		errs = append(errs, fmt.Errorf("%s no user timeout", answer.Some(n, "1 MPTCP socket has", "%d MPTCP sockets have")))
	}
	failed := tally{}
	p.eachTuning(func(_ *Room, t *tuning) {
		if t.back || t.result == sockets.Failed {
			failed.add(t, t.err.Error())
		}
		if t.rearmed.result == sockets.Failed {
			failed.add(t, "start its timer anew: "+t.rearmed.err.Error())
		}
	})
	for _, line := range failed.lines() {
		errs = append(errs, errors.New(line))
	}
	return errors.Join(errs...)
}

func (p *Plan) Beaten(bool) error { return nil }

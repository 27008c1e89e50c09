package connections

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"os"
	"slices"
	"strconv"

	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/change"
	"github.com/tcpka/tcpka/internal/connection"
	"github.com/tcpka/tcpka/internal/journal"
	"github.com/tcpka/tcpka/internal/netns"
	"github.com/tcpka/tcpka/internal/target"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/sockets"
)

// socketReversal gives sockets their old values back. A value that followed the
// sysctl gets what that says now; it stays the socket's own, and is noted. Sockets are known by their cookies, and an MPTCP connection, whose subflows
// come and go, by the inode that they share.
type socketReversal struct {
	*change.Undoing
	rooms []*socketComeback
}

// socketComeback is what goes back in one namespace.
type socketComeback struct {
	ns       *netns.Handle
	sysctl   keepalive.Settings
	recorded map[uint64][]*journal.Change // by cookie
	tunings  []*tuning                    // what is to be written
	mptcp    map[uint32]*mptcpComeback    // by inode

	seen, unseen int
	resumed      int // subflows that were closed, of connections that have others
	bare, held   int // MPTCP connections without a subflow, and their recorded subflows
	ending       int // sockets in a state in which they are not changed
	pinned       int // sockets with a value that was the sysctl's and stays their own
	perhaps      int // those of which it is not known whether it was
	refused      tally
}

// mptcpComeback is an MPTCP connection. What was set on its subflows was set on all, so
// those that came later have it, too.
type mptcpComeback struct {
	missing map[uint64]bool   // cookies of its recorded subflows that were not found
	changes []*journal.Change // of the first of those that were recorded
	found   bool              // a subflow that can be changed
	ending  bool              // another one
}

// mptcpOf are the MPTCP connections of recorded subflows.
func mptcpOf(recorded map[uint64][]*journal.Change) map[uint32]*mptcpComeback {
	connections := map[uint32]*mptcpComeback{}
	for _, cookie := range slices.Sorted(maps.Keys(recorded)) {
		inode := recorded[cookie][0].Endpoint.MPTCP
		if inode == 0 {
			continue
		}
		if connections[inode] == nil {
			connections[inode] = &mptcpComeback{missing: map[uint64]bool{}, changes: recorded[cookie]}
		}
		connections[inode].missing[cookie] = true
	}
	return connections
}

func Undo(u *change.Undoing) change.Reversal { return &socketReversal{Undoing: u} }

func (r *socketReversal) List(c journal.Change) []change.Change {
	d := change.Recorded(c)
	if e := c.Endpoint; e != nil {
		d.SocketOption = &change.SocketOption{
			Cookie: fmt.Sprintf("%#x", e.Cookie), Option: c.Key, Local: e.Local, Remote: e.Remote,
		}
		if !c.Unsure {
			d.Inherited = &c.Inherited
		}
		if e.PID > 0 {
			d.PID = &e.PID
		}
	}
	return []change.Change{d}
}

func (r *socketReversal) Gather(changes []*journal.Change) error {
	if r.Rebooted {
		r.Leave("the sockets: the machine was rebooted since")
		return nil
	}
	of := map[journal.Netns]map[uint64][]*journal.Change{}
	var order []journal.Netns
	for _, c := range changes {
		if c.Old == nil || c.New == nil || c.Netns == nil || c.Endpoint == nil {
			return fmt.Errorf("the record of %s is not complete", c.Key)
		}
		if of[*c.Netns] == nil {
			of[*c.Netns] = map[uint64][]*journal.Change{}
			order = append(order, *c.Netns)
		}
		of[*c.Netns][c.Endpoint.Cookie] = append(of[*c.Netns][c.Endpoint.Cookie], c)
	}
	var shared sockets.Shared
	defer shared.Close()
	for _, n := range order {
		if err := r.room(&shared, n, of[n]); err != nil {
			return err
		}
	}
	r.explain()
	return nil
}

func (r *socketReversal) room(shared *sockets.Shared, n journal.Netns, recorded map[uint64][]*journal.Change) error {
	var pids []int
	for _, changes := range recorded {
		if pid := changes[0].Endpoint.PID; pid != 0 && !slices.Contains(pids, pid) {
			pids = append(pids, pid)
		}
	}
	h, err := target.FindAgain(n, pids...)
	if errors.Is(err, os.ErrNotExist) {
		for _, changes := range recorded {
			r.Keep(changes...)
		}
		r.Leave("%s: namespace %s is not found from here", answer.Some(len(recorded), "1 socket", "%d sockets"), n.Name)
		return nil
	}
	if err != nil {
		return err
	}
	b := &socketComeback{ns: h, recorded: recorded, mptcp: mptcpOf(recorded), refused: tally{}}
	r.rooms = append(r.rooms, b)
	return h.Do(func() error {
		snap, err := target.Look(r.Root)
		if err != nil {
			return err
		}
		b.sysctl = snap.Settings
		q := sockets.Query{Shared: shared, Sysctl: b.sysctl, Filter: sockets.Filter{States: sockets.AllStates}}
		var broken error
		rep, err := sockets.List(q, func(s *sockets.Socket) error {
			changes, ok := recorded[s.Cookie]
			if c := b.mptcp[s.Inode]; c != nil && (connection.IsMPTCP(s) || !s.ValuesKnown) {
				delete(c.missing, s.Cookie)
				changeable := Tunable(true).Has(s.State)
				c.found = c.found || changeable
				c.ending = c.ending || !changeable
				if !ok && changeable { // it came later
					changes, ok = c.changes, true
					recorded[s.Cookie] = changes
				}
			}
			switch {
			case !ok || s.Inode == 0: // another one, or what the kernel still has of one that was closed
			case !Tunable(true).Has(s.State):
				b.ending++
			default:
				broken = errors.Join(broken, r.add(b, s, changes))
			}
			return nil
		})
		if err := errors.Join(unstuck(rep, err), broken); err != nil {
			return err
		}
		return r.bare(b)
	})
}

// bare looks what became of the MPTCP connections whose recorded subflows were closed.
// One without any is not closed while a process holds it; nothing of it is listed, and
// it stays to be undone.
func (r *socketReversal) bare(b *socketComeback) error {
	var inodes []uint32
	for inode, c := range b.mptcp {
		switch {
		case c.found:
			b.resumed += len(c.missing)
		case !c.ending:
			inodes = append(inodes, inode)
		}
	}
	if len(inodes) == 0 {
		return nil
	}
	owners, err := sockets.FindOwners(inodes...)
	if err != nil {
		return err
	}
	for inode := range owners {
		for cookie := range b.mptcp[inode].missing {
			r.Keep(b.recorded[cookie]...)
			b.held++
		}
		b.bare++
	}
	return nil
}

// add plans how a socket goes back, if it is as the command left it.
func (r *socketReversal) add(b *socketComeback, s *sockets.Socket, changes []*journal.Change) error {
	b.seen++
	if !s.ValuesKnown {
		b.unseen++
		r.Keep(changes...)
		return nil
	}
	t := newTuning(s)
	now, sysctl := t.values(), sockets.Values{Settings: b.sysctl}
	pinned, perhaps := false, false
	pin := func(c *journal.Change) {
		pinned = pinned || c.Inherited && !c.Unsure
		perhaps = perhaps || c.Unsure
	}
	for _, c := range changes {
		o, old, set, err := parseOption(c)
		if err != nil {
			return err
		}
		back := old
		if c.Inherited {
			back = o.value(sysctl)
		}
		switch value := o.value(now); {
		case c.Inherited && o.origin(now) == sockets.FromSysctl: // it was never changed, whatever that says now
		case value == set:
			if pin(c); back != value {
				o.want(&t.change, back)
			}
		case value == old && (!c.Inherited || o.origin(now) != sockets.FromSocket): // it was never changed, or is back
		case value == back: // it was taken back already, and stays its own
			pin(c)
		default:
			r.Keep(changes...)
			b.refused.add(t, fmt.Sprintf("%s is %d: someone has changed it since, from the %d it was set to", o.name, value, set))
			return nil
		}
	}
	if err := keepalive.Socket().Check(t.change); err != nil {
		r.Keep(changes...)
		b.refused.add(t, fmt.Sprintf("the sysctl holds more than a socket can: %v", err))
		return nil
	}
	switch {
	case pinned:
		b.pinned++
	case perhaps:
		b.perhaps++
	}
	if !t.change.Empty() {
		b.tunings = append(b.tunings, t)
	}
	return nil
}

// parseOption reads the record of an option.
func parseOption(c *journal.Change) (o socketOption, old, set int, err error) {
	for _, o = range socketOptions {
		if o.name != c.Key {
			continue
		}
		if old, err = strconv.Atoi(*c.Old); err == nil {
			set, err = strconv.Atoi(*c.New)
		}
		if err != nil {
			err = fmt.Errorf("the record of %s: %w", c.Key, err)
		}
		return o, old, set, err
	}
	return o, 0, 0, fmt.Errorf("the record is of a socket option %q, which this version does not know", c.Key)
}

// explain says what is not taken back, and what need not be.
func (r *socketReversal) explain() {
	var gone, resumed, bare, ending, pinned, perhaps, unseen int
	for _, b := range r.rooms {
		pinned += b.pinned
		perhaps += b.perhaps
		ending += b.ending
		gone += len(b.recorded) - b.seen - b.ending - b.resumed - b.held
		resumed += b.resumed
		bare += b.bare
		unseen += b.unseen
		for _, line := range b.refused.lines() {
			r.Leave("%s", line)
		}
	}
	const stays = "%s: the sysctl's present value takes its place, and stays the socket's own, as no value can be unset"
	if pinned > 0 {
		r.Note(stays, answer.Some(pinned, "what 1 socket had from the sysctl", "what %d sockets had from the sysctl"))
	}
	if perhaps > 0 {
		r.Note(stays, answer.Some(perhaps, "what 1 socket had, perhaps from the sysctl", "what %d sockets had, perhaps from the sysctl"))
	}
	if unseen > 0 {
		r.Leave("%s cannot be read: with more privilege they can (sudo)", answer.Some(unseen, "1 socket, whose values", "%d sockets, whose values"))
	}
	if ending > 0 {
		r.Leave("%s: such a connection is not changed any more, and keeps the values until it ends", answer.Some(ending, "1 socket, which was closed on this side", "%d sockets, which were closed on this side"))
	}
	if bare > 0 {
		r.Leave("%s", answer.Some(bare, "1 MPTCP connection has no subflow now, and a process holds it", "%d MPTCP connections have no subflow now, and processes hold them"))
	}
	if resumed > 0 {
		r.Note("%s closed since, of MPTCP connections that have others", answer.Some(resumed, "1 subflow was", "%d subflows were"))
	}
	if gone > 0 {
		r.Note("%s closed since", answer.Some(gone, "1 socket was", "%d sockets were"))
	}
}

func (r *socketReversal) Apply() (done bool, err error) {
	gone := 0
	for _, b := range r.rooms {
		if len(b.tunings) == 0 {
			continue
		}
		q := sockets.RetuneQuery{Sysctl: b.sysctl, Listen: true}
		if err := b.ns.Do(func() error { return retune(q, b.tunings) }); err != nil {
			return done, err
		}
		failed := tally{}
		for _, t := range b.tunings {
			switch t.result {
			case sockets.Done:
				done = true
			case sockets.Failed:
				r.Keep(b.recorded[t.Cookie]...)
				failed.add(t, t.err.Error())
			default: // it ended, or is about to
				gone++
			}
		}
		for _, line := range failed.lines() {
			r.Leave("%s", line)
		}
	}
	if gone > 0 {
		r.Note("%s closed meanwhile", answer.Some(gone, "1 socket was", "%d sockets were"))
	}
	return done, nil
}

// Changes are too many to have them all at once: see perSocket.
func (r *socketReversal) Changes() []change.Change { return nil }

// PerSocket is what change.Undo has in their place; nil is none.
func (r *socketReversal) PerSocket() iter.Seq[[]change.Change] {
	if !slices.ContainsFunc(r.rooms, func(b *socketComeback) bool { return len(b.tunings) > 0 }) {
		return nil
	}
	return func(yield func([]change.Change) bool) {
		for _, b := range r.rooms {
			for _, t := range b.tunings {
				if !yield(t.report(b.ns.Name, nil)) {
					return
				}
			}
		}
	}
}

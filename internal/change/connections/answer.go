package connections

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/change"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/sockets"
)

// What is said of a plan: its numbers, its warnings, and what is asked.

// numbers counts what is planned and what was done.
func (p *Plan) numbers() change.SocketsChange {
	n := change.SocketsChange{
		Found:   p.Count(func(r *Room) int { return r.Found }),
		Already: p.Count(func(r *Room) int { return r.already }),
	}
	n.Unseen, _ = p.unseen()
	p.eachTuning(func(_ *Room, t *tuning) {
		if t.change.Empty() {
			return
		}
		n.Changing++
		if t.staysOff() {
			n.KeepaliveOff++
		}
		if t.overdue() {
			n.Overdue++
		}
		switch {
		case t.back:
			n.SetBack++
		case t.result == sockets.Done:
			n.Changed++
		case t.result == sockets.Failed:
			n.Failed++
		case t.result != 0: // it ended, or is about to
			n.Gone++
		}
	})
	return n
}

// unseen counts the sockets whose values cannot be read, and says why.
func (p *Plan) unseen() (n int, why string) {
	for _, r := range p.rooms {
		if n += r.unseen; r.unseen == 0 || why != "" {
			continue
		}
		for _, g := range r.gaps {
			if g.What == "the keepalive values" {
				why = strings.TrimSuffix(g.Why+"; "+g.Remedy, "; ")
			}
		}
	}
	return n, why
}

// undecided is the error that some sockets were left out although they may be
// meant, or nil.
func (p *Plan) undecided() error {
	n, why := 0, ""
	for _, r := range p.rooms {
		if n += r.undecided; r.undecided > 0 {
			why = r.whyNot
		}
	}
	if n == 0 {
		return nil
	}
	return fmt.Errorf("%s: %w", answer.Some(n, "whether 1 socket is meant cannot be seen", "whether %d sockets are meant cannot be seen"), unseenError(why))
}

func (p *Plan) Document() change.Set {
	d := change.Set{Schema: "tcpka/set/v1", Changes: []change.Change{}, Warnings: []calc.Warning{}, Unaffected: []string{}}
	n := p.numbers()
	d.Sockets = &n
	if d.Detection = p.detection(); n.Changing > 0 {
		d.PerSocket = p.perSocket
	}
	d.Rearmed = p.rearmed()
	d.Changed = p.AnyChange() && (!p.carriedOut() || p.AnyApplied())
	d.Warnings = append(d.Warnings, p.warnings(n)...)
	return d
}

func (p *Plan) AnyChange() bool {
	return slices.ContainsFunc(p.rooms, func(r *Room) bool { return len(r.changing) > 0 })
}

// perSocket makes the changes of one socket after the other, for an answer.
func (p *Plan) perSocket(yield func([]change.Change) bool) {
	for _, r := range p.rooms {
		for _, t := range r.changing {
			if t.change.Empty() {
				continue
			}
			changes := t.report(r.ns.Name, t.detection(r.kernel, &r.mptcp))
			latest := t.latest(r.kernel, &r.mptcp)
			for i := range changes {
				changes[i].DetectionLatest = latest
			}
			if !yield(changes) {
				return
			}
		}
	}
}

// detection is when a dead peer is noticed, where that is the same for all sockets.
func (p *Plan) detection() *change.OldNew {
	var all *change.OldNew
	for _, r := range p.rooms {
		for _, t := range r.changing {
			if t.change.Empty() {
				continue
			}
			d := t.detection(r.kernel, &r.mptcp)
			if d == nil || all != nil && !(change.Equal(all.Old, d.Old) && change.Equal(all.New, d.New)) {
				return nil
			}
			all = d
		}
	}
	return all
}

// rearmed adds up the timers that start anew; nil is none.
func (p *Plan) rearmed() *change.Rearmed {
	sum := NewTimerSum()
	p.eachTuning(func(r *Room, t *tuning) {
		if t.late {
			sum.add(r.ns.Name, t, t.Time)
		}
	})
	if sum.Sockets == 0 {
		return nil
	}
	return sum.Report()
}

// warnings are what to know before, and still true after.
func (p *Plan) warnings(n change.SocketsChange) []calc.Warning {
	var ws []calc.Warning
	warn := func(id, format string, args ...any) {
		ws = append(ws, calc.Warning{ID: id, Text: fmt.Sprintf(format, args...)})
	}
	follows, may, waiting, siblings := 0, 0, 0, 0
	over := p.carriedOut()
	p.eachTuning(func(r *Room, t *tuning) {
		if over && !slices.ContainsFunc(socketOptions, t.applied) {
			return
		}
		if t.waits() {
			waiting++
		}
		if r.unwanted[t.Cookie] {
			siblings++
		}
		known, unknown := false, false
		for _, o := range socketOptions {
			if o.wanted(t.change) != nil {
				known = known || o.origin(t.values()) == sockets.FromSysctl
				unknown = unknown || o.origin(t.values()) == sockets.FromUnknown
			}
		}
		if known {
			follows++
		} else if unknown {
			may++
		}
	})
	if follows > 0 {
		warn("leaves_sysctl", "%s for good: a value that was set on a socket cannot be unset, not by undo either", answer.Some(follows, "1 socket that follows the sysctl gets a value of its own,", "%d sockets that follow the sysctl get values of their own,"))
	}
	if may > 0 {
		warn("may_leave_sysctl", "%s for good: a value that was set on a socket cannot be unset, not by undo either", answer.Some(may, "1 socket that may follow the sysctl gets a value of its own,", "%d sockets that may follow the sysctl get values of their own,"))
	}
	if n.Overdue > 0 && p.Jitter == 0 {
		warn("probed_at_once", "%s silent for longer than the new time: probed at once; --jitter 1m spreads that over a minute", answer.Some(n.Overdue, "1 socket was", "%d sockets were"))
	}
	if waiting > 0 {
		warn("ends_waiting", "%s: the user timeout counts from when that began, and may end it at once, also where the peer answers", answer.Some(waiting, "1 connection waits for its peer, to acknowledge data or to open its window", "%d connections wait for their peers, to acknowledge data or to open their windows"))
	}
	if n.KeepaliveOff > 0 {
		warn("keepalive_stays_off", "%s keepalive off, which stays so: the values have no effect until it is on (--on)", answer.Some(n.KeepaliveOff, "1 socket has", "%d sockets have"))
	}
	if n := p.Count(func(r *Room) int { return len(r.waiting) }); n > 0 {
		warn("not_accepted", "%s: no process has such a connection before its program accepts it", answer.Some(n, "1 connection that waits to be accepted keeps its values", "%d connections that wait to be accepted keep their values"))
	}
	if siblings > 0 {
		warn("mptcp_subflows", "the filter does not want %s: all subflows of an MPTCP connection change together, and those that come later have the values, too", answer.Some(siblings, "1 of these sockets", "%d of these sockets"))
	}
	return append(ws, p.harm()...)
}

// harm are the warnings about the values that result.
func (p *Plan) harm() []calc.Warning {
	var ws []calc.Warning
	seen := map[keepalive.Settings]bool{}
	p.eachTuning(func(r *Room, t *tuning) {
		settings := t.change.Apply(t.Settings)
		if seen[settings] {
			return
		}
		seen[settings] = true
		for _, w := range r.kernel.Warnings(settings) {
			if !slices.ContainsFunc(ws, func(known calc.Warning) bool { return known.ID == w.ID }) {
				ws = append(ws, w)
			}
		}
	})
	return ws
}

// Touches: they are other processes' sockets, whoever these are.
func (p *Plan) Touches() string {
	n, timers, spaces := 0, 0, 0
	programs := map[string]bool{}
	for _, r := range p.rooms {
		if len(r.changing) > 0 {
			spaces++
		}
	}
	p.eachTuning(func(_ *Room, t *tuning) {
		if t.change.Empty() {
			timers++
		} else {
			n++
		}
		if comm := t.comm(); comm != nil {
			programs[*comm] = true
		}
	})
	var what []string
	if n > 0 {
		what = append(what, answer.Some(n, "1 socket", "%d sockets"))
	}
	if timers > 0 {
		what = append(what, answer.Some(timers, "the timer of 1 connection", "the timers of %d connections"))
	}
	text := strings.Join(what, " and ")
	if len(programs) == 1 {
		for name := range programs {
			text += " of " + name
		}
	} else if len(programs) > 1 {
		text += fmt.Sprintf(" of %d programs", len(programs))
	}
	if spaces > 1 {
		text += " in " + answer.Count(spaces, "namespace")
	}
	return text
}

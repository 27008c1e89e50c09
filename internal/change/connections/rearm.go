package connections

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/change"
	"github.com/tcpka/tcpka/internal/connection"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/sockets"
)

// Timers are those of one namespace that set --rearm arms anew: of the sockets
// that follow the sysctl, the ones that were armed for a longer time. To arm one
// anew is to switch keepalive off and on; no value is set on the socket.
type Timers struct {
	Late   []*tuning
	time   time.Duration // that they will run
	unseen int           // sockets of which not enough can be seen
	why    string        // they cannot
}

// FindTimers looks for timers that run for longer than the sysctls will be after
// the change, in the calling thread's namespace. Of sockets whose timer is hidden
// it takes those that the change makes late. shared is for all namespaces.
func FindTimers(shared *sockets.Shared, now, next keepalive.Settings, only *Timers) (*Timers, error) {
	found := &Timers{time: next.Time}
	shown := only.cookies()
	q := sockets.Query{Shared: shared, Sysctl: now, Filter: sockets.Filter{States: Tunable(false), Keepalive: sockets.On}}
	rep, err := sockets.List(q, func(s *sockets.Socket) error {
		switch {
		case s.Inode == 0:
		case !s.ValuesKnown && (connection.IsLate(s, next) || connection.IsHidden(s)):
			found.unseen++
		case only != nil && !shown[s.Cookie]:
		case connection.Follows(s) && (connection.IsLate(s, next) || connection.IsHidden(s) && next.Time < now.Time):
			found.Late = append(found.Late, newTuning(s))
		}
		return nil
	})
	for _, g := range rep.Incomplete {
		if g.What == "the keepalive values" {
			found.why = strings.TrimSuffix(g.Why+"; "+g.Remedy, "; ")
		}
	}
	return found, unstuck(rep, err)
}

func (t *Timers) cookies() map[uint64]bool {
	cookies := map[uint64]bool{}
	if t != nil {
		for _, l := range t.Late {
			cookies[l.Cookie] = true
		}
	}
	return cookies
}

// Rearm arms the timers anew, now that the sysctls are what they will be. It
// looks again at each socket: with the new value in force it is seen of more of
// them whether they follow it.
func (t *Timers) Rearm(shared *sockets.Shared, sysctl keepalive.Settings) error {
	byCookie := map[uint64]*tuning{}
	for _, l := range t.Late {
		l.rearmed = rearming{result: sockets.Gone}
		byCookie[l.Cookie] = l
	}
	var still []*tuning
	q := sockets.Query{Shared: shared, Sysctl: sysctl, Filter: sockets.Filter{States: Tunable(false)}}
	rep, err := sockets.List(q, func(s *sockets.Socket) error {
		l := byCookie[s.Cookie]
		if l == nil {
			return nil
		}
		l.rearmed.result = sockets.Ineligible
		if connection.Follows(s) && (connection.IsLate(s, sysctl) || connection.IsHidden(s)) {
			l.Owners = slices.Clone(s.Owners)
			still = append(still, l)
		}
		return nil
	})
	if err = unstuck(rep, err); err != nil || len(still) == 0 {
		return err
	}
	return rearm(sysctl, still)
}

// Started reports whether any timer was armed anew.
func (t *Timers) Started() bool {
	return t != nil && slices.ContainsFunc(t.Late, func(l *tuning) bool { return l.rearmed.result == sockets.Done })
}

// timerSum adds up timers by program.
type timerSum struct {
	change.Rearmed
	index map[timersOf]int
}

type timersOf struct {
	netns, comm string
	owned       bool
	time        time.Duration
}

func NewTimerSum() *timerSum {
	return &timerSum{change.Rearmed{Programs: []change.ProgramTimers{}}, map[timersOf]int{}}
}

// AddAll counts the timers of a namespace; nil are none.
func (sum *timerSum) AddAll(netns string, t *Timers) {
	if t == nil {
		return
	}
	sum.Unseen += t.unseen
	for _, l := range t.Late {
		sum.add(netns, l, t.time)
	}
}

// add counts a timer that is to run for a time.
func (sum *timerSum) add(netns string, t *tuning, time time.Duration) {
	k := timersOf{netns: netns, time: time}
	if comm := t.comm(); comm != nil {
		k.comm, k.owned = *comm, true
	}
	i, ok := sum.index[k]
	if !ok {
		i = len(sum.Programs)
		sum.index[k] = i
		sum.Programs = append(sum.Programs, change.ProgramTimers{Netns: netns, Comm: t.comm(), Time: answer.Seconds(time)})
	}
	g := &sum.Programs[i]
	g.Sockets++
	sum.Sockets++
	if t.Timer != sockets.TimerKeepalive {
		sum.Hidden++
	} else if left := answer.Seconds(t.Left); g.Left == nil || left > *g.Left {
		g.Left = &left
	}
	switch t.rearmed.result {
	case sockets.Done:
		sum.Done++
	case sockets.Gone:
		sum.Gone++
	case sockets.Ineligible:
		sum.Left++
	case sockets.Failed:
		sum.Failed++
	}
}

// Report is the sum, the program with the most timers first.
func (sum *timerSum) Report() *change.Rearmed {
	slices.SortStableFunc(sum.Programs, func(a, b change.ProgramTimers) int { return cmp.Compare(b.Sockets, a.Sockets) })
	return &sum.Rearmed
}

// Failures are the timers that could not be armed anew, or not be seen.
func (t *Timers) Failures() []error {
	if t == nil {
		return nil
	}
	var errs []error
	if t.unseen > 0 {
		errs = append(errs, fmt.Errorf("%s: %s", answer.Some(t.unseen, "whether 1 timer is to be armed anew cannot be seen", "whether %d timers are to be armed anew cannot be seen"), t.why))
	}
	failed := tally{}
	for _, l := range t.Late {
		if l.rearmed.result == sockets.Failed {
			failed.add(l, l.rearmed.err.Error())
		}
	}
	for _, line := range failed.lines() {
		errs = append(errs, errors.New(line))
	}
	return errs
}

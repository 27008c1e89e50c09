package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tcpka/tcpka/internal/report"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/sockets"
)

// timers are those of one namespace that set --rearm arms anew: of the sockets
// that follow the sysctl, the ones that were armed for a longer time. To arm one
// anew is to switch keepalive off and on; no value is set on the socket.
type timers struct {
	late   []*tuning
	time   time.Duration // that they will run
	unseen int           // sockets of which not enough can be seen
	why    string        // they cannot
}

// isLate reports whether the keepalive timer of a socket runs for longer than it
// would if it were armed now. It does where the time was lowered since: the kernel
// does not touch a timer that runs. Armed now it never runs for longer than the
// larger of time and intvl. A socket that has been probed without an answer has
// its timer at the interval, and is left.
func isLate(s *sockets.Socket, sysctl keepalive.Settings) bool {
	const grace = time.Second
	return s.Keepalive == sockets.On && s.Timer == sockets.TimerKeepalive && s.Unanswered == 0 &&
		s.Left > max(sysctl.Time, sysctl.Intvl)+grace
}

// isHidden reports whether another timer hides the keepalive timer: data is on
// its way.
func isHidden(s *sockets.Socket) bool {
	return s.Keepalive == sockets.On && (s.Timer == sockets.TimerRetransmit || s.Timer == sockets.TimerProbe0)
}

// follows reports whether a socket has no time of its own, as far as can be seen:
// of one whose time is the sysctl's without BPF it cannot.
func follows(s *sockets.Socket) bool { return s.ValuesKnown && s.TimeFrom != sockets.FromSocket }

// findTimers looks for timers that run for longer than the sysctls will be after
// the change, in the calling thread's namespace. Of sockets whose timer is hidden
// it takes those that the change makes late.
func findTimers(now, next keepalive.Settings, only *timers) (*timers, error) {
	found := &timers{time: next.Time}
	shown := only.cookies()
	q := sockets.Query{Sysctl: now, Filter: sockets.Filter{States: tunable(false), Keepalive: sockets.On}}
	rep, err := sockets.List(q, func(s *sockets.Socket) error {
		switch {
		case s.Inode == 0:
		case !s.ValuesKnown && (isLate(s, next) || isHidden(s)):
			found.unseen++
		case only != nil && !shown[s.Cookie]:
		case follows(s) && (isLate(s, next) || isHidden(s) && next.Time < now.Time):
			found.late = append(found.late, newTuning(s))
		}
		return nil
	})
	for _, g := range rep.Incomplete {
		if g.What == "the keepalive values" {
			found.why = strings.TrimSuffix(g.Why+"; "+g.Remedy, "; ")
		}
	}
	return found, err
}

func (t *timers) cookies() map[uint64]bool {
	cookies := map[uint64]bool{}
	if t != nil {
		for _, l := range t.late {
			cookies[l.Cookie] = true
		}
	}
	return cookies
}

// rearm arms the timers anew, now that the sysctls are what they will be. It
// looks again at each socket: with the new value in force it is seen of more of
// them whether they follow it.
func (t *timers) rearm(sysctl keepalive.Settings) error {
	byCookie := map[uint64]*tuning{}
	for _, l := range t.late {
		l.rearmed = rearming{result: sockets.Gone}
		byCookie[l.Cookie] = l
	}
	var still []*tuning
	q := sockets.Query{Sysctl: sysctl, Filter: sockets.Filter{States: tunable(false)}}
	_, err := sockets.List(q, func(s *sockets.Socket) error {
		l := byCookie[s.Cookie]
		if l == nil {
			return nil
		}
		l.rearmed.result = sockets.Ineligible
		if follows(s) && (isLate(s, sysctl) || isHidden(s)) {
			l.Owners = slices.Clone(s.Owners)
			still = append(still, l)
		}
		return nil
	})
	if err != nil || len(still) == 0 {
		return err
	}
	return rearm(sysctl, still)
}

// started reports whether any timer was armed anew.
func (t *timers) started() bool {
	return t != nil && slices.ContainsFunc(t.late, func(l *tuning) bool { return l.rearmed.result == sockets.Done })
}

// timerSum adds up timers by program.
type timerSum struct {
	report.Rearmed
	index map[timersOf]int
}

type timersOf struct {
	netns, comm string
	owned       bool
	time        time.Duration
}

func newTimerSum() *timerSum {
	return &timerSum{report.Rearmed{Programs: []report.ProgramTimers{}}, map[timersOf]int{}}
}

// addAll counts the timers of a namespace; nil are none.
func (sum *timerSum) addAll(netns string, t *timers) {
	if t == nil {
		return
	}
	sum.Unseen += t.unseen
	for _, l := range t.late {
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
		sum.Programs = append(sum.Programs, report.ProgramTimers{Netns: netns, Comm: t.comm(), Time: report.Seconds(time)})
	}
	g := &sum.Programs[i]
	g.Sockets++
	sum.Sockets++
	if t.Timer != sockets.TimerKeepalive {
		sum.Hidden++
	} else if left := report.Seconds(t.Left); g.Left == nil || left > *g.Left {
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

// report is the sum, the program with the most timers first.
func (sum *timerSum) report() *report.Rearmed {
	slices.SortStableFunc(sum.Programs, func(a, b report.ProgramTimers) int { return cmp.Compare(b.Sockets, a.Sockets) })
	return &sum.Rearmed
}

// failures are the timers that could not be armed anew, or not be seen.
func (t *timers) failures() []error {
	if t == nil {
		return nil
	}
	var errs []error
	if t.unseen > 0 {
		errs = append(errs, fmt.Errorf("%s: %s", some(t.unseen, "whether 1 timer is to be armed anew cannot be seen", "whether %d timers are to be armed anew cannot be seen"), t.why))
	}
	failed := tally{}
	for _, l := range t.late {
		if l.rearmed.result == sockets.Failed {
			failed.add(l, l.rearmed.err.Error())
		}
	}
	for _, line := range failed.lines() {
		errs = append(errs, errors.New(line))
	}
	return errs
}

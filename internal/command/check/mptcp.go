package check

import (
	"errors"
	"fmt"
	"sort"
	"time"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/keepalive"
)

// goalOf is what the goal asks of the sockets of a group. ok is false where, as far as
// is known, the close timeout of MPTCP takes all the time that there is.
func (ck *checker) goalOf(g *group) (of calc.Goal, ok bool) {
	if !g.mptcp {
		return ck.goal, true
	}
	d, known := g.view.mptcp.Look()
	if !known {
		d = calc.Unbounded
	}
	return g.view.kernel.Subflow(ck.goal, d)
}

// plannedFor are settings for the sockets of a group.
func (ck *checker) plannedFor(g *group) (keepalive.Settings, error) {
	goal, ok := ck.goalOf(g)
	if !ok {
		return keepalive.Settings{}, errors.New("the close timeout of MPTCP takes longer than the goal")
	}
	return ck.planned(g.view.kernel, goal, g.settings)
}

// beyond says why no command mends what fails in a group of MPTCP, or is empty.
func (ck *checker) beyond(g *group) string {
	switch {
	case g.id == calc.FlawInFlight:
		return "; MPTCP has no user timeout that would end it sooner"
	case g.id != calc.FlawMPTCP && (g.id != calc.FlawOff || !g.misses):
		return ""
	}
	if _, err := ck.plannedFor(g); err == nil {
		return ""
	}
	if _, err := ck.planned(g.view.kernel, ck.goal, g.settings); err != nil { // not even for TCP
		return "; " + err.Error()
	}
	d, known := g.view.mptcp.Look()
	switch {
	case !known && g.Unknown: // which says the rest
		return "; no values are known to be enough"
	case !known:
		return "; no values are known to be enough, because how much later the program of an MPTCP connection hears of the end the kernel does not say (net.mptcp.close_timeout)"
	}
	text := fmt.Sprintf("; no values are enough while net.mptcp.close_timeout is %d: lower it, which tcpka does not", d/time.Second)
	if n := ck.room(g); n >= 0 && g.alike && g.id != calc.FlawOff {
		text += fmt.Sprintf("; with the values of now it may be %d at most", n)
	}
	return text
}

// room is the largest close timeout, in seconds, with which the values of a group meet
// the goal; below 0 there is none.
func (ck *checker) room(g *group) int {
	d, _ := g.view.mptcp.Look()
	return sort.Search(int(d/time.Second), func(n int) bool {
		of, ok := g.view.kernel.Subflow(ck.goal, time.Duration(n)*time.Second)
		return !ok || !g.view.kernel.Meets(of, g.settings)
	}) - 1
}

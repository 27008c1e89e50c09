package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/change/connections"
	"github.com/tcpka/tcpka/internal/connection"
	"github.com/tcpka/tcpka/internal/target"
	"github.com/tcpka/tcpka/sockets"
)

// A way is a filter by which a command may find the connections of a group.
type way struct {
	flags  []string
	filter sockets.Filter
	some   int // it finds only so many of them; 0: all
	others int // it finds so many that do not fail like them
}

// reach counts what else the ways to select groups would find. Only connections
// whose values change for the better may be given others, and only those that the
// goal means: not this host's to itself.
func (ck *checker) reach(v *view) error {
	var groups []*group
	for _, g := range ck.order {
		if g.view == v && slices.Contains([]string{FindPinned, calc.FlawMPTCP, calc.FlawOff, calc.FlawUserTimeoutShort, calc.FlawUserTimeoutLong, calc.FlawOneProbe, calc.FlawInFlight, calc.FlawUnits}, g.id) {
			g.ways = ck.waysTo(g)
			groups = append(groups, g)
		}
	}
	if len(groups) == 0 {
		return nil
	}
	_, err := sockets.List(sockets.Query{Shared: &ck.reached, Sysctl: v.settings, Filter: sockets.Filter{States: connections.Tunable(true)}}, func(s *sockets.Socket) error {
		if s.Inode == 0 { // which no command changes
			return nil
		}
		var flaws []calc.Flaw
		if (ck.filtered || !local(s)) && judgeable(s) && ck.filter.Match(s) {
			flaws = ck.flaws(v, s)
		}
		for _, g := range groups {
			if connection.IsMPTCP(s) == g.mptcp && slices.ContainsFunc(flaws, g.mends) {
				continue
			}
			for i := range g.ways {
				if mightMatch(g.ways[i].filter, s) {
					g.ways[i].others++
				}
			}
		}
		return nil
	})
	return err
}

// mends reports whether what mends the group mends a connection with this flaw.
func (g *group) mends(f calc.Flaw) bool {
	return f.ID == g.id && (slices.Contains([]string{FindPinned, calc.FlawMPTCP, calc.FlawOff, calc.FlawInFlight}, g.id) || f.Text == g.Text)
}

// waysTo are the ways to select a group, the shortest first.
func (ck *checker) waysTo(g *group) []way {
	var ways []way
	f := ck.filter
	if f.States &= connections.Tunable(g.listen); f.States == 0 {
		return nil
	}
	f.Keepalive = sockets.On
	if g.id == calc.FlawOff {
		f.Keepalive = sockets.Off
	}
	rest := append(ck.selection(g.listen), "--keepalive", f.Keepalive.String())
	if g.id == FindPinned || g.id == calc.FlawOneProbe { // not what follows the sysctls, which it would no longer do
		f.Origin = sockets.FromSocket
		rest = append(without(rest, "--origin"), "--origin", "socket")
	}
	switch {
	case g.comm == otherPrograms || g.comm == noProgram:
	case target.IsComm(g.comm) && PluginText(g.comm) == g.comm:
		f.Comms = []string{g.comm}
		ways = append(ways, way{flags: append([]string{"--comm", g.comm}, rest...), filter: f})
	case len(g.pids) <= maxPIDs:
		f.Comms, f.PIDs = nil, g.pids
		ways = append(ways, way{flags: append([]string{"--pid", answer.PIDList(g.pids)}, without(rest, "--pid")...), filter: f})
	}
	if w, ok := byEnds(g.ends); ok && !g.listen {
		if g.count > len(g.ends) {
			w.some = len(g.ends)
		}
		w.filter.States = connections.Tunable(false)
		ways = append(ways, w)
	}
	return ways
}

// selection is the filter as it was given, but for the program, and in the states in
// which set sockets changes something: a word like connected has others, too.
func (ck *checker) selection(listen bool) []string {
	flags := without(ck.selected, "--comm", "--keepalive", "--state")
	states := ck.filter.States & connections.Tunable(listen)
	if states == connections.Tunable(listen) {
		return flags // which it does by itself
	}
	for _, s := range states.All() {
		flags = append(flags, "--state", strings.ToLower(s.String()))
	}
	return flags
}

// byEnds is the way by both ends of each connection.
func byEnds(ends [][2]string) (w way, ok bool) {
	for i, name := range []string{"--local", "--remote"} {
		var seen []string
		to := []*[]sockets.Endpoint{&w.filter.Local, &w.filter.Remote}[i]
		for _, pair := range ends {
			if slices.Contains(seen, pair[i]) {
				continue
			}
			seen = append(seen, pair[i])
			if err := target.AddEnd(to, pair[i]); err != nil { // it has a zone
				return way{}, false
			}
			w.flags = append(w.flags, name, pair[i])
		}
	}
	return w, true
}

// way is the first that finds no others, or else the one with the fewest of them.
func (g *group) way() *way {
	var best *way
	for i := range g.ways {
		if best == nil || g.ways[i].others < best.others {
			best = &g.ways[i]
		}
	}
	return best
}

// caveat is what to say of a command that goes this way.
func (w *way) caveat() string {
	switch {
	case w.others > 0:
		return fmt.Sprintf("; the command changes %s, too", answer.Some(w.others, "1 other connection", "%d other connections"))
	case w.some > 0:
		return fmt.Sprintf("; the command is for %d of them, because no filter tells all of them from others", w.some)
	}
	return ""
}

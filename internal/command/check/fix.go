package check

import (
	"fmt"
	"strings"
	"time"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/suggest"
	"github.com/tcpka/tcpka/keepalive"
)

// fix is the command that mends what fails in a group, or "".
func (ck *checker) fix(g *group) string {
	v := g.view
	switch g.id {
	case FindNotSeen:
		return ck.asRoot()
	case calc.FlawOldTimer:
		return "sudo tcpka set --rearm" + after(v.args)
	}
	change := ""
	planned, err := ck.plannedFor(g)
	switch g.id {
	case calc.FlawOff:
		switch needs := v.misses != "" || g.misses; { // to be on would not do
		case needs && err == nil:
			change = "--on " + g.with(planned, suggest.ValueArgs(planned))
		case !needs || !g.mptcp:
			change = "--on"
		}
	case calc.FlawUnits:
		_, meant := calc.UnitMistakes(g.settings)
		if err == nil && !ck.timeless() {
			meant.Time, meant.Intvl, meant.Probes = planned.Time, planned.Intvl, planned.Probes
		}
		var flags []string // the others may be a sysctl's, and none that a socket takes
		for _, one := range []struct {
			name      string
			now, will int
		}{
			{"time", int(g.settings.Time / time.Second), int(meant.Time / time.Second)},
			{"intvl", int(g.settings.Intvl / time.Second), int(meant.Intvl / time.Second)},
			{"probes", g.settings.Probes, meant.Probes},
		} {
			if one.will != one.now {
				flags = append(flags, fmt.Sprintf("--%s %d", one.name, one.will))
			}
		}
		if meant.UserTimeout != g.settings.UserTimeout {
			flags = append(flags, "--user-timeout "+suggest.UserTimeoutArg(meant.UserTimeout))
		}
		change = strings.Join(flags, " ")
	case FindPinned, calc.FlawMPTCP, calc.FlawOneProbe:
		switch {
		case err != nil:
		case ck.timeless(): // it is the probes that are too few
			change = g.with(planned, fmt.Sprintf("--probes %d", planned.Probes))
		default:
			change = g.with(planned, suggest.ValueArgs(planned))
		}
	case calc.FlawUserTimeoutShort, calc.FlawUserTimeoutLong:
		if !g.alike { // each would need another one
			return ""
		}
		change = "--user-timeout " + suggest.UserTimeoutArg(agreeing(v.kernel, ck.goal, g.settings))
	case calc.FlawInFlight:
		if g.mptcp {
			return ""
		}
		if uto := agreeing(v.kernel, ck.goal, g.settings); uto > 0 && v.kernel.DataInFlight(uto, 0).Latest <= ck.Detect {
			change = "--user-timeout " + suggest.UserTimeoutArg(uto)
		} else if err == nil && planned.UserTimeout > 0 {
			change = suggest.ValueArgs(planned) + " --user-timeout " + suggest.UserTimeoutArg(planned.UserTimeout)
		}
	}
	if change == "" {
		return ""
	}
	w := g.way()
	if w == nil {
		return ""
	}
	if g.listen {
		change += " --listen"
	}
	return "sudo tcpka set sockets " + suggest.ShellJoin(w.flags) + " " + change + after(v.args)
}

// with adds to the flags for values that for the user timeout, where some have another
// one, which would decide.
func (g *group) with(s keepalive.Settings, args string) string {
	if !g.timed {
		return args
	}
	return args + " --user-timeout " + suggest.UserTimeoutArg(s.UserTimeout)
}

func after(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return " " + suggest.ShellJoin(args)
}

// agreeing is a user timeout with which settings end an idle connection exactly
// when their probes alone would, or 0, which is none.
func agreeing(k calc.Kernel, g calc.Goal, s keepalive.Settings) time.Duration {
	s.UserTimeout = 0
	alone := k.IdlePeerGone(s)
	s.UserTimeout = s.Time + time.Duration(s.Probes)*s.Intvl
	if s.Time < 0 || s.Intvl < 0 || s.UserTimeout > keepalive.MaxUserTimeout || k.IdlePeerGone(s).Probes != alone.Probes || !k.Meets(g, s) {
		return 0
	}
	return s.UserTimeout
}

// without leaves out flags, which each have a value.
func without(flags []string, names ...string) []string {
	var rest []string
	for i := 0; i < len(flags); i += 2 {
		keep := true
		for _, name := range names {
			keep = keep && flags[i] != name
		}
		if keep {
			rest = append(rest, flags[i], flags[i+1])
		}
	}
	return rest
}

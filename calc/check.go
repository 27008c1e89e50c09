package calc

import (
	"fmt"
	"strings"
	"time"

	"github.com/tcpka/tcpka/keepalive"
)

// A Flaw is a reason why a connection does not meet a goal.
type Flaw struct {
	ID   string // one of the constants below
	Text string // a sentence without a full stop

	// Mends is set where nothing breaks before the flaw mends itself, if no packet
	// is lost.
	Mends bool
	// Unknown is set where it is not known whether the goal is met.
	Unknown bool
	// Extent compares connections with this flaw: the larger is the worse. 0 where
	// Text is the same for all that have the same values.
	Extent time.Duration
}

// The flaws of a connection.
const (
	// FlawOff: keepalive is off.
	FlawOff = "keepalive_off"
	// FlawValues: the values in effect do not meet the goal.
	FlawValues = "values"
	// FlawMPTCP: likewise, of what is MPTCP or may become it, where a dead peer has to
	// be noticed in time: its program hears of the end later than of TCP.
	FlawMPTCP = "mptcp_values"
	// FlawUserTimeoutLong: without the user timeout they would.
	FlawUserTimeoutLong = "user_timeout_outlasts_probes"
	// FlawUserTimeoutShort: fewer probes may be lost than they say, and where they do
	// not meet the goal, than that asks for.
	FlawUserTimeoutShort = "user_timeout_cuts_probes"
	// FlawOneProbe: a single lost probe ends the connection.
	FlawOneProbe = "one_lost_probe"
	// FlawOldTimer: they do, but the timer that runs was set by other values, and
	// goes off too late.
	FlawOldTimer = "old_timer"
	// FlawInFlight: data waits for an answer. Keepalive is not looked at until it
	// comes, and what gives up first does so too late.
	FlawInFlight = "data_in_flight"
	// FlawUnits: a value looks as if its unit had been mixed up.
	FlawUnits = "unit_mistake"
	// FlawUnanswered: half of the probes or more have been sent without an answer.
	FlawUnanswered = "unanswered"
)

// Examine says why a connection does not meet a goal. It is nil where it does. A
// listening socket is a connection whose timer does not run.
func (k Kernel) Examine(g Goal, l Live) []Flaw {
	flaws := k.examine(g, l)
	if mistakes, _ := UnitMistakes(l.Settings); l.Enabled && len(mistakes) > 0 {
		for i, f := range flaws {
			if f.ID == FlawValues || f.ID == FlawMPTCP {
				flaws[i].Text += "; " + mistakes[0].Text
				return flaws
			}
		}
		f := Flaw{ID: FlawUnits, Text: mistakes[0].Text}
		for _, m := range mistakes[1:] {
			f.Text += "; " + m.Text
		}
		flaws = append(flaws, f)
	}
	return flaws
}

func (k Kernel) examine(g Goal, l Live) []Flaw {
	if !l.Enabled {
		if g.PathTimeout == 0 && g.DetectWithin == 0 {
			return nil
		}
		return []Flaw{{ID: FlawOff, Text: "keepalive is off: nothing is sent while the connection is idle, whatever the sysctls are"}}
	}
	var flaws []Flaw
	if f, ok := k.stuck(g, l); ok {
		flaws = append(flaws, f)
	}
	if f, ok := k.ignored(l); ok {
		flaws = append(flaws, f)
	}
	if text := k.misses(g, l.Settings, l.Outlived.Least); text != "" {
		if g.DetectWithin != 0 && l.Outlived.Most > 0 {
			return append(flaws, Flaw{ID: FlawMPTCP, Text: text})
		}
		without := l.Settings
		without.UserTimeout = 0
		if l.UserTimeout > 0 && k.Meets(g, without) && k.Misses(g, without) == "" {
			id := FlawUserTimeoutLong
			if k.survives(l.Settings) < k.survives(without) {
				id = FlawUserTimeoutShort
			}
			return append(flaws, Flaw{ID: id, Text: fmt.Sprintf("the user timeout (%s) takes the place of probes (%d), and %s", inSeconds(l.UserTimeout), l.Probes, text)})
		}
		return append(flaws, Flaw{ID: FlawValues, Text: text})
	}
	if f, ok := k.untold(g, l); ok {
		flaws = append(flaws, f)
	}
	if l.UserTimeout > 0 {
		if p := k.IdlePeerGone(l.Settings); !p.Never && p.Probes < l.Probes {
			flaws = append(flaws, Flaw{ID: FlawUserTimeoutShort, Text: fmt.Sprintf("the user timeout (%s) ends a healthy connection once %s lost; probes (%d) is not looked at",
				inSeconds(l.UserTimeout), isLost(p.Probes), l.Probes)})
		}
	}
	if l.UserTimeout == 0 && l.Probes == 1 && l.Time >= 0 {
		flaws = append(flaws, Flaw{ID: FlawOneProbe, Text: "probes is 1: a single lost probe ends a healthy connection"})
	}
	if f, ok := k.late(g, l); ok {
		flaws = append(flaws, f)
	}
	return flaws
}

// Misses says in a sentence why settings do not meet a goal, and is empty where
// [Kernel.Meets] is true. As there, the times are the latest, with half a second
// for the way there and back. The goal's InFlight is not looked at.
func (k Kernel) Misses(g Goal, s keepalive.Settings) string { return k.misses(g, s, 0) }

// misses is Misses for a subflow, which its connection outlives.
func (k Kernel) misses(g Goal, s keepalive.Settings, closeTimeout time.Duration) string {
	g.InFlight = false
	if k.meetsOutlived(g, s, closeTimeout) {
		return ""
	}
	if alive := k.IdlePeerAlive(s); !alive.Never {
		return fmt.Sprintf("a healthy connection is dropped after %s of silence", inSeconds(alive.Exact))
	}
	var reasons []string
	say := func(format string, args ...any) { reasons = append(reasons, fmt.Sprintf(format, args...)) }
	gap, ok := k.RefreshAfterLoss(s, g.SurviveLoss)
	switch gap = add(gap, planRoundTrip); {
	case g.PathTimeout == 0 || ok && gap < g.PathTimeout:
	case !ok:
		say("an idle connection is not probed, and the path forgets it after %s", inSeconds(g.PathTimeout))
	case g.SurviveLoss > 0:
		say("an idle connection is silent for up to %s where %s lost, and the path forgets it after %s", inSeconds(gap), isLost(g.SurviveLoss), inSeconds(g.PathTimeout))
	default:
		say("an idle connection is silent for up to %s, and the path forgets it after %s", inSeconds(gap), inSeconds(g.PathTimeout))
	}
	switch p := k.IdleAfterAnsweredProbe(s); {
	case g.DetectWithin == 0 || k.meetsOutlived(Goal{DetectWithin: g.DetectWithin}, s, closeTimeout):
	case p.Never:
		say("a dead peer is never noticed, wanted is within %s", inSeconds(g.DetectWithin))
	default:
		say("%s, wanted is within %s", k.noticed(add(p.Latest, planRoundTrip), closeTimeout), inSeconds(g.DetectWithin))
	}
	if n := k.survives(s); n < g.SurviveLoss {
		say("a healthy connection ends once %s lost, wanted is that it survives %d", isLost(n+1), g.SurviveLoss)
	}
	return strings.Join(reasons, "; ")
}

// stuck says that what a connection has sent is not acknowledged, and that the
// kernel will give up too late. Data that was just sent is not looked at: it has
// to be repeated, or to wait for the peer's window without an answer.
func (k Kernel) stuck(g Goal, l Live) (f Flaw, ok bool) {
	if g.DetectWithin == 0 || l.Unanswered == 0 || l.Timer != TimerRetransmit && l.Timer != TimerProbe0 {
		return f, false
	}
	p := k.Dies(l)
	if p.Never || add(add(l.Idle, p.Latest), k.told(l.Outlived.Least)) <= g.DetectWithin {
		return f, false
	}
	ends, after := "it", ""
	if l.Outlived.Least > 0 {
		ends, after = "the subflow", ", and its program hears of that "+k.later(l.Outlived.Least)
	}
	return Flaw{ID: FlawInFlight, Extent: add(l.Idle, p.Latest), Text: fmt.Sprintf(
		"data waits for an answer of the peer, so no probe is sent; where none comes, %s ends %s only %s after the peer was last heard%s, wanted is within %s",
		p.DecidedBy, ends, fromTo(add(l.Idle, p.Earliest), add(l.Idle, p.Latest)), after, inSeconds(g.DetectWithin))}, true
}

// ignored says that the peer does not answer probes. Where one of them was
// lost the next one is answered, so it takes two of them, and half of all: with
// a user timeout, which counts time, half of those that it leaves room for.
func (k Kernel) ignored(l Live) (f Flaw, ok bool) {
	if l.Timer != TimerKeepalive || l.Unanswered < 2 {
		return f, false
	}
	all := l.Probes
	if p := k.IdlePeerGone(l.Settings); l.UserTimeout > 0 && !p.Never {
		all = p.Probes
	}
	if 2*l.Unanswered < all {
		return f, false
	}
	text := fmt.Sprintf("%s got no answer: the peer is gone, or the path has forgotten the connection, or drops probes", outOf(l.Unanswered, all))
	switch p, least := k.Dies(l), l.Outlived.Least; {
	case p.Never:
	case least > 0:
		text += "; without one the subflow ends in " + fromTo(p.Earliest, p.Latest) + ", and its program hears of that " + k.later(least)
	default:
		text += "; without one the connection ends in " + fromTo(p.Earliest, p.Latest)
	}
	f.ID, f.Text, f.Extent = FlawUnanswered, text, l.Idle
	return f, true
}

func outOf(n, all int) string {
	if n > all { // the values are new ones
		return count(n, "probe")
	}
	return fmt.Sprintf("%d of %s", n, count(all, "probe"))
}

// late says that the first probe comes later than the values have it, and too
// late: for the path, counted from the last segment of the peer, for a death to be
// noticed in time, counted from now, or at least for the probes that may be lost.
// Armed by the values the timer runs for no longer than the larger of time and
// intvl.
func (k Kernel) late(g Goal, l Live) (f Flaw, ok bool) {
	const grace = time.Second
	most := max(l.Time, k.interval(l.Intvl))
	if l.Timer != TimerKeepalive || l.Unanswered > 0 || l.Expires <= most+grace {
		return f, false
	}
	_, next, ok := k.NextProbe(l)
	if !ok {
		return f, false
	}
	silent := add(add(l.Idle, next), planRoundTrip)
	end := k.Dies(l)
	noticed := add(end.Latest, planRoundTrip)
	text := fmt.Sprintf("the timer that runs was set by other values: the first probe comes in %s, not within %s", inSeconds(l.Expires), inSeconds(most))
	path := g.PathTimeout != 0 && silent >= g.PathTimeout
	detect := g.DetectWithin != 0 && (end.Never || add(noticed, k.told(l.Outlived.Least)) > g.DetectWithin)
	if path {
		text += fmt.Sprintf("; until then the connection is silent for up to %s, and the path forgets it after %s", inSeconds(silent), inSeconds(g.PathTimeout))
	}
	if detect && end.Never {
		text += fmt.Sprintf("; a dead peer is never noticed, wanted is within %s", inSeconds(g.DetectWithin))
	} else if detect {
		text += fmt.Sprintf("; %s, wanted is within %s", k.noticed(noticed, l.Outlived.Least), inSeconds(g.DetectWithin))
	}
	if !path && !detect {
		if g.PathTimeout == 0 || add(silent, k.lossDelay(g.SurviveLoss, l.Settings)) < g.PathTimeout {
			return f, false
		}
		text += fmt.Sprintf("; it is in time, but not where %s lost; after it the values in effect hold", isLost(g.SurviveLoss))
		return Flaw{ID: FlawOldTimer, Text: text, Mends: true, Extent: l.Expires}, true
	}
	return Flaw{ID: FlawOldTimer, Text: text, Extent: l.Expires}, true
}

// MissesSSH is [Kernel.Misses] for the probes of OpenSSH.
func MissesSSH(g Goal, s SSH) string {
	if MeetsSSH(g, s) {
		return ""
	}
	period, ok := s.Refresh()
	switch {
	case s.EndsIdle():
		return fmt.Sprintf("a healthy session is dropped after %s of silence", inSeconds(s.Interval))
	case !ok:
		return "it sends no probes"
	}
	var reasons []string
	say := func(format string, args ...any) { reasons = append(reasons, fmt.Sprintf(format, args...)) }
	bearing := s // with probes enough, the path is what is left
	bearing.CountMax = max(s.CountMax, g.SurviveLoss+1)
	switch {
	case MeetsSSH(Goal{PathTimeout: g.PathTimeout, SurviveLoss: g.SurviveLoss}, bearing):
	case g.SurviveLoss > 0:
		say("it probes every %s, and where %s lost the path, which forgets after %s, is silent for too long", inSeconds(period), isLost(g.SurviveLoss), inSeconds(g.PathTimeout))
	default:
		say("it probes every %s, and the path forgets after %s", inSeconds(period), inSeconds(g.PathTimeout))
	}
	end := s.Detection()
	switch {
	case g.DetectWithin == 0 || !end.Never && noticedLatest(s) <= g.DetectWithin:
	case end.Never:
		say("it never drops a dead peer, wanted is within %s", inSeconds(g.DetectWithin))
	default:
		say("it drops a dead peer after %s, wanted is within %s", inSeconds(noticedLatest(s)), inSeconds(g.DetectWithin))
	}
	if s.CountMax <= g.SurviveLoss && !end.Never {
		say("it drops a healthy session once %s lost, wanted is that it survives %d", isLost(s.CountMax), g.SurviveLoss)
	}
	return strings.Join(reasons, "; ")
}

// inSeconds is a time with as many digits as one wants to read.
func inSeconds(d time.Duration) string {
	unit := time.Millisecond
	if d >= 10*time.Second {
		unit = 100 * time.Millisecond
	}
	return text(d.Round(unit))
}

// fromTo is a range: "36 s to 40 s", or "36 s" where that is all one would read.
func fromTo(from, to time.Duration) string {
	if a, b := inSeconds(from), inSeconds(to); a != b {
		return a + " to " + b
	}
	return inSeconds(from)
}

func isLost(n int) string {
	if n == 1 {
		return "1 probe is"
	}
	return fmt.Sprintf("%d probes in a row are", n)
}

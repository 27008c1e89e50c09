package calc

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/tcpka/tcpka/keepalive"
)

// A Goal is what keepalive is wanted for. Zero times are not asked for.
type Goal struct {
	// PathTimeout is how long the path remembers a silent connection: the
	// smallest value of what lies on it and passes TCP segments on. A probe has
	// to come before that.
	PathTimeout time.Duration

	// DetectWithin is how soon after its death a peer has to be noticed missing,
	// from the worst moment on: it may just have answered a probe.
	DetectWithin time.Duration

	// SurviveLoss is how many probes in a row may be lost without harm: the path
	// is refreshed in time all the same, and a healthy connection lives on.
	SurviveLoss int

	// InFlight asks for a user timeout that ends a connection with data in flight
	// about as soon as an idle one, and within DetectWithin if that is given. It
	// must change nothing for idle connections, and be of use: shorter than what
	// tcp_retries2 allows anyway.
	InFlight bool
}

const (
	// planRoundTrip is what a plan allows for the path itself: it is on the way
	// twice, once in front of the first probe.
	planRoundTrip = 500 * time.Millisecond

	// planIntvl is the time between probes that a plan prefers. A loss is seldom
	// alone: probes that follow each other faster are likely to be lost together.
	planIntvl = 10 * time.Second
)

// InfeasibleError is a goal that no settings meet.
type InfeasibleError struct {
	Reasons []string // sentences without a full stop
}

func (e *InfeasibleError) Error() string {
	return "no settings meet the goal: " + strings.Join(e.Reasons, "; ")
}

// Meets reports whether s meets the goal by its latest times, on a path whose
// round trip is at most half a second. Whether s can be set anywhere it does not
// look at.
func (k Kernel) Meets(g Goal, s keepalive.Settings) bool {
	if g.PathTimeout != 0 {
		_, latest, ok := k.Refresh(s)
		if !ok || add(add(latest, k.lossDelay(g.SurviveLoss, s)), planRoundTrip) >= g.PathTimeout {
			return false
		}
	}
	if k.survives(s) < g.SurviveLoss {
		return false
	}
	if g.DetectWithin != 0 {
		p := k.IdleAfterAnsweredProbe(s)
		if p.Never || add(p.Latest, planRoundTrip) > g.DetectWithin {
			return false
		}
	}
	return !g.InFlight || k.boundsInFlight(g, s)
}

// lossDelay is the most by which n lost probes in a row delay the one that
// arrives.
func (k Kernel) lossDelay(n int, s keepalive.Settings) time.Duration {
	intvl := k.interval(s.Intvl)
	return times(int64(n), add(intvl, k.Slack(intvl)))
}

// RefreshAfterLoss is the most that passes between two packets on an idle
// connection with a living peer where n probes in a row are lost: what a
// middlebox sees. It leaves out the round trip. ok is as in [Kernel.Refresh].
func (k Kernel) RefreshAfterLoss(s keepalive.Settings, n int) (latest time.Duration, ok bool) {
	_, latest, ok = k.Refresh(s)
	if !ok {
		return 0, false
	}
	return add(latest, k.lossDelay(n, s)), true
}

// survives is how many probes in a row can be lost while the connection lives
// on, however late the timers are: any number where keepalive never ends it.
func (k Kernel) survives(s keepalive.Settings) int {
	if k.IdlePeerGone(s).Never {
		return math.MaxInt
	}
	if s.UserTimeout == 0 {
		return s.Probes - 1
	}
	first, intvl := max(s.Time, k.interval(s.Intvl)), k.interval(s.Intvl)
	rest := s.UserTimeout - first - k.Slack(first)
	return int(min(expiriesUntil(rest, intvl+k.Slack(intvl), 0), 1<<30)) - 1
}

// boundsInFlight reports whether the user timeout of s is what Goal.InFlight asks
// for.
func (k Kernel) boundsInFlight(g Goal, s keepalive.Settings) bool {
	if s.UserTimeout <= 0 || s.UserTimeout >= k.RetransmitBudget(k.Retries2) {
		return false
	}
	if g.DetectWithin != 0 && k.DataInFlight(s.UserTimeout, 0).Latest > g.DetectWithin {
		return false
	}
	without := s
	without.UserTimeout = 0
	return s.UserTimeout > k.lastProbeLatest(s) &&
		sameEnd(k.IdlePeerGone(s), k.IdlePeerGone(without)) &&
		sameEnd(k.IdleAfterAnsweredProbe(s), k.IdleAfterAnsweredProbe(without))
}

// lastProbeLatest is the latest moment, since the peer was last heard, at which
// the last probe goes out.
func (k Kernel) lastProbeLatest(s keepalive.Settings) time.Duration {
	first := max(s.Time, k.interval(s.Intvl))
	return add(add(first, k.Slack(first)), k.lossDelay(s.Probes-1, s))
}

func sameEnd(a, b Prediction) bool {
	return a.Exact == b.Exact && a.Earliest == b.Earliest && a.Latest == b.Latest && a.Probes == b.Probes
}

// Plan finds the gentlest settings that meet the goal and that the surface
// accepts: of all that leave PlanSpacing between probes,
//
//   - those that probe a silent connection least often, that is with the largest
//     time (never below intvl);
//   - of these, those with the fewest probes: SurviveLoss + 1;
//   - of these, those whose intvl is nearest to 10 s;
//   - and the largest user timeout, if one was asked for.
//
// Where there are none it answers an [*InfeasibleError].
func (k Kernel) Plan(g Goal, on keepalive.Surface) (keepalive.Settings, error) {
	probes := max(g.SurviveLoss+1, on.ProbesMin)
	if probes > on.ProbesMax {
		return keepalive.Settings{}, &InfeasibleError{[]string{fmt.Sprintf(
			"to survive %d lost probes takes %d of them, and %s accepts no more than %d", g.SurviveLoss, probes, on.Name, on.ProbesMax)}}
	}
	if g.InFlight { // which no time above it can have
		on.TimeMax = min(on.TimeMax, k.RetransmitBudget(k.Retries2).Truncate(time.Second))
	}
	var best keepalive.Settings
	for intvl := max(k.PlanSpacing(g), on.TimeMin); intvl <= on.TimeMax; intvl += time.Second {
		s := keepalive.Settings{Intvl: intvl, Probes: probes}
		if most := k.longestTime(g, s, on, false); intvl > planIntvl && most <= best.Time || most == 0 {
			break // and a larger intvl only makes it worse
		}
		s.Time = k.longestTime(g, s, on, g.InFlight)
		if s.Time > best.Time || s.Time == best.Time && s.Time > 0 && apart(intvl) < apart(best.Intvl) {
			best = s
		}
	}
	if best.Time == 0 {
		return best, &InfeasibleError{k.infeasible(g, probes, on)}
	}
	if g.InFlight {
		best.UserTimeout, _ = k.userTimeout(g, best, on)
	}
	return best, nil
}

func apart(intvl time.Duration) time.Duration { return (intvl - planIntvl).Abs() }

// PlanSpacing is the least time that [Kernel.Plan] leaves between two probes: 10
// s, or where the goal is too tight for that, as many whole seconds as leave half
// of it to silence, and at least 1 s.
func (k Kernel) PlanSpacing(g Goal) time.Duration {
	for intvl := planIntvl; intvl > time.Second; intvl -= time.Second {
		one := intvl + k.Slack(intvl)
		n := int64(g.SurviveLoss)
		path := g.PathTimeout == 0 || 2*times(max(n, 1), one)+planRoundTrip < g.PathTimeout
		detect := g.DetectWithin == 0 || 2*times(n+1, one)+planRoundTrip <= g.DetectWithin
		if path && detect {
			return intvl
		}
	}
	return time.Second
}

// longestTime is the largest time, not below intvl, with which s meets the goal,
// or 0. With inFlight it has a user timeout that Goal.InFlight asks for.
func (k Kernel) longestTime(g Goal, s keepalive.Settings, on keepalive.Surface, inFlight bool) time.Duration {
	g.InFlight = inFlight
	meets := func(t time.Duration) bool {
		s.Time, s.UserTimeout = t, 0
		if inFlight {
			var ok bool
			if s.UserTimeout, ok = k.userTimeout(g, s, on); !ok {
				return false
			}
		}
		return k.Meets(g, s)
	}
	lo := max(s.Intvl, on.TimeMin) / time.Second
	hi := on.TimeMax / time.Second
	if !meets(lo * time.Second) {
		return 0
	}
	for lo < hi { // lo meets the goal, and what is above hi does not
		mid := lo + (hi-lo+1)/2
		if meets(mid * time.Second) {
			lo = mid
		} else {
			hi = mid - 1
		}
	}
	return lo * time.Second
}

// userTimeout is the largest user timeout that Goal.InFlight asks for, in whole
// seconds if there is one. It lies above the latest moment at which the last
// probe goes out, so that it never ends a connection before, and not above the
// exact end, so that it does not keep one longer.
func (k Kernel) userTimeout(g Goal, s keepalive.Settings, on keepalive.Surface) (time.Duration, bool) {
	above := k.lastProbeLatest(s)
	most := min(add(s.Time, times(int64(s.Probes), s.Intvl)), on.UserTimeoutMax,
		k.RetransmitBudget(k.Retries2)-time.Millisecond)
	inTime := func(uto time.Duration) bool {
		return g.DetectWithin == 0 || k.DataInFlight(uto, 0).Latest <= g.DetectWithin
	}
	if most <= above || !inTime(above+time.Millisecond) {
		return 0, false
	}
	if !inTime(most) {
		const unit = time.Millisecond
		lo, hi := above/unit+1, most/unit
		for lo < hi { // lo is in time, and what is above hi is not
			mid := lo + (hi-lo+1)/2
			if inTime(mid * unit) {
				lo = mid
			} else {
				hi = mid - 1
			}
		}
		most = lo * unit
	}
	for _, unit := range []time.Duration{time.Second, time.Millisecond} {
		if uto := most.Truncate(unit); uto > above {
			return uto, true
		}
	}
	return 0, false
}

// infeasible says what even the tightest settings cannot do.
func (k Kernel) infeasible(g Goal, probes int, on keepalive.Surface) []string {
	s := keepalive.Settings{Time: on.TimeMin, Intvl: on.TimeMin, Probes: probes}
	var reasons []string
	gap, _ := k.RefreshAfterLoss(s, g.SurviveLoss)
	if gap = add(gap, planRoundTrip); g.PathTimeout != 0 && gap >= g.PathTimeout {
		reasons = append(reasons, fmt.Sprintf(
			"a path that forgets after %s cannot be kept open: even with probes a second apart %s for up to %s",
			text(g.PathTimeout), leavesSilent(g.SurviveLoss), inSeconds(gap)))
	}
	end := add(k.IdleAfterAnsweredProbe(s).Latest, planRoundTrip)
	if g.DetectWithin != 0 && end > g.DetectWithin {
		tightest := "even one probe after a second of silence, and a second for its answer, take"
		if probes > 1 {
			tightest = fmt.Sprintf("%d probes a second apart, so that %d may be lost, take", probes, g.SurviveLoss)
		}
		reasons = append(reasons, fmt.Sprintf("a dead peer cannot be noticed within %s: %s up to %s", text(g.DetectWithin), tightest, inSeconds(end)))
	}
	if len(reasons) == 0 { // only the user timeout is left
		reasons = append(reasons, "no user timeout bounds data in flight without cutting the probes short: the kernel's timers are too late for that")
	}
	return reasons
}

// leavesSilent begins what is said of a path where n probes in a row are lost.
func leavesSilent(n int) string {
	switch n {
	case 0:
		return "it is silent"
	case 1:
		return "1 lost probe leaves it silent"
	}
	return fmt.Sprintf("%d lost probes leave it silent", n)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// MeetsSSH is [Kernel.Meets] for the probes of OpenSSH. They are data: they keep
// what ends the TCP connection open, too, so here PathTimeout is the smallest of
// everything on the path. InFlight is not looked at. TCP repeats what is lost, so
// a probe counts as lost here while nothing comes back for a whole interval.
func MeetsSSH(g Goal, s SSH) bool {
	end := s.Detection()
	late := min(s.Interval/1000, 100*time.Millisecond) // as in SSH.Lateness
	if s.Doubled() {
		late *= 2
	}
	period, ok := s.Refresh()
	if g.PathTimeout != 0 {
		if !ok || add(times(int64(g.SurviveLoss)+1, period+late), planRoundTrip) >= g.PathTimeout {
			return false
		}
	}
	if g.DetectWithin != 0 && (end.Never || noticedLatest(s) > g.DetectWithin) {
		return false
	}
	return ok && (end.Never || s.CountMax > g.SurviveLoss)
}

// noticedLatest is when a session whose peer is gone ends, with late wake-ups and
// the way there and back counted in.
func noticedLatest(s SSH) time.Duration {
	return add(add(s.Detection().Latest, s.Lateness()), planRoundTrip)
}

// PlanSSH finds the largest interval, and the smallest count, with which either
// end of an OpenSSH connection meets the goal. For a server of release v they are
// what that release needs; where v is not known they are right for all but sshd
// 9.2 to 9.4. Where there are none it answers an [*InfeasibleError].
func PlanSSH(g Goal, v SSHVersion) (SSH, error) {
	// sshd adds up its delays, ssh does not.
	s := SSH{Side: SSHServer, CountMax: g.SurviveLoss + 1, Version: v}
	with := func(seconds int64) SSH {
		s.Interval = time.Duration(seconds) * time.Second
		return s
	}
	if !MeetsSSH(g, with(1)) {
		var reasons []string
		for _, part := range []Goal{
			{PathTimeout: g.PathTimeout, SurviveLoss: g.SurviveLoss},
			{DetectWithin: g.DetectWithin, SurviveLoss: g.SurviveLoss},
		} {
			if MeetsSSH(part, with(1)) {
				continue
			}
			if part.PathTimeout != 0 {
				reasons = append(reasons, fmt.Sprintf("SSH cannot keep a path open that forgets after %s: even with probes a second apart %s for too long",
					text(part.PathTimeout), leavesSilent(g.SurviveLoss)))
			} else {
				tightest, apart := with(1), "apart"
				if s.CountMax == 1 {
					apart = "after the silence began"
				}
				reasons = append(reasons, fmt.Sprintf("SSH waits one interval more than it has probes: with %s %s %s that is up to %s, not within %s",
					count(s.CountMax, "probe"), text(tightest.wait()), apart, inSeconds(noticedLatest(tightest)), text(part.DetectWithin)))
			}
		}
		return SSH{}, &InfeasibleError{reasons}
	}
	lo, hi := int64(1), int64(MaxSSHInterval/time.Second)
	for lo < hi {
		mid := lo + (hi-lo+1)/2
		if MeetsSSH(g, with(mid)) {
			lo = mid
		} else {
			hi = mid - 1
		}
	}
	return with(lo), nil
}

package calc

import (
	"fmt"
	"math"
	"time"

	"github.com/tcpka/tcpka/keepalive"
)

// Outlived is how much later than the end of a subflow the program of an MPTCP
// connection hears of it: net.mptcp.close_timeout. The zero value is TCP.
//
// Least is 0 for what may accept TCP, too; where the kernel does not say the
// setting, Least is 0 and Most is [Unbounded].
// Source: net/mptcp/protocol.c, mptcp_worker, mptcp_close_tout_expired.
type Outlived struct{ Least, Most time.Duration }

// Unbounded is a time of which nobody knows how long it may be.
const Unbounded time.Duration = math.MaxInt64

// Subflow is what a goal asks of a subflow for the program to notice a dead peer in
// time: sooner by the close timeout, as late as its timer can be. ok is false where
// nothing of the goal's time is left. Whether packets pass is not changed.
func (k Kernel) Subflow(g Goal, closeTimeout time.Duration) (of Goal, ok bool) {
	if g.DetectWithin == 0 || closeTimeout == 0 {
		return g, true
	}
	told := k.told(closeTimeout)
	if g.DetectWithin <= told {
		return g, false
	}
	g.DetectWithin -= told
	return g, true
}

// told is the latest at which the program hears of it.
func (k Kernel) told(closeTimeout time.Duration) time.Duration {
	if closeTimeout == 0 || closeTimeout == Unbounded {
		return closeTimeout
	}
	return add(closeTimeout, k.Slack(closeTimeout))
}

// meetsOutlived is [Kernel.Meets] for a subflow.
func (k Kernel) meetsOutlived(g Goal, s keepalive.Settings, closeTimeout time.Duration) bool {
	of, ok := k.Subflow(g, closeTimeout)
	return ok && k.Meets(of, s)
}

// noticed says when a dead peer is, at the latest.
func (k Kernel) noticed(latest, closeTimeout time.Duration) string {
	if closeTimeout == 0 {
		return "a dead peer is noticed after up to " + inSeconds(latest)
	}
	return fmt.Sprintf("a dead peer is noticed after up to %s by the subflow, and by its program %s", inSeconds(latest), k.later(closeTimeout))
}

// later is "up to 62 s later (net.mptcp.close_timeout is 60)".
func (k Kernel) later(closeTimeout time.Duration) string {
	return fmt.Sprintf("up to %s later (net.mptcp.close_timeout is %d)", inSeconds(k.told(closeTimeout)), closeTimeout/time.Second)
}

// untold says that a goal is met where the program hears of the end soonest, and not,
// as far as is known, where it does latest.
func (k Kernel) untold(g Goal, l Live) (f Flaw, ok bool) {
	o := l.Outlived
	if g.DetectWithin == 0 || o.Most == o.Least || k.meetsOutlived(g, l.Settings, o.Most) {
		return f, false
	}
	f.ID, f.Unknown = FlawMPTCP, true
	latest := add(k.IdleAfterAnsweredProbe(l.Settings).Latest, planRoundTrip)
	if o.Most == Unbounded {
		f.Text = k.noticed(latest, 0) + ", and how much later the program of an MPTCP connection hears of it the kernel does not say (net.mptcp.close_timeout)"
	} else {
		f.Text = k.noticed(latest, 0) + ", and by the program of an MPTCP connection " + k.later(o.Most)
	}
	f.Text += ", wanted is within " + inSeconds(g.DetectWithin)
	return f, true
}

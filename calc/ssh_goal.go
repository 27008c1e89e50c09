package calc

import (
	"time"

	"github.com/tcpka/tcpka/keepalive"
)

// GivenUp is when TCP at the latest ends an idle session whose peer is gone because a
// probe of SSH is not acknowledged, the way there and back counted in. The probe is data,
// so that is retransmission, and keepalive plays no part. ok is false where that is not
// what ends it: SSH's own rule or keepalive is first, or no probe goes out.
func (s SSH) GivenUp(k Kernel, set keepalive.Settings) (noticed time.Duration, by string, ok bool) {
	gone := s.PeerGone(k, set)
	if gone.Never || gone.DecidedBy == s.decidedBy() || !s.ProbesFirst(k, set) {
		return 0, "", false
	}
	return add(gone.Latest, planRoundTrip), gone.DecidedBy, true
}

// ProbesFirst reports whether the probes of SSH leave no silence in which keepalive of
// the socket would probe.
func (s SSH) ProbesFirst(k Kernel, set keepalive.Settings) bool {
	period, ok := s.Refresh()
	return ok && (!s.ProbesTCP() || period < k.IdleAfterAnsweredProbe(set).Latest)
}

// KeepSSH is what is planned, but for what an end has already and the goal can do with:
// an interval that is shorter, a count that is larger.
func KeepSSH(g Goal, has, planned SSH) SSH {
	try := planned
	if has.Interval > 0 && (planned.Interval == 0 || has.Interval < planned.Interval) {
		try.Interval = has.Interval
	}
	if MeetsSSH(g, try) {
		planned = try
	}
	try = planned
	if try.CountMax = max(planned.CountMax, has.CountMax); MeetsSSH(g, try) {
		planned = try
	}
	return planned
}

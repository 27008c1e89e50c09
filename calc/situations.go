package calc

import (
	"time"

	"github.com/tcpka/tcpka/keepalive"
)

// A Situation is something that can happen to a connection, and when it ends.
type Situation struct {
	ID string // one of the constants below
	Prediction
}

// Unreachable is what the application gets instead of Errno where this host or a router
// on the way says that the peer's host or network is unreachable; empty: that changes
// nothing. With data in flight it comes when ETIMEDOUT would, while connecting at once.
// Source: net/ipv4/tcp_ipv4.c, tcp_v4_err; net/ipv4/tcp_timer.c, tcp_write_err.
func (s Situation) Unreachable() string {
	if s.ID == DataInFlight || s.ID == Connecting {
		return "EHOSTUNREACH"
	}
	return ""
}

// The situations, in the order of [Kernel.Situations].
const (
	IdlePeerAlive          = "idle_peer_alive"
	IdlePeerGone           = "idle_peer_gone"
	IdleAfterAnsweredProbe = "idle_after_answered_probe"
	IdlePeerRebooted       = "idle_peer_rebooted"
	IdleWithoutKeepalive   = "idle_without_keepalive"
	DataInFlight           = "data_in_flight"
	ZeroWindowPeerAlive    = "zero_window_peer_alive"
	Connecting             = "connecting"
	Accepting              = "accepting"
	ClosedWithDataUnsent   = "closed_with_data_unsent"
)

// Situations predicts every situation for connections with the settings s, on a
// path of unknown delay.
func (k Kernel) Situations(s keepalive.Settings) []Situation {
	return []Situation{
		{IdlePeerAlive, k.IdlePeerAlive(s)},
		{IdlePeerGone, k.IdlePeerGone(s)},
		{IdleAfterAnsweredProbe, k.IdleAfterAnsweredProbe(s)},
		{IdlePeerRebooted, k.IdlePeerRebooted(s)},
		{IdleWithoutKeepalive, never()}, // whatever the user timeout: nothing is sent
		{DataInFlight, k.DataInFlight(s.UserTimeout, 0)},
		{ZeroWindowPeerAlive, k.ZeroWindow(s.UserTimeout, 0)},
		{Connecting, k.Connecting(s.UserTimeout)},
		{Accepting, k.Accepting()},
		{ClosedWithDataUnsent, k.ClosedWithDataUnsent(s.UserTimeout, 0)},
	}
}

// An Event is one point of a [Kernel.Timeline].
type Event struct {
	At    time.Duration // since the last segment from the peer, timers on time
	Probe int           // the number of the probe sent, from 1; 0 is no probe
	Dead  bool          // the connection is dropped, with ETIMEDOUT
	// Omitted is how many probes follow that the timeline leaves out.
	Omitted int
}

// Of a long timeline the first probes and the last ones are shown.
const (
	timelineHead = 10
	timelineTail = 2
)

// Timeline is what happens to an idle connection whose peer vanished: see
// [Kernel.IdlePeerGone]. It is empty where nothing ever happens.
func (k Kernel) Timeline(s keepalive.Settings) []Event {
	end := k.IdlePeerGone(s)
	if end.Never {
		if s.Time < 0 {
			return nil
		}
		return []Event{{At: s.Time, Probe: 1}} // negative intvl: the only one
	}
	var events []Event
	for n := 1; n <= end.Probes; n++ {
		events = append(events, Event{At: add(s.Time, times(int64(n-1), k.interval(s.Intvl))), Probe: n})
		if left := end.Probes - n - timelineTail; n == timelineHead && left > 0 {
			events[len(events)-1].Omitted = left
			n += left
		}
	}
	return append(events, Event{At: end.Exact, Dead: true})
}

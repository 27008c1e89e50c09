package connection

import (
	"time"

	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/sockets"
)

// IsLate reports whether the keepalive timer of a socket runs for longer than it
// would if it were armed now. It does where the time was lowered since: the kernel
// does not touch a timer that runs. Armed now it never runs for longer than the
// larger of time and intvl. A socket that has been probed without an answer has
// its timer at the interval, and is left; and a time below zero, whose timer is as
// long as they get.
func IsLate(s *sockets.Socket, sysctl keepalive.Settings) bool {
	const grace = time.Second
	return sysctl.Time >= 0 && s.Keepalive == sockets.On && s.Timer == sockets.TimerKeepalive && s.Unanswered == 0 &&
		s.Left > max(sysctl.Time, sysctl.Intvl)+grace
}

// IsHidden reports whether another timer hides the keepalive timer: data is on
// its way.
func IsHidden(s *sockets.Socket) bool {
	return s.Keepalive == sockets.On && (s.Timer == sockets.TimerRetransmit || s.Timer == sockets.TimerProbe0)
}

// Follows reports whether a socket has no time of its own, as far as can be seen:
// of one whose time is the sysctl's without BPF it cannot.
func Follows(s *sockets.Socket) bool { return s.ValuesKnown && s.TimeFrom != sockets.FromSocket }

// oldTimer is whether its keepalive timer was armed by a longer time than is in
// effect, as set sockets and set --rearm see it.
func oldTimer(s *sockets.Socket) Switch {
	switch {
	case s.Keepalive == sockets.Off || Closed(s):
		return SwitchOff
	case s.Keepalive == sockets.Unknown || !s.ValuesKnown || IsHidden(s):
		return SwitchUnknown
	case IsLate(s, s.Settings):
		return SwitchOn
	}
	return SwitchOff
}

package main

import (
	"time"

	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/sockets"
)

// isLate reports whether the keepalive timer of a socket runs for longer than the
// sysctls would have it armed now. It does where the time was lowered since: the
// kernel does not touch a timer that runs. Armed anew it never runs for longer
// than the larger of time and intvl. A socket that has been probed without an
// answer has its timer at the interval, and is left.
func isLate(s *sockets.Socket, sysctl keepalive.Settings) bool {
	const grace = time.Second
	return s.Keepalive == sockets.On && s.Timer == sockets.TimerKeepalive && s.Unanswered == 0 &&
		s.Left > max(sysctl.Time, sysctl.Intvl)+grace
}

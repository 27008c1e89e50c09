package calc

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tcpka/tcpka/keepalive"
)

// A Warning says that settings do something their owner hardly wants.
type Warning struct {
	ID   string `json:"id"` // stable, for programs
	Text string `json:"text"`
}

// Warnings looks at settings that the kernel accepts.
func (k Kernel) Warnings(s keepalive.Settings) []Warning {
	var ws []Warning
	warn := func(id, format string, args ...any) {
		ws = append(ws, Warning{id, fmt.Sprintf(format, args...)})
	}
	probing := s.Probes > 0 || s.UserTimeout > 0 // else no probe is ever sent
	switch {
	case s.Time < 0:
		warn("time_negative", "time is negative: no probe is sent for months; keepalive is off in effect")
	case !probing:
		warn("probes_zero", "probes is 0: a healthy connection is dropped after %s of silence, without a single probe", text(s.Time))
	case s.Probes == 0:
		warn("probes_zero", "probes is 0: as soon as the user timeout is switched off, healthy connections are dropped without a single probe")
	}
	if s.Time >= 0 && s.Probes == 1 && s.UserTimeout == 0 {
		warn("one_lost_probe", "probes is 1: a single lost probe drops a healthy connection")
	}
	if s.Time == 0 && probing {
		switch {
		case !k.IdlePeerAlive(s).Never:
			warn("time_zero", "time and intvl are 0: probes follow each other faster than a peer answers, so healthy connections are dropped within a fraction of a second")
		case s.Intvl > 0:
			warn("time_zero", "time is 0: every connection is probed as soon as keepalive is switched on, and then every %s", text(s.Intvl))
		default:
			warn("time_zero", "time is 0: every connection is probed as soon as keepalive is switched on")
		}
	}
	if s.Time >= 0 && probing {
		switch {
		case s.Intvl < 0:
			warn("intvl_negative", "intvl is negative: one probe is sent, then nothing for months; a dead peer is not noticed")
		case s.Intvl == 0:
			warn("intvl_zero", "intvl is 0: all probes go out one tick of the kernel after the other, so a healthy connection is dropped where an answer takes longer than all of them")
		case s.Intvl > k.longestTimer():
			warn("intvl_beyond_timer", "intvl is more than a timer of the kernel can last: probes follow each other every %s", text(k.longestTimer()))
		case s.Intvl > s.Time:
			warn("intvl_above_time", "intvl is larger than time: an idle connection is probed every intvl (%s), not every time (%s), and once a probe was answered a dead peer is noticed that much later", text(s.Intvl), text(s.Time))
		}
	}
	if s.UserTimeout > 0 && s.Time >= 0 && s.Intvl >= 0 {
		k.warnUserTimeout(s, warn)
	}
	mistakes, _ := UnitMistakes(s)
	for _, m := range mistakes {
		warn(m.ID, "%s", m.Text)
	}
	if what := beyondSocket(s); what != "" {
		warn("beyond_socket_option", "%s: no socket option can express this; only sockets that follow the sysctl have it", what)
	}
	return ws
}

// warnUserTimeout compares the user timeout with what the probes alone would
// do. It agrees with them where time + (probes-1) × intvl < user timeout <= time
// + probes × intvl.
func (k Kernel) warnUserTimeout(s keepalive.Settings, warn func(id, format string, args ...any)) {
	sent := k.IdlePeerGone(s).Probes
	switch {
	case s.Probes <= 1 && sent <= 1:
	case sent == 1:
		warn("user_timeout_one_probe", "the user timeout (%s) drops the connection after one lost probe; probes (%d) is not looked at", text(s.UserTimeout), s.Probes)
	case sent < s.Probes:
		warn("user_timeout_cuts_probes", "the user timeout (%s) drops the connection after %d unanswered probes; probes (%d) is not looked at", text(s.UserTimeout), sent, s.Probes)
	case sent > s.Probes && s.Probes > 0:
		warn("user_timeout_outlasts_probes", "the user timeout (%s) keeps the connection for %d unanswered probes; probes (%d) is not looked at", text(s.UserTimeout), sent, s.Probes)
	}
}

// beyondSocket names the settings above the range of the socket options. Those
// below it have warnings of their own.
func beyondSocket(s keepalive.Settings) string {
	var beyond []string
	if s.Time > keepalive.MaxSocketTime {
		beyond = append(beyond, "time is more than "+text(keepalive.MaxSocketTime))
	}
	if s.Intvl > keepalive.MaxSocketIntvl {
		beyond = append(beyond, "intvl is more than "+text(keepalive.MaxSocketIntvl))
	}
	if s.Probes > keepalive.MaxSocketProbes {
		beyond = append(beyond, fmt.Sprintf("probes is more than %d", keepalive.MaxSocketProbes))
	}
	return strings.Join(beyond, ", ")
}

// text is a time as the settings are given: in seconds.
func text(d time.Duration) string {
	return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + " s"
}

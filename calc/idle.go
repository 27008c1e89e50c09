package calc

import (
	"time"

	"github.com/tcpka/tcpka/keepalive"
)

// IdlePeerGone is an idle connection with keepalive on whose peer vanished
// without a word: host down, cable cut, NAT entry lost. It counts from the last
// segment that was received from the peer.
//
// Without a user timeout the end is time + probes × intvl: a full interval after
// the last probe. With one, the number of probes no longer counts: the end is
// the first expiry at time + n × intvl, n ≥ 1, that is not before the user
// timeout. Source: net/ipv4/tcp_timer.c, tcp_keepalive_timer.
//
// ICMP errors do not change it: a probe carries an old sequence number, so the
// kernel ignores an ICMP that quotes it (net/ipv4/tcp_ipv4.c, tcp_v4_err).
func (k Kernel) IdlePeerGone(s keepalive.Settings) Prediction {
	return k.unanswered(s.Time, s)
}

// IdleAfterAnsweredProbe is [Kernel.IdlePeerGone] for a connection that has been
// idle for long and whose probes were answered until now. It counts from the
// last answered probe; a peer that died just after answering is noticed this
// long after its death, the worst case, and one that died just before the next
// probe is noticed max(time, intvl) sooner.
func (k Kernel) IdleAfterAnsweredProbe(s keepalive.Settings) Prediction {
	if s.Probes == 0 && s.UserTimeout == 0 { // no probe is ever sent
		return k.unanswered(s.Time, s)
	}
	if s.Time < 0 {
		return never()
	}
	return k.unanswered(max(s.Time, s.Intvl), s)
}

// IdlePeerAlive is an idle connection whose peer lives and answers. It lives
// for ever, with two exceptions that nobody should set: probes 0 drops it after
// time without a single probe, and time 0 with intvl 0 probes faster than a peer
// answers out-of-window segments, one in 500 ms (net/ipv4/tcp_input.c,
// __tcp_oow_rate_limited).
func (k Kernel) IdlePeerAlive(s keepalive.Settings) Prediction {
	const answers = 500 * time.Millisecond
	switch {
	case s.Time < 0:
		return never()
	case s.Probes == 0 && s.UserTimeout == 0:
		return k.unanswered(s.Time, s)
	case s.Time == 0 && s.Intvl == 0:
		if p := k.unanswered(0, s); p.Exact < answers {
			return p
		}
	}
	return never()
}

// IdlePeerRebooted is an idle connection whose peer answers the first probe
// with a reset: the host is back without the connection, or a firewall rejects
// it. It counts from the last segment received, and leaves out the time of one
// round trip. The counter TCPAbortOnTimeout does not count it.
func (k Kernel) IdlePeerRebooted(s keepalive.Settings) Prediction {
	switch {
	case s.Time < 0:
		return never()
	case s.Probes == 0 && s.UserTimeout == 0: // dropped before the first probe
		return k.unanswered(s.Time, s)
	}
	return Prediction{
		Exact: s.Time, Earliest: s.Time, Latest: add(s.Time, k.Slack(s.Time)),
		DecidedBy: ByProbes, Probes: 1, Errno: "ECONNRESET",
	}
}

// unanswered is a connection whose first probe goes out at first and gets no
// answer, nor any later one.
func (k Kernel) unanswered(first time.Duration, s keepalive.Settings) Prediction {
	if s.Time < 0 {
		return never()
	}
	if s.Probes == 0 && s.UserTimeout == 0 {
		return Prediction{
			Exact: first, Earliest: first, Latest: add(first, k.Slack(first)),
			DecidedBy: ByProbes, Errno: "ETIMEDOUT",
		}
	}
	if s.Intvl < 0 { // one probe, and the next months away
		return never()
	}

	// A timer of no length fires with one of the next two ticks.
	intvl := max(s.Intvl, k.tick())
	firstSlack, intvlSlack := k.Slack(first), k.Slack(intvl)

	n, soonest, by := int64(s.Probes), int64(s.Probes), ByProbes
	if uto := s.UserTimeout; uto > 0 {
		by = ByUserTimeout
		n = max(1, ceilDiv(uto-first, intvl))
		// Lateness adds up over the expiries, and may carry an earlier one past
		// the user timeout.
		soonest = max(1, ceilDiv(uto-first-firstSlack, intvl+intvlSlack))
		// The kernel counts probes in one byte and kills only where it is not 0
		// (include/net/inet_connection_sock.h, icsk_probes_out).
		if n%256 == 0 {
			n++
		}
	}
	p := Prediction{
		Exact:     add(first, times(n, intvl)),
		Earliest:  add(first, times(soonest, min(intvl, k.longestTimer()))),
		Latest:    add(add(first, firstSlack), times(n, add(intvl, intvlSlack))),
		DecidedBy: by,
		Probes:    int(n),
		Errno:     "ETIMEDOUT",
	}
	if s.Intvl == 0 {
		p.Earliest = first
	}
	if by == ByUserTimeout {
		p.Earliest = max(p.Earliest, s.UserTimeout)
	}
	return p
}

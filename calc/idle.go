package calc

import (
	"math"
	"time"

	"github.com/tcpka/tcpka/keepalive"
)

// IdlePeerGone is an idle connection with keepalive on whose peer vanished
// without a word: host down, cable cut, NAT entry lost. It counts from the last
// segment that was received from the peer, or from the moment keepalive was
// switched on if that was later.
//
// Without a user timeout the end is time + probes × intvl: a full interval after
// the last probe. With one, the number of probes no longer counts: the end is
// the first expiry at time + n × intvl, n ≥ 1, that is not before the user
// timeout. Source: net/ipv4/tcp_timer.c, tcp_keepalive_timer.
//
// ICMP errors do not change it: a probe carries an old sequence number, so the
// kernel ignores an ICMP that quotes it (net/ipv4/tcp_ipv4.c, tcp_v4_err).
//
// Where intvl is larger than time, the first probe after new data can be as late
// as intvl after an earlier probe; it is then no later than
// [Kernel.IdleAfterAnsweredProbe] says.
func (k Kernel) IdlePeerGone(s keepalive.Settings) Prediction {
	return k.unanswered(s.Time, s)
}

// IdleAfterAnsweredProbe is [Kernel.IdlePeerGone] for a connection that has been
// idle for long and whose probes were answered until now. It counts from the
// last answered probe, and leaves out the round trip of that; a peer that died
// just after answering is noticed this long after its death, the worst case, and
// one that died just before the next probe is noticed max(time, intvl) sooner.
func (k Kernel) IdleAfterAnsweredProbe(s keepalive.Settings) Prediction {
	if s.Probes == 0 && s.UserTimeout == 0 { // no probe is ever sent
		return k.unanswered(s.Time, s)
	}
	return k.unanswered(max(s.Time, k.interval(s.Intvl)), s)
}

// IdlePeerAlive is an idle connection whose peer lives and answers. It lives
// for ever, with two exceptions that nobody should set: probes 0 drops it after
// time without a single probe, and time 0 with intvl 0 probes at every tick,
// while a peer answers one out-of-window segment in 500 ms (Linux:
// net/ipv4/tcp_input.c, __tcp_oow_rate_limited), so that fewer probes than ticks
// in that time, or a user timeout of no more, end it between two answers.
func (k Kernel) IdlePeerAlive(s keepalive.Settings) Prediction {
	const answers = 500 * time.Millisecond
	switch {
	case s.Time < 0:
	case s.Probes == 0 && s.UserTimeout == 0:
		return k.unanswered(s.Time, s)
	case s.Time == 0 && s.Intvl == 0:
		p := k.unanswered(0, s)
		if p.Exact < answers || p.Exact == answers && p.DecidedBy == ByUserTimeout {
			// An answer can come in between and start it again, once.
			p.Latest = add(p.Latest, p.Latest)
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
// answer, nor does any later one.
func (k Kernel) unanswered(first time.Duration, s keepalive.Settings) Prediction {
	switch {
	case s.Time < 0: // for the kernel's unsigned arithmetic, months away
		return never()
	case s.Probes == 0 && s.UserTimeout == 0:
		return Prediction{
			Exact: first, Earliest: first, Latest: add(first, k.Slack(first)),
			DecidedBy: ByProbes, Errno: "ETIMEDOUT",
		}
	case s.Intvl < 0: // one probe, and the next months away
		return never()
	}
	intvl := k.interval(s.Intvl)
	firstSlack, intvlSlack := k.Slack(first), k.Slack(intvl)
	p := Prediction{DecidedBy: ByProbes, Errno: "ETIMEDOUT"}
	n := int64(s.Probes)
	soonest := n
	if s.UserTimeout > 0 {
		p.DecidedBy = ByUserTimeout
		n = expiriesUntil(s.UserTimeout-first, intvl, 0)
		// Lateness adds up over the expiries, and may carry an earlier one past
		// the user timeout.
		soonest = expiriesUntil(s.UserTimeout-first-firstSlack, intvl+intvlSlack, 0)
	}
	p.Probes = int(min(n, math.MaxInt32))
	p.Exact = add(first, times(n, intvl))
	p.Earliest = max(s.UserTimeout, add(first, times(soonest, intvl)))
	p.Latest = add(add(first, firstSlack), times(n, add(intvl, intvlSlack)))
	return p
}

// expiriesUntil is how many expiries after the next one a user timeout ends a
// connection that has sent so many probes already: at the first one not before
// rest that finds a probe unanswered. The kernel counts those in one byte, so the
// 256th leaves none (include/net/inet_connection_sock.h, icsk_probes_out).
func expiriesUntil(rest, intvl time.Duration, sent int) int64 {
	n := ceilDiv(rest, intvl)
	if (n+int64(sent))%256 == 0 {
		n++
	}
	return n
}

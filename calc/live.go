package calc

import (
	"time"

	"github.com/tcpka/tcpka/keepalive"
)

// A Timer is the timer of a live socket that sock_diag(7) names. The values are
// idiag_timer's. Source: net/ipv4/inet_diag.c, inet_sk_diag_fill.
type Timer uint8

const (
	TimerNone       Timer = 0
	TimerRetransmit Timer = 1 // sent data is unacknowledged
	TimerKeepalive  Timer = 2
	TimerTimeWait   Timer = 3
	TimerProbe0     Timer = 4 // data waits for the peer's window
)

// Live is one socket as it is now.
type Live struct {
	keepalive.Settings      // the effective values
	Enabled            bool // SO_KEEPALIVE

	Timer   Timer
	Expires time.Duration // left of the timer: idiag_expires
	// Unanswered is idiag_retrans: keepalive or window probes without an answer,
	// or retransmissions.
	Unanswered int
	// Idle is the time since the last segment from the peer: the smaller of
	// tcpi_last_data_recv and tcpi_last_ack_recv.
	Idle time.Duration
	// RTO is the retransmission timeout that runs now, backoff included
	// (tcpi_rto). Zero is not known.
	RTO time.Duration
}

// Dies predicts when a live socket ends if from now on nothing comes back from
// the peer, counted from now. It never does where no timer that could end it is
// running.
func (k Kernel) Dies(l Live) Prediction {
	switch l.Timer {
	case TimerKeepalive:
		if l.Enabled { // else it is the FIN_WAIT2 timeout of a closed socket
			return k.diesOfProbes(l)
		}
	case TimerRetransmit:
		return k.diesRetransmitting(l)
	case TimerProbe0:
		return k.diesProbingWindow(l)
	}
	return never()
}

// NextProbe is when the next keepalive probe goes out, or the socket ends, and
// latest with the timer's slack. ok is false where the keepalive timer does not
// run: off, or data is outstanding.
//
// The timer is not moved by traffic: it looks how long the connection was silent
// when it fires, and waits for the rest of time.
func (k Kernel) NextProbe(l Live) (in, latest time.Duration, ok bool) {
	if l.Timer != TimerKeepalive || !l.Enabled || l.Time < 0 {
		return 0, 0, false
	}
	in = max(l.Expires, 0)
	if l.Unanswered > 0 {
		return in, add(in, k.Slack(l.Intvl)), true
	}
	in = max(in, l.Time-l.Idle)
	return in, add(in, k.Slack(max(l.Time, l.Intvl))), true
}

func (k Kernel) diesOfProbes(l Live) Prediction {
	next, nextLatest, ok := k.NextProbe(l)
	if !ok {
		return never()
	}
	sent := int64(l.Unanswered)
	var more int64 // expiries after the next one
	if l.UserTimeout > 0 {
		if sent == 0 {
			more = 1
		}
		intvl := max(l.Intvl, k.tick())
		more = max(more, ceilDiv(l.UserTimeout-l.Idle-next, intvl))
		soonest := max(min(more, 1-min(sent, 1)), ceilDiv(l.UserTimeout-l.Idle-nextLatest, intvl+k.Slack(intvl)))
		p := k.atExpiry(l, next, nextLatest, more)
		if p.Never {
			return p
		}
		p.Earliest = max(add(next, times(soonest, intvl)), l.UserTimeout-l.Idle)
		p.DecidedBy = ByUserTimeout
		return p
	}
	return k.atExpiry(l, next, nextLatest, max(0, int64(l.Probes)-sent))
}

// atExpiry is a socket that ends more expiries after the next.
func (k Kernel) atExpiry(l Live, next, nextLatest time.Duration, more int64) Prediction {
	if more > 0 && l.Intvl < 0 {
		return never()
	}
	intvl := max(l.Intvl, k.tick())
	p := Prediction{
		Exact:     add(next, times(more, intvl)),
		Latest:    add(nextLatest, times(more, add(intvl, k.Slack(intvl)))),
		DecidedBy: ByProbes,
		Probes:    int(more),
		Errno:     "ETIMEDOUT",
	}
	p.Earliest = p.Exact
	return p
}

// diesRetransmitting is a socket with data in flight: [Kernel.DataInFlight],
// some way on.
func (k Kernel) diesRetransmitting(l Live) Prediction {
	running := l.RTO
	if running == 0 {
		running = min(k.lanRTO()<<min(l.Unanswered, 16), k.RTOMax)
	}
	left := max(l.Expires, 0)
	by, budget := "tcp_retries2", k.RetransmitBudget(k.Retries2)
	if l.UserTimeout > 0 {
		by, budget = ByUserTimeout, l.UserTimeout
	}
	p := Prediction{DecidedBy: by, Errno: "ETIMEDOUT"}
	// elapsed is the time from the first retransmission to the next expiry.
	elapsed := k.retransmittedFor(running, l.Unanswered)
	if l.Unanswered == 0 {
		elapsed = 0 // the next expiry is the first retransmission, or a loss probe
	}
	if l.UserTimeout > 0 {
		rest := max(0, budget-elapsed)
		p.Exact = add(left, rest)
		p.Earliest = min(p.Exact, max(0, rest))
		p.Latest = add(add(p.Exact, running), k.Slack(max(left, rest)))
		return p
	}
	exact, soonest, latest := k.overrun(backoff{running, k.RTOMax}, elapsed, budget)
	p.Exact = add(left, exact-elapsed)
	p.Earliest = add(left, soonest-elapsed)
	p.Latest = add(add(left, k.Slack(running)), latest-elapsed)
	if l.Unanswered == 0 { // a loss probe may come first, and the timeout after it
		p.Latest = add(p.Latest, add(running, k.Slack(running)))
	}
	return p
}

// retransmittedFor is how long after the first retransmission the nth one's
// timeout expires, if running is that timeout.
func (k Kernel) retransmittedFor(running time.Duration, n int) time.Duration {
	b := backoff{running >> min(n, 62), k.RTOMax}
	if running >= k.RTOMax || b.wait < rtoMin { // capped: where it began is lost
		b.wait = k.lanRTO()
	}
	var elapsed time.Duration
	for range n {
		elapsed = add(elapsed, b.next())
	}
	return elapsed
}

// diesProbingWindow is a socket that waits for its peer's window to open. As
// long as the peer answers it lives, unless a user timeout is set. Source:
// net/ipv4/tcp_timer.c, tcp_probe_timer.
func (k Kernel) diesProbingWindow(l Live) Prediction {
	left := max(l.Expires, 0)
	if l.UserTimeout > 0 {
		// When the first window probe went out is not to be seen.
		p := Prediction{DecidedBy: ByUserTimeout, Errno: "ETIMEDOUT"}
		p.Exact = add(left, l.UserTimeout)
		p.Earliest = 0
		p.Latest = add(p.Exact, k.Slack(max(left, min(l.UserTimeout, k.RTOMax))))
		return p
	}
	rto := l.RTO
	if rto == 0 {
		rto = k.lanRTO()
	}
	p := Prediction{DecidedBy: "tcp_retries2", Errno: "ETIMEDOUT"}
	p.Exact, p.Latest = left, add(left, k.Slack(max(left, rto)))
	for n := l.Unanswered + 1; n <= k.Retries2; n++ {
		wait := min(rto<<min(n, 32), k.RTOMax)
		p.Exact, p.Latest = add(p.Exact, wait), add(p.Latest, add(wait, k.Slack(wait)))
	}
	p.Earliest = p.Exact
	return p
}

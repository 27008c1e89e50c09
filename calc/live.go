package calc

import (
	"math"
	"time"

	"github.com/tcpka/tcpka/keepalive"
)

// A Timer is the timer of a live socket that sock_diag(7) names. The values are
// idiag_timer's. Source: net/ipv4/inet_diag.c, inet_sk_diag_fill.
type Timer uint8

const (
	TimerNone       Timer = 0
	TimerRetransmit Timer = 1 // sent data, or the SYN, is unacknowledged
	TimerKeepalive  Timer = 2
	TimerTimeWait   Timer = 3
	TimerProbe0     Timer = 4 // data waits for the peer's window
)

// Live is one socket as it is now.
type Live struct {
	keepalive.Settings      // the effective values
	Enabled            bool // SO_KEEPALIVE
	Connecting         bool // in SYN_SENT
	Closed             bool // by its application: no process has it any more

	Timer   Timer
	Expires time.Duration // left of the timer: idiag_expires
	// Unanswered is idiag_retrans: keepalive or window probes without an answer,
	// or retransmissions.
	Unanswered int
	// Backoff is tcpi_backoff: how often the wait between window probes has
	// doubled. Only [TimerProbe0] looks at it.
	Backoff int
	// Idle is the time since the last segment from the peer: the smaller of
	// tcpi_last_data_recv and tcpi_last_ack_recv.
	Idle time.Duration
	// RTO is the retransmission timeout that runs now, backoff included
	// (tcpi_rto). Zero is not known, and stands for a path of negligible delay.
	RTO time.Duration
	// Outlived is when the program of a subflow of MPTCP hears of its end. Only
	// [Kernel.Examine] looks at it.
	Outlived Outlived
}

// Dies predicts when a live socket ends if from now on nothing comes back from
// the peer, counted from now. It never does where no timer that could end it is
// running.
func (k Kernel) Dies(l Live) Prediction {
	switch l.Timer {
	case TimerKeepalive:
		return k.diesOfProbes(l)
	case TimerRetransmit:
		if l.Connecting {
			return k.connecting(l.UserTimeout, l.Unanswered, max(l.Expires, 0))
		}
		return l.toldTo(k.diesRetransmitting(l))
	case TimerProbe0:
		return l.toldTo(k.diesProbingWindow(l))
	}
	return never()
}

// toldTo is p for a socket that may have nobody to tell.
func (l Live) toldTo(p Prediction) Prediction {
	p.Errno = "ETIMEDOUT"
	if l.Closed {
		p.Errno = ""
	}
	return p
}

// NextProbe is when the next keepalive probe goes out, or the socket ends, and
// latest with the timer's slack. ok is false where the keepalive timer does not
// run: data is outstanding, or keepalive is off, and the timer that runs in its
// name is the FIN_WAIT2 timeout of a closed socket.
//
// The timer is not moved by traffic: it looks how long the connection was silent
// when it fires, and waits for the rest of time.
func (k Kernel) NextProbe(l Live) (in, latest time.Duration, ok bool) {
	if l.Timer != TimerKeepalive || !l.Enabled || l.Time < 0 {
		return 0, 0, false
	}
	in = max(l.Expires, 0)
	if l.Unanswered > 0 {
		return in, add(in, k.Slack(k.interval(l.Intvl))), true
	}
	in = max(in, l.Time-l.Idle)
	// A timer that was armed by other values can have been longer.
	return in, add(in, k.Slack(max(l.Time, k.interval(l.Intvl), l.Expires))), true
}

func (k Kernel) diesOfProbes(l Live) Prediction {
	next, nextLatest, ok := k.NextProbe(l)
	if !ok {
		return never()
	}
	intvl := k.interval(l.Intvl)
	intvlSlack := k.Slack(intvl)
	p := Prediction{DecidedBy: ByProbes, Errno: "ETIMEDOUT"}
	n := max(0, int64(l.Probes)-int64(l.Unanswered)) // expiries after the next
	soonest := n
	if l.UserTimeout > 0 {
		p.DecidedBy = ByUserTimeout
		rest := l.UserTimeout - l.Idle
		n = expiriesUntil(rest-next, intvl, l.Unanswered)
		soonest = expiriesUntil(rest-nextLatest, intvl+intvlSlack, l.Unanswered)
		p.Earliest = sub(l.UserTimeout, l.Idle)
	}
	if n > 0 && l.Intvl < 0 { // the next probe, and the one after it months away
		return never()
	}
	p.Probes = int(min(n, math.MaxInt32))
	p.Exact = add(next, times(n, intvl))
	p.Earliest = max(p.Earliest, add(next, times(soonest, intvl)))
	p.Latest = add(nextLatest, times(n, add(intvl, intvlSlack)))
	return p
}

// diesRetransmitting is a socket with data in flight: [Kernel.DataInFlight], or
// [Kernel.ClosedWithDataUnsent], some way on.
func (k Kernel) diesRetransmitting(l Live) Prediction {
	running := l.RTO
	if running == 0 {
		running = min(k.lanRTO()<<min(l.Unanswered, 16), k.rtoMax())
	}
	left := max(l.Expires, 0)
	early, late := k.retransmittedFor(running, l.Unanswered)
	var p Prediction
	// Before the first retransmission the next expiry may be a tail loss probe's,
	// and the timeout starts again after it.
	var again time.Duration
	if l.Unanswered == 0 {
		again = add(running, k.Slack(running))
	}
	if l.UserTimeout > 0 {
		p.DecidedBy = ByUserTimeout
		p.Exact = add(left, sub(l.UserTimeout, early))
		p.Earliest = add(left, sub(l.UserTimeout, late))
		p.Latest = add(p.Exact, add(again, add(k.Slack(running), k.cutSlack(l.UserTimeout))))
		return p
	}
	budget := k.RetransmitBudget(k.Retries2)
	patience := patience{budget, budget}
	p.DecidedBy = "tcp_retries2"
	if l.Closed {
		patience = k.orphanPatience()
		p.DecidedBy = "tcp_orphan_retries"
	}
	exact, soonest, latest := k.overrun(running, early, late, patience)
	p.Exact = add(left, exact)
	p.Earliest = add(left, soonest)
	p.Latest = add(left, add(k.Slack(running), add(latest, again)))
	return p
}

// retransmittedFor is how long after the first retransmission the timeout that
// runs now, after n of them, expires: without lateness and with the most. Once
// the timeout is at its maximum, how it got there is not to be seen; it then
// takes the way of a path of negligible delay, and the longest.
func (k Kernel) retransmittedFor(running time.Duration, n int) (early, late time.Duration) {
	if n == 0 {
		return 0, 0
	}
	if running >= k.rtoMax() {
		wait := k.lanRTO()
		for range n {
			wait = min(2*wait, k.rtoMax())
			early = add(early, wait)
		}
		return early, times(int64(n), add(k.rtoMax(), k.Slack(k.rtoMax())))
	}
	for wait := running; n > 0; n-- {
		early, late = add(early, wait), add(late, add(wait, k.Slack(wait)))
		wait /= 2
	}
	return early, late
}

// diesProbingWindow is a socket that waits for its peer's window to open. As
// long as the peer answers it lives, unless a user timeout is set. Source:
// net/ipv4/tcp_timer.c, tcp_probe_timer; net/ipv4/tcp_output.c, tcp_send_probe0.
func (k Kernel) diesProbingWindow(l Live) Prediction {
	rto := l.RTO
	if rto == 0 {
		rto = k.lanRTO()
	}
	rto = max(rto, rtoMin)
	wait := func(backoff int) time.Duration {
		return min(rto<<min(backoff, k.Retries2, 10), k.rtoMax())
	}
	left := max(l.Expires, 0)
	p := Prediction{Exact: left, Latest: add(left, k.Slack(wait(l.Backoff)))}
	if l.UserTimeout > 0 {
		// When the first window probe went out is not to be seen, if it did.
		p.DecidedBy = ByUserTimeout
		p.Earliest = left
		p.Exact = add(left, l.UserTimeout)
		p.Latest = add(p.Latest, add(l.UserTimeout, k.cutSlack(l.UserTimeout)))
		return p
	}
	p.DecidedBy = "tcp_retries2"
	if l.Closed {
		p.DecidedBy = "tcp_orphan_retries"
	}
	for n, backoff := l.Unanswered, l.Backoff; n < k.windowProbes(l.Closed, wait(backoff), backoff); n++ {
		backoff++
		w := wait(backoff)
		p.Exact, p.Latest = add(p.Exact, w), add(p.Latest, add(w, k.Slack(w)))
	}
	p.Earliest = p.Exact
	return p
}

// windowProbes is how many window probes may be unanswered where the last wait
// was of that length. Source: net/ipv4/tcp_timer.c, tcp_probe_timer,
// tcp_orphan_retries.
func (k Kernel) windowProbes(closed bool, wait time.Duration, backoff int) int {
	atMax := wait >= k.rtoMax()
	switch {
	case !closed:
		return k.Retries2
	case atMax && backoff >= k.OrphanRetries:
		return 0
	case k.OrphanRetries == 0:
		return 8
	}
	return k.OrphanRetries
}

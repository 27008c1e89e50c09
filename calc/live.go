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
	// Backoff is tcpi_backoff: how often the wait has doubled, less what was taken
	// back. Fewer than Unanswered is an answer "unreachable" on the way, or a packet
	// that this host itself has dropped.
	Backoff int
	// Retransmitted is tcpi_total_retrans, or 0: the kernel keeps Unanswered in one byte,
	// which starts again, where it retransmits for long without a doubling.
	Retransmitted int
	// Window is whether the peer takes data.
	Window Window
	// Clock is the one by which the kernel gives up, and Spent how long it has run.
	// Where it is unknown the times are wider, as far as they are not to be told by
	// Unanswered and Backoff.
	Clock Clock
	Spent time.Duration
	// RTOMax and SynRetries are the socket's own; 0 is the [Kernel]'s.
	RTOMax     time.Duration
	SynRetries int
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

// Clock is whether the clock runs by which the kernel gives up: since the first
// retransmission, the SYN, or the first window probe.
type Clock uint8

const (
	ClockUnknown Clock = iota
	ClockStopped       // it begins when the timer goes off
	ClockRunning
)

// Window is the peer's receive window.
type Window uint8

const (
	WindowUnknown Window = iota
	WindowClosed
	WindowOpen
)

// of is the kernel with what a socket has of its own.
func (k Kernel) of(l Live) Kernel {
	if l.RTOMax > 0 {
		k.RTOMax = l.RTOMax
	}
	if l.SynRetries > 0 {
		k.SynRetries = l.SynRetries
	}
	return k
}

// Dies predicts when a live socket ends if from now on nothing comes back from
// the peer, counted from now. It never does where no timer that could end it is
// running. A router on the way, or this host, may answer "unreachable" for the peer
// at any time, or for none of it: Earliest and Latest hold for both, and Exact is for
// what was seen so far to go on.
func (k Kernel) Dies(l Live) Prediction {
	k = k.of(l)
	switch l.Timer {
	case TimerKeepalive:
		return k.diesOfProbes(l)
	case TimerRetransmit:
		if l.Connecting {
			return k.diesConnecting(l)
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

// diesConnecting is [Kernel.Connecting] some way on.
func (k Kernel) diesConnecting(l Live) Prediction {
	left := max(l.Expires, 0)
	p := k.connecting(l.UserTimeout, l.Unanswered, left)
	if l.Clock != ClockRunning {
		return p
	}
	var waits time.Duration // of a SYN that is always sent
	for n := range l.Unanswered {
		waits = add(waits, k.synWait(n))
	}
	if add(l.Spent, congested/2) >= waits {
		return p
	}
	// This host drops it, and tries again soon: each try counts.
	more := int64(max(k.SynRetries+k.SynLinearTimeouts-l.Unanswered, 0))
	p.Earliest = min(p.Earliest, add(left, times(more, congested)))
	if l.UserTimeout > 0 {
		p.Earliest = min(p.Earliest, sub(l.UserTimeout, l.Spent))
		p.Latest = max(p.Latest, add(sub(l.UserTimeout, l.Spent), k.synWait(l.Unanswered+1)))
	} else {
		p.Latest = max(p.Latest, add(sub(k.modelTimeout(k.SynRetries, initialRTO), l.Spent), k.synWait(l.Unanswered+1)))
	}
	p.Exact = p.Earliest
	return p
}

// congested is how long the kernel waits after it could not send for want of room in
// its own queue. Source: include/net/tcp.h, TCP_RESOURCE_PROBE_INTERVAL.
const congested = 500 * time.Millisecond

// diesRetransmitting is a socket with data in flight: [Kernel.DataInFlight], or
// [Kernel.ClosedWithDataUnsent], some way on.
//
// The kernel counts time, and its waits are no measure of that: a host or network that
// is unreachable takes a doubling back, and may have it sent again at once; what this
// host drops is sent again in half a second; a thin stream may not double at all.
// Source: net/ipv4/tcp_ipv4.c, tcp_ld_RTO_revert; net/ipv4/tcp_timer.c,
// tcp_retransmit_timer.
func (k Kernel) diesRetransmitting(l Live) Prediction {
	running := l.RTO
	if running == 0 {
		running = min(k.lanRTO()<<min(l.Unanswered, 16), k.rtoMax())
	}
	left := max(l.Expires, 0)
	least, most := k.spent(l, running)
	budget := k.RetransmitBudget(k.Retries2)
	limits := patience{budget, budget}
	p := Prediction{DecidedBy: "tcp_retries2"}
	switch {
	case l.UserTimeout > 0:
		p.DecidedBy, budget = ByUserTimeout, l.UserTimeout
		limits = patience{budget, budget}
	case l.Closed:
		p.DecidedBy, limits = "tcp_orphan_retries", k.orphanPatience()
		budget = limits.budget
	case l.Window == WindowClosed:
		p.DecidedBy = "tcp_rto_max_ms"
	}
	if l.Window == WindowClosed && !l.Closed {
		// What is sent into a closed window counts from the last answer, too. Source:
		// net/ipv4/tcp_timer.c, tcp_rtx_probe0_timed_out.
		budget = times(2, k.rtoMax())
		if l.UserTimeout > 0 {
			budget = min(budget, l.UserTimeout)
		}
		limits = patience{budget, budget}
		least = min(least, l.Idle)
	}

	// Without ICMP the timer that runs is the next.
	next := add(left, k.Slack(running))
	surely := add(least, sub(left, k.tick())) // spent by then
	over := surely >= budget || l.Closed && l.UserTimeout == 0 && running >= k.rtoMax() && surely >= limits.atMax
	switch begun := l.Unanswered > 0 || l.restarted(running) || l.Window == WindowClosed && !l.Closed; {
	case !begun:
		// The next expiry begins the clock, or one after it, where a tail loss probe
		// comes first. What waits in this host's own queue counts from when it was
		// put there. Source: net/ipv4/tcp_output.c, tcp_retransmit_skb.
		over = false
		p.Exact = add(left, k.afterwards(l, running, 0, limits))
		p.Earliest = add(left, sub(budget, 2*running))
		if l.Clock == ClockRunning { // by a retransmission that no timer asked for
			p.Earliest = min(p.Earliest, max(left, sub(budget, l.Spent)))
		}
		p.Latest = add(next, add(running, k.Slack(running)))
		least = 0
	case over:
		p.Exact = left
	default:
		p.Exact = add(left, k.afterwards(l, running, add(least, left), limits))
	}
	if l.Unanswered > 0 || l.restarted(running) || over || l.Window == WindowClosed {
		p.Earliest = sub(budget, add(most, k.tick()))
	}
	if l.Closed && l.UserTimeout == 0 {
		p.Earliest = min(p.Earliest, k.untilLongest(running, left))
	}
	if rest := sub(budget, least); !over || rest > 0 {
		wait := k.longestWait(l, running, left, rest)
		if surely >= budget && l.UserTimeout == 0 { // unless an ICMP brings an expiry before that is so
			wait = running
		}
		p.Latest = max(next, add(p.Latest, add(rest, add(wait, k.Slack(wait)))))
	}
	p.Latest = max(p.Latest, next)
	p.Exact = min(max(p.Exact, p.Earliest), p.Latest)
	return p
}

// afterwards is how long after the expiry of the timer that runs a socket ends, if the
// waits go on as they have: they double, or where doublings were taken back they stay.
func (k Kernel) afterwards(l Live, running, spent time.Duration, limits patience) time.Duration {
	switch left := sub(limits.budget, spent); {
	case l.UserTimeout > 0: // the last wait is cut
		return left
	case l.Backoff < l.Unanswered:
		return times(ceilDiv(left, running), running)
	}
	exact, _, _ := k.overrun(running, spent, spent, limits)
	return exact
}

// longestWait is the longest wait that can run when what is left of the time is
// spent: longer than all before it together by what runs now. A user timeout cuts it,
// but an ICMP that comes meanwhile sets the timer anew, for half of it, and uncut.
func (k Kernel) longestWait(l Live, running, left, rest time.Duration) time.Duration {
	wait := min(k.rtoMax(), add(sub(rest, left), times(2, running)))
	if l.UserTimeout == 0 {
		return wait
	}
	uncut := running / 2
	for at, w := left, running; at < rest; at = add(at, w) {
		uncut, w = w, min(2*w, k.rtoMax())
	}
	return uncut
}

// untilLongest is when the timeout has grown to its maximum. Source:
// net/ipv4/tcp_timer.c, tcp_orphan_retries: from then on an ICMP ends an orphan.
func (k Kernel) untilLongest(running, left time.Duration) time.Duration {
	if running >= k.rtoMax() {
		return 0
	}
	at := left
	for running < k.rtoMax() {
		running = min(2*running, k.rtoMax())
		at = add(at, running)
	}
	return at
}

// restarted reports whether Unanswered may have been at 255 since the peer was heard.
func (l Live) restarted(running time.Duration) bool {
	return l.Clock == ClockUnknown && l.Retransmitted > math.MaxUint8 && l.Idle > 2*running
}

// spent is how long the clock of a retransmitting socket has run, at least and at most.
func (k Kernel) spent(l Live, running time.Duration) (least, most time.Duration) {
	left := max(l.Expires, 0)
	switch {
	case l.Clock == ClockRunning:
		return l.Spent, l.Spent
	case l.restarted(running):
		return 0, forever
	case l.Clock == ClockStopped || l.Unanswered == 0:
		return 0, 0
	case l.Backoff >= l.Unanswered && l.Window != WindowClosed:
		early, late := k.retransmittedFor(running, l.Unanswered)
		// What waited in this host's own queue was sent up to two timeouts earlier.
		return sub(early, left), add(sub(late, left), 2*(running>>min(l.Backoff, 16)))
	}
	first := min(running>>min(l.Backoff, 16), congested)
	return sub(times(int64(l.Unanswered-1), first), k.tick()), forever
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
	p.DecidedBy = "tcp_retries2"
	if l.Closed {
		p.DecidedBy = "tcp_orphan_retries"
	}
	// Where this host has no room for what it sends, it waits less, and does not double.
	dropped := l.Unanswered == 0 && l.Window == WindowOpen || l.Backoff < min(l.Unanswered, k.Retries2)
	p.Earliest = p.Exact
	for n, backoff := l.Unanswered, l.Backoff; n < k.windowProbes(l.Closed, wait(backoff), backoff); n++ {
		backoff++
		w := wait(backoff)
		p.Exact, p.Latest = add(p.Exact, w), add(p.Latest, add(w, k.Slack(w)))
		if dropped {
			w = min(w, congested)
		}
		p.Earliest = add(p.Earliest, w)
	}
	if l.UserTimeout > 0 { // whichever is first
		// The clock may have begun before, with the first window probe, or not.
		exact, earliest := add(left, l.UserTimeout), left
		latest := add(add(left, k.Slack(wait(l.Backoff))), add(l.UserTimeout, k.cutSlack(l.UserTimeout)))
		switch l.Clock {
		case ClockStopped:
			earliest = exact
		case ClockRunning:
			rest := sub(l.UserTimeout, l.Spent)
			exact, earliest = max(left, rest), max(left, sub(rest, k.tick()))
			latest = max(add(left, k.Slack(wait(l.Backoff))), add(rest, k.cutSlack(l.UserTimeout)))
		}
		if exact <= p.Exact {
			p.DecidedBy = ByUserTimeout
		}
		p.Exact, p.Earliest, p.Latest = min(p.Exact, exact), min(p.Earliest, earliest), min(p.Latest, latest)
	}
	if l.Window == WindowOpen { // this host did not let it out; once it does, it is in flight
		p.Latest = add(p.Latest, k.DataInFlight(l.UserTimeout, rto).Latest)
	}
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

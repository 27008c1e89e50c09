package calc

import (
	"math/bits"
	"time"
)

// rtoMin is the smallest retransmission timeout, and the base of the kernel's
// budget whatever the timeout of a connection really is. Source:
// include/net/tcp.h, TCP_RTO_MIN.
const rtoMin = 200 * time.Millisecond

// lanRTO is the retransmission timeout on a path of negligible delay: the
// kernel adds the round trip to rtoMin and rounds up to a tick
// (net/ipv4/tcp_input.c, __tcp_set_rto).
func (k Kernel) lanRTO() time.Duration { return rtoMin + k.tick() }

// RetransmitBudget is how long a connection goes on after its first
// retransmission where the sysctl allows n of them: the time n doublings of
// 200 ms would take, capped at RTOMax each. Of 15 it is 924.6 s. The sysctl
// counts time, not packets. Source: net/ipv4/tcp_timer.c, tcp_model_timeout.
func (k Kernel) RetransmitBudget(n int) time.Duration {
	return k.modelTimeout(n, rtoMin)
}

func (k Kernel) modelTimeout(n int, base time.Duration) time.Duration {
	doublings := bits.Len64(uint64(max(k.RTOMax/base, 1))) - 1
	exponential := min(n, doublings)
	return add(times(2<<exponential-1, base), times(int64(n-exponential), k.RTOMax))
}

// A backoff is the retransmission timer of a connection whose peer is gone: it
// runs for its wait, then for twice as long, up to a maximum.
type backoff struct {
	wait, max time.Duration
}

func (b *backoff) next() time.Duration {
	b.wait = min(2*b.wait, b.max)
	return b.wait
}

// overrun finds the first expiry of b at which the budget is spent. soonest is
// where late timers may let it be spent, latest where they are as late as can
// be.
func (k Kernel) overrun(b backoff, elapsed, budget time.Duration) (exact, soonest, latest time.Duration) {
	var slack time.Duration
	soonest = forever
	for elapsed < budget {
		w := b.next()
		elapsed, slack = add(elapsed, w), add(slack, k.Slack(w))
		if add(elapsed, slack) >= budget {
			soonest = min(soonest, max(elapsed, budget))
		}
	}
	return elapsed, min(soonest, max(elapsed, budget)), add(elapsed, slack)
}

// DataInFlight is a connection that has sent data which nobody acknowledges.
// Keepalive plays no part: the kernel sends no probe while data is outstanding,
// and the retransmission timer decides, by TCP_USER_TIMEOUT or else by
// tcp_retries2. It counts from the moment the data was sent.
//
// rto is the connection's retransmission timeout before any backoff (tcpi_rto of
// TCP_INFO). Zero is "not known": Exact is then that of a path of negligible
// delay, and Earliest and Latest hold for any, because the end is the first
// retransmission after the budget is spent and the one that is then waited for
// may just have begun.
//
// Source: net/ipv4/tcp_timer.c, tcp_write_timeout, retransmits_timed_out,
// tcp_clamp_rto_to_user_timeout. The clock starts with the first
// retransmission; the tail loss probe before it (net/ipv4/tcp_output.c,
// tcp_schedule_loss_probe) does not start it, and may be left out.
func (k Kernel) DataInFlight(userTimeout, rto time.Duration) Prediction {
	p := k.retransmitting(userTimeout, k.RetransmitBudget(k.Retries2), rto)
	p.Errno = "ETIMEDOUT"
	if userTimeout == 0 {
		p.DecidedBy = "tcp_retries2"
	}
	return p
}

// ClosedWithDataUnsent is a connection that the application has closed while
// data, or the FIN, was not acknowledged. No process owns it any more, so none
// is told. It counts from the first unacknowledged transmission.
//
// tcp_orphan_retries decides; its 0 means 8 as long as the retransmission
// timeout is below its maximum, and really 0 from then on. Source:
// net/ipv4/tcp_timer.c, tcp_orphan_retries and tcp_write_timeout. Rto is as in
// [Kernel.DataInFlight].
func (k Kernel) ClosedWithDataUnsent(userTimeout, rto time.Duration) Prediction {
	retries := k.OrphanRetries
	if retries == 0 {
		retries = 8
	}
	budget := k.RetransmitBudget(retries)
	capped := budget
	if k.OrphanRetries == 0 {
		capped = min(budget, k.untilCapped(rto))
	}
	p := k.retransmitting(userTimeout, capped, rto)
	if userTimeout == 0 {
		p.DecidedBy = "tcp_orphan_retries"
		if capped < budget && rto == 0 { // on another path the maximum is reached sooner
			p.Earliest = add(rtoMin, k.RetransmitBudget(0))
		}
	}
	return p
}

// untilCapped is the time from the first retransmission to the first expiry of
// a timeout at its maximum.
func (k Kernel) untilCapped(rto time.Duration) time.Duration {
	b := backoff{k.orLAN(rto), k.RTOMax}
	var elapsed time.Duration
	for b.wait < b.max {
		elapsed = add(elapsed, b.next())
	}
	return max(elapsed, k.RetransmitBudget(0))
}

func (k Kernel) orLAN(rto time.Duration) time.Duration {
	if rto == 0 {
		return k.lanRTO()
	}
	return rto
}

// retransmitting is when unacknowledged data ends a connection that may go on
// for budget, or for the user timeout if one is set, after its first
// retransmission.
func (k Kernel) retransmitting(userTimeout, budget, rto time.Duration) Prediction {
	known := rto != 0
	rto = k.orLAN(rto)
	first := times(2, rto) // the tail loss probe, then the timeout itself
	firstLatest := add(first, times(2, k.Slack(rto)))

	if userTimeout > 0 { // waits are cut so that one ends with the user timeout
		return Prediction{
			Exact:     add(first, userTimeout),
			Earliest:  add(rtoMin, userTimeout),
			Latest:    add(add(firstLatest, userTimeout), k.Slack(min(userTimeout, k.RTOMax))),
			DecidedBy: ByUserTimeout,
		}
	}
	exact, soonest, latest := k.overrun(backoff{rto, k.RTOMax}, 0, budget)
	p := Prediction{
		Exact:    add(first, exact),
		Earliest: add(rto, soonest),
		Latest:   add(firstLatest, latest),
	}
	if !known {
		// Timeouts double, so the one that runs when the budget is spent began
		// no later than budget and is no longer than budget + 2 rto.
		step := min(k.RTOMax, add(budget, 2*rto))
		p.Earliest = add(rtoMin, budget)
		p.Latest = add(firstLatest, add(budget, add(step, k.Slack(step))))
	}
	return p
}

// ZeroWindow is a connection whose peer lives but has closed its receive
// window, with data waiting to be sent. Keepalive plays no part. Without a user
// timeout it lives for ever, because every window probe is answered; with one it
// ends that long after the first window probe, answers or not. It counts from
// the moment the data was queued. Source: net/ipv4/tcp_timer.c, tcp_probe_timer.
func (k Kernel) ZeroWindow(userTimeout, rto time.Duration) Prediction {
	if userTimeout <= 0 {
		return never()
	}
	rto = k.orLAN(rto)
	return Prediction{
		Exact:     add(rto, userTimeout),
		Earliest:  add(rtoMin, userTimeout),
		Latest:    add(add(rto, k.Slack(rto)), add(userTimeout, k.Slack(min(userTimeout, k.RTOMax)))),
		DecidedBy: ByUserTimeout,
		Errno:     "ETIMEDOUT",
	}
}

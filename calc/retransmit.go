package calc

import (
	"math/bits"
	"time"
)

const (
	// rtoMin is the smallest retransmission timeout, and the base of the
	// kernel's budget whatever the timeout of a connection really is. Source:
	// include/net/tcp.h, TCP_RTO_MIN. The sysctl tcp_rto_min_us and the route
	// attribute rto_min can lower the former; they are not looked at.
	rtoMin = 200 * time.Millisecond

	// longPathRTO is the retransmission timeout up to which a prediction for an
	// unknown path holds: a round trip of about half a second.
	longPathRTO = time.Second

	// defaultRTOMax is the largest retransmission timeout unless a sysctl lowers
	// it. Source: include/net/tcp.h, TCP_RTO_MAX.
	defaultRTOMax = 120 * time.Second
)

func (k Kernel) rtoMax() time.Duration {
	if k.RTOMax <= 0 {
		return defaultRTOMax
	}
	return k.RTOMax
}

// lanRTO is the retransmission timeout on a path of negligible delay: the
// kernel adds the round trip to rtoMin and rounds up to a tick
// (include/net/tcp.h, __tcp_set_rto).
func (k Kernel) lanRTO() time.Duration { return k.span(k.ticks(rtoMin + 1)) }

// RetransmitBudget is how long a connection goes on after its first
// retransmission where the sysctl allows n of them: the time n doublings of
// 200 ms would take, capped at RTOMax each. Of 15 it is 924.6 s. The sysctl
// counts time, not packets. Source: net/ipv4/tcp_timer.c, tcp_model_timeout.
func (k Kernel) RetransmitBudget(n int) time.Duration {
	return k.modelTimeout(n, rtoMin)
}

func (k Kernel) modelTimeout(n int, base time.Duration) time.Duration {
	n = max(n, 0)
	doublings := bits.Len64(uint64(max(k.rtoMax()/base, 1))) - 1
	exponential := min(n, doublings)
	return add(times(2<<exponential-1, base), times(int64(n-exponential), k.rtoMax()))
}

// patience is how long after its first retransmission a connection may go on.
type patience struct {
	budget time.Duration
	atMax  time.Duration // the same, once the timeout has reached its maximum
}

// overrun finds the expiry that ends a connection whose peer is gone. The
// timeout that ran before is wait, and every one is twice as long, up to the
// maximum; so far early to late of the patience is spent. It returns the time
// from then on: exact, the soonest that late timers can make it, and the latest.
// No wait begins once the budget is spent.
// Source: net/ipv4/tcp_timer.c, tcp_retransmit_timer.
func (k Kernel) overrun(wait, early, late time.Duration, p patience) (exact, soonest, latest time.Duration) {
	soonest = forever
	for {
		limit := p.budget
		if wait >= k.rtoMax() {
			limit = p.atMax
		}
		if add(late, latest) >= limit {
			soonest = min(soonest, max(exact, limit-late))
		}
		if add(early, exact) >= limit {
			return exact, soonest, latest
		}
		wait = min(2*wait, k.rtoMax())
		last := add(wait, k.Slack(wait))
		exact, latest = add(exact, wait), min(add(latest, last), add(sub(p.budget, early), last))
	}
}

// DataInFlight is a connection that has sent data which nobody acknowledges.
// Keepalive plays no part: the kernel sends no probe while data is outstanding,
// and the retransmission timer decides, by TCP_USER_TIMEOUT or else by
// tcp_retries2. It counts from the moment the data was sent.
//
// rto is the connection's retransmission timeout before any backoff (tcpi_rto of
// TCP_INFO). Zero is "not known": Exact is then that of a path of negligible
// delay, and Earliest and Latest hold for every path whose timeout is between
// 200 ms and 1 s. The end is the first retransmission after the budget is spent,
// and the one that is then waited for may just have begun.
//
// Source: net/ipv4/tcp_timer.c, tcp_write_timeout, retransmits_timed_out,
// tcp_clamp_rto_to_user_timeout. The clock starts with the first
// retransmission; the tail loss probe before it (net/ipv4/tcp_output.c,
// tcp_schedule_loss_probe) does not start it, and may be left out.
func (k Kernel) DataInFlight(userTimeout, rto time.Duration) Prediction {
	budget := k.RetransmitBudget(k.Retries2)
	p := k.retransmitting(userTimeout, rto, patience{budget, budget})
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
	p := k.retransmitting(userTimeout, rto, k.orphanPatience())
	if userTimeout == 0 {
		p.DecidedBy = "tcp_orphan_retries"
	}
	return p
}

func (k Kernel) orphanPatience() patience {
	if k.OrphanRetries == 0 {
		return patience{k.RetransmitBudget(8), k.RetransmitBudget(0)}
	}
	budget := k.RetransmitBudget(k.OrphanRetries)
	return patience{budget, budget}
}

// retransmitting is when unacknowledged data ends a connection whose patience is
// p, or the user timeout if one is set.
func (k Kernel) retransmitting(userTimeout, rto time.Duration, p patience) Prediction {
	exactRTO, shortest, longest := rto, rto, rto
	if rto == 0 {
		exactRTO, shortest, longest = k.lanRTO(), rtoMin, longPathRTO
	}
	// The tail loss probe is sent no later than the timeout, which then starts
	// again.
	first := times(2, exactRTO)
	firstLatest := times(2, longest+k.Slack(longest))

	if userTimeout > 0 { // waits are cut so that one ends with the user timeout
		return Prediction{
			Exact:     add(first, userTimeout),
			Earliest:  add(shortest, userTimeout),
			Latest:    add(firstLatest, add(userTimeout, k.cutSlack(userTimeout))),
			DecidedBy: ByUserTimeout,
		}
	}
	exact, soonest, latest := k.overrun(exactRTO, 0, 0, p)
	if rto == 0 {
		// The patience that counts at the maximum needs one wait of that length
		// first. The wait that runs when the budget is spent is no longer than all
		// before it together and twice the timeout.
		soonest = min(p.budget, max(p.atMax, k.rtoMax()))
		last := min(k.rtoMax(), add(p.budget, 2*longest))
		latest = add(p.budget, add(last, k.Slack(last)))
	}
	return Prediction{
		Exact:    add(first, exact),
		Earliest: add(shortest, soonest),
		Latest:   add(firstLatest, latest),
	}
}

// cutSlack is the most by which a wait ends late that was cut to what is left of
// the user timeout: a whole number of milliseconds, not of ticks.
func (k Kernel) cutSlack(userTimeout time.Duration) time.Duration {
	return add(k.tick(), k.Slack(min(userTimeout, k.rtoMax())))
}

// ZeroWindow is a connection whose peer lives but has closed its receive
// window, with data waiting to be sent. Keepalive plays no part. Without a user
// timeout it lives for ever, because every window probe is answered; with one it
// ends that long after the first window probe, answers or not. It counts from
// the moment data is queued and nothing is in flight. Rto is as in
// [Kernel.DataInFlight]. Source: net/ipv4/tcp_timer.c, tcp_probe_timer;
// include/net/tcp.h, tcp_probe0_base.
func (k Kernel) ZeroWindow(userTimeout, rto time.Duration) Prediction {
	if userTimeout <= 0 {
		return never()
	}
	shortest := max(rto, rtoMin)
	exact, longest := shortest, shortest
	if rto == 0 {
		exact, longest = k.lanRTO(), longPathRTO
	}
	return Prediction{
		Exact:     add(exact, userTimeout),
		Earliest:  add(shortest, userTimeout),
		Latest:    add(longest+k.Slack(longest), add(userTimeout, k.cutSlack(userTimeout))),
		DecidedBy: ByUserTimeout,
		Errno:     "ETIMEDOUT",
	}
}

package calc

import "time"

// initialRTO is the retransmission timeout of a connection that has not
// measured a round trip. Source: include/net/tcp.h, TCP_TIMEOUT_INIT.
const initialRTO = time.Second

// Connecting is connect(2) to an address that does not answer. It counts from
// the first SYN. The first SynLinearTimeouts repetitions are one second apart,
// then the wait doubles; the attempt ends at a repetition that is one too many
// (SynRetries + SynLinearTimeouts), or comes after 2^(SynRetries+1)-1 seconds or
// the user timeout. By default that is 131 s. Keepalive plays no part. Source:
// net/ipv4/tcp_timer.c, tcp_write_timeout, tcp_retransmit_timer.
func (k Kernel) Connecting(userTimeout time.Duration) Prediction {
	return k.connecting(userTimeout, 0, k.synWait(0))
}

// synWait is the wait after n repetitions of the SYN.
func (k Kernel) synWait(n int) time.Duration {
	wait := min(initialRTO, k.rtoMax())
	for range min(n-k.SynLinearTimeouts, 7) { // 2^7 s is more than the maximum
		wait = min(2*wait, k.rtoMax())
	}
	return wait
}

// connecting is [Kernel.Connecting] after so many repetitions of the SYN, with
// left of the wait for the next one; it counts from then.
func (k Kernel) connecting(userTimeout time.Duration, repeated int, left time.Duration) Prediction {
	p := Prediction{DecidedBy: "tcp_syn_retries", Errno: "ETIMEDOUT"}
	budget := k.modelTimeout(k.SynRetries, initialRTO)
	if userTimeout > 0 {
		p.DecidedBy, budget = ByUserTimeout, userTimeout
	}
	// early to late is the time from the SYN to now.
	wait, slack := left, k.Slack(k.synWait(repeated))
	early := sub(k.synWait(repeated), left)
	for n := range repeated {
		early = add(early, k.synWait(n))
	}
	late := early
	for n := range repeated {
		late = add(late, k.Slack(k.synWait(n)))
	}
	if left == 0 { // it is late already
		late = add(late, slack)
	}

	p.Earliest = forever
	sure := wait // of it, whatever lateness has cut off
	for n := repeated; ; n++ {
		sure = add(p.Exact, sure)
		p.Exact, p.Latest = add(p.Exact, wait), add(p.Latest, add(wait, slack))
		if n > 0 && add(late, p.Latest) >= budget {
			p.Earliest = min(p.Earliest, max(sure, budget-late))
		}
		if n >= k.SynRetries+k.SynLinearTimeouts || n > 0 && add(early, p.Exact) >= budget {
			p.Earliest = min(p.Earliest, p.Exact)
			return p
		}
		wait = k.synWait(n + 1)
		sure, slack = wait, k.Slack(wait)
		if userTimeout > 0 { // a wait is cut to what is left, one tick at least
			wait = min(wait, max(userTimeout-add(early, p.Exact), k.tick()))
			sure = min(sure, max(userTimeout-add(late, p.Exact), k.tick()))
			slack = k.cutSlack(wait)
		}
	}
}

// Accepting is a connection request whose SYN-ACKs are not answered: when the
// kernel forgets it. No application is told. By default it is 63 s. It counts
// from the client's only SYN. A client that repeats its SYN starts the wait that
// runs again, or opens a new request, so then it is the longest that one outlives
// the last SYN. A backlog that is half full shortens it. Source:
// net/ipv4/inet_connection_sock.c, reqsk_timer_handler.
//
// Kernels of today, 6.18 among them, wait up to 120 s whatever tcp_rto_max_ms
// says. Where that is lower, Earliest is what later ones do, which look at it
// (include/net/tcp.h, tcp_reqsk_timeout).
func (k Kernel) Accepting() Prediction {
	p := Prediction{DecidedBy: "tcp_synack_retries"}
	wait := initialRTO
	for range max(k.SynackRetries, 0) + 1 {
		p.Exact = add(p.Exact, wait)
		p.Earliest = add(p.Earliest, min(wait, k.rtoMax()))
		p.Latest = add(p.Latest, add(wait, k.Slack(wait)))
		wait = min(2*wait, defaultRTOMax)
	}
	return p
}

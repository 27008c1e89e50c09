package calc

import "time"

// initialRTO is the retransmission timeout of a connection that has not
// measured a round trip. Source: include/net/tcp.h, TCP_TIMEOUT_INIT.
const initialRTO = time.Second

// Connecting is connect(2) to an address that does not answer. It counts from
// the first SYN. The first SynLinearTimeouts repetitions are one second apart,
// then the wait doubles; the attempt ends at a repetition that is one too many,
// or comes after 2^(SynRetries+1)-1 seconds or the user timeout. By default that
// is 131 s. Keepalive plays no part. Source: net/ipv4/tcp_timer.c,
// tcp_write_timeout, tcp_retransmit_timer.
func (k Kernel) Connecting(userTimeout time.Duration) Prediction {
	p := Prediction{DecidedBy: "tcp_syn_retries", Errno: "ETIMEDOUT", Earliest: forever}
	budget := k.modelTimeout(k.SynRetries, initialRTO)
	if userTimeout > 0 {
		p.DecidedBy, budget = ByUserTimeout, userTimeout
	}
	limit := k.SynRetries + k.SynLinearTimeouts
	wait := min(initialRTO, k.RTOMax)
	var elapsed, slack time.Duration
	for n := 0; ; n++ {
		w := wait
		if n > 0 && userTimeout > 0 { // a wait is cut to what is left, one tick at least
			w = max(min(w, userTimeout-elapsed), k.tick())
		}
		elapsed, slack = add(elapsed, w), add(slack, k.Slack(w))
		if n > 0 && add(elapsed, slack) >= budget {
			p.Earliest = min(p.Earliest, max(elapsed, budget))
		}
		if n >= limit || n > 0 && elapsed >= budget {
			p.Exact, p.Latest = elapsed, add(elapsed, slack)
			p.Earliest = min(p.Earliest, elapsed)
			return p
		}
		if n >= k.SynLinearTimeouts {
			wait = min(2*wait, k.RTOMax)
		}
	}
}

// Accepting is a connection request whose SYN-ACKs are not answered: when the
// kernel forgets it. No application is told. It counts from the SYN. By default
// it is 63 s. Source: net/ipv4/inet_connection_sock.c, reqsk_timer_handler.
func (k Kernel) Accepting() Prediction {
	p := Prediction{DecidedBy: "tcp_synack_retries"}
	wait := min(initialRTO, k.RTOMax)
	for range k.SynackRetries + 1 {
		p.Exact = add(p.Exact, wait)
		p.Latest = add(p.Latest, add(wait, k.Slack(wait)))
		wait = min(2*wait, k.RTOMax)
	}
	p.Earliest = p.Exact
	return p
}

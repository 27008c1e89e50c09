package calc_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/keepalive"
)

// probing is a socket whose keepalive timer runs.
func probing(v keepalive.Settings, expires, idle time.Duration, unanswered int) calc.Live {
	return calc.Live{Settings: v, Enabled: true, Timer: calc.TimerKeepalive, Expires: expires, Idle: idle, Unanswered: unanswered}
}

func TestNextProbe(t *testing.T) {
	type next struct {
		In, Latest time.Duration
		OK         bool
	}
	off := probing(set(10, 2, 3), 10*s, 0, 0)
	off.Enabled = false
	inFlight := probing(set(10, 2, 3), 10*s, 0, 0)
	inFlight.Timer = calc.TimerRetransmit
	for _, tt := range []struct {
		name string
		live calc.Live
		want next
	}{
		{"silent since the timer was armed", probing(set(10, 2, 3), 10*s, 0, 0), next{10 * s, 10256 * ms, true}},
		{"traffic since: the rest of time from it", probing(set(10, 2, 3), 4*s, 2*s, 0), next{8 * s, 8256 * ms, true}},
		{"silent for longer than the timer knows: not before it", probing(set(10, 2, 3), 4*s, 9*s, 0), next{4 * s, 4256 * ms, true}},
		{"the timer is late", probing(set(10, 2, 3), 0, 10100*ms, 0), next{0, 256 * ms, true}},
		{"after an answered probe, intvl larger than time", probing(set(1, 3, 2), 2500*ms, 500*ms, 0), next{2500 * ms, 2756 * ms, true}},
		{"between two unanswered ones", probing(set(10, 2, 3), 1500*ms, 10500*ms, 1), next{1500 * ms, 1532 * ms, true}},
		{"keepalive off: the timer is the one of FIN_WAIT2", off, next{}},
		{"data in flight", inFlight, next{}},
		{"negative time", probing(set(-1, 2, 3), 0, 0, 0), next{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in, latest, ok := kernel(250).NextProbe(tt.live)
			if d := cmp.Diff(tt.want, next{in, latest, ok}); d != "" {
				t.Errorf("-want +got\n%s", d)
			}
		})
	}
}

func TestDiesOfProbes(t *testing.T) {
	ends := func(by string, probes int, exact, earliest, latest time.Duration) calc.Prediction {
		return calc.Prediction{Exact: exact, Earliest: earliest, Latest: latest, DecidedBy: by, Probes: probes, Errno: "ETIMEDOUT"}
	}
	off := probing(set(10, 2, 3), 10*s, 0, 0)
	off.Enabled = false
	for _, tt := range []struct {
		name string
		live calc.Live
		want calc.Prediction
	}{
		{"silent since the timer was armed", probing(set(10, 2, 3), 10*s, 0, 0),
			ends("probes", 3, 16*s, 16*s, 16*s+(256+3*32)*ms)},
		{"traffic since", probing(set(10, 2, 3), 4*s, 2*s, 0),
			ends("probes", 3, 14*s, 14*s, 14*s+(256+3*32)*ms)},
		{"two of three probes unanswered", probing(set(10, 2, 3), 1500*ms, 12500*ms, 2),
			ends("probes", 1, 3500*ms, 3500*ms, 3500*ms+2*32*ms)},
		{"all of them", probing(set(10, 2, 3), 500*ms, 15500*ms, 3),
			ends("probes", 0, 500*ms, 500*ms, 532*ms)},
		{"more than are allowed since", probing(set(10, 2, 3), 500*ms, 25500*ms, 8),
			ends("probes", 0, 500*ms, 500*ms, 532*ms)},
		{"probes 0", probing(set(10, 2, 0), 3*s, 7*s, 0),
			ends("probes", 0, 3*s, 3*s, 3256*ms)},
		{"a user timeout", probing(uto(10, 2, 9, 13*s), 10*s, 0, 0),
			ends("user_timeout", 2, 14*s, 14*s, 14*s+(256+2*32)*ms)},
		{"a small one: after one probe", probing(uto(10, 2, 9, ms), 10*s, 0, 0),
			ends("user_timeout", 1, 12*s, 12*s, 12*s+(256+32)*ms)},
		{"it passes with the next expiry", probing(uto(10, 2, 9, 12*s), 700*ms, 11300*ms, 1),
			ends("user_timeout", 0, 700*ms, 700*ms, 732*ms)},
		{"it is past", probing(uto(10, 2, 9, 12*s), 700*ms, 15300*ms, 3),
			ends("user_timeout", 0, 700*ms, 700*ms, 732*ms)},
		{"it passes with the next expiry if that is late", probing(uto(10, 2, 9, 12020*ms), s, 11*s, 1),
			ends("user_timeout", 1, 3*s, 1020*ms, 3*s+2*32*ms)},
		{"the 256th expiry finds a counter of one byte at 0", probing(uto(1, 1, 9, 257*s), s, 255*s, 254),
			ends("user_timeout", 1, 2*s, 2*s, 2*s+2*32*ms)},
		{"the 256th, 2 s later", probing(uto(1, 1, 9, 257*s), s, 255*s, 255),
			ends("user_timeout", 2, 3*s, 3*s, 3*s+3*32*ms)},
		{"a negative intvl and all probes unanswered", probing(set(10, -1, 1), 3*s, 7*s, 1),
			ends("probes", 0, 3*s, 3*s, 3004*ms)},
		{"a negative intvl", probing(set(10, -1, 3), 3*s, 7*s, 1), never},
		{"a negative time", probing(set(-1, 1, 3), 3*s, 7*s, 1), never},
		{"keepalive off: the timer is the one of FIN_WAIT2", off, never},
		{"no timer", calc.Live{Settings: set(10, 2, 3), Enabled: true}, never},
	} {
		t.Run(tt.name, func(t *testing.T) { check(t, tt.want, kernel(250).Dies(tt.live)) })
	}
}

// A socket of now, its timer just armed, is what the settings say.
func TestDiesAgreesWithTheSettings(t *testing.T) {
	for _, hz := range allHZ {
		k := kernel(hz)
		forEachExtreme(hz, func(v keepalive.Settings) {
			if v.Time < v.Intvl || v.Time == 0 { // the timer may have been armed for intvl, and is as late
				return
			}
			if d := cmp.Diff(k.IdlePeerGone(v), k.Dies(probing(v, max(v.Time, 0), 0, 0))); d != "" {
				t.Fatalf("HZ %d, %+v: -settings +live\n%s", hz, v, d)
			}
		})
	}
}

func TestDiesRetransmitting(t *testing.T) {
	sent := func(userTimeout, expires, rto time.Duration, retransmits int) calc.Live {
		return calc.Live{Settings: uto(10, 2, 3, userTimeout), Enabled: true, Timer: calc.TimerRetransmit, Expires: expires, RTO: rto, Unanswered: retransmits, Backoff: retransmits, Idle: 500 * ms}
	}
	closed := func(l calc.Live) calc.Live { l.Closed = true; return l }
	backedOff := func(l calc.Live, doublings int) calc.Live { l.Backoff = doublings; return l }
	total := func(l calc.Live, n int) calc.Live { l.Retransmitted = n; return l }
	running := func(l calc.Live, spent time.Duration) calc.Live {
		l.Clock, l.Spent = calc.ClockRunning, spent
		return l
	}
	shut := func(l calc.Live) calc.Live { l.Window, l.Idle = calc.WindowClosed, l.Spent; return l }
	ownRTOMax := func(l calc.Live, max time.Duration) calc.Live { l.RTOMax = max; return l }
	ends := func(by string, exact, earliest, latest time.Duration) calc.Prediction {
		p := calc.Prediction{Exact: exact, Earliest: earliest, Latest: latest, DecidedBy: by, Errno: "ETIMEDOUT"}
		if by == "tcp_orphan_retries" {
			p.Errno = "" // nobody is told
		}
		return p
	}
	for _, tt := range []struct {
		name          string
		retries2      int
		orphanRetries int
		rtoMax        time.Duration
		live          calc.Live
		want          calc.Prediction
	}{
		// Without the clock. Earliest is the budget, less what may be spent: an ICMP can
		// bring the next expiry at any time.
		{"not yet retransmitted: the timer, or the loss probe and the timer", 3, 0, 0, sent(0, lan, lan, 0),
			ends("tcp_retries2", lan+6120*ms, lan+(3000-2*204)*ms, 2*(204+4)*ms+(3000+3204+256)*ms)},
		{"retransmitted twice", 3, 0, 0, sent(0, 500*ms, 816*ms, 2),
			ends("tcp_retries2", 500*ms+4896*ms, 1800*ms, 5940*ms)},
		{"the timeout not known: that of a path of negligible delay", 3, 0, 0, sent(0, 500*ms, 0, 2),
			ends("tcp_retries2", 500*ms+4896*ms, 1800*ms, 5940*ms)},
		{"the budget is spent with the timer that runs", 3, 0, 0, sent(0, 500*ms, 3264*ms, 4),
			ends("tcp_retries2", 500*ms, 0, (500+256)*ms)},
		{"the timeout is at its maximum: how long it has been is not to be seen", 8, 0, s, sent(0, 300*ms, s, 5),
			ends("tcp_retries2", 4300*ms, 2473500*time.Microsecond, 4508*ms)},
		{"a user timeout, not yet retransmitted", 3, 0, 0, sent(2*s, lan, lan, 0),
			ends("user_timeout", 2204*ms, (2204-2*204)*ms, 3264*ms)},
		{"a user timeout, retransmitted twice", 3, 0, 0, sent(2*s, 500*ms, 816*ms, 2),
			ends("user_timeout", 1276*ms, 800*ms, 2124*ms)},
		{"a user timeout that passes with the timer that runs", 3, 0, 0, sent(s, 100*ms, 816*ms, 2),
			ends("user_timeout", 100*ms, 0, (100+32)*ms)},
		{"closed", 3, 1, 0, closed(sent(0, 500*ms, 408*ms, 1)),
			ends("tcp_orphan_retries", 500*ms+816*ms, 188*ms, 1548*ms)},
		{"closed, orphan_retries 0, the timeout at its maximum", 3, 0, s, closed(sent(0, 500*ms, s, 3)),
			ends("tcp_orphan_retries", 500*ms, 0, 6708*ms)}, // an ICMP makes it 8 again
		{"doublings were taken back: it may have spent all, or no more than so many of the shortest waits", 3, 0, 0, backedOff(sent(0, 100*ms, 204*ms, 6), 0),
			ends("tcp_retries2", 100*ms+10*204*ms, 0, (3000-5*204+4)*ms+(3000-5*204+4-100+408+256)*ms)},

		{"retransmissions may have been counted past 255", 3, 0, 0, total(sent(0, 100*ms, 204*ms, 0), 300),
			ends("tcp_retries2", 6324*ms-104*ms, 0, 3*s+(3000-100+408+256)*ms)},

		// By the clock.
		{"half of it is spent", 3, 0, 0, running(sent(0, 500*ms, 816*ms, 2), 1500*ms),
			ends("tcp_retries2", 500*ms+1632*ms, 1496*ms, (1500+1000+1632+256)*ms)},
		{"half of it, and doublings were taken back", 3, 0, 0, running(backedOff(sent(0, 100*ms, 204*ms, 6), 0), 1500*ms),
			ends("tcp_retries2", 100*ms+7*204*ms, 1496*ms, (1500+1400+408+32)*ms)},
		{"the next expiry is the end, unless an ICMP brings it before the time is over", 3, 0, 0, running(sent(0, 1500*ms, 1632*ms, 3), 2*s),
			ends("tcp_retries2", 1500*ms, 996*ms, (1000+1632+32)*ms)},
		{"all of it is spent: the next expiry, or an ICMP before it", 3, 0, 0, running(sent(0, 500*ms, 816*ms, 2), 3*s),
			ends("tcp_retries2", 500*ms, 0, (500+32)*ms)},
		{"a user timeout, and doublings were taken back", 3, 0, 0, running(backedOff(sent(15*s, 100*ms, 204*ms, 40), 0), 10*s),
			ends("user_timeout", 5*s, 5*s-4*ms, 5*s+(1632+32)*ms)},
		{"the window was closed with data in flight: twice the longest wait", 3, 0, 10 * s, shut(running(sent(0, 500*ms, 816*ms, 0), 15*s)),
			ends("tcp_rto_max_ms", 5396*ms, 4996*ms, 5*s+(6132+256)*ms)},

		// What the socket has of its own.
		{"TCP_RTO_MAX_MS", 8, 0, 0, ownRTOMax(running(sent(0, 300*ms, s, 5), 3*s), s),
			ends("tcp_retries2", 5300*ms, 4396*ms, 5432*ms)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := kernel(250)
			k.Retries2, k.OrphanRetries, k.RTOMax = tt.retries2, tt.orphanRetries, tt.rtoMax
			check(t, tt.want, k.Dies(tt.live))
		})
	}
}

func TestDiesConnecting(t *testing.T) {
	syn := func(userTimeout, expires time.Duration, repeated int) calc.Live {
		return calc.Live{Settings: uto(10, 2, 3, userTimeout), Connecting: true, Timer: calc.TimerRetransmit, Expires: expires, RTO: s, Unanswered: repeated}
	}
	own := func(l calc.Live, retries int) calc.Live { l.SynRetries = retries; return l }
	ends := func(by string, exact, earliest, latest time.Duration) calc.Prediction {
		p := calc.Prediction{Exact: exact, Earliest: earliest, Latest: latest, DecidedBy: by, Errno: "ETIMEDOUT"}
		if by == "tcp_orphan_retries" {
			p.Errno = "" // nobody is told
		}
		return p
	}
	for _, tt := range []struct {
		name    string
		retries int
		live    calc.Live
		want    calc.Prediction
	}{
		{"the first SYN just sent", 1, syn(0, s, 0), ends("tcp_syn_retries", 3*s, 3*s, 3*s+3*32*ms)},
		{"repeated twice", 1, syn(0, 400*ms, 2), ends("tcp_syn_retries", 400*ms, 400*ms, 432*ms)},
		{"repeated twice, with more allowed", 2, syn(0, 400*ms, 2), ends("tcp_syn_retries", 4400*ms, 4400*ms, 4400*ms+4*32*ms)},
		{"TCP_SYNCNT", 6, own(syn(0, 400*ms, 2), 1), ends("tcp_syn_retries", 400*ms, 400*ms, 432*ms)},
		{"a user timeout", 6, syn(2500*ms, 400*ms, 1), ends("user_timeout", 900*ms, 868*ms, 432*ms+(500+4+32)*ms)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := kernel(250)
			k.SynRetries = tt.retries
			check(t, tt.want, k.Dies(tt.live))
		})
	}
}

func TestDiesProbingWindow(t *testing.T) {
	waiting := func(userTimeout, expires time.Duration, unanswered, backoff int) calc.Live {
		return calc.Live{Settings: uto(10, 2, 3, userTimeout), Timer: calc.TimerProbe0, Expires: expires, RTO: 208 * ms, Unanswered: unanswered, Backoff: backoff}
	}
	closed := func(l calc.Live) calc.Live { l.Closed = true; return l }
	clock := func(l calc.Live, c calc.Clock, spent time.Duration) calc.Live {
		l.Clock, l.Spent = c, spent
		return l
	}
	ends := func(by string, exact, earliest, latest time.Duration) calc.Prediction {
		p := calc.Prediction{Exact: exact, Earliest: earliest, Latest: latest, DecidedBy: by, Errno: "ETIMEDOUT"}
		if by == "tcp_orphan_retries" {
			p.Errno = "" // nobody is told
		}
		return p
	}
	for _, tt := range []struct {
		name          string
		retries2      int
		orphanRetries int
		rtoMax        time.Duration
		live          calc.Live
		want          calc.Prediction
		measured      []time.Duration
	}{
		{"before the first probe: retries2 2", 2, 0, 0, waiting(0, 208*ms, 0, 0),
			ends("tcp_retries2", 1456*ms, 1456*ms, (1456+4+2*32)*ms), []time.Duration{1520 * ms}},
		{"before the first probe: retries2 3", 3, 0, 0, waiting(0, 208*ms, 0, 0),
			ends("tcp_retries2", 3120*ms, 3120*ms, (3120+4+3*32)*ms), []time.Duration{3216 * ms, 3220 * ms}},
		{"one unanswered", 3, 0, 0, waiting(0, 400*ms, 1, 1),
			ends("tcp_retries2", (400+832+1664)*ms, (400+832+1664)*ms, (400+832+1664+3*32)*ms), nil},
		{"answered for long: the waits are at their longest", 3, 0, 0, waiting(0, 100*ms, 0, 3),
			ends("tcp_retries2", (100+3*1664)*ms, (100+3*1664)*ms, (100+3*1664+4*32)*ms), nil},
		{"all unanswered", 3, 0, 0, waiting(0, 100*ms, 3, 3),
			ends("tcp_retries2", 100*ms, 100*ms, 132*ms), nil},
		{"a user timeout that outlasts the probes", 3, 0, 0, waiting(10*s, 208*ms, 0, 0),
			ends("tcp_retries2", 3120*ms, 208*ms, (3120+4+3*32)*ms), nil},
		{"a user timeout whose clock has run for 2 s", 9, 0, 0, clock(waiting(3*s, 208*ms, 0, 0), calc.ClockRunning, 2*s),
			ends("user_timeout", s, 996*ms, (1000+4+256)*ms), nil},
		{"one whose clock begins with the next probe", 9, 0, 0, clock(waiting(3*s, 208*ms, 0, 0), calc.ClockStopped, 0),
			ends("user_timeout", 3208*ms, 3208*ms, (208+4+3000+4+256)*ms), nil},
		{"this host drops the probes: they follow each other sooner", 4, 0, 0, waiting(0, 208*ms, 2, 0),
			ends("tcp_retries2", (208+416+832)*ms, (208+416+500)*ms, (208+416+832+4+2*32)*ms), nil},
		{"a user timeout: when it began is not to be seen", 4, 0, 0, waiting(3*s, 208*ms, 0, 0),
			ends("user_timeout", 3208*ms, 208*ms, (208+4+3000+4+256)*ms), nil},
		{"closed: orphan_retries", 15, 2, 0, closed(waiting(0, 208*ms, 0, 0)),
			ends("tcp_orphan_retries", 1456*ms, 1456*ms, (1456+4+2*32)*ms), nil},
		{"closed: 0 is 8", 15, 0, 0, closed(waiting(0, 208*ms, 8, 8)),
			ends("tcp_orphan_retries", 208*ms, 208*ms, (208+2048)*ms), nil},
		{"closed: 0 is 0 at the longest wait", 15, 0, s, closed(waiting(0, 500*ms, 2, 3)),
			ends("tcp_orphan_retries", 500*ms, 500*ms, 532*ms), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := kernel(250)
			k.Retries2, k.OrphanRetries, k.RTOMax = tt.retries2, tt.orphanRetries, tt.rtoMax
			check(t, tt.want, k.Dies(tt.live), tt.measured...)
		})
	}
}

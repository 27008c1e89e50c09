package calc_test

import (
	"testing"
	"time"

	"github.com/tcpka/tcpka/calc"
)

// lan is the retransmission timeout on loopback at HZ 250: 200 ms and the round
// trip, in whole ticks.
const lan = 204 * ms

func TestRetransmitBudget(t *testing.T) {
	k := calc.DefaultKernel()
	for n, want := range map[int]time.Duration{
		0: 200 * ms, 1: 600 * ms, 2: 1400 * ms, 3: 3 * s, 4: 6200 * ms, 5: 12600 * ms, 6: 25400 * ms,
		7: 51 * s, 8: 102200 * ms, 9: 204600 * ms, 10: 324600 * ms, 12: 564600 * ms, 15: 924600 * ms,
		255: 204600*ms + 246*120*s,
	} {
		if got := k.RetransmitBudget(n); got != want {
			t.Errorf("of %d: %v, want %v", n, got, want)
		}
	}
	k.RTOMax = s
	for n, want := range map[int]time.Duration{2: 1400 * ms, 3: 2400 * ms, 8: 7400 * ms, 15: 14400 * ms} {
		if got := k.RetransmitBudget(n); got != want {
			t.Errorf("rto_max 1 s, of %d: %v, want %v", n, got, want)
		}
	}
}

// At HZ 250 the waits 408, 816 and 1632 ms are up to 32 ms late, 3264, 6528 and
// 13056 ms 256 ms, longer ones up to 120 s 2.048 s; the timeout itself, 204 ms,
// 4 ms.
func TestDataInFlight(t *testing.T) {
	for _, tt := range []struct {
		name                    string
		retries2                int
		rtoMax                  time.Duration
		uto, rto                time.Duration
		exact, earliest, latest time.Duration
		by                      string
		measured                []time.Duration
	}{
		{"the defaults, on a path of 204 ms", 15, 120 * s, 0, lan,
			408*ms + 928488*ms, 204*ms + 928488*ms, 416*ms + 928488*ms + (3*32+3*256+9*2048)*ms, "tcp_retries2", []time.Duration{938300 * ms}},
		{"the defaults, on any path", 15, 120 * s, 0, 0,
			928896 * ms, 924800 * ms, 2*1032*ms + 924600*ms + 122048*ms, "tcp_retries2", []time.Duration{938300 * ms}},
		{"retries2 0: the first retransmission is the last", 0, 120 * s, 0, lan,
			816 * ms, 612 * ms, (416 + 408 + 32) * ms, "tcp_retries2", []time.Duration{851 * ms}},
		{"retries2 1", 1, 120 * s, 0, lan,
			1632 * ms, 1428 * ms, (416 + 1224 + 2*32) * ms, "tcp_retries2", []time.Duration{1680 * ms}},
		{"retries2 3", 3, 120 * s, 0, lan,
			6528 * ms, 6324 * ms, (416 + 6120 + 3*32 + 256) * ms, "tcp_retries2", []time.Duration{6740 * ms, 6472 * ms}},
		{"rto_max 1 s: all waits are cut, and so is the budget", 15, s, 0, lan,
			15632 * ms, 14604 * ms, (416 + 14400 + 1032) * ms, "tcp_retries2", []time.Duration{14980 * ms, 14993 * ms}},
		{"rto_max 1 s, retries2 3", 3, s, 0, lan,
			3632 * ms, 3428 * ms, (416 + 3224 + 4*32) * ms, "tcp_retries2", []time.Duration{3732 * ms}},
		{"rto_max 1 s, on any path", 15, s, 0, 0,
			15632 * ms, 14600 * ms, (2*1032 + 14400 + 1032) * ms, "tcp_retries2", []time.Duration{14980 * ms}},

		{"a user timeout of 2 s", 3, 120 * s, 2 * s, lan,
			2408 * ms, 2204 * ms, (416 + 2000 + 4 + 32) * ms, "user_timeout", []time.Duration{2440 * ms}},
		{"of half a second", 3, 120 * s, 500 * ms, lan,
			908 * ms, 704 * ms, (416 + 500 + 4 + 32) * ms, "user_timeout", []time.Duration{928 * ms}},
		{"of 1 ms", 3, 120 * s, ms, lan,
			409 * ms, 205 * ms, (416 + 1 + 4 + 7) * ms, "user_timeout", []time.Duration{428 * ms}},
		{"beyond tcp_retries2, which is not looked at", 0, 120 * s, 10 * s, lan,
			10408 * ms, 10204 * ms, (416 + 10000 + 4 + 256) * ms, "user_timeout", nil},
		{"on any path", 15, 120 * s, 30 * s, 0,
			30408 * ms, 30200 * ms, (2*1032 + 30000 + 4 + 2048) * ms, "user_timeout", []time.Duration{30420 * ms, 30610 * ms}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := kernel(250)
			k.Retries2, k.RTOMax = tt.retries2, tt.rtoMax
			want := calc.Prediction{Exact: tt.exact, Earliest: tt.earliest, Latest: tt.latest, DecidedBy: tt.by, Errno: "ETIMEDOUT"}
			check(t, want, k.DataInFlight(tt.uto, tt.rto), tt.measured...)
		})
	}
}

// What is said of any path holds for each whose timeout is 200 ms to 1 s.
func TestUnknownPathCoversKnownOnes(t *testing.T) {
	for _, hz := range allHZ {
		k := kernel(hz)
		for _, k.RTOMax = range []time.Duration{s, 5 * s, 120 * s} {
			for _, k.Retries2 = range []int{0, 1, 3, 8, 15} {
				k.OrphanRetries = k.Retries2
				for _, u := range []time.Duration{0, ms, s, 30 * s} {
					for rto := 200 * ms; rto <= s; rto += 20 * ms {
						for _, predict := range []func(userTimeout, rto time.Duration) calc.Prediction{k.DataInFlight, k.ClosedWithDataUnsent, k.ZeroWindow} {
							all, one := predict(u, 0), predict(u, rto)
							if one.Earliest < all.Earliest || one.Latest > all.Latest {
								t.Fatalf("%+v, user timeout %v: rto %v: %+v, any: %+v", k, u, rto, one, all)
							}
						}
					}
				}
			}
		}
	}
}

func TestClosedWithDataUnsent(t *testing.T) {
	for _, tt := range []struct {
		name                    string
		retries                 int
		rtoMax                  time.Duration
		uto, rto                time.Duration
		exact, earliest, latest time.Duration
		by                      string
		measured                []time.Duration
	}{
		{"orphan_retries 0 is 8", 0, 120 * s, 0, lan,
			104448 * ms, 104244 * ms, (416 + 104040 + 3*32 + 3*256 + 2*2048) * ms, "tcp_orphan_retries", []time.Duration{106400 * ms}},
		{"orphan_retries 1", 1, 120 * s, 0, lan,
			1632 * ms, 1428 * ms, (416 + 1224 + 2*32) * ms, "tcp_orphan_retries", []time.Duration{1560 * ms, 1492 * ms, 1686 * ms}},
		{"orphan_retries 3", 3, 120 * s, 0, lan,
			6528 * ms, 6324 * ms, (416 + 6120 + 3*32 + 256) * ms, "tcp_orphan_retries", []time.Duration{6600 * ms, 6474 * ms}},
		{"orphan_retries 3, rto_max 1 s", 3, s, 0, lan,
			3632 * ms, 3428 * ms, (416 + 3224 + 4*32) * ms, "tcp_orphan_retries", []time.Duration{3530 * ms}},
		{"orphan_retries 0, rto_max 1 s: at the maximum it is really 0", 0, s, 0, lan,
			2632 * ms, 2428 * ms, (416 + 2224 + 3*32) * ms, "tcp_orphan_retries", []time.Duration{2516 * ms}},
		{"orphan_retries 0 on any path", 0, 120 * s, 0, 0,
			104448 * ms, 102400 * ms, (2*1032 + 102200 + 104200 + 2048) * ms, "tcp_orphan_retries", []time.Duration{106400 * ms}},
		{"orphan_retries 0, rto_max 1 s on any path", 0, s, 0, 0,
			2632 * ms, 1200 * ms, (2*1032 + 7400 + 1032) * ms, "tcp_orphan_retries", []time.Duration{2516 * ms}},
		{"a user timeout", 3, 120 * s, 1500 * ms, lan,
			1908 * ms, 1704 * ms, (416 + 1500 + 4 + 32) * ms, "user_timeout", []time.Duration{1730 * ms}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := kernel(250)
			k.OrphanRetries, k.RTOMax = tt.retries, tt.rtoMax
			want := calc.Prediction{Exact: tt.exact, Earliest: tt.earliest, Latest: tt.latest, DecidedBy: tt.by}
			check(t, want, k.ClosedWithDataUnsent(tt.uto, tt.rto), tt.measured...)
		})
	}
}

func TestZeroWindow(t *testing.T) {
	ends := func(exact, earliest, latest time.Duration) calc.Prediction {
		return calc.Prediction{Exact: exact, Earliest: earliest, Latest: latest, DecidedBy: "user_timeout", Errno: "ETIMEDOUT"}
	}
	for _, tt := range []struct {
		name     string
		uto, rto time.Duration
		want     calc.Prediction
		measured []time.Duration
	}{
		{"without a user timeout: never", 0, lan, never, nil},
		{"with one: so long after the first window probe", 3 * s, 208 * ms,
			ends(3208*ms, 3208*ms, (208+4+3000+4+256)*ms), []time.Duration{3220 * ms, 3223 * ms}},
		{"on any path", 5 * s, 0,
			ends(5204*ms, 5200*ms, (1032+5000+4+256)*ms), []time.Duration{5230 * ms}},
		{"a longer one on any path", 12 * s, 0,
			ends(12204*ms, 12200*ms, (1032+12000+4+256)*ms), []time.Duration{12280 * ms}},
		{"a window probe waits 200 ms at least", 3 * s, 10 * ms,
			ends(3200*ms, 3200*ms, (200+4+3000+4+256)*ms), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			check(t, tt.want, kernel(250).ZeroWindow(tt.uto, tt.rto), tt.measured...)
		})
	}
}

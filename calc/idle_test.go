package calc_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/keepalive"
)

// At HZ 250 a timer of 1 or 2 s is up to 32 ms late, of 3 to 16 s 256 ms, of 17
// to 129 s 2.048 s, of 7200 s 131.072 s.

func TestIdlePeerGone(t *testing.T) {
	for _, tt := range []struct {
		name                    string
		settings                keepalive.Settings
		exact, earliest, latest time.Duration
		by                      string
		probes                  int
		measured                []time.Duration
		hz                      int // 250 unless given
	}{
		// Without a user timeout: time + probes × intvl, all of it the rule's.
		{name: "the defaults", settings: set(7200, 75, 9),
			exact: 7875 * s, earliest: 7875 * s, latest: 7875*s + 131072*ms + 9*2048*ms, by: "probes", probes: 9},
		{name: "the defaults at HZ 1000", settings: set(7200, 75, 9), hz: 1000,
			exact: 7875 * s, earliest: 7875 * s, latest: 7875*s + 262144*ms + 9*4096*ms, by: "probes", probes: 9},
		{name: "the defaults at HZ 100", settings: set(7200, 75, 9), hz: 100,
			exact: 7875 * s, earliest: 7875 * s, latest: 7875*s + 327680*ms + 9*5120*ms, by: "probes", probes: 9},
		{name: "2/1/3", settings: set(2, 1, 3),
			exact: 5 * s, earliest: 5 * s, latest: 5*s + 4*32*ms, by: "probes", probes: 3, measured: []time.Duration{5110 * ms}},
		{name: "1/3/2", settings: set(1, 3, 2),
			exact: 7 * s, earliest: 7 * s, latest: 7*s + 32*ms + 2*256*ms, by: "probes", probes: 2},
		{name: "one probe", settings: set(3, 1, 1),
			exact: 4 * s, earliest: 4 * s, latest: 4*s + 256*ms + 32*ms, by: "probes", probes: 1},
		{name: "255 probes, as a sysctl can", settings: set(1, 1, 255),
			exact: 256 * s, earliest: 256 * s, latest: 256*s + 256*32*ms, by: "probes", probes: 255},

		// With one: the first expiry n >= 1 that is not before it.
		{name: "a user timeout far below the first probe: after one probe", settings: uto(2, 3, 2, ms),
			exact: 5 * s, earliest: 5 * s, latest: 5*s + 32*ms + 256*ms, by: "user_timeout", probes: 1, measured: []time.Duration{5100 * ms, 5200 * ms}},
		{name: "at the first probe: after one", settings: uto(2, 3, 2, 2*s),
			exact: 5 * s, earliest: 5 * s, latest: 5*s + 32*ms + 256*ms, by: "user_timeout", probes: 1},
		{name: "just below an expiry: at that", settings: uto(2, 3, 2, 4999*ms),
			exact: 5 * s, earliest: 5 * s, latest: 5*s + 32*ms + 256*ms, by: "user_timeout", probes: 1},
		{name: "at an expiry: at that, as timers are never early", settings: uto(2, 3, 2, 5*s),
			exact: 5 * s, earliest: 5 * s, latest: 5*s + 32*ms + 256*ms, by: "user_timeout", probes: 1, measured: []time.Duration{5100 * ms, 5200 * ms}},
		{name: "1 ms above an expiry: that or the next", settings: uto(2, 3, 2, 5001*ms),
			exact: 8 * s, earliest: 5001 * ms, latest: 8*s + 32*ms + 2*256*ms, by: "user_timeout", probes: 2},
		{name: "above an expiry by all its lateness: that or the next", settings: uto(2, 3, 2, 5288*ms),
			exact: 8 * s, earliest: 5288 * ms, latest: 8*s + 32*ms + 2*256*ms, by: "user_timeout", probes: 2},
		{name: "by more than its lateness: the next", settings: uto(2, 3, 2, 5289*ms),
			exact: 8 * s, earliest: 8 * s, latest: 8*s + 32*ms + 2*256*ms, by: "user_timeout", probes: 2},
		{name: "within the lateness of 2 s and 12 intervals", settings: uto(2, 1, 3, 14*s+400*ms),
			exact: 15 * s, earliest: 14400 * ms, latest: 15*s + 14*32*ms, by: "user_timeout", probes: 13},
		{name: "where the lateness of 29 intervals carries the expiry before", settings: uto(1, 1, 3, 30500*ms),
			exact: 31 * s, earliest: 30500 * ms, latest: 31*s + 31*32*ms, by: "user_timeout", probes: 30},
		{name: "time + probes × intvl: the same as without", settings: uto(7200, 75, 9, 7875*s),
			exact: 7875 * s, earliest: 7875 * s, latest: 7875*s + 131072*ms + 9*2048*ms, by: "user_timeout", probes: 9},
		{name: "30.5 s with 20/10/3", settings: uto(20, 10, 3, 30500*ms),
			exact: 40 * s, earliest: 30500 * ms, latest: 40*s + 2048*ms + 2*256*ms, by: "user_timeout", probes: 2, measured: []time.Duration{30500 * ms, 32200 * ms}},
		{name: "beyond time + probes × intvl: probing goes on past probes", settings: uto(1, 1, 3, 30*s),
			exact: 30 * s, earliest: 30 * s, latest: 30*s + 30*32*ms, by: "user_timeout", probes: 29, measured: []time.Duration{30700 * ms}},
		{name: "probes 0 does not count either", settings: uto(1, 1, 0, 3*s),
			exact: 3 * s, earliest: 3 * s, latest: 3*s + 3*32*ms, by: "user_timeout", probes: 2},
		{name: "the 256th expiry finds a counter of one byte at 0", settings: uto(1, 1, 9, 257*s),
			exact: 258 * s, earliest: 257 * s, latest: 258*s + 258*32*ms, by: "user_timeout", probes: 257},
		{name: "the 255th does not", settings: uto(1, 1, 9, 256*s),
			exact: 256 * s, earliest: 256 * s, latest: 256*s + 256*32*ms, by: "user_timeout", probes: 255},

		// What nobody should set.
		{name: "probes 0: at time, without a probe", settings: set(2, 1, 0),
			exact: 2 * s, earliest: 2 * s, latest: 2*s + 32*ms, by: "probes"},
		{name: "probes 0 with a negative intvl: the same", settings: set(2, -1, 0),
			exact: 2 * s, earliest: 2 * s, latest: 2*s + 32*ms, by: "probes"},
		{name: "time 0: the first probe at once", settings: set(0, 1, 2),
			exact: 2 * s, earliest: 2 * s, latest: 2*s + 4*ms + 2*32*ms, by: "probes", probes: 2},
		{name: "intvl 0: a probe each tick or two", settings: set(1, 0, 20),
			exact: s + 20*4*ms, earliest: s + 20*4*ms, latest: s + 32*ms + 20*8*ms, by: "probes", probes: 20, measured: []time.Duration{1100 * ms, 1108 * ms}},
		{name: "intvl 0 at HZ 1000", settings: set(1, 0, 20), hz: 1000,
			exact: s + 20*ms, earliest: s + 20*ms, latest: s + 64*ms + 20*2*ms, by: "probes", probes: 20},
		{name: "intvl 0 with a user timeout: the tick it ends with", settings: uto(1, 0, 3, 1300*ms),
			exact: 1300 * ms, earliest: 1300 * ms, latest: s + 32*ms + 75*8*ms, by: "user_timeout", probes: 75, measured: []time.Duration{1303 * ms}},
		{name: "time and intvl 0", settings: set(0, 0, 3),
			exact: 12 * ms, earliest: 12 * ms, latest: 4*ms + 3*8*ms, by: "probes", probes: 3},
		{name: "an intvl longer than any timer is cut short", settings: set(1, 8589934, 2),
			exact: s + 2*4160749568*ms, earliest: s + 2*4160749568*ms, latest: s + 32*ms + 2*(4160749568+67108864)*ms, by: "probes", probes: 2},
		{name: "a time longer than any timer is not", settings: set(8589934, 1, 1),
			exact: 8589935 * s, earliest: 8589935 * s, latest: 8589935*s + 67108864*ms + 32*ms, by: "probes", probes: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := calc.Prediction{Exact: tt.exact, Earliest: tt.earliest, Latest: tt.latest, DecidedBy: tt.by, Probes: tt.probes, Errno: "ETIMEDOUT"}
			hz := tt.hz
			if hz == 0 {
				hz = 250
			}
			check(t, want, kernel(hz).IdlePeerGone(tt.settings), tt.measured...)
		})
	}
}

func TestIdlePeerGoneNever(t *testing.T) {
	for name, v := range map[string]keepalive.Settings{
		"negative time":                    set(-1, 1, 3),
		"negative time, probes 0":          set(-1, 1, 0),
		"negative time and a user timeout": uto(-1, 1, 3, s),
		"negative intvl":                   set(1, -1, 3),
		"negative intvl, a user timeout":   uto(1, -1, 0, s),
	} {
		t.Run(name, func(t *testing.T) { check(t, never, kernel(250).IdlePeerGone(v)) })
	}
}

// The earliest end under a user timeout is the design's formula, searched for
// step by step: max(uto, time + n × intvl) of the first expiry that can be late
// enough.
func TestEarliestIsTheFirstExpiryThatCanBeLateEnough(t *testing.T) {
	for _, hz := range allHZ {
		k := kernel(hz)
		for _, idle := range []int{1, 2, 3, 17, 130, 7200} {
			for _, intvl := range []int{1, 2, 3, 17, 75} {
				for u := ms; u < 9000*s; u += u/3 + 77*ms {
					v := uto(idle, intvl, 3, u)
					n := 1
					for v.Time+time.Duration(n)*v.Intvl+k.Slack(v.Time)+time.Duration(n)*k.Slack(v.Intvl) < u || n%256 == 0 {
						n++
					}
					want := max(u, v.Time+time.Duration(n)*v.Intvl)
					if got := k.IdlePeerGone(v).Earliest; got != want {
						t.Fatalf("HZ %d, %+v: earliest %v, want %v", hz, v, got, want)
					}
				}
			}
		}
	}
}

// Where the user timeout and the probes say the same: the advice to set it to
// time + probes × intvl is right, and so is slightly less.
func TestUserTimeoutAgreesWithProbesInTheLastInterval(t *testing.T) {
	k := kernel(250)
	plain := k.IdlePeerGone(set(60, 10, 6)).Exact
	for _, u := range []time.Duration{110*s + ms, 115 * s, 120 * s} {
		if got := k.IdlePeerGone(uto(60, 10, 6, u)).Exact; got != plain {
			t.Errorf("user timeout %v: %v, without %v", u, got, plain)
		}
	}
	for _, u := range []time.Duration{110 * s, 120*s + ms} {
		if got := k.IdlePeerGone(uto(60, 10, 6, u)).Exact; got == plain {
			t.Errorf("user timeout %v: %v, the same as without", u, got)
		}
	}
}

func TestIdleAfterAnsweredProbe(t *testing.T) {
	for _, tt := range []struct {
		name                    string
		settings                keepalive.Settings
		exact, earliest, latest time.Duration
		by                      string
		probes                  int
		measured                []time.Duration
	}{
		{"the defaults: as from the last segment", set(7200, 75, 9),
			7875 * s, 7875 * s, 7875*s + 131072*ms + 9*2048*ms, "probes", 9, nil},
		{"intvl larger than time: an interval more", set(1, 3, 2),
			9 * s, 9 * s, 9*s + 3*256*ms, "probes", 2, []time.Duration{9210 * ms}},
		{"time larger than intvl", set(3, 1, 2),
			5 * s, 5 * s, 5*s + 256*ms + 2*32*ms, "probes", 2, []time.Duration{5050 * ms}},
		{"the user timeout counts from there, too", uto(1, 3, 2, 4*s),
			6 * s, 6 * s, 6*s + 2*256*ms, "user_timeout", 1, nil},
		{"probes 0: no probe was ever sent", set(1, 3, 0),
			s, s, s + 32*ms, "probes", 0, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := calc.Prediction{Exact: tt.exact, Earliest: tt.earliest, Latest: tt.latest, DecidedBy: tt.by, Probes: tt.probes, Errno: "ETIMEDOUT"}
			check(t, want, kernel(250).IdleAfterAnsweredProbe(tt.settings), tt.measured...)
		})
	}
	t.Run("a negative intvl: after an answer no probe follows", func(t *testing.T) {
		check(t, never, kernel(250).IdleAfterAnsweredProbe(set(1, -1, 3)))
	})
}

func TestIdlePeerAlive(t *testing.T) {
	for _, tt := range []struct {
		name     string
		hz       int
		settings keepalive.Settings
		want     calc.Prediction
		measured []time.Duration
	}{
		{"lives for ever", 250, set(7200, 75, 9), never, nil},
		{"under the smallest user timeout, too", 250, uto(1, 1, 3, ms), never, nil},
		{"with time 0", 250, set(0, 1, 1), never, nil},
		{"with intvl 0", 250, set(1, 0, 1), never, nil},
		{"with a negative time", 250, set(-1, 0, 0), never, nil},
		{"with a negative intvl", 250, set(1, -1, 1), never, nil},
		{"probes 0 drops it after time", 250, set(2, 1, 0),
			calc.Prediction{Exact: 2 * s, Earliest: 2 * s, Latest: 2032 * ms, DecidedBy: "probes", Errno: "ETIMEDOUT"}, nil},
		{"probes 0 under a user timeout does not", 250, uto(2, 1, 0, s), never, nil},
		{"time and intvl 0 drop it within milliseconds", 250, set(0, 0, 3),
			calc.Prediction{Exact: 12 * ms, Earliest: 12 * ms, Latest: 2 * 28 * ms, DecidedBy: "probes", Probes: 3, Errno: "ETIMEDOUT"},
			[]time.Duration{24 * ms, 41 * ms}},
		{"time and intvl 0, one probe less than ticks between two answers", 250, set(0, 0, 124),
			calc.Prediction{Exact: 496 * ms, Earliest: 496 * ms, Latest: 2 * (4 + 124*8) * ms, DecidedBy: "probes", Probes: 124, Errno: "ETIMEDOUT"},
			[]time.Duration{508 * ms}},
		{"time and intvl 0, as many probes", 250, set(0, 0, 125), never, nil},
		{"time and intvl 0 at HZ 1000: no number of probes is enough", 1000, set(0, 0, 255),
			calc.Prediction{Exact: 255 * ms, Earliest: 255 * ms, Latest: 2 * (1 + 255*2) * ms, DecidedBy: "probes", Probes: 255, Errno: "ETIMEDOUT"}, nil},
		{"time and intvl 0 with a user timeout of the time between two answers", 250, uto(0, 0, 3, 500*ms),
			calc.Prediction{Exact: 500 * ms, Earliest: 500 * ms, Latest: 2 * (4 + 125*8) * ms, DecidedBy: "user_timeout", Probes: 125, Errno: "ETIMEDOUT"},
			[]time.Duration{508 * ms}},
		{"time and intvl 0 with a longer one", 250, uto(0, 0, 3, 504*ms), never, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			check(t, tt.want, kernel(tt.hz).IdlePeerAlive(tt.settings), tt.measured...)
		})
	}
}

func TestIdlePeerRebooted(t *testing.T) {
	reset := func(at, slack time.Duration) calc.Prediction {
		return calc.Prediction{Exact: at, Earliest: at, Latest: at + slack, DecidedBy: "probes", Probes: 1, Errno: "ECONNRESET"}
	}
	for _, tt := range []struct {
		name     string
		settings keepalive.Settings
		want     calc.Prediction
		measured []time.Duration
	}{
		{"at the first probe", set(3, 1, 9), reset(3*s, 256*ms), []time.Duration{3120 * ms}},
		{"the user timeout plays no part", uto(3, 1, 9, ms), reset(3*s, 256*ms), nil},
		{"intvl plays no part", set(3, -1, 9), reset(3*s, 256*ms), nil},
		{"probes 0 drops it before", set(3, 1, 0),
			calc.Prediction{Exact: 3 * s, Earliest: 3 * s, Latest: 3256 * ms, DecidedBy: "probes", Errno: "ETIMEDOUT"}, nil},
		{"negative time: no probe", set(-3, 1, 9), never, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			check(t, tt.want, kernel(250).IdlePeerRebooted(tt.settings), tt.measured...)
		})
	}
}

func ExampleKernel_IdlePeerGone() {
	k := calc.DefaultKernel()
	p := k.IdlePeerGone(keepalive.Defaults())
	fmt.Println(p.Exact, "to", p.Latest)
	// Output: 2h11m15s to 2h13m44.504s
}

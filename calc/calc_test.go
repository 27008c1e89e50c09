package calc_test

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/keepalive"
)

const (
	s  = time.Second
	ms = time.Millisecond
)

// sec is n seconds.
func sec(n int) time.Duration { return time.Duration(n) * s }

// set is time, intvl and probes, in seconds.
func set(idle, intvl, probes int) keepalive.Settings {
	return keepalive.Settings{Time: sec(idle), Intvl: sec(intvl), Probes: probes}
}

// uto is set with a user timeout.
func uto(idle, intvl, probes int, userTimeout time.Duration) keepalive.Settings {
	v := set(idle, intvl, probes)
	v.UserTimeout = userTimeout
	return v
}

// kernel is the default kernel at hz.
func kernel(hz int) calc.Kernel {
	k := calc.DefaultKernel()
	k.HZ = hz
	return k
}

var never = calc.Prediction{Never: true, DecidedBy: calc.ByNothing}

// check compares a prediction with the one wanted, and both with what was
// measured on Linux 6.18 at HZ 250.
func check(t *testing.T, want, got calc.Prediction, measured ...time.Duration) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	for _, m := range measured {
		if m < got.Earliest || m > got.Latest {
			t.Errorf("measured %v is outside [%v, %v]", m, got.Earliest, got.Latest)
		}
	}
}

func TestSlack(t *testing.T) {
	day := 24 * time.Hour
	for _, tt := range []struct {
		name string
		hz   int
		d    time.Duration
		want time.Duration
	}{
		{"HZ 250: a timer of no length fires at the next tick", 250, 0, 4 * ms},
		{"HZ 250: a negative one too", 250, -s, 4 * ms},
		{"HZ 250: 62 ticks are in the finest level", 250, 248 * ms, 4 * ms},
		{"HZ 250: 63 are not", 250, 252 * ms, 32 * ms},
		{"HZ 250: 503 ticks", 250, 2012 * ms, 32 * ms},
		{"HZ 250: 504", 250, 2016 * ms, 256 * ms},
		{"HZ 250: 4031", 250, 16124 * ms, 256 * ms},
		{"HZ 250: 4032", 250, 16128 * ms, 2048 * ms},
		{"HZ 250: 32255", 250, 129020 * ms, 2048 * ms},
		{"HZ 250: 32256", 250, 129024 * ms, 16384 * ms},
		{"HZ 250: 258047", 250, 1032188 * ms, 16384 * ms},
		{"HZ 250: 258048", 250, 1032192 * ms, 131072 * ms},
		{"HZ 250: the default time", 250, 7200 * s, 131072 * ms},
		{"HZ 250: 2064384", 250, 8257536 * ms, 1048576 * ms},
		{"HZ 250: the coarsest level", 250, 7 * day, 67108864 * ms},
		{"HZ 250: beyond the wheel it is no coarser", 250, 99 * day, 67108864 * ms},
		{"HZ 250: a part of a tick is a tick", 250, 245 * ms, 7 * ms},
		{"HZ 250: and may be the one that makes the level", 250, 249 * ms, 35 * ms},
		{"HZ 0 stands for 250", 0, 7200 * s, 131072 * ms},
		{"HZ 1000: 62 ticks", 1000, 62 * ms, ms},
		{"HZ 1000: 63", 1000, 63 * ms, 8 * ms},
		{"HZ 1000: 503", 1000, 503 * ms, 8 * ms},
		{"HZ 1000: 504", 1000, 504 * ms, 64 * ms},
		{"HZ 1000: the default intvl", 1000, 75 * s, 4096 * ms},
		{"HZ 1000: the default time", 1000, 7200 * s, 262144 * ms},
		{"HZ 300: 1 s is 300 ticks", 300, s, 8 * s / 300},
		{"HZ 300: 62 ticks", 300, 206666666, 10 * ms / 3},
		{"HZ 300: 63", 300, 210 * ms, 26666667},
		{"HZ 300: 503", 300, 1676666666, 26666667},
		{"HZ 300: 504", 300, 1680 * ms, 213333334},
		{"HZ 100: 62 ticks", 100, 620 * ms, 10 * ms},
		{"HZ 100: 63", 100, 630 * ms, 80 * ms},
		{"HZ 100: 503", 100, 5030 * ms, 80 * ms},
		{"HZ 100: 504", 100, 5040 * ms, 640 * ms},
		{"HZ 100: the default time", 100, 7200 * s, 327680 * ms},
		{"HZ 100 has one level less", 100, 16 * day, 20971520 * ms},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := kernel(tt.hz).Slack(tt.d)
			if diff := got - tt.want; diff < -1 || diff > 1 { // HZ 300: a third of a nanosecond
				t.Errorf("Slack(%v) = %v, want %v", tt.d, got, tt.want)
			}
		})
	}
}

func TestSlackIsAtMostAnEighthOfTheWait(t *testing.T) {
	for _, hz := range []int{24, 100, 250, 300, 1000, 1200} {
		for d := 70 * s; d < 1000*time.Hour; d += d / 7 {
			if slack := kernel(hz).Slack(d); slack <= 0 || slack*63 > d*8 {
				t.Errorf("HZ %d: Slack(%v) = %v", hz, d, slack)
			}
		}
	}
}

// What kernel timers of one length were measured to last.
func TestMeasuredTimersLieInTheSlack(t *testing.T) {
	for d, measured := range map[time.Duration][]time.Duration{
		130 * s: {131700 * ms, 140300 * ms, 144800 * ms},
		600 * s: {603500 * ms, 606800 * ms, 615500 * ms},
	} {
		for _, m := range measured {
			if m < d || m > d+kernel(250).Slack(d) {
				t.Errorf("%v is outside [%v, %v]", m, d, d+kernel(250).Slack(d))
			}
		}
	}
}

func TestRefresh(t *testing.T) {
	type refresh struct {
		Period, Latest time.Duration
		OK             bool
	}
	for _, tt := range []struct {
		name     string
		settings keepalive.Settings
		want     refresh
		measured time.Duration
	}{
		{"every time, with the defaults", set(7200, 75, 9), refresh{7200 * s, 7331072 * ms, true}, 0},
		{"every time where intvl is smaller", set(3, 1, 2), refresh{3 * s, 3256 * ms, true}, 3020 * ms},
		{"every intvl where that is larger", set(1, 3, 2), refresh{3 * s, 3256 * ms, true}, 3070 * ms},
		{"equal ones", set(2, 2, 2), refresh{2 * s, 2032 * ms, true}, 0},
		{"intvl 0 does not count", set(2, 0, 2), refresh{2 * s, 2032 * ms, true}, 0},
		{"time 0: every intvl", set(0, 2, 2), refresh{2 * s, 2032 * ms, true}, 0},
		{"probes 0 sends none", set(2, 2, 0), refresh{}, 0},
		{"probes 0 sends some under a user timeout", uto(2, 2, 0, s), refresh{2 * s, 2032 * ms, true}, 0},
		{"time and intvl 0 are no rhythm", set(0, 0, 9), refresh{}, 0},
		{"negative time", set(-1, 2, 2), refresh{}, 0},
		{"negative intvl", set(1, -1, 2), refresh{}, 0},
		{"an intvl that no timer can last", set(1, 8589934, 2), refresh{4160749568 * ms, 4227858432 * ms, true}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			period, latest, ok := kernel(250).Refresh(tt.settings)
			if d := cmp.Diff(tt.want, refresh{period, latest, ok}); d != "" {
				t.Errorf("-want +got\n%s", d)
			}
			if m := tt.measured; m != 0 && (m < period || m > latest) {
				t.Errorf("measured %v is outside [%v, %v]", m, period, latest)
			}
		})
	}
}

// extremes are values at the edges of what a kernel at hz accepts.
func extremes(hz int) (spans []time.Duration, probes []int, userTimeouts []time.Duration) {
	top := keepalive.MaxSysctlTime(hz)
	edge := s / time.Duration(hz) // of the wheel's first levels
	spans = []time.Duration{
		-top, -s, 0, s, 2 * s, 3 * s, 16 * s, 17 * s, 75 * s, 7200 * s, 32767 * s, 32768 * s,
		(504 * edge).Truncate(s) + s, 48 * 24 * time.Hour, 49 * 24 * time.Hour, top - s, top,
	}
	probes = []int{0, 1, 2, 3, 9, 127, 128, 255}
	userTimeouts = []time.Duration{0, ms, 999 * ms, s, 1001 * ms, 2 * s, 4 * s, 30500 * ms, 256 * s, 257 * s, 512 * s, 7200 * s, 7875 * s, keepalive.MaxUserTimeout - ms, keepalive.MaxUserTimeout}
	return spans, probes, userTimeouts
}

// forEachExtreme calls f with every combination of them.
func forEachExtreme(hz int, f func(keepalive.Settings)) {
	spans, probes, userTimeouts := extremes(hz)
	for _, idle := range spans {
		for _, intvl := range spans {
			for _, n := range probes {
				for _, u := range userTimeouts {
					f(keepalive.Settings{Time: idle, Intvl: intvl, Probes: n, UserTimeout: u})
				}
			}
		}
	}
}

var allHZ = []int{24, 100, 250, 300, 1000, 1200}

// sane reports what is wrong with a prediction whatever its rule.
func sane(p calc.Prediction) string {
	switch {
	case p.Never && !cmp.Equal(p, never):
		return "never, and yet something"
	case p.Never:
		return ""
	case p.Earliest < 0 || p.Earliest > p.Exact || p.Exact > p.Latest:
		return "not 0 <= earliest <= exact <= latest"
	case p.Latest == math.MaxInt64:
		return "saturated"
	case p.Probes < 0:
		return "negative probes"
	case p.DecidedBy == "" || p.DecidedBy == calc.ByNothing:
		return "decided by nothing"
	}
	return ""
}

func TestNothingTheKernelAcceptsOverflows(t *testing.T) {
	t.Parallel()
	for _, hz := range allHZ {
		k := kernel(hz)
		forEachExtreme(hz, func(v keepalive.Settings) {
			for _, p := range []calc.Prediction{k.IdlePeerGone(v), k.IdleAfterAnsweredProbe(v), k.IdlePeerAlive(v), k.IdlePeerRebooted(v)} {
				if wrong := sane(p); wrong != "" {
					t.Fatalf("HZ %d, %+v: %+v: %s", hz, v, p, wrong)
				}
			}
			if period, latest, ok := k.Refresh(v); ok && (period <= 0 || latest <= period || latest == math.MaxInt64) {
				t.Fatalf("HZ %d, %+v: refresh %v, latest %v", hz, v, period, latest)
			}
			last := time.Duration(-1)
			events := k.Timeline(v)
			for _, e := range events {
				if e.At < last || e.Omitted < 0 {
					t.Fatalf("HZ %d, %+v: timeline %+v", hz, v, events)
				}
				last = e.At
			}
			if len(events) > 13 {
				t.Fatalf("HZ %d, %+v: %d events", hz, v, len(events))
			}
			for _, w := range k.Warnings(v) {
				if w.ID == "" || w.Text == "" {
					t.Fatalf("HZ %d, %+v: warning %+v", hz, v, w)
				}
			}
		})
	}
}

func TestNothingOfTheOtherSysctlsOverflows(t *testing.T) {
	_, _, userTimeouts := extremes(250)
	retries := []int{0, 1, 2, 8, 15, 16, 127, 255}
	for _, hz := range allHZ {
		for _, n := range retries {
			for _, rtoMax := range []time.Duration{0, s, 1001 * ms, 119999 * ms, 120 * s} {
				k := calc.Kernel{HZ: hz, Retries2: n, RTOMax: rtoMax, SynRetries: min(n, 127), SynLinearTimeouts: min(n, 127), SynackRetries: n, OrphanRetries: n}
				for _, u := range userTimeouts {
					for _, rto := range []time.Duration{0, ms, 200 * ms, 204 * ms, s, 119 * s, 120 * s} {
						rto = min(rto, max(rtoMax, s))
						live := calc.Live{Settings: uto(10, 10, 3, u), RTO: rto, Expires: rto / 2, Unanswered: min(n, 30), Backoff: min(n, 30), Timer: calc.TimerRetransmit}
						closed, connecting, probing := live, live, live
						closed.Closed, connecting.Connecting, probing.Timer = true, true, calc.TimerProbe0
						closedProbing := probing
						closedProbing.Closed = true
						for name, p := range map[string]calc.Prediction{
							"data in flight": k.DataInFlight(u, rto),
							"closed":         k.ClosedWithDataUnsent(u, rto),
							"zero window":    k.ZeroWindow(u, rto),
							"connecting":     k.Connecting(u),
							"accepting":      k.Accepting(),
							"live":           k.Dies(live), "live, closed": k.Dies(closed), "live, connecting": k.Dies(connecting),
							"live, probing": k.Dies(probing), "live, closed, probing": k.Dies(closedProbing),
						} {
							if wrong := sane(p); wrong != "" {
								t.Fatalf("%s: %+v, user timeout %v, rto %v: %+v: %s", name, k, u, rto, p, wrong)
							}
						}
					}
				}
			}
		}
	}
}

func TestAnEmptyKernelPredicts(t *testing.T) {
	var k calc.Kernel
	for _, sit := range k.Situations(keepalive.Defaults()) {
		if wrong := sane(sit.Prediction); wrong != "" {
			t.Errorf("%s: %+v: %s", sit.ID, sit.Prediction, wrong)
		}
	}
}

// More patience in the settings is never a sooner end.
func TestMorePatienceNeverEndsSooner(t *testing.T) {
	for _, hz := range allHZ {
		k := kernel(hz)
		forEachExtreme(hz, func(v keepalive.Settings) {
			p := k.IdlePeerGone(v)
			if p.Never {
				return
			}
			longer := []keepalive.Settings{v, v, v}
			longer[0].Probes++
			if v.UserTimeout > 0 {
				longer[1].UserTimeout += ms
			}
			if v.UserTimeout == 0 { // with one, a longer time can need one interval less
				longer[2].Time += s
			}
			for _, l := range longer {
				q := k.IdlePeerGone(l)
				if !q.Never && (q.Exact < p.Exact || q.Earliest < p.Earliest || q.Latest < p.Latest) {
					t.Fatalf("HZ %d: %+v ends at %+v, %+v at %+v", hz, v, p, l, q)
				}
			}
		})
	}
}

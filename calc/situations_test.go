package calc_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/keepalive"
)

func TestSituations(t *testing.T) {
	k := kernel(250)
	for name, v := range map[string]keepalive.Settings{
		"the defaults":   keepalive.Defaults(),
		"a user timeout": uto(60, 10, 6, 30*s),
		"probes 0":       set(60, 10, 0),
		"all 0":          {},
	} {
		t.Run(name, func(t *testing.T) {
			want := []calc.Situation{
				{ID: "idle_peer_alive", Prediction: k.IdlePeerAlive(v)},
				{ID: "idle_peer_gone", Prediction: k.IdlePeerGone(v)},
				{ID: "idle_after_answered_probe", Prediction: k.IdleAfterAnsweredProbe(v)},
				{ID: "idle_peer_rebooted", Prediction: k.IdlePeerRebooted(v)},
				{ID: "idle_without_keepalive", Prediction: never},
				{ID: "data_in_flight", Prediction: k.DataInFlight(v.UserTimeout, 0)},
				{ID: "zero_window_peer_alive", Prediction: k.ZeroWindow(v.UserTimeout, 0)},
				{ID: "connecting", Prediction: k.Connecting(v.UserTimeout)},
				{ID: "accepting", Prediction: k.Accepting()},
				{ID: "closed_with_data_unsent", Prediction: k.ClosedWithDataUnsent(v.UserTimeout, 0)},
			}
			if d := cmp.Diff(want, k.Situations(v)); d != "" {
				t.Errorf("-want +got\n%s", d)
			}
		})
	}
}

func TestTimeline(t *testing.T) {
	ten := func() (events []calc.Event) {
		for n := range 10 {
			events = append(events, calc.Event{At: sec(1 + n), Probe: n + 1})
		}
		return events
	}
	omitting := func(n int, rest ...calc.Event) []calc.Event {
		events := ten()
		events[9].Omitted = n
		return append(events, rest...)
	}
	for _, tt := range []struct {
		name     string
		settings keepalive.Settings
		want     []calc.Event
	}{
		{"three probes and the end", set(2, 1, 3),
			[]calc.Event{{At: 2 * s, Probe: 1}, {At: 3 * s, Probe: 2}, {At: 4 * s, Probe: 3}, {At: 5 * s, Dead: true}}},
		{"the user timeout decides how many", uto(2, 3, 9, 6*s),
			[]calc.Event{{At: 2 * s, Probe: 1}, {At: 5 * s, Probe: 2}, {At: 8 * s, Dead: true}}},
		{"probes 0: only the end", set(2, 3, 0), []calc.Event{{At: 2 * s, Dead: true}}},
		{"intvl 0: a tick apart", set(1, 0, 2),
			[]calc.Event{{At: s, Probe: 1}, {At: 1004 * ms, Probe: 2}, {At: 1008 * ms, Dead: true}}},
		{"a negative intvl: one probe, and no end", set(2, -1, 3), []calc.Event{{At: 2 * s, Probe: 1}}},
		{"a negative time: nothing", set(-1, 2, 3), nil},
		{"12 probes are shown", set(1, 1, 12),
			append(ten(), calc.Event{At: 11 * s, Probe: 11}, calc.Event{At: 12 * s, Probe: 12}, calc.Event{At: 13 * s, Dead: true})},
		{"of 13 one is left out", set(1, 1, 13),
			omitting(1, calc.Event{At: 12 * s, Probe: 12}, calc.Event{At: 13 * s, Probe: 13}, calc.Event{At: 14 * s, Dead: true})},
		{"of 29 seventeen are", uto(1, 1, 3, 30*s),
			omitting(17, calc.Event{At: 28 * s, Probe: 28}, calc.Event{At: 29 * s, Probe: 29}, calc.Event{At: 30 * s, Dead: true})},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if d := cmp.Diff(tt.want, kernel(250).Timeline(tt.settings)); d != "" {
				t.Errorf("-want +got\n%s", d)
			}
		})
	}
}

// However long, a timeline accounts for every probe, and ends where
// IdlePeerGone does.
func TestTimelineAccountsForEveryProbe(t *testing.T) {
	for _, hz := range allHZ {
		k := kernel(hz)
		forEachExtreme(hz, func(v keepalive.Settings) {
			p, events := k.IdlePeerGone(v), k.Timeline(v)
			if p.Never {
				return
			}
			probes := 0
			for _, e := range events {
				if e.Probe > 0 {
					probes += 1 + e.Omitted
				}
			}
			end := events[len(events)-1]
			if probes != p.Probes || !end.Dead || end.At != p.Exact {
				t.Fatalf("HZ %d, %+v: %d probes to %+v, predicted %+v", hz, v, probes, end, p)
			}
		})
	}
}

func TestWarnings(t *testing.T) {
	for _, tt := range []struct {
		name     string
		settings keepalive.Settings
		want     []string
	}{
		{"the defaults", keepalive.Defaults(), nil},
		{"probes 0", set(7200, 75, 0), []string{"probes_zero"}},
		{"probes 0 under a user timeout", uto(7200, 75, 0, 8000*s), []string{"probes_zero"}},
		{"probes 0: of probes that are never sent nothing is said", set(10, 75, 0), []string{"probes_zero"}},
		{"a negative time: of what never happens nothing is said", set(-1, -1, 0), []string{"time_negative"}},
		{"time 0", set(0, 75, 9), []string{"time_zero", "intvl_above_time"}},
		{"time and intvl 0", set(0, 0, 9), []string{"time_zero", "intvl_zero"}},
		{"a negative intvl", set(7200, -1, 9), []string{"intvl_negative"}},
		{"time 0 and a negative intvl", set(0, -1, 9), []string{"time_zero", "intvl_negative"}},
		{"intvl 0", set(7200, 0, 9), []string{"intvl_zero"}},
		{"intvl larger than time", set(10, 75, 9), []string{"intvl_above_time"}},
		{"intvl beyond any timer", set(10, 8589934, 9), []string{"intvl_beyond_timer", "beyond_socket_option"}},
		{"a user timeout that drops after one probe", uto(60, 10, 6, 30*s), []string{"user_timeout_one_probe"}},
		{"one that cuts the probes", uto(60, 10, 6, 100*s), []string{"user_timeout_cuts_probes"}},
		{"one that agrees with them", uto(60, 10, 6, 120*s), nil},
		{"one just within the last interval", uto(60, 10, 6, 110*s+ms), nil},
		{"one that outlasts them", uto(60, 10, 6, 120*s+ms), []string{"user_timeout_outlasts_probes"}},
		{"one probe is as few as there can be", uto(60, 10, 1, ms), []string{"user_timeout_unit"}},
		{"one probe, and so no loss", set(5, 1, 1), []string{"one_lost_probe"}},
		{"two", set(5, 1, 2), nil},
		{"more than a socket option can say: time", set(32768, 75, 9), []string{"beyond_socket_option"}},
		{"intvl", set(40001, 32768, 9), []string{"beyond_socket_option"}},
		{"probes", set(60, 10, 128), []string{"beyond_socket_option"}},
		{"as much as one can", set(32767, 32767, 127), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, w := range kernel(250).Warnings(tt.settings) {
				got = append(got, w.ID)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("-want +got\n%s", d)
			}
		})
	}
}

func ExampleKernel_Warnings() {
	for _, w := range calc.DefaultKernel().Warnings(uto(60, 10, 6, 30*s)) {
		fmt.Println(w.Text)
	}
	// Output: the user timeout (30 s) drops the connection after one lost probe; probes (6) is not looked at
}

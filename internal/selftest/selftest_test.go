package selftest_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/internal/selftest"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/procfs"
)

func TestThisKernelDoesWhatIsPredicted(t *testing.T) {
	t.Parallel()
	nstest.Run(t, func(t *testing.T) {
		hz, err := procfs.HZ()
		if err != nil {
			t.Fatal(err)
		}
		tick := time.Second / time.Duration(hz)
		for _, r := range (selftest.Lab{}).Run() {
			name := nameOf(r.Case)
			switch {
			case r.Err != nil:
				t.Errorf("%s: %v", name, r.Err)
			case r.Why != "":
				t.Errorf("%s: %s", name, r.Why)
			}
			// Between two ticks, to a hundredth of one: when this process was woken does not count.
			if off := r.Measured.Round(tick) - r.Measured; r.Ended && time.Second%tick == 0 && off.Abs() > tick/100 {
				t.Errorf("%s: measured %v, which is no number of ticks", name, r.Measured)
			}
			t.Logf("%-50s %v to %v, measured %v, %s, %d probes", name, r.Predicted.Earliest, r.Predicted.Latest, r.Measured, r.Errno, r.Probes)
		}
	})
}

// A wrong prediction is noticed, whatever is wrong with it, and no other with it.
func TestAWrongPredictionIsNoticed(t *testing.T) {
	t.Parallel()
	// More than a machine that runs other tests, too, is likely to stand still.
	const early, late = 2 * time.Second, 4 * time.Second
	shift := func(by time.Duration) func(*calc.Prediction) {
		return func(p *calc.Prediction) { p.Earliest, p.Exact, p.Latest = p.Earliest+by, p.Exact+by, p.Latest+by }
	}
	lies := map[string]struct {
		tell func(*calc.Prediction)
		want string // part of what is said about it
	}{
		"idle_peer_gone: ":                      {shift(early), "too early"},
		"idle_peer_gone: intvl above time":      {shift(-late), "too late"},
		"idle_after_answered_probe: ":           {shift(-late), "too late"},
		"idle_peer_gone: from the sysctls":      {func(p *calc.Prediction) { p.Probes++ }, "2 probes were sent, not 3"},
		"idle_peer_rebooted: ":                  {func(p *calc.Prediction) { p.Errno = "ETIMEDOUT" }, "got ECONNRESET, not ETIMEDOUT"},
		"idle_peer_alive: ":                     {func(p *calc.Prediction) { *p = calc.Prediction{Latest: time.Second} }, "has not ended"},
		"idle_peer_alive: healthy, and dropped": {func(p *calc.Prediction) { *p = calc.Prediction{Never: true} }, "should have lived"},
		"accepting: ":                           {shift(early), "too early"},
		"closed_with_data_unsent: ":             {func(p *calc.Prediction) { p.Errno = "EPIPE" }, "got nothing, not EPIPE"},
	}
	nstest.Run(t, func(t *testing.T) {
		lab := selftest.Lab{Predict: func(c selftest.Case, p calc.Prediction) calc.Prediction {
			if lie, ok := lies[nameOf(c)]; ok {
				lie.tell(&p)
			}
			return p
		}}
		for _, r := range lab.Run() {
			if r.Err != nil {
				t.Fatalf("%s: %v", nameOf(r.Case), r.Err)
			}
			want := lies[nameOf(r.Case)].want
			if want == "" && r.Why != "" || want != "" && !strings.Contains(r.Why, want) {
				t.Errorf("%s: %q, want %q", nameOf(r.Case), r.Why, want)
			}
			delete(lies, nameOf(r.Case))
		}
		for name := range lies {
			t.Errorf("no case %q", name)
		}
	})
}

func nameOf(c selftest.Case) string { return c.Situation + ": " + c.Name }

// Every situation of tcpka explain is among the cases.
func TestEverySituationIsMeasured(t *testing.T) {
	var measured []string
	for _, c := range selftest.Cases() {
		measured = append(measured, c.Situation)
	}
	for _, s := range calc.DefaultKernel().Situations(keepalive.Defaults()) {
		if !slices.Contains(measured, s.ID) {
			t.Errorf("%s is not measured", s.ID)
		}
	}
}

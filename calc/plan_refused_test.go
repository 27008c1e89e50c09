package calc_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/keepalive"
)

// What is said of a goal that nothing meets fits the number of probes that may be
// lost, none included, and its times are those that the goal was judged by.
func TestInfeasibleInWords(t *testing.T) {
	k := calc.DefaultKernel()
	tcp := func(g calc.Goal) error {
		_, err := k.Plan(g, keepalive.Socket())
		return err
	}
	ssh := func(g calc.Goal) error {
		_, err := calc.PlanSSH(g, calc.SSHVersion{})
		return err
	}
	for _, c := range []struct {
		plan func(calc.Goal) error
		goal calc.Goal
		want string
	}{
		{tcp, calc.Goal{PathTimeout: sec(1)},
			"a path that forgets after 1 s cannot be kept open: even with probes a second apart it is silent for up to 1.532 s"},
		{tcp, calc.Goal{PathTimeout: sec(2), SurviveLoss: 1},
			"a path that forgets after 2 s cannot be kept open: even with probes a second apart 1 lost probe leaves it silent for up to 2.564 s"},
		{tcp, calc.Goal{PathTimeout: sec(2), SurviveLoss: 2},
			"a path that forgets after 2 s cannot be kept open: even with probes a second apart 2 lost probes leave it silent for up to 3.596 s"},
		{tcp, calc.Goal{DetectWithin: sec(1)},
			"a dead peer cannot be noticed within 1 s: even one probe after a second of silence, and a second for its answer, take up to 2.564 s"},
		{tcp, calc.Goal{DetectWithin: sec(3), SurviveLoss: 1},
			"a dead peer cannot be noticed within 3 s: 2 probes a second apart, so that 1 may be lost, take up to 3.596 s"},
		{ssh, calc.Goal{PathTimeout: sec(1)},
			"SSH cannot keep a path open that forgets after 1 s: even with probes a second apart it is silent for too long"},
		{ssh, calc.Goal{PathTimeout: sec(2), SurviveLoss: 1},
			"SSH cannot keep a path open that forgets after 2 s: even with probes a second apart 1 lost probe leaves it silent for too long"},
		// Two seconds by the rule, and not within two seconds.
		{ssh, calc.Goal{DetectWithin: 2 * time.Second},
			"SSH waits one interval more than it has probes: with 1 probe 1 s after the silence began that is up to 2.502 s, not within 2 s"},
		{ssh, calc.Goal{DetectWithin: sec(4), SurviveLoss: 2},
			"SSH waits one interval more than it has probes: with 3 probes 1 s apart that is up to 4.504 s, not within 4 s"},
	} {
		infeasible, ok := errors.AsType[*calc.InfeasibleError](c.plan(c.goal))
		if !ok {
			t.Errorf("%+v is feasible", c.goal)
			continue
		}
		if diff := cmp.Diff([]string{c.want}, infeasible.Reasons); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", c.goal, diff)
		}
	}
}

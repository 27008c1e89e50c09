package calc_test

import (
	"testing"
	"time"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/keepalive"
)

// A path that forgets at the moment at which the latest probe arrives has
// forgotten; a death that is noticed at the last moment is noticed in time.
func TestTheLimitsThemselves(t *testing.T) {
	const roundTrip = 500 * time.Millisecond
	k := calc.DefaultKernel()
	s := keepalive.Settings{Time: sec(60), Intvl: sec(10), Probes: 3}
	gap, ok := k.RefreshAfterLoss(s, 2)
	if !ok {
		t.Fatal("it does not probe")
	}
	end := k.IdleAfterAnsweredProbe(s).Latest
	for _, c := range []struct {
		what string
		goal calc.Goal
		want bool
	}{
		{"the path forgets when the probe comes", calc.Goal{PathTimeout: gap + roundTrip, SurviveLoss: 2}, false},
		{"the path forgets just after", calc.Goal{PathTimeout: gap + roundTrip + 1, SurviveLoss: 2}, true},
		{"noticed at the last moment", calc.Goal{DetectWithin: end + roundTrip}, true},
		{"noticed just after", calc.Goal{DetectWithin: end + roundTrip - 1}, false},
	} {
		if got := k.Meets(c.goal, s); got != c.want {
			t.Errorf("%s: met is %t", c.what, got)
		}
	}
}

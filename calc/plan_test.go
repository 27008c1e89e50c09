package calc_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/keepalive"
)

// gentler reports whether a is to be preferred to b, both meeting the goal: what
// Plan promises, said a second time.
func gentler(a, b keepalive.Settings) bool {
	pa, pb := max(a.Time, a.Intvl), max(b.Time, b.Intvl)
	da, db := (a.Intvl - 10*time.Second).Abs(), (b.Intvl - 10*time.Second).Abs()
	switch {
	case pa != pb:
		return pa > pb
	case a.Probes != b.Probes:
		return a.Probes < b.Probes
	}
	return da < db
}

// possible reports whether s, with some user timeout where one is asked for,
// meets the goal within what the surface accepts and the spacing.
func possible(k calc.Kernel, g calc.Goal, s keepalive.Settings, on keepalive.Surface) bool {
	if s.Time < on.TimeMin || s.Time > on.TimeMax || s.Intvl < on.TimeMin || s.Intvl > on.TimeMax ||
		s.Probes < on.ProbesMin || s.Probes > on.ProbesMax || s.Intvl < k.PlanSpacing(g) {
		return false
	}
	s.UserTimeout = 0
	idle := g
	idle.InFlight = false
	if !g.InFlight || !k.Meets(idle, s) {
		return k.Meets(g, s)
	}
	// The smallest user timeout that cuts no probe short is the likeliest to do.
	first := max(s.Time, s.Intvl)
	last := first + k.Slack(first) + time.Duration(s.Probes-1)*(s.Intvl+k.Slack(s.Intvl))
	s.UserTimeout = last.Truncate(time.Millisecond) + time.Millisecond
	return k.Meets(g, s)
}

func randomGoal(r *rand.Rand) calc.Goal {
	// Times from seconds to days, as often short as long.
	some := func() time.Duration {
		return time.Duration(1+r.Int64N(int64(1)<<(2+r.IntN(17)))) * time.Second
	}
	g := calc.Goal{SurviveLoss: r.IntN(6), InFlight: r.IntN(2) == 0}
	if r.IntN(10) == 0 {
		g.SurviveLoss = r.IntN(130)
	}
	if r.IntN(4) > 0 {
		g.PathTimeout = some()
	}
	if g.PathTimeout == 0 || r.IntN(3) > 0 {
		g.DetectWithin = some()
	}
	return g
}

func randomKernel(r *rand.Rand) calc.Kernel {
	k := calc.DefaultKernel()
	k.HZ = []int{100, 250, 300, 1000}[r.IntN(4)]
	if r.IntN(4) == 0 {
		k.Retries2 = r.IntN(20)
	}
	return k
}

// TestPlanByItsInverse puts what Plan finds for thousands of goals through the
// predictions: it meets the goal, lies within the limits, and no neighbour that
// does is gentler.
func TestPlanByItsInverse(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 1))
	feasible, bounded := 0, 0
	for range 4000 {
		k, g := randomKernel(r), randomGoal(r)
		on := keepalive.Socket()
		if r.IntN(4) == 0 && !g.InFlight {
			on = keepalive.Sysctl(k.HZ)
		}
		s, err := k.Plan(g, on)
		if err != nil {
			if infeasible, ok := errors.AsType[*calc.InfeasibleError](err); !ok || len(infeasible.Reasons) == 0 {
				t.Fatalf("%+v: %v", g, err)
			}
			least := keepalive.Settings{Time: time.Second, Intvl: time.Second, Probes: g.SurviveLoss + 1}
			if possible(k, g, least, on) {
				t.Errorf("HZ %d, %+v: refused (%v), but %+v meets it", k.HZ, g, err, least)
			}
			continue
		}
		feasible++
		change := keepalive.Change{Time: &s.Time, Intvl: &s.Intvl, Probes: &s.Probes}
		if g.InFlight {
			change.UserTimeout = &s.UserTimeout
		}
		if err := on.Check(change); err != nil {
			t.Errorf("%+v: %v", g, err)
		}
		checkAgainstPredictions(t, k, g, s)
		if g.InFlight {
			bounded++
		}
		for _, dt := range []time.Duration{-1, 0, 1} {
			for _, di := range []time.Duration{-1, 0, 1} {
				for _, dp := range []int{-1, 0, 1} {
					n := keepalive.Settings{Time: s.Time + dt*time.Second, Intvl: s.Intvl + di*time.Second, Probes: s.Probes + dp}
					if gentler(n, s) && possible(k, g, n, on) {
						t.Errorf("HZ %d, %+v: got %+v, but %+v is gentler and meets it", k.HZ, g, s, n)
					}
				}
			}
		}
	}
	if feasible < 2000 || bounded < 500 {
		t.Errorf("only %d goals were feasible, %d of them with a user timeout: the test has lost its point", feasible, bounded)
	}
}

// checkAgainstPredictions uses the predictions alone, none of Plan's own sums.
func checkAgainstPredictions(t *testing.T, k calc.Kernel, g calc.Goal, s keepalive.Settings) {
	t.Helper()
	end := k.IdleAfterAnsweredProbe(s)
	if g.DetectWithin != 0 && (end.Never || end.Latest >= g.DetectWithin) {
		t.Errorf("HZ %d, %+v: %+v notices after up to %v", k.HZ, g, s, end.Latest)
	}
	_, latest, ok := k.Refresh(s)
	lost := time.Duration(g.SurviveLoss) * (s.Intvl + k.Slack(s.Intvl))
	if g.PathTimeout != 0 && (!ok || latest+lost >= g.PathTimeout) {
		t.Errorf("HZ %d, %+v: %+v refreshes after up to %v and %v", k.HZ, g, s, latest, lost)
	}
	if end.Probes <= g.SurviveLoss {
		t.Errorf("HZ %d, %+v: %+v gives up after %d probes", k.HZ, g, s, end.Probes)
	}
	for _, w := range k.Warnings(s) {
		if w.ID == "one_lost_probe" && g.SurviveLoss == 0 { // as was asked for
			continue
		}
		if w.ID != "beyond_socket_option" && w.ID != "time_unit" { // a number like another
			t.Errorf("HZ %d, %+v: %+v: %s", k.HZ, g, s, w.Text)
		}
	}
	switch {
	case !g.InFlight && s.UserTimeout != 0:
		t.Errorf("HZ %d, %+v: %+v has a user timeout", k.HZ, g, s)
	case g.InFlight:
		first, n := s.Time, time.Duration(s.Probes)
		if s.UserTimeout <= first+(n-1)*s.Intvl || s.UserTimeout > first+n*s.Intvl {
			t.Errorf("HZ %d, %+v: the user timeout of %+v cuts the probes short or outlasts them", k.HZ, g, s)
		}
		if fire := first + k.Slack(first) + (n-1)*(s.Intvl+k.Slack(s.Intvl)); s.UserTimeout <= fire {
			t.Errorf("HZ %d, %+v: %+v: the last probe may be as late as %v", k.HZ, g, s, fire)
		}
		flight := k.DataInFlight(s.UserTimeout, 0)
		if g.DetectWithin != 0 && flight.Latest > g.DetectWithin {
			t.Errorf("HZ %d, %+v: %+v: with data in flight after up to %v", k.HZ, g, s, flight.Latest)
		}
		if without := k.DataInFlight(0, time.Second); flight.Exact >= without.Exact {
			t.Errorf("HZ %d, %+v: %+v: the user timeout ends nothing sooner: %v, %v", k.HZ, g, s, flight.Exact, without.Exact)
		}
	}
}

// TestPlanIsTheBestOfAll tries everything there is for goals of less than a
// minute.
func TestPlanIsTheBestOfAll(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 2))
	on := keepalive.Socket()
	on.TimeMax, on.ProbesMax = 40*time.Second, 5
	for range 300 {
		k := randomKernel(r)
		g := calc.Goal{SurviveLoss: r.IntN(4), InFlight: r.IntN(2) == 0}
		if r.IntN(3) > 0 {
			g.PathTimeout = time.Duration(2+r.IntN(40)) * time.Second
		}
		if g.PathTimeout == 0 || r.IntN(3) > 0 {
			g.DetectWithin = time.Duration(2+r.IntN(60)) * time.Second
		}
		var best keepalive.Settings
		for time_ := time.Second; time_ <= on.TimeMax; time_ += time.Second {
			for intvl := time.Second; intvl <= on.TimeMax; intvl += time.Second {
				for probes := 1; probes <= on.ProbesMax; probes++ {
					s := keepalive.Settings{Time: time_, Intvl: intvl, Probes: probes}
					if (best.Time == 0 || gentler(s, best)) && possible(k, g, s, on) {
						best = s
					}
				}
			}
		}
		s, err := k.Plan(g, on)
		if best.Time == 0 {
			if err == nil {
				t.Errorf("HZ %d, %+v: got %+v where nothing meets it", k.HZ, g, s)
			}
			continue
		}
		if err != nil || gentler(best, s) || gentler(s, best) {
			t.Errorf("HZ %d, %+v: got %+v, %v, want the like of %+v", k.HZ, g, s, err, best)
		}
	}
}

func TestPlan(t *testing.T) {
	k := calc.DefaultKernel()
	for _, c := range []struct {
		what string
		goal calc.Goal
		want keepalive.Settings
	}{
		{
			"a load balancer that forgets after 350 s",
			calc.Goal{PathTimeout: sec(350), SurviveLoss: 2},
			keepalive.Settings{Time: sec(312), Intvl: sec(10), Probes: 3},
		},
		{
			"the same, bounding data in flight: a longer intvl makes up for late timers",
			calc.Goal{PathTimeout: sec(350), SurviveLoss: 2, InFlight: true},
			keepalive.Settings{Time: sec(287), Intvl: sec(21), Probes: 3, UserTimeout: sec(350)},
		},
		{
			"a dead peer noticed within two minutes",
			calc.Goal{DetectWithin: sec(120), SurviveLoss: 2, InFlight: true},
			keepalive.Settings{Time: sec(86), Intvl: sec(10), Probes: 3, UserTimeout: sec(115)},
		},
		{
			"both: the tighter one decides",
			calc.Goal{PathTimeout: sec(350), DetectWithin: sec(120), SurviveLoss: 2},
			keepalive.Settings{Time: sec(86), Intvl: sec(10), Probes: 3},
		},
		{
			"half of a tight goal is left to silence",
			calc.Goal{DetectWithin: sec(15), SurviveLoss: 2},
			keepalive.Settings{Time: sec(8), Intvl: sec(2), Probes: 3},
		},
		{
			"no probe may be lost",
			calc.Goal{PathTimeout: sec(60)},
			keepalive.Settings{Time: sec(57), Intvl: sec(10), Probes: 1},
		},
		{
			"five days: the largest time of a socket",
			calc.Goal{PathTimeout: sec(432000), SurviveLoss: 2},
			keepalive.Settings{Time: keepalive.MaxSocketTime, Intvl: sec(10), Probes: 3},
		},
	} {
		got, err := k.Plan(c.goal, keepalive.Socket())
		if err != nil || got != c.want {
			t.Errorf("%s: got %+v, %v, want %+v", c.what, got, err, c.want)
		}
	}
}

func TestPlanSaysWhyNot(t *testing.T) {
	k := calc.DefaultKernel()
	for _, c := range []struct {
		what string
		goal calc.Goal
		want []string
	}{
		{"too soon", calc.Goal{DetectWithin: sec(3), SurviveLoss: 2}, []string{"noticed within 3 s: 3 probes a second apart"}},
		{"too forgetful", calc.Goal{PathTimeout: sec(2), SurviveLoss: 1}, []string{"forgets after 2 s"}},
		{"both", calc.Goal{PathTimeout: sec(2), DetectWithin: sec(3), SurviveLoss: 4}, []string{"forgets after 2 s", "noticed within 3 s"}},
		{"too many", calc.Goal{PathTimeout: sec(1000), SurviveLoss: 127}, []string{"takes 128 of them, and the socket option accepts no more than 127"}},
		{"no user timeout", calc.Goal{PathTimeout: sec(350), SurviveLoss: 100, InFlight: true}, []string{"user timeout"}},
	} {
		_, err := k.Plan(c.goal, keepalive.Socket())
		infeasible, ok := errors.AsType[*calc.InfeasibleError](err)
		if !ok || len(infeasible.Reasons) != len(c.want) {
			t.Errorf("%s: got %v", c.what, err)
			continue
		}
		for i, want := range c.want {
			if !strings.Contains(infeasible.Reasons[i], want) {
				t.Errorf("%s: got %q, want %q in it", c.what, infeasible.Reasons[i], want)
			}
		}
	}
}

// TestPlanSSHByItsInverse is the same for SSH: what is found meets the goal for
// both ends and every release it is meant for, and a longer interval does not.
func TestPlanSSHByItsInverse(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 3))
	feasible := 0
	for range 4000 {
		g := randomGoal(r)
		// Of the releases in turn; those that probe at twice their interval are
		// planned for by themselves.
		release := []calc.SSHVersion{{}, {9, 2}, {9, 4}}[r.IntN(3)]
		planned, err := calc.PlanSSH(g, release)
		if err != nil {
			if infeasible, ok := errors.AsType[*calc.InfeasibleError](err); !ok || len(infeasible.Reasons) == 0 {
				t.Fatalf("%+v: %v", g, err)
			}
			continue
		}
		feasible++
		if planned.CountMax != g.SurviveLoss+1 {
			t.Errorf("%+v: got %+v", g, planned)
		}
		for _, side := range []calc.SSHSide{calc.SSHClient, calc.SSHServer} {
			releases := []calc.SSHVersion{{}, {8, 1}, {9, 1}, {9, 5}, {9, 9}}
			if release.Known() {
				releases = []calc.SSHVersion{{9, 2}, {9, 3}, {9, 4}}
			}
			for _, v := range releases {
				s := planned
				s.Side, s.Version = side, v
				end := s.Detection()
				if g.DetectWithin != 0 && end.Latest+s.Lateness() >= g.DetectWithin {
					t.Errorf("%+v: %+v notices after %v", g, s, end.Latest)
				}
				if period, ok := s.Refresh(); g.PathTimeout != 0 && (!ok || time.Duration(g.SurviveLoss+1)*period >= g.PathTimeout) {
					t.Errorf("%+v: %+v refreshes every %v", g, s, period)
				}
			}
		}
		longer := planned
		longer.Interval += time.Second
		if calc.MeetsSSH(g, longer) {
			t.Errorf("%+v: got %+v, but %v does, too", g, planned, longer.Interval)
		}
	}
	if feasible < 2500 {
		t.Errorf("only %d goals were feasible", feasible)
	}
}

func TestPlanSSH(t *testing.T) {
	for _, c := range []struct {
		goal     calc.Goal
		sshd     calc.SSHVersion
		interval time.Duration
		count    int
	}{
		{calc.Goal{DetectWithin: sec(120), SurviveLoss: 2}, calc.SSHVersion{}, sec(29), 3},
		{calc.Goal{PathTimeout: sec(60), SurviveLoss: 2}, calc.SSHVersion{}, sec(19), 3},
		{calc.Goal{PathTimeout: sec(60)}, calc.SSHVersion{}, sec(59), 1},
		// These probe at twice their interval.
		{calc.Goal{DetectWithin: sec(120), SurviveLoss: 2}, calc.SSHVersion{Major: 9, Minor: 2}, sec(14), 3},
		{calc.Goal{PathTimeout: sec(60), SurviveLoss: 2}, calc.SSHVersion{Major: 9, Minor: 4}, sec(9), 3},
		{calc.Goal{DetectWithin: sec(120), SurviveLoss: 2}, calc.SSHVersion{Major: 9, Minor: 5}, sec(29), 3},
	} {
		got, err := calc.PlanSSH(c.goal, c.sshd)
		if err != nil || got.Interval != c.interval || got.CountMax != c.count {
			t.Errorf("%+v: got %+v, %v, want %v and %d", c.goal, got, err, c.interval, c.count)
		}
	}
	if _, err := calc.PlanSSH(calc.Goal{DetectWithin: sec(3), SurviveLoss: 2}, calc.SSHVersion{}); err == nil || !strings.Contains(err.Error(), "3 probes 1 s apart that is up to 4.504 s, not within 3 s") {
		t.Errorf("got %v", err)
	}
	if _, err := calc.PlanSSH(calc.Goal{PathTimeout: sec(2), SurviveLoss: 2}, calc.SSHVersion{}); err == nil || !strings.Contains(err.Error(), "forgets after 2 s") {
		t.Errorf("got %v", err)
	}
	if _, err := calc.PlanSSH(calc.Goal{DetectWithin: sec(6), SurviveLoss: 2}, calc.SSHVersion{Major: 9, Minor: 3}); err == nil || !strings.Contains(err.Error(), "3 probes 2 s apart that is up to 8.508 s, not within 6 s") {
		t.Errorf("got %v", err)
	}
}

func TestMeets(t *testing.T) {
	k := calc.DefaultKernel()
	ok := keepalive.Settings{Time: sec(60), Intvl: sec(10), Probes: 3}
	with := func(f func(*keepalive.Settings)) keepalive.Settings {
		changed := ok
		f(&changed)
		return changed
	}
	g := calc.Goal{PathTimeout: sec(120), DetectWithin: sec(120), SurviveLoss: 2}
	for _, c := range []struct {
		what string
		goal calc.Goal
		s    keepalive.Settings
		want bool
	}{
		{"all is well", g, ok, true},
		{"nothing is asked for", calc.Goal{}, ok, true},
		{"the kernel's defaults", g, keepalive.Defaults(), false},
		{"a probe too few", g, with(func(s *keepalive.Settings) { s.Probes = 2 }), false},
		{"a user timeout that cuts the probes short", g, with(func(v *keepalive.Settings) { v.UserTimeout = sec(75) }), false},
		{"a user timeout that cuts none", g, with(func(v *keepalive.Settings) { v.UserTimeout = sec(90) }), true},
		{"a user timeout that outlasts them", g, with(func(v *keepalive.Settings) { v.UserTimeout = sec(140) }), false},
		{"no probes at all", g, with(func(v *keepalive.Settings) { v.Time = -sec(1) }), false},
		{"an intvl longer than the path remembers", g, with(func(v *keepalive.Settings) { v.Intvl = sec(130) }), false},
		{"exactly the path's time is too late", calc.Goal{PathTimeout: sec(60)}, with(func(v *keepalive.Settings) {}), false},
		{"data in flight without a user timeout", calc.Goal{DetectWithin: sec(120), InFlight: true}, ok, false},
		{"data in flight with one", calc.Goal{DetectWithin: sec(120), InFlight: true}, with(func(v *keepalive.Settings) { v.UserTimeout = sec(90) }), true},
	} {
		if got := k.Meets(c.goal, c.s); got != c.want {
			t.Errorf("%s: got %v, want %v", c.what, got, c.want)
		}
	}
}

func TestMeetsSSH(t *testing.T) {
	g := calc.Goal{PathTimeout: sec(120), DetectWithin: sec(120), SurviveLoss: 2}
	for _, c := range []struct {
		what string
		ssh  calc.SSH
		want bool
	}{
		{"all is well", calc.SSH{Interval: sec(20), CountMax: 3}, true},
		{"off", calc.SSH{CountMax: 3}, false},
		{"too few probes", calc.SSH{Interval: sec(20), CountMax: 2}, false},
		{"too many probes to notice in time", calc.SSH{Interval: sec(20), CountMax: 6}, false},
		{"an interval too long for the path", calc.SSH{Interval: sec(40), CountMax: 3}, false},
		{"sshd that takes twice as long", calc.SSH{Side: calc.SSHServer, Interval: sec(20), CountMax: 3, Version: calc.SSHVersion{Major: 9, Minor: 2}}, false},
		{"sshd that never gives up", calc.SSH{Side: calc.SSHServer, Interval: sec(20)}, false},
		{"ssh that gives up at once", calc.SSH{Side: calc.SSHClient, Interval: sec(20)}, false},
	} {
		if got := calc.MeetsSSH(g, c.ssh); got != c.want {
			t.Errorf("%s: got %v, want %v", c.what, got, c.want)
		}
	}
}

package calc_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/keepalive"
)

// The program of an MPTCP connection hears of a dead peer later than its subflow
// ends, and a goal is for the program.
func TestExamineMPTCP(t *testing.T) {
	k := calc.DefaultKernel()
	detect := calc.Goal{DetectWithin: sec(120)}
	minute := calc.Outlived{Least: sec(60), Most: sec(60)}
	listener := calc.Outlived{Most: sec(60)}
	unknown := calc.Outlived{Most: calc.Unbounded}
	quick := keepalive.Settings{Time: sec(20), Intvl: sec(10), Probes: 3}
	good := keepalive.Settings{Time: sec(60), Intvl: sec(10), Probes: 3}
	slow := keepalive.Defaults()
	on := func(s keepalive.Settings, o calc.Outlived) calc.Live {
		return calc.Live{Settings: s, Enabled: true, Outlived: o}
	}
	timer := func(l calc.Live, timer calc.Timer, left, idle time.Duration, unanswered int) calc.Live {
		l.Timer, l.Expires, l.Idle, l.Unanswered = timer, left, idle, unanswered
		return l
	}
	const (
		later  = "up to 62 s later (net.mptcp.close_timeout is 60)"
		within = ", wanted is within 120 s"
	)
	for _, c := range []struct {
		what string
		goal calc.Goal
		live calc.Live
		want string // the flaws, with "?" where it is not known whether they are
	}{
		{"the subflow leaves time enough", detect, on(quick, minute), ""},
		{"the subflow is in time, and its program is not", detect, on(good, minute),
			"mptcp_values: a dead peer is noticed after up to 93.3 s by the subflow, and by its program " + later + within},
		{"neither is", detect, on(slow, minute), "mptcp_values: a dead peer is noticed after up to 8025 s by the subflow, and by its program " + later + within},
		{"a goal shorter than the close timeout", calc.Goal{DetectWithin: sec(50)}, on(quick, minute),
			"mptcp_values: a dead peer is noticed after up to 53.3 s by the subflow, and by its program " + later + ", wanted is within 50 s"},
		{"never is never", detect, on(keepalive.Settings{Time: -1, Intvl: sec(10), Probes: 3}, minute), "mptcp_values: a dead peer is never noticed" + within},
		{"packets are as of TCP", calc.Goal{PathTimeout: sec(350)}, on(good, minute), ""},
		{"likewise where they are too seldom", calc.Goal{PathTimeout: sec(350)}, on(slow, minute), "values: an idle connection is silent for up to 7331.6 s, and the path forgets it after 350 s"},
		{"both", calc.Goal{PathTimeout: sec(30), DetectWithin: sec(120)}, on(good, minute),
			"mptcp_values: an idle connection is silent for up to 62.5 s, and the path forgets it after 30 s; a dead peer is noticed after up to 93.3 s by the subflow, and by its program " + later + within},
		{"no close timeout", detect, on(good, calc.Outlived{}), ""},

		{"a listener, of which all is in time", detect, on(quick, listener), ""},
		{"a listener, of which MPTCP is late", detect, on(good, listener),
			"?mptcp_values: a dead peer is noticed after up to 93.3 s, and by the program of an MPTCP connection " + later + within},
		{"a listener, of which all is late", detect, on(slow, listener), "mptcp_values: a dead peer is noticed after up to 8025 s" + within},
		{"a kernel that does not say", detect, on(good, unknown),
			"?mptcp_values: a dead peer is noticed after up to 93.3 s, and how much later the program of an MPTCP connection hears of it the kernel does not say (net.mptcp.close_timeout)" + within},
		{"a kernel that does not say, where it is late anyway", detect, on(slow, unknown), "mptcp_values: a dead peer is noticed after up to 8025 s" + within},
		{"a kernel that does not say, and packets", calc.Goal{PathTimeout: sec(350)}, on(good, unknown), ""},

		{"an old timer that is too late for the program alone", detect, timer(on(quick, minute), calc.TimerKeepalive, sec(60), sec(1), 0),
			"old_timer: the timer that runs was set by other values: the first probe comes in 60 s, not within 20 s; a dead peer is noticed after up to 93.3 s by the subflow, and by its program " + later + within},
		{"the same of TCP", detect, timer(on(quick, calc.Outlived{}), calc.TimerKeepalive, sec(60), sec(1), 0), ""},
		{"data in flight", detect, timer(on(quick, minute), calc.TimerRetransmit, sec(1), sec(2), 2),
			"data_in_flight: data waits for an answer of the peer, so no probe is sent; where none comes, tcp_retries2 ends the subflow only "},
		{"unanswered", calc.Goal{}, timer(on(good, minute), calc.TimerKeepalive, sec(5), sec(75), 2),
			"unanswered: 2 of 3 probes got no answer: the peer is gone, or the path has forgotten the connection, or drops probes; without one the subflow ends in 15 s to 15.5 s, and its program hears of that " + later},
	} {
		var got []string
		for _, f := range k.Examine(c.goal, c.live) {
			text := f.ID + ": " + f.Text
			if f.Unknown {
				text = "?" + text
			}
			got = append(got, text)
		}
		if all := strings.Join(got, "|"); !strings.HasPrefix(all, c.want) || c.want == "" && all != "" {
			t.Errorf("%s:\ngot  %s\nwant %s", c.what, all, c.want)
		}
	}
}

// A goal is met where the latest time of the subflow and of the close timeout's
// timer fit into it, and settings planned for what it leaves to the subflow meet it.
func TestSubflowLeavesWhatTheCloseTimeoutDoesNotTake(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	met, planned := 0, 0
	for range 20_000 {
		k := calc.Kernel{HZ: []int{100, 250, 300, 1000}[random.IntN(4)]}
		s := keepalive.Settings{Time: sec(1 + random.IntN(300)), Intvl: sec(1 + random.IntN(60)), Probes: 2 + random.IntN(8)}
		closing := sec(1 + random.IntN(120))
		g := calc.Goal{DetectWithin: sec(1 + random.IntN(600))}
		live := calc.Live{Settings: s, Enabled: true, Outlived: calc.Outlived{Least: closing, Most: closing}}
		told := k.IdleAfterAnsweredProbe(s).Latest + 500*time.Millisecond + closing + k.Slack(closing)
		flaws := slices.DeleteFunc(k.Examine(g, live), func(f calc.Flaw) bool { return f.ID == calc.FlawUnits })
		if well := len(flaws) == 0; well != (told <= g.DetectWithin) {
			t.Fatalf("%+v, told after %v, goal %v: well is %t", s, told, g.DetectWithin, well)
		} else if well {
			met++
		}
		of, ok := k.Subflow(g, closing)
		if !ok {
			continue
		}
		of.SurviveLoss = 2
		if live.Settings, _ = k.Plan(of, keepalive.Socket()); live.Settings == (keepalive.Settings{}) {
			continue
		}
		planned++
		if flaws := k.Examine(g, live); len(flaws) != 0 {
			t.Fatalf("planned %+v for %v with %v: %v", live.Settings, g.DetectWithin, closing, flaws)
		}
	}
	if met == 0 || planned == 0 {
		t.Errorf("met %d, planned %d", met, planned)
	}
}

package calc_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/keepalive"
)

func TestExamine(t *testing.T) {
	k := calc.DefaultKernel()
	path, detect := calc.Goal{PathTimeout: sec(350)}, calc.Goal{DetectWithin: sec(120)}
	both := calc.Goal{PathTimeout: sec(350), DetectWithin: sec(120)}
	settings := func(time_, intvl, probes int) keepalive.Settings {
		return keepalive.Settings{Time: sec(time_), Intvl: sec(intvl), Probes: probes}
	}
	with := func(s keepalive.Settings, uto time.Duration) keepalive.Settings { s.UserTimeout = uto; return s }
	on := func(s keepalive.Settings) calc.Live { return calc.Live{Settings: s, Enabled: true} }
	timer := func(l calc.Live, left, idle time.Duration) calc.Live {
		l.Timer, l.Expires, l.Idle = calc.TimerKeepalive, left, idle
		return l
	}
	unanswered := func(l calc.Live, n int) calc.Live {
		l.Timer, l.Expires, l.Idle, l.Unanswered = calc.TimerKeepalive, sec(5), sec(75), n
		return l
	}
	good := settings(60, 10, 3)

	for _, c := range []struct {
		what string
		goal calc.Goal
		live calc.Live
		want string // the flaws, with a part of what is said of each
	}{
		{"all is well", both, timer(on(good), sec(50), sec(10)), ""},
		{"a listener with good values", both, on(good), ""},
		{"no goal, and the kernel's defaults", calc.Goal{}, on(keepalive.Defaults()), ""},
		{"off", path, calc.Live{Settings: good}, "keepalive_off: keepalive is off"},
		{"off, and nothing is asked for", calc.Goal{}, calc.Live{}, ""},

		{"the defaults and a path", path, on(keepalive.Defaults()), "values: an idle connection is silent for up to 7331.6 s, and the path forgets it after 350 s"},
		{"the defaults and a death", detect, on(keepalive.Defaults()), "values: a dead peer is noticed after up to 8025 s, wanted is within 120 s"},
		{"both", both, on(keepalive.Defaults()), "values: an idle connection is silent for up to 7331.6 s, and the path forgets it after 350 s; a dead peer is noticed after up to 8025 s, wanted is within 120 s"},
		{"intvl above time", path, on(settings(60, 400, 1)), "values: an idle connection is silent for up to"},
		{"a loss that the path does not bear", calc.Goal{PathTimeout: sec(80), SurviveLoss: 2}, on(good), "values: an idle connection is silent for up to 83.1 s where 2 probes in a row are lost, and"},
		{"a loss that the connection does not bear", calc.Goal{SurviveLoss: 3}, on(good), "values: a healthy connection ends once 3 probes in a row are lost, wanted is that it survives 3"},
		{"a loss that the path bears and the connection does not", calc.Goal{PathTimeout: sec(350), SurviveLoss: 4}, on(good), "values: a healthy connection ends once 3 probes in a row are lost, wanted is that it survives 4"},
		{"a loss that neither bears", calc.Goal{PathTimeout: sec(80), SurviveLoss: 4}, on(good),
			"values: an idle connection is silent for up to 103.6 s where 4 probes in a row are lost, and the path forgets it after 80 s; a healthy connection ends once 3 probes in a row are lost, wanted is that it survives 4"},
		{"a time that is never, which loses nothing", calc.Goal{SurviveLoss: 4}, on(settings(-1, 10, 0)), ""},
		{"an intvl that is never, likewise", calc.Goal{DetectWithin: sec(120), SurviveLoss: 4}, on(settings(60, -1, 3)), "values: a dead peer is never noticed, wanted is within 120 s"},
		{"a time that is never", both, on(settings(-1, 10, 3)), "values: an idle connection is not probed, and the path forgets it after 350 s; a dead peer is never noticed, wanted is within 120 s"},
		{"probes 0, whatever the goal", calc.Goal{}, on(settings(60, 10, 0)), "values: a healthy connection is dropped after 60 s of silence"},

		{"a user timeout that waits too long", detect, on(with(good, sec(600))), "user_timeout_outlasts_probes: the user timeout (600 s) takes the place of probes (3), and a dead peer is noticed"},
		{"a user timeout of one probe", detect, on(with(good, sec(20))), "user_timeout_cuts_probes: the user timeout (20 s) ends a healthy connection once 1 probe is lost"},
		{"a user timeout of two probes", detect, on(with(good, sec(80))), "user_timeout_cuts_probes: the user timeout (80 s) ends a healthy connection once 2 probes in a row are lost"},
		{"a user timeout of fewer probes than may be lost", calc.Goal{DetectWithin: sec(120), SurviveLoss: 2}, on(with(good, sec(20))), "user_timeout_cuts_probes: the user timeout (20 s) takes the place of probes (3), and a healthy connection ends once 1 probe is lost, wanted is that it survives 2"},
		{"a user timeout that agrees", detect, on(with(good, sec(90))), ""},
		{"a user timeout where no goal is", calc.Goal{}, on(with(good, sec(20))), "user_timeout_cuts_probes: "},

		{"one probe", detect, on(settings(60, 10, 1)), "one_lost_probe: probes is 1: a single lost probe ends a healthy connection"},
		{"one probe, and a user timeout that makes it more", detect, on(with(settings(60, 10, 1), sec(90))), ""},
		{"one probe, and more asked for", calc.Goal{DetectWithin: sec(120), SurviveLoss: 1}, on(settings(60, 10, 1)), "values: "},

		{"an old timer and a path", path, timer(on(good), sec(7000), sec(200)), "old_timer: the timer that runs was set by other values: the first probe comes in 7000 s, not within 60 s; until then the connection is silent for up to 7331.6 s, and the path forgets it after 350 s"},
		{"an old timer and a death", detect, timer(on(good), sec(7000), sec(200)), "old_timer: the timer that runs was set by other values: the first probe comes in 7000 s, not within 60 s; a dead peer is noticed after up to 7162.3 s, wanted is within 120 s"},
		{"an old timer that leaves room for a lost probe", calc.Goal{PathTimeout: sec(350), SurviveLoss: 1}, timer(on(good), sec(100), sec(230)), ""},
		{"an old timer that leaves none", calc.Goal{PathTimeout: sec(350), SurviveLoss: 1}, timer(on(good), sec(100), sec(240)),
			"mends itself: old_timer: the timer that runs was set by other values: the first probe comes in 100 s, not within 60 s; it is in time, but not where 1 probe is lost"},
		{"an old timer, and where a loss is not borne the path has forgotten anyway", calc.Goal{PathTimeout: sec(350), SurviveLoss: 1}, timer(on(good), sec(100), sec(249)), "old_timer: "},

		{"half of the probes unanswered", calc.Goal{}, unanswered(on(settings(60, 10, 4)), 2), "unanswered: 2 of 4 probes got no answer: the peer is gone, or the path has forgotten the connection, or drops probes; without one the connection ends in 25 s to "},
		{"less than half of them", calc.Goal{}, unanswered(on(settings(60, 10, 5)), 2), ""},
		{"one, which may be on its way", calc.Goal{}, unanswered(on(settings(60, 10, 2)), 1), ""},
		{"more of them than the new values have", calc.Goal{}, unanswered(on(settings(60, 10, 3)), 7), "unanswered: 7 probes got no answer: "},
		{"half of those that a user timeout leaves room for", calc.Goal{}, unanswered(on(with(settings(60, 10, 9), sec(90))), 2), "unanswered: 2 of 3 probes got no answer: |user_timeout_cuts_probes: "},
		{"unanswered, and too slow", detect, unanswered(on(keepalive.Defaults()), 8), "unanswered: 8 of 9 probes got no answer: |values: "},
		{"an old timer that is in time", path, timer(on(good), sec(100), sec(100)), ""},
		{"an old timer that is in time, after a silence that the path does not bear", path, timer(on(good), sec(100), sec(250)), "old_timer: "},
		{"a timer that is new after a long silence", both, timer(on(good), sec(60), sec(9000)), ""},
		{"an old timer where no goal is", calc.Goal{}, timer(on(good), sec(7000), sec(200)), ""},

		{"data that is retransmitted", detect, calc.Live{Settings: good, Enabled: true, Timer: calc.TimerRetransmit, Unanswered: 2, Expires: sec(1), Idle: sec(2)},
			"data_in_flight: data waits for an answer of the peer, so no probe is sent; where none comes, tcp_retries2 ends it only"},
		{"data that is retransmitted, and a user timeout", detect, calc.Live{Settings: with(good, sec(90)), Enabled: true, Timer: calc.TimerRetransmit, Unanswered: 2, Expires: sec(1), Idle: sec(2)}, ""},
		{"data that was just sent", detect, calc.Live{Settings: good, Enabled: true, Timer: calc.TimerRetransmit}, ""},
		{"data that is retransmitted, and a path", path, calc.Live{Settings: good, Enabled: true, Timer: calc.TimerRetransmit, Unanswered: 2}, ""},
		{"data for a window that is closed, unanswered", detect, calc.Live{Settings: good, Enabled: true, Timer: calc.TimerProbe0, Unanswered: 3, Backoff: 3}, "data_in_flight: "},
		{"data for a window that is closed, answered", detect, calc.Live{Settings: good, Enabled: true, Timer: calc.TimerProbe0, Backoff: 3}, ""},
		{"data that is retransmitted, and bad values", detect, calc.Live{Settings: keepalive.Defaults(), Enabled: true, Timer: calc.TimerRetransmit, Unanswered: 2},
			"data_in_flight: |values: "},
	} {
		var got []string
		for _, f := range k.Examine(c.goal, c.live) {
			text := f.ID + ": " + f.Text
			if f.Mends {
				text = "mends itself: " + text
			}
			got = append(got, text)
		}
		want := strings.Split(c.want, "|")
		if c.want == "" {
			want = nil
		}
		same := len(got) == len(want)
		for i := range got {
			same = same && strings.HasPrefix(got[i], want[i])
		}
		if !same {
			t.Errorf("%s (-want +got):\n%s", c.what, cmp.Diff(want, got))
		}
	}
}

// What is said of SSH is what is wrong, and no more.
func TestMissesSSH(t *testing.T) {
	ssh := func(side calc.SSHSide, interval, count int) calc.SSH {
		return calc.SSH{Side: side, Interval: sec(interval), CountMax: count, TCPKeepAlive: true}
	}
	for _, c := range []struct {
		what string
		goal calc.Goal
		ssh  calc.SSH
		want string
	}{
		{"all is well", calc.Goal{PathTimeout: sec(60), DetectWithin: sec(120), SurviveLoss: 2}, ssh(calc.SSHClient, 19, 3), ""},
		{"off", calc.Goal{PathTimeout: sec(60)}, ssh(calc.SSHClient, 0, 3), "it sends no probes"},
		{"too seldom", calc.Goal{PathTimeout: sec(60)}, ssh(calc.SSHClient, 60, 3), "it probes every 60 s, and the path forgets after 60 s"},
		{"too seldom where one is lost", calc.Goal{PathTimeout: sec(60), SurviveLoss: 1}, ssh(calc.SSHClient, 30, 3),
			"it probes every 30 s, and where 1 probe is lost the path, which forgets after 60 s, is silent for too long"},
		{"too few, often enough", calc.Goal{PathTimeout: sec(60), SurviveLoss: 2}, ssh(calc.SSHServer, 10, 2),
			"it drops a healthy session once 2 probes in a row are lost, wanted is that it survives 2"},
		{"too slow", calc.Goal{DetectWithin: sec(60)}, ssh(calc.SSHServer, 20, 3), "it drops a dead peer after 80.6 s, wanted is within 60 s"},
		{"sshd that never drops anything loses nothing", calc.Goal{PathTimeout: sec(60), SurviveLoss: 2}, ssh(calc.SSHServer, 10, 0), ""},
		{"and notices nothing", calc.Goal{DetectWithin: sec(60), SurviveLoss: 2}, ssh(calc.SSHServer, 10, 0), "it never drops a dead peer, wanted is within 60 s"},
		{"ssh that gives up at once", calc.Goal{PathTimeout: sec(60)}, ssh(calc.SSHClient, 10, 0), "a healthy session is dropped after 10 s of silence"},
	} {
		if got := calc.MissesSSH(c.goal, c.ssh); got != c.want {
			t.Errorf("%s: got %q, want %q", c.what, got, c.want)
		}
	}
}

// What is said is said where the goal is not met, and nowhere else.
func TestMissesSaysWhatMeetsDecides(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 3))
	missed := 0
	for range 20_000 {
		k, g := randomKernel(r), randomGoal(r)
		g.InFlight = false
		s := keepalive.Settings{
			Time:   time.Duration(r.Int64N(int64(1)<<(2+r.IntN(14)))-1) * time.Second,
			Intvl:  time.Duration(r.Int64N(int64(1)<<(2+r.IntN(9)))-1) * time.Second,
			Probes: r.IntN(20),
		}
		if r.IntN(3) == 0 {
			s.UserTimeout = time.Duration(r.Int64N(int64(1)<<(2+r.IntN(20)))) * time.Millisecond
		}
		text := k.Misses(g, s)
		if (text == "") != k.Meets(g, s) {
			t.Fatalf("%+v, %+v: %q, and meets is %t", g, s, text, k.Meets(g, s))
		}
		if text != "" {
			missed++
		}
		ssh := calc.SSH{Side: []calc.SSHSide{calc.SSHClient, calc.SSHServer}[r.IntN(2)], Interval: max(s.Intvl, 0), CountMax: s.Probes}
		if text := calc.MissesSSH(g, ssh); (text == "") != calc.MeetsSSH(g, ssh) {
			t.Fatalf("%+v, %+v: %q, and meets is %t", g, ssh, text, calc.MeetsSSH(g, ssh))
		}
	}
	if missed < 2000 || missed > 18_000 {
		t.Errorf("%d of 20000 goals were missed", missed)
	}
}

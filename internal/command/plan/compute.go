package plan

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/goal"
	"github.com/tcpka/tcpka/internal/middlebox"
	"github.com/tcpka/tcpka/internal/plantargets"
	"github.com/tcpka/tcpka/internal/suggest"
	"github.com/tcpka/tcpka/keepalive"
)

// SetTCP puts settings and what k predicts for them into the plan. With loss
// probes may be lost.
func (d *Document) SetTCP(s keepalive.Settings, k calc.Kernel, loss int) {
	d.Settings = new(answer.NewSettings(s))
	end := k.IdleAfterAnsweredProbe(s)
	d.Detection, d.DetectionLatest = new(answer.Seconds(end.Exact)), new(answer.Seconds(end.Latest))
	flight, without := k.DataInFlight(s.UserTimeout, 0), k.DataInFlight(0, 0)
	d.InFlight, d.InFlightLatest = new(answer.Seconds(flight.Exact)), new(answer.Seconds(flight.Latest))
	d.InFlightDefault, d.InFlightDefaultLatest = new(answer.Seconds(without.Exact)), new(answer.Seconds(without.Latest))
	if period, latest, ok := k.Refresh(s); ok {
		d.Refresh, d.RefreshLatest = new(answer.Seconds(period)), new(answer.Seconds(latest))
		after, _ := k.RefreshAfterLoss(s, loss)
		d.RefreshAfterLoss = new(answer.Seconds(after))
		hourly := float64(time.Hour) / float64(period)
		d.Cost = &Cost{hundredths(hourly), hundredths(10_000 * hourly)}
	}
}

func hundredths(f float64) float64 { return math.Round(f*100) / 100 }

// SetSSH puts the settings of SSH into the plan.
func (d *Document) SetSSH(s calc.SSH) {
	d.SSH = &SSH{answer.Seconds(s.Interval), s.CountMax, answer.Seconds(s.Detection().Exact)}
}

// compute finds the settings, and says all there is to say about them.
func compute(a goal.Aim, k calc.Kernel, targets []plantargets.Target) Document {
	g, ok := a.TCP()
	ends := a.Terminating()
	d := Document{
		Schema: "tcpka/plan/v1", Goal: goalAnswer(a, k), Feasible: true,
		TCPEndsAt: append([]string{}, ends...), Reasons: []string{}, Notes: []string{}, Snippets: map[string]string{}, Commands: []string{},
	}
	var v plantargets.Values
	if len(ends) > 0 {
		v.WhyNotTCP = goal.NoHelp(ends)
		d.Notes = append(d.Notes, v.WhyNotTCP)
	}
	if ok {
		settings, err := goal.PlanTCP(k, g)
		if err != nil {
			d.Feasible, d.Reasons = false, append(d.Reasons, reasons(err)...)
			v.WhyNotTCP = err.Error()
		} else {
			v.TCP = &settings
			v.Meets = func(s keepalive.Settings) bool { return k.Meets(g, s) }
			d.SetTCP(settings, k, a.Loss)
			d.Notes = append(d.Notes, why(k, g, settings)...)
		}
	}
	ssh, err := calc.PlanSSH(a.SSH(), calc.SSHVersion{})
	switch {
	case err == nil:
		v.SSH = &ssh
		d.SetSSH(ssh)
		d.Notes = append(d.Notes, slowSSHD(a, ssh))
		if len(ends) > 0 {
			d.Notes = append(d.Notes, fmt.Sprintf("what is not SSH needs data of its own at least every %s: pings of WebSocket, HTTP/2 or gRPC, or of the application's protocol", answer.Seconds(ssh.Interval).Both()))
		}
	case len(ends) > 0:
		d.Feasible, d.Reasons = false, append(d.Reasons, reasons(err)...)
	default:
		d.Notes = append(d.Notes, reasons(err)...)
	}
	if err != nil {
		v.WhyNotSSH = strings.Join(reasons(err), "\n")
	}
	for _, b := range a.Boxes {
		if b.Confidence == middlebox.Low {
			d.Notes = append(d.Notes, fmt.Sprintf("%s: no document was read that backs its %s; measure the path", b.Name, answer.Seconds(b.Idle).Both()))
		}
	}
	if !d.Feasible {
		return d
	}
	for _, t := range targets {
		text := t.Render(v)
		d.Snippets[t.Name] = text
		d.Targets = append(d.Targets, Target{Name: t.Name, Title: t.Title, Text: text})
	}
	if v.TCP != nil {
		d.Commands = []string{suggest.ExplainThese(*v.TCP), suggest.SetThese(*v.TCP), "sudo tcpka set sockets --all --on " + suggest.SocketArgs(*v.TCP) + " --dry-run"}
	}
	if v.SSH != nil {
		d.Commands = append(d.Commands, suggest.SSHFix(calc.SSHClient, ssh))
	}
	return d
}

// slowSSHD says what to write for the releases of sshd that probe at twice their
// interval. Which one it will be is not known.
func slowSSHD(a goal.Aim, planned calc.SSH) string {
	text := fmt.Sprintf("sshd 9.2 to 9.4, as in Debian 12, probes at twice ClientAliveInterval, and takes twice as long with %d; ", planned.Interval/time.Second)
	slow, err := calc.PlanSSH(a.SSH(), calc.SSHVersion{Major: 9, Minor: 2})
	if err != nil {
		return text + "it cannot meet the goal"
	}
	return text + fmt.Sprintf("for it write ClientAliveInterval %d and ClientAliveCountMax %d", slow.Interval/time.Second, slow.CountMax)
}

func reasons(err error) []string {
	if infeasible, ok := errors.AsType[*calc.InfeasibleError](err); ok {
		return infeasible.Reasons
	}
	return []string{err.Error()}
}

// why says where each setting comes from.
func why(k calc.Kernel, g calc.Goal, s keepalive.Settings) []string {
	var notes []string
	add := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }

	longer := s
	longer.Time += time.Second
	longer.UserTimeout = 0
	path, detect := calc.Goal{PathTimeout: g.PathTimeout, SurviveLoss: g.SurviveLoss}, calc.Goal{DetectWithin: g.DetectWithin, SurviveLoss: g.SurviveLoss}
	switch {
	case s.Time == keepalive.MaxSocketTime:
		add("time is the largest that a socket accepts")
	case !k.Meets(path, longer):
		add("time is the longest silence that is safe on the path: with a second more, %slate kernel timers could make it forget", lost(g.SurviveLoss))
	case !k.Meets(detect, longer):
		add("time is the longest silence after which a dead peer is still noticed in time, even where it has just answered a probe and the kernel's timers are late")
	default:
		add("time is the longest silence that leaves room for the user timeout")
	}
	switch {
	case s.Intvl > 10*time.Second:
		add("intvl is longer than 10 s so that the user timeout fits: it must lie behind the last probe, and that can be %s s late", answer.Seconds((k.Slack(s.Time) + time.Duration(s.Probes-1)*k.Slack(s.Intvl)).Round(time.Millisecond)))
	case s.Intvl < 10*time.Second:
		add("intvl is short, so that half of the time is left to silence; probes that close to each other are more likely to be lost together")
	default:
		add("intvl leaves 10 s between probes, because a loss is seldom alone")
	}
	if g.SurviveLoss == 0 {
		add("a single lost probe ends a healthy connection")
	} else {
		add("probes is one more than may be lost, so that %s in a row %s not end a healthy connection", answer.Count(g.SurviveLoss, "lost one"), do(g.SurviveLoss))
	}
	switch {
	case s.UserTimeout > 0:
		add("the user timeout ends a connection with data in flight, too, and cuts no probe short; it also ends one whose peer lives but reads nothing for that long. It is an option of each socket: no sysctl sets it")
	case g.DetectWithin != 0 && k.DataInFlight(0, 0).Latest > g.DetectWithin:
		add("no user timeout fits: with data in flight a death is noticed only when retransmission gives up, which is later than asked for")
	default:
		add("no user timeout is needed: with data in flight retransmission gives up by itself (tcp_retries2)")
	}
	add("the latest times are those of a kernel with HZ %d, on a path with a round trip of up to half a second", k.HZ)
	return notes
}

func lost(n int) string {
	if n == 0 {
		return ""
	}
	return answer.Count(n, "lost probe") + " and "
}

func do(n int) string {
	if n == 1 {
		return "does"
	}
	return "do"
}

// goalAnswer is the goal as the answer shows it.
func goalAnswer(a goal.Aim, k calc.Kernel) Goal {
	tcp, ok := a.TCP()
	g := Goal{
		Behind: []Box{}, SSHPathTimeout: answer.SecondsOrNull(a.SSH().PathTimeout),
		DetectWithin: answer.SecondsOrNull(a.Detect), SurviveLoss: a.Loss, HZ: k.HZ,
	}
	if ok {
		g.PathTimeout = answer.SecondsOrNull(tcp.PathTimeout)
	}
	for _, b := range a.Boxes {
		g.Behind = append(g.Behind, Box{Name: b.Name, Title: b.Title, Idle: answer.Seconds(b.Idle), Refreshes: b.Refreshes()})
	}
	return g
}

package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/middlebox"
	"github.com/tcpka/tcpka/internal/report"
	"github.com/tcpka/tcpka/internal/snippet"
	"github.com/tcpka/tcpka/keepalive"
)

func planCommand(s *session) *cli.Command {
	return &cli.Command{
		Name:      "plan",
		Usage:     "find the settings that meet a goal",
		UsageText: "tcpka plan [--behind NAME]... [--path-timeout T] [--detect-within T] [--survive-loss N] [--for TARGET]...",
		Description: `Finds the gentlest settings, those with the fewest packets, that keep an idle
connection open on a path and notice a dead peer in time: by their latest times,
with kernel timers as late as they can be, with the given number of probes lost
in a row, and from the moment the peer dies. The settings fit sysctls and sockets
alike. They are spelt for other software with --for. Behind what ends the TCP
connection, as a proxy does, TCP keepalive cannot help: it says so, and plans the
probes of SSH or of the application. Nothing is changed.

Exit status 1: no settings meet the goal.`,
		Flags: join(aimFlags("2"), []cli.Flag{
			&cli.StringSliceFlag{Name: "for", Usage: "print the settings for a `TARGET`, as nginx or kubernetes, or for all; several with commas, or by repeating it"},
			&cli.StringFlag{Name: "hz", Usage: "the CONFIG_HZ of the kernel it is for, a `NUMBER`; without it, this one's"},
		}, outputFlags()),
		Action: func(c *cli.Context) error { return planFor(s, c) },
	}
}

// aimFlags say what keepalive is wanted for.
func aimFlags(loss string) []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "behind", Usage: "a middlebox on the path, a `NAME` that tcpka show paths lists; several with commas, or by repeating it"},
		&cli.StringFlag{Name: "path-timeout", Usage: "how long the path remembers a silent connection: seconds, or `DURATION`"},
		&cli.StringFlag{Name: "detect-within", Usage: "how soon a dead peer has to be noticed: seconds, or `DURATION`"},
		&cli.StringFlag{Name: "survive-loss", Value: loss, Usage: "how many probes in a row may be lost, a `NUMBER`; plan counts in 2, check 0"},
	}
}

func planFor(s *session, c *cli.Context) error {
	if _, err := outputFormat(c); err != nil {
		return err
	}
	a, err := aimOf(c)
	if err != nil {
		return err
	}
	if a.empty() {
		return misuse("no goal").withHint("give at least one of --behind, --path-timeout, --detect-within, as in: tcpka plan --behind aws-nlb --detect-within 2m")
	}
	targets, err := targetsOf(c)
	if err != nil {
		return err
	}
	v, err := present(s, c)
	if err != nil {
		s.notice("%v; planned for a kernel with its defaults", err)
		v.kernel = calc.DefaultKernel()
	}
	if err := overrideKernel(c, &v); err != nil {
		return err
	}
	d := compute(a, v.kernel, targets)
	if err := s.render(c, d); err != nil {
		return err
	}
	if !d.Feasible {
		return failed(errors.New("no settings meet the goal"))
	}
	return nil
}

// aim is what the flags ask for.
type aim struct {
	boxes       []middlebox.Box
	pathTimeout time.Duration // given itself; 0 is not
	detect      time.Duration // 0 is not asked for
	loss        int
}

// The longest time that a goal may have.
const longestGoal = 366 * 24 * time.Hour

func aimOf(c *cli.Context) (aim, error) {
	var a aim
	for _, name := range namesIn(c, "behind") {
		b, err := lookup(name)
		if err != nil {
			return a, err
		}
		a.boxes = append(a.boxes, b)
	}
	for name, to := range map[string]*time.Duration{"path-timeout": &a.pathTimeout, "detect-within": &a.detect} {
		text, ok := given(c, name)
		if !ok {
			continue
		}
		d, err := parseDuration(text, time.Second)
		if err == nil && (d < time.Second || d > longestGoal) {
			err = errRange
		}
		if err != nil {
			return a, misuse("--%s %q: %w; accepted are whole seconds from 1 to %d (366d)", name, text, err, longestGoal/time.Second)
		}
		*to = d
	}
	const most = keepalive.MaxSocketProbes - 1
	text := c.String("survive-loss")
	n, err := parseNumber(text)
	if err == nil && (n < 0 || n > most) {
		err = errRange
	}
	if err != nil {
		return a, misuse("--survive-loss %q: %w; accepted are whole numbers from 0 to %d", text, err, most)
	}
	a.loss = n
	return a, nil
}

// namesIn are the values of a flag that may be repeated, or have several with commas
// between them.
func namesIn(c *cli.Context, name string) []string {
	var names []string
	for _, text := range c.StringSlice(name) {
		names = append(names, strings.Split(text, ",")...)
	}
	return names
}

// empty reports whether nothing is asked for.
func (a aim) empty() bool { return len(a.boxes) == 0 && a.pathTimeout == 0 && a.detect == 0 }

// targetsOf reads --for.
func targetsOf(c *cli.Context) ([]snippet.Target, error) {
	var targets []snippet.Target
	for _, name := range namesIn(c, "for") {
		if strings.EqualFold(name, "all") {
			return snippet.Targets(), nil
		}
		t, err := snippet.Lookup(name)
		unknown, ok := errors.AsType[*snippet.UnknownError](err)
		switch {
		case ok && len(unknown.Near) > 0 && name != "list":
			return nil, misuse("--for: %w", err).withHint("like it are %s", strings.Join(unknown.Near, ", "))
		case ok:
			return nil, misuse("--for: %w", err).withHint("the targets are all, %s", strings.Join(snippet.Names(), ", "))
		}
		targets = append(targets, t)
	}
	return targets, nil
}

// tcpGoal is what TCP keepalive can do of it; ok is false where that is nothing:
// all that is known of the path ends the TCP connection.
func (a aim) tcpGoal() (g calc.Goal, ok bool) {
	g = calc.Goal{PathTimeout: a.pathTimeout, DetectWithin: a.detect, SurviveLoss: a.loss}
	for _, b := range a.boxes {
		if b.Refreshes() {
			g.PathTimeout = smaller(g.PathTimeout, b.Idle)
		}
	}
	return g, g.PathTimeout != 0 || len(a.terminating()) == 0
}

// sshGoal is what SSH, or another application, has to do.
func (a aim) sshGoal() calc.Goal {
	g := calc.Goal{PathTimeout: a.pathTimeout, DetectWithin: a.detect, SurviveLoss: a.loss}
	for _, b := range a.boxes {
		g.PathTimeout = smaller(g.PathTimeout, b.Idle)
	}
	return g
}

// smaller is the smaller of two times, of which 0 is none.
func smaller(a, b time.Duration) time.Duration {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

// terminating are the names of what TCP keepalive does not get past.
func (a aim) terminating() []string {
	var names []string
	for _, b := range a.boxes {
		if !b.Refreshes() {
			names = append(names, b.Name)
		}
	}
	return names
}

// compute finds the settings, and says all there is to say about them.
func compute(a aim, k calc.Kernel, targets []snippet.Target) report.Plan {
	goal, ok := a.tcpGoal()
	ends := a.terminating()
	d := report.Plan{
		Schema: "tcpka/plan/v1", Goal: goalAnswer(a, k), Feasible: true,
		TCPEndsAt: append([]string{}, ends...), Reasons: []string{}, Notes: []string{}, Snippets: map[string]string{}, Commands: []string{},
	}
	var v snippet.Values
	if len(ends) > 0 {
		v.WhyNotTCP = noHelp(ends)
		d.Notes = append(d.Notes, v.WhyNotTCP)
	}
	if ok {
		settings, err := planTCP(k, goal)
		if err != nil {
			d.Feasible, d.Reasons = false, append(d.Reasons, reasons(err)...)
			v.WhyNotTCP = err.Error()
		} else {
			v.TCP = &settings
			v.Meets = func(s keepalive.Settings) bool { return k.Meets(goal, s) }
			d.SetTCP(settings, k, a.loss)
			d.Notes = append(d.Notes, why(k, goal, settings)...)
		}
	}
	ssh, err := calc.PlanSSH(a.sshGoal(), calc.SSHVersion{})
	switch {
	case err == nil:
		v.SSH = &ssh
		d.SetSSH(ssh)
		d.Notes = append(d.Notes, slowSSHD(a, ssh))
		if len(ends) > 0 {
			d.Notes = append(d.Notes, fmt.Sprintf("what is not SSH needs data of its own at least every %s: pings of WebSocket, HTTP/2 or gRPC, or of the application's protocol", report.Seconds(ssh.Interval).Both()))
		}
	case len(ends) > 0:
		d.Feasible, d.Reasons = false, append(d.Reasons, reasons(err)...)
	default:
		d.Notes = append(d.Notes, reasons(err)...)
	}
	if err != nil {
		v.WhyNotSSH = strings.Join(reasons(err), "\n")
	}
	for _, b := range a.boxes {
		if b.Confidence == middlebox.Low {
			d.Notes = append(d.Notes, fmt.Sprintf("%s: no document was read that backs its %s; measure the path", b.Name, report.Seconds(b.Idle).Both()))
		}
	}
	if !d.Feasible {
		return d
	}
	for _, t := range targets {
		text := t.Render(v)
		d.Snippets[t.Name] = text
		d.Targets = append(d.Targets, report.PlanTarget{Name: t.Name, Title: t.Title, Text: text})
	}
	if v.TCP != nil {
		d.Commands = []string{explainThese(*v.TCP), setThese(*v.TCP), "sudo tcpka set sockets --all --on " + socketArgs(*v.TCP) + " --dry-run"}
	}
	if v.SSH != nil {
		d.Commands = append(d.Commands, sshFix(calc.SSHClient, ssh))
	}
	return d
}

// planTCP looks for a user timeout, too, where data in flight could go unnoticed
// for longer than the goal has patience, and makes do without one.
func planTCP(k calc.Kernel, g calc.Goal) (keepalive.Settings, error) {
	bounded := g
	bounded.InFlight = smaller(g.PathTimeout, g.DetectWithin) < k.RetransmitBudget(k.Retries2) ||
		g.DetectWithin != 0 && g.DetectWithin < k.DataInFlight(0, 0).Latest
	if bounded.InFlight {
		if s, err := k.Plan(bounded, keepalive.Socket()); err == nil {
			return s, nil
		}
	}
	return k.Plan(g, keepalive.Socket())
}

// slowSSHD says what to write for the releases of sshd that probe at twice their
// interval. Which one it will be is not known.
func slowSSHD(a aim, planned calc.SSH) string {
	text := fmt.Sprintf("sshd 9.2 to 9.4, as in Debian 12, probes at twice ClientAliveInterval, and takes twice as long with %d; ", planned.Interval/time.Second)
	slow, err := calc.PlanSSH(a.sshGoal(), calc.SSHVersion{Major: 9, Minor: 2})
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

func noHelp(names []string) string {
	verb, it := "ends", "it"
	if len(names) > 1 {
		verb, it = "end", "them"
	}
	return fmt.Sprintf("%s %s the TCP connection: a keepalive probe gets to %s and no further, so no setting of TCP keepalive holds an idle connection open there or notices a dead peer behind %s",
		strings.Join(names, ", "), verb, it, it)
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
		add("intvl is longer than 10 s so that the user timeout fits: it must lie behind the last probe, and that can be %s s late", report.Seconds((k.Slack(s.Time) + time.Duration(s.Probes-1)*k.Slack(s.Intvl)).Round(time.Millisecond)))
	case s.Intvl < 10*time.Second:
		add("intvl is short, so that half of the time is left to silence; probes that close to each other are more likely to be lost together")
	default:
		add("intvl leaves 10 s between probes, because a loss is seldom alone")
	}
	if g.SurviveLoss == 0 {
		add("a single lost probe ends a healthy connection")
	} else {
		add("probes is one more than may be lost, so that %s in a row %s not end a healthy connection", count(g.SurviveLoss, "lost one"), do(g.SurviveLoss))
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

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func lost(n int) string {
	if n == 0 {
		return ""
	}
	return count(n, "lost probe") + " and "
}

func do(n int) string {
	if n == 1 {
		return "does"
	}
	return "do"
}

// goalAnswer is the goal as the answer shows it.
func goalAnswer(a aim, k calc.Kernel) report.PlanGoal {
	tcp, ok := a.tcpGoal()
	g := report.PlanGoal{
		Behind: []report.PlanBox{}, SSHPathTimeout: secondsOrNull(a.sshGoal().PathTimeout),
		DetectWithin: secondsOrNull(a.detect), SurviveLoss: a.loss, HZ: k.HZ,
	}
	if ok {
		g.PathTimeout = secondsOrNull(tcp.PathTimeout)
	}
	for _, b := range a.boxes {
		g.Behind = append(g.Behind, report.PlanBox{Name: b.Name, Title: b.Title, Idle: report.Seconds(b.Idle), Refreshes: b.Refreshes()})
	}
	return g
}

package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"

	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/netns"
	"github.com/tcpka/tcpka/internal/report"
	"github.com/tcpka/tcpka/internal/sysctld"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/sockets"
)

func checkCommand(s *session) *cli.Command {
	return s.onError(&cli.Command{
		Name:      "check",
		Usage:     "say whether a goal is met, and what to do where it is not",
		UsageText: "tcpka check [--behind NAME]... [--path-timeout T] [--detect-within T] [filters] [--ssh] [--netns NS] [-o FORMAT]",
		Description: `Checks the settings of the namespace, every live connection, and with --ssh also
ssh and sshd, against what the path remembers and how soon a dead peer has to be
noticed: by the latest times, with half a second for the way there and back, and of
an MPTCP connection by its program, which is told net.mptcp.close_timeout after its
last subflow ended. It says why something fails, and the command that mends it.
Nothing is changed. What it cannot promise is a death noticed while data is in
flight: see tcpka plan.

It looks at connections in ESTAB and CLOSE-WAIT (with --state at others, and at
listening sockets), except those of this host to itself. With the filters of show
sockets it looks at what they select, whatever that is; the settings of the
namespace then count only where a selected connection follows them, or where none
is selected, which is unknown at best. Where no process has the name that --comm
asks for, the settings are not judged either, and all is unknown. Without a goal it
reports what is harmful anyway.

It speaks as monitoring plugins do: one line first, and the exit status

  0 ok        the goal is met
  1 warning   it is met, but something mends itself or breaks later: an old timer
              leaves no room for a lost probe, data waits for an answer, probes
              go unanswered, a user timeout cuts the probes short, one lost probe
              ends a connection, the next boot sets other values
  2 critical  it is not met, or a setting drops healthy connections
  3 unknown   it could not be told, for want of rights, for an error or because the
              kernel does not say when a program of MPTCP notices, no connection
              matches the filter, or the command line makes no sense; what is
              critical is said all the same`,
		Flags: join(aimFlags("0"), filterFlags(), []cli.Flag{
			&cli.BoolFlag{Name: "ssh", Usage: "ask ssh and sshd, too, as tcpka show ssh does", DisableDefaultText: true},
		}, whereFlags()[:1], formatFlags("table, json or prometheus")),
		Action: func(c *cli.Context) error { return checkAll(s, c) },
	}, func(_ *cli.Context, err error) error { return asPlugin(s, err) })
}

func checkAll(s *session, c *cli.Context) error {
	format, err := outputFormat(c, "prometheus")
	if err != nil {
		return err
	}
	ck, err := checkerOf(s, c)
	if err != nil {
		return err
	}
	if err := ck.everywhere(); err != nil {
		return err
	}
	ck.elsewhere()
	ck.nothing(c)
	ck.proxies()
	if givenBool(c, "ssh") {
		if err := ck.ssh(c.Context); err != nil {
			return err
		}
	}
	d := ck.answer()
	switch format {
	case "json":
		err = report.JSON(s.stdout, d)
	case "prometheus":
		err = report.CheckMetrics(s.stdout, d)
	default:
		err = report.Table(s.stdout, d, s.style())
	}
	if err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	if exit := d.Status.Exit(); exit != 0 {
		return passed(exit)
	}
	return nil
}

// checker is a check on its way.
type checker struct {
	*session
	aim
	where
	goal  calc.Goal // what TCP keepalive can do for it
	noTCP bool      // it can do nothing

	filter   sockets.Filter
	filtered bool
	selected []string // the filter as it was given
	named    string   // --netns as it was given, and not all

	here   keepalive.Settings // of the namespace that tcpka runs in
	kernel calc.Kernel        // likewise
	sshToo bool

	met map[int]bool // processes that were asked for, and have connections here

	uncalled string // says that no process has the name that the filter asks for, or is empty

	doc    report.Check
	groups map[groupKey]*group
	order  []*group
}

func checkerOf(s *session, c *cli.Context) (*checker, error) {
	ck := &checker{session: s, groups: map[groupKey]*group{}, met: map[int]bool{}, sshToo: givenBool(c, "ssh")}
	var err error
	if ck.aim, err = aimOf(c); err != nil {
		return nil, err
	}
	goal, ok := ck.tcpGoal()
	if ck.goal, ck.noTCP = goal, !ok; ck.noTCP {
		ck.goal = calc.Goal{}
	}
	if ck.filter, ck.filtered, err = filterOf(c); err != nil {
		return nil, err
	}
	judged := sockets.StatesOf(sockets.Established, sockets.CloseWait, sockets.FinWait2, sockets.Listen)
	switch states := ck.filter.States; {
	case states == 0:
		ck.filter.States = sockets.StatesOf(sockets.Established, sockets.CloseWait)
	case states&judged == 0:
		return nil, misuse("--state: no connection in these states has keepalive").withHint("check looks at estab, close-wait, fin-wait-2 and listen")
	default:
		ck.filter.States &= judged
	}
	ck.uncalled = uncalled(ck.filter.Comms, "/proc")
	for _, flag := range filterFlags() {
		for _, value := range givenAll(c, flag.Names()[0]) {
			ck.selected = append(ck.selected, "--"+flag.Names()[0], value)
		}
	}
	if ck.where, err = whereOf(c); err != nil {
		return nil, err
	}
	if spec, ok := given(c, "netns"); ok && !ck.all {
		ck.named = spec
	}
	here, err := look(ck.root)
	if err != nil {
		return nil, s.permission(err)
	}
	ck.here, ck.kernel = here.settings, here.kernel
	ck.doc = report.Check{
		Schema: "tcpka/check/v1", Findings: []report.Finding{},
		Goal: report.CheckGoal{
			Behind: []string{}, PathTimeout: secondsOrNull(ck.goal.PathTimeout), SSHPathTimeout: secondsOrNull(ck.sshGoal().PathTimeout),
			DetectWithin: secondsOrNull(ck.detect), SurviveLoss: ck.loss,
		},
		Checked: report.CheckedCount{Namespaces: []string{}, SSH: []string{}},
	}
	for _, b := range ck.boxes {
		ck.doc.Goal.Behind = append(ck.doc.Goal.Behind, b.Name)
	}
	return ck, nil
}

// find adds what is not about connections. No fix is an empty one.
func (ck *checker) find(id string, severity report.Severity, subject, text, fix string) {
	ck.doc.Findings = append(ck.doc.Findings, report.Finding{
		ID: id, Severity: severity, Subject: subject, Text: text, Fix: textOrNull(fix),
	})
}

// everywhere looks at the namespaces.
func (ck *checker) everywhere() error {
	closed := 0
	var why error
	for _, ns := range ck.namespaces {
		err := ck.namespace(ns)
		switch {
		case err == nil:
		case !ck.all:
			return ck.permission(err)
		case !errors.Is(err, os.ErrNotExist): // or it has ended meanwhile
			closed++
			why = err
		}
	}
	if closed > 0 {
		ck.find(report.FindNotSeen, report.SeverityUnknown, fmt.Sprintf("%d of %d network namespaces", closed, len(ck.namespaces)),
			"they could not be looked at: "+why.Error(), ck.asRoot())
	}
	return nil
}

// asRoot is this command for someone who may see more, or "".
func (ck *checker) asRoot() string {
	if os.Geteuid() == 0 {
		return ""
	}
	return "sudo tcpka " + shellJoin(ck.args)
}

// elsewhere looks for processes that were asked for, have no connection here, and
// are in another namespace.
func (ck *checker) elsewhere() {
	if ck.named != "" || ck.all || ck.noTCP {
		return
	}
	for _, pid := range ck.filter.PIDs {
		if ck.met[pid] {
			continue
		}
		h, err := netns.Find(strconv.Itoa(pid))
		switch {
		case err != nil:
			ck.find(report.FindNotSeen, report.SeverityUnknown, fmt.Sprintf("process %d", pid), err.Error(), "")
		case h.Inode != ck.namespaces[0].Inode:
			ck.find(report.FindOtherNamespace, report.SeverityUnknown, fmt.Sprintf("process %d", pid),
				"it is in another network namespace: its connections have the values of that, and none of them is here",
				"sudo tcpka "+shellJoin(append(slices.Clone(ck.args), "--netns", strconv.Itoa(pid))))
		}
		if err == nil {
			h.Close()
		}
	}
}

// nothing says that the filter selects no connection: a name may be mistyped, or
// the program is not there. That none has keepalive off, or values of its own, is
// well.
func (ck *checker) nothing(c *cli.Context) {
	if ck.noTCP || ck.doc.Checked.Sockets > 0 || slices.ContainsFunc(ck.doc.Findings, func(f report.Finding) bool { return f.Severity == report.SeverityUnknown }) {
		return
	}
	for _, name := range []string{"pid", "comm", "port", "local", "remote", "cgroup"} {
		if len(givenAll(c, name)) > 0 {
			text := "no connection matches it, so none could be judged"
			if ck.uncalled != "" {
				text += ": " + ck.uncalled
			}
			ck.find(report.FindNoMatch, report.SeverityUnknown, "the filter", text, "")
			return
		}
	}
}

// proxies says what ends the TCP connection on the path.
func (ck *checker) proxies() {
	names := ck.terminating()
	if len(names) == 0 {
		return
	}
	severity, text, fix := report.SeverityCritical, noHelp(names), ""
	if ssh, err := ck.plannedSSH(); err == nil {
		text += "; data of the application does, at least every " + report.Seconds(ssh.Interval).Both() + ", and so do the probes of SSH"
		fix = sshFix(calc.SSHClient, ssh)
	}
	if ck.sshToo { // which is judged by itself, and has the fix
		severity, fix = report.SeverityOK, ""
	}
	ck.find(report.FindL7Hop, severity, "the path", text, fix)
}

// bootLasts compares what runs with what the next boot sets.
func (ck *checker) bootLasts(v *view) {
	files, err := sysctld.Load(ck.root)
	if err != nil { // the rest holds all the same
		ck.find(report.FindNotSeen, report.SeverityUnknown, "the next boot", err.Error(), ck.asRoot())
	}
	reader := sysctld.Procps
	if _, err := os.Stat(ck.root.Path("/run/systemd/system")); err == nil { // sd_booted(3)
		reader = sysctld.Systemd
	}
	after, deciding := atBoot(files, reader, v.kernel.HZ)
	if after == v.settings {
		return
	}
	text := ""
	for _, key := range keys() {
		if numbers(after)[key] == numbers(v.settings)[key] {
			continue
		}
		if text != "" {
			text += "; "
		}
		text += fmt.Sprintf("%s is %d now", key, numbers(v.settings)[key])
		if a, ok := deciding[key]; ok {
			text += fmt.Sprintf(", and %s:%d sets %d", a.Path, a.Line, numbers(after)[key])
		} else {
			text += fmt.Sprintf(", and no file sets it, so that the kernel's %d comes back", numbers(after)[key])
		}
	}
	fix := ""
	if v.misses == "" {
		fix = "sudo tcpka set " + valueArgs(v.settings) + " --persist"
	} else if s, err := ck.planned(v.kernel, ck.goal, v.settings); err == nil {
		fix = v.set(s, true)
	}
	ck.find(report.FindBootDiffers, report.SeverityWarning, "the next boot", text, fix)
}

// answer is the document.
func (ck *checker) answer() report.Check {
	for _, g := range ck.order {
		ck.doc.Findings = append(ck.doc.Findings, ck.finding(g))
	}
	ck.doc.Judge()
	return ck.doc
}

// planned are settings that meet a goal, which asks for times where the check does, and
// survive the loss of two probes, if that can be. Where no time is asked for those of now that do no harm stay, and the
// kernel's own take the place of the others.
func (ck *checker) planned(k calc.Kernel, g calc.Goal, now keepalive.Settings) (keepalive.Settings, error) {
	if ck.timeless() {
		s := keepalive.Defaults()
		if now.Time > 0 {
			s.Time = now.Time
		}
		if now.Intvl > 0 && now.Intvl <= keepalive.MaxSocketIntvl {
			s.Intvl = now.Intvl
		}
		s.Probes = max(s.Probes, g.SurviveLoss+1)
		if now.Probes > max(1, g.SurviveLoss) {
			s.Probes = now.Probes
		}
		return s, nil
	}
	if g.SurviveLoss < 2 {
		g.SurviveLoss = 2
		if s, err := planTCP(k, g); err == nil {
			return s, nil
		}
		g.SurviveLoss = ck.goal.SurviveLoss
	}
	return planTCP(k, g)
}

// timeless reports whether no time is asked for.
func (ck *checker) timeless() bool { return ck.goal.PathTimeout == 0 && ck.goal.DetectWithin == 0 }

// Package check is tcpka check: does what is in force meet a goal? It speaks as monitoring
// plugins do.
package check

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"

	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/change/connections"
	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/internal/goal"
	"github.com/tcpka/tcpka/internal/netns"
	"github.com/tcpka/tcpka/internal/nextboot"
	"github.com/tcpka/tcpka/internal/suggest"
	"github.com/tcpka/tcpka/internal/sysctld"
	"github.com/tcpka/tcpka/internal/target"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/sockets"
)

// Command is tcpka check.
func Command(s *cmdline.Invocation) *cli.Command {
	return s.OnError(&cli.Command{
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

It looks at connections in ESTAB, FIN-WAIT-2 and CLOSE-WAIT that their programs have
not closed (with --state at listening sockets, too), except those of this host to itself. With the filters of show
sockets it looks at what they select, whatever that is; the settings of the
namespace then count only where a selected connection follows them, or where none
is selected, which is unknown at best. --silent-for T selects those whose peer has sent
no data for that long, and names each: as one whose kernel answers, so that its program
hangs or has nothing to say, or as one that nobody has asked. Where no process has the name that --comm
asks for, the settings are not judged either, and all is unknown. Without a goal it
reports what is harmful anyway.

It speaks as monitoring plugins do: one line first, and the exit status

  0 ok        the goal is met
  1 warning   it is met, but something mends itself or breaks later: an old timer
              leaves no room for a lost probe, data waits for an answer, probes
              go unanswered, a user timeout cuts the probes short, one lost probe
              ends a connection, a unit seems mixed up, the next boot sets other
              values, a peer has been silent for what --silent-for asks
  2 critical  it is not met, or a setting drops healthy connections
  3 unknown   it could not be told, for want of rights, for an error or because the
              kernel does not say when a program of MPTCP notices, no connection
              matches the filter, or the command line makes no sense; what is
              critical is said all the same`,
		Flags: cmdline.Join(goal.Flags("0"), target.FilterFlags(), []cli.Flag{
			&cli.BoolFlag{Name: "ssh", Usage: "ask ssh and sshd, too, as tcpka show ssh does", DisableDefaultText: true},
		}, cmdline.WhereFlags()[:1], cmdline.FormatFlags("table, json or prometheus")),
		Action: func(c *cli.Context) error { return run(s, c) },
	}, func(_ *cli.Context, err error) error { return asPlugin(s, err) })
}

func run(s *cmdline.Invocation, c *cli.Context) error {
	format, err := cmdline.OutputFormat(c, "prometheus")
	if err != nil {
		return err
	}
	ck, err := checkerOf(s, c)
	if err != nil {
		return err
	}
	defer ck.judged.Close()
	defer ck.reached.Close()
	if err := ck.everywhere(); err != nil {
		return err
	}
	ck.elsewhere()
	ck.nothing(c)
	ck.proxies()
	if cmdline.GivenBool(c, "ssh") {
		if err := ck.ssh(c.Context); err != nil {
			return err
		}
	}
	d := ck.answer()
	switch format {
	case "json":
		err = answer.JSON(s.Stdout, d)
	case "prometheus":
		err = Metrics(s.Stdout, d)
	default:
		err = answer.Table(s.Stdout, d, s.Style())
	}
	if err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	if exit := d.Status.Exit(); exit != 0 {
		return cmdline.Passed(exit)
	}
	return nil
}

// checker is a check on its way.
type checker struct {
	*cmdline.Invocation
	goal.Aim
	target.Where
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

	talking int // connections that the filter would mean but for --silent-for

	uncalled string // says that no process has the name that the filter asks for, or is empty

	// What the lists of all namespaces share: of those that are judged, and of all that
	// a fix would reach.
	judged, reached sockets.Shared

	doc    Document
	groups map[groupKey]*group
	order  []*group
}

func checkerOf(s *cmdline.Invocation, c *cli.Context) (*checker, error) {
	ck := &checker{Invocation: s, groups: map[groupKey]*group{}, met: map[int]bool{}, sshToo: cmdline.GivenBool(c, "ssh")}
	var err error
	if ck.Aim, err = goal.Read(c); err != nil {
		return nil, err
	}
	goal, ok := ck.TCP()
	if ck.goal, ck.noTCP = goal, !ok; ck.noTCP {
		ck.goal = calc.Goal{}
	}
	if ck.filter, ck.filtered, err = target.FilterOf(c); err != nil {
		return nil, err
	}
	judged := connections.Tunable(true) // a fix is for no others
	switch states := ck.filter.States; {
	case states == 0:
		ck.filter.States = connections.Tunable(false)
	case states&judged == 0:
		return nil, cmdline.Misuse("--state: no connection in these states has keepalive").WithHint("check looks at estab, fin-wait-2, close-wait and listen")
	default:
		ck.filter.States &= judged
	}
	ck.uncalled = target.Uncalled(ck.filter.Comms, "/proc")
	for _, flag := range target.FilterFlags() {
		for _, value := range target.GivenAll(c, flag.Names()[0]) {
			ck.selected = append(ck.selected, "--"+flag.Names()[0], value)
		}
	}
	if ck.Where, err = target.WhereOf(c); err != nil {
		return nil, err
	}
	if spec, ok := cmdline.Given(c, "netns"); ok && !ck.All {
		ck.named = spec
	}
	here, err := target.Look(ck.Root)
	if err != nil {
		return nil, s.Permission(err)
	}
	ck.here, ck.kernel = here.Settings, here.Kernel
	ck.doc = Document{
		Schema: "tcpka/check/v1", Findings: []Finding{},
		Goal: Goal{
			Behind: []string{}, PathTimeout: answer.SecondsOrNull(ck.goal.PathTimeout), SSHPathTimeout: answer.SecondsOrNull(ck.SSH().PathTimeout),
			DetectWithin: answer.SecondsOrNull(ck.Detect), SurviveLoss: ck.Loss,
		},
		Checked: Count{Namespaces: []string{}, SSH: []string{}},
	}
	for _, b := range ck.Boxes {
		ck.doc.Goal.Behind = append(ck.doc.Goal.Behind, b.Name)
	}
	return ck, nil
}

// find adds what is not about connections. No fix is an empty one.
func (ck *checker) find(id string, severity Severity, subject, text, fix string) {
	ck.doc.Findings = append(ck.doc.Findings, Finding{
		ID: id, Severity: severity, Subject: subject, Text: text, Fix: answer.TextOrNull(fix),
	})
}

// everywhere looks at the namespaces.
func (ck *checker) everywhere() error {
	closed := 0
	var why error
	for _, ns := range ck.Namespaces {
		err := ck.namespace(ns)
		switch {
		case err == nil:
		case !ck.All:
			return ck.Permission(err)
		case !errors.Is(err, os.ErrNotExist): // or it has ended meanwhile
			closed++
			why = err
		}
	}
	if closed > 0 {
		ck.find(FindNotSeen, SeverityUnknown, fmt.Sprintf("%d of %d network namespaces", closed, len(ck.Namespaces)),
			"they could not be looked at: "+why.Error(), ck.asRoot())
	}
	return nil
}

// asRoot is this command for someone who may see more, or "".
func (ck *checker) asRoot() string {
	if os.Geteuid() == 0 {
		return ""
	}
	return "sudo tcpka " + suggest.ShellJoin(ck.Args)
}

// elsewhere looks for processes that were asked for, have no connection here, and
// are in another namespace.
func (ck *checker) elsewhere() {
	if ck.named != "" || ck.All || ck.noTCP {
		return
	}
	for _, pid := range ck.filter.PIDs {
		if ck.met[pid] {
			continue
		}
		h, err := netns.Find(strconv.Itoa(pid))
		switch {
		case err != nil:
			ck.find(FindNotSeen, SeverityUnknown, fmt.Sprintf("process %d", pid), err.Error(), "")
		case h.Inode != ck.Namespaces[0].Inode:
			ck.find(FindOtherNamespace, SeverityUnknown, fmt.Sprintf("process %d", pid),
				"it is in another network namespace: its connections have the values of that, and none of them is here",
				"sudo tcpka "+suggest.ShellJoin(append(slices.Clone(ck.Args), "--netns", strconv.Itoa(pid))))
		}
		if err != nil {
			continue
		}
		if at := ""; h.Inode == ck.Namespaces[0].Inode {
			if at = target.Stray(pid, ck.Where); at != "" {
				ck.find(FindOtherNamespace, SeverityUnknown, fmt.Sprintf("process %d", pid),
					"it holds sockets of another network namespace than it is in: its connections have the values of that, and none of them is here",
					"sudo tcpka "+suggest.ShellJoin(append(slices.Clone(ck.Args), "--netns", at)))
			}
		}
		h.Close()
	}
}

// nothing says that the filter selects no connection: a name may be mistyped, or
// the program is not there. That none has keepalive off, or values of its own, is
// well.
func (ck *checker) nothing(c *cli.Context) {
	if ck.noTCP || ck.doc.Checked.Sockets+ck.talking > 0 || slices.ContainsFunc(ck.doc.Findings, func(f Finding) bool { return f.Severity == SeverityUnknown }) {
		return
	}
	for _, name := range []string{"pid", "comm", "port", "local", "remote", "cgroup"} {
		if len(target.GivenAll(c, name)) > 0 {
			text := "no connection matches it, so none could be judged"
			if ck.uncalled != "" {
				text += ": " + ck.uncalled
			}
			ck.find(FindNoMatch, SeverityUnknown, "the filter", text, "")
			return
		}
	}
}

// proxies says what ends the TCP connection on the path.
func (ck *checker) proxies() {
	names := ck.Terminating()
	if len(names) == 0 {
		return
	}
	severity, text, fix := SeverityCritical, goal.NoHelp(names), ""
	if ssh, err := ck.plannedSSH(); err == nil {
		text += "; data of the application does, at least every " + answer.Seconds(ssh.Interval).Both() + ", and so do the probes of SSH"
		fix = suggest.SSHFix(calc.SSHClient, ssh)
	}
	if ck.sshToo { // which is judged by itself, and has the fix
		severity, fix = SeverityOK, ""
	}
	ck.find(FindL7Hop, severity, "the path", text, fix)
}

// bootLasts compares what runs with what the next boot sets.
func (ck *checker) bootLasts(v *view) {
	files, err := sysctld.Load(ck.Root)
	if err != nil { // the rest holds all the same
		ck.find(FindNotSeen, SeverityUnknown, "the next boot", err.Error(), ck.asRoot())
	}
	reader := sysctld.Procps
	if _, err := os.Stat(ck.Root.Path("/run/systemd/system")); err == nil { // sd_booted(3)
		reader = sysctld.Systemd
	}
	after, deciding := nextboot.At(files, reader, v.kernel.HZ)
	if after == v.settings {
		return
	}
	text := ""
	for _, key := range nextboot.Keys() {
		if nextboot.Numbers(after)[key] == nextboot.Numbers(v.settings)[key] {
			continue
		}
		if text != "" {
			text += "; "
		}
		text += fmt.Sprintf("%s is %d now", key, nextboot.Numbers(v.settings)[key])
		if a, ok := deciding[key]; ok {
			text += fmt.Sprintf(", and %s sets %d", a.Source(), nextboot.Numbers(after)[key])
		} else {
			text += fmt.Sprintf(", and no file sets it, so that the kernel's %d comes back", nextboot.Numbers(after)[key])
		}
		for _, stray := range files.Strays(key) {
			text += fmt.Sprintf("; %s:%d is meant for it and sets nothing: %s", stray.Path, stray.Line, stray.Why)
		}
	}
	fix := ""
	if v.misses == "" {
		fix = "sudo tcpka set " + suggest.ValueArgs(v.settings) + " --persist"
	} else if s, err := ck.planned(v.kernel, ck.goal, v.settings); err == nil {
		fix = v.set(s, true)
	}
	ck.find(FindBootDiffers, SeverityWarning, "the next boot", text, fix)
}

// answer is the document.
func (ck *checker) answer() Document {
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
		_, now = calc.UnitMistakes(now)
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
		if s, err := goal.PlanTCP(k, g); err == nil {
			return s, nil
		}
		g.SurviveLoss = ck.goal.SurviveLoss
	}
	return goal.PlanTCP(k, g)
}

// timeless reports whether no time is asked for.
func (ck *checker) timeless() bool { return ck.goal.PathTimeout == 0 && ck.goal.DetectWithin == 0 }

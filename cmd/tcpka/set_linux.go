package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/tcpka/tcpka/internal/report"
	"github.com/tcpka/tcpka/internal/rootfs"
	"github.com/tcpka/tcpka/journal"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/procfs"
	"github.com/tcpka/tcpka/sysctld"
)

func (s *session) setCommand() *cli.Command {
	return &cli.Command{
		Name:      "set",
		Usage:     "change the keepalive settings, now and at boot",
		UsageText: "tcpka set [--time T] [--intvl T] [--probes N] [--persist] [-n] [options]",
		Description: `Changes the kernel's keepalive settings of this network namespace: those given,
the others stay. Each value is read back; if one cannot be written, the ones
before it are restored. The change is recorded first, so that tcpka undo takes
it back. Needs root, or CAP_NET_ADMIN.

It does not reach sockets with values of their own, other network namespaces
(containers), or, where the time is lowered, timers that already run.`,
		Flags: join(valueFlags(), []cli.Flag{
			&cli.StringFlag{Name: "user-timeout", Hidden: true},
			&cli.BoolFlag{Name: "reset", Usage: "set the kernel's defaults: 7200, 75, 9", DisableDefaultText: true},
			&cli.BoolFlag{Name: "persist", Usage: "also for the next boot, in /etc/sysctl.d/99-tcpka.conf", DisableDefaultText: true},
			&cli.BoolFlag{Name: "persist-only", Usage: "only for the next boot", DisableDefaultText: true},
			&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "show what would change, and write nothing", DisableDefaultText: true},
			&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "do not ask before changing several namespaces", DisableDefaultText: true},
			&cli.BoolFlag{Name: "no-journal", Usage: "do not record the change: there will be no undo", DisableDefaultText: true},
		}, outputFlags(), whereFlags()),
		Action: s.set,
	}
}

func (s *session) set(c *cli.Context) error {
	if _, err := outputFormat(c); err != nil {
		return err
	}
	if _, ok := given(c, "user-timeout"); ok {
		return misuse("--user-timeout: there is no sysctl for it").
			withHint("TCP_USER_TIMEOUT is an option of each socket; tcpka explain --user-timeout shows what it does")
	}
	persist, persistOnly := givenBool(c, "persist"), givenBool(c, "persist-only")
	if persist && persistOnly {
		return misuse("--persist and --persist-only exclude each other")
	}
	if _, named := given(c, "netns"); named && (persist || persistOnly) {
		return misuse("--persist and --netns exclude each other: the boot file is for the whole machine")
	}
	w, err := whereOf(c)
	if err != nil {
		return err
	}
	ch, err := s.wanted(c, w)
	if err != nil {
		return err
	}
	gather := func() (*plan, report.Set, error) {
		p := &plan{where: w, hz: hzOf(w.root)}
		if !persistOnly {
			if err := p.addRuntime(w, ch); err != nil {
				return nil, report.Set{}, s.advise(err, ch)
			}
		}
		if persist || persistOnly {
			if err := p.addBoot(ch); err != nil {
				return nil, report.Set{}, s.advise(err, ch)
			}
		}
		return p, p.document(), nil
	}
	p, d, err := gather()
	if err != nil {
		return err
	}
	if d.DryRun = givenBool(c, "dry-run"); d.DryRun || !d.Changed {
		return s.finish(c, p, d, p.failures())
	}
	if err := s.confirm(c, w, p, d); err != nil {
		return err
	}
	var j *journal.Journal
	if !givenBool(c, "no-journal") {
		if j, err = openJournal(w.root); err != nil {
			err = fmt.Errorf("nothing was changed, as it could not be recorded for undo: %w", err)
			if errors.Is(err, os.ErrPermission) && os.Geteuid() != 0 {
				return s.permission(err)
			}
			return failed(err).withHint("--no-journal changes it all the same")
		}
		defer j.Close()
		// From here on no other tcpka makes changes; one may have just before.
		if p, d, err = gather(); err != nil {
			return err
		}
	}
	id, err := s.carryOut(p, j)
	if err != nil && !p.anyApplied() {
		return s.advise(err, ch)
	}
	d = p.document()
	if id != "" {
		d.Undo, d.UndoCommand = &id, s.undoCommandLine(c, id)
	}
	return s.finish(c, p, d, err)
}

// undoCommandLine is what takes the command back, as it has to be typed.
func (s *session) undoCommandLine(c *cli.Context, id string) string {
	words := []string{"tcpka", "undo", id}
	if dir, ok := given(c, "root"); ok {
		words = append(words, "--root", dir)
	}
	if os.Getenv("SUDO_UID") != "" {
		words = append([]string{"sudo"}, words...)
	}
	return shellJoin(words)
}

func namespaces(n int) string {
	if n == 1 {
		return "1 namespace"
	}
	return fmt.Sprintf("%d namespaces", n)
}

// carryOut makes the changes between two records in the journal: what is about
// to be done, and what was.
func (s *session) carryOut(p *plan, j *journal.Journal) (id string, err error) {
	changes, applied := p.record()
	defer holdSignals()()
	if j != nil {
		if id, err = j.Begin(shellJoin(s.args), changes); err != nil {
			return "", err
		}
	}
	err = p.apply()
	if j == nil {
		return "", err
	}
	if !p.anyApplied() {
		if !p.restored() { // the record stays, so that undo knows
			return "", failed(err).withHint("to take back what is left of it: tcpka undo %s", id)
		}
		return "", errors.Join(err, j.Undone(id))
	}
	return id, errors.Join(err, j.Done(id, applied()))
}

// holdSignals ignores, for the milliseconds a write takes, the signals that
// would end it half-way. The function it returns lets them through again.
func holdSignals() (release func()) {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}
	// What was ignored before, as under nohup, stays so.
	signals = slices.DeleteFunc(signals, signal.Ignored)
	if len(signals) == 0 { // for Ignore and Reset that means all
		return func() {}
	}
	signal.Ignore(signals...)
	return func() { signal.Reset(signals...) }
}

// finish renders the answer. err is what could not be done of it: exit 3, as
// for a boot file that another one beats.
func (s *session) finish(c *cli.Context, p *plan, d report.Set, err error) error {
	if rerr := s.render(c, d); rerr != nil && d.Undo != nil {
		return &failure{err: rerr, status: statusPartly, hint: "the change was made; to take it back: " + d.UndoCommand}
	} else if rerr != nil {
		return rerr
	}
	if err != nil {
		return &failure{err: err, status: statusPartly, hint: "the rest was done"}
	}
	lines, err := p.beaten()
	if err != nil || len(lines) == 0 {
		return err
	}
	if d.DryRun {
		s.notice("%s would not be in force at the next boot: %s", p.root.Path(sysctld.DropIn), strings.Join(lines, "; "))
		return nil
	}
	return &failure{
		err:    fmt.Errorf("%s is written, but not in force at the next boot: %s", p.root.Path(sysctld.DropIn), strings.Join(lines, "; ")),
		status: statusPartly,
		hint:   "change or remove those lines",
	}
}

// openJournal opens the caller's journal for writing and locks it.
func openJournal(root rootfs.FS) (*journal.Journal, error) {
	dir, err := journal.Locate(root, os.Getenv)
	if err != nil {
		return nil, err
	}
	return dir.Open()
}

// wanted reads what to set, within what the kernel accepts and does no harm.
func (s *session) wanted(c *cli.Context, w where) (keepalive.Change, error) {
	ch, err := change(c, keepalive.Sysctl(hzOf(w.root)))
	if err != nil {
		return ch, err
	}
	if givenBool(c, "reset") {
		if !ch.Empty() {
			return ch, misuse("--reset sets all three: it goes with none of --time, --intvl, --probes")
		}
		d := keepalive.Defaults()
		return keepalive.Change{Time: &d.Time, Intvl: &d.Intvl, Probes: &d.Probes}, nil
	}
	if ch.Empty() {
		return ch, misuse("nothing to set").withHint("give at least one of --time, --intvl, --probes, or --reset")
	}
	return ch, nil
}

// confirm asks before several namespaces are changed.
func (s *session) confirm(c *cli.Context, w where, p *plan, d report.Set) error {
	if !w.all || givenBool(c, "yes") {
		return nil
	}
	n := 0
	for _, r := range p.runtime {
		if r.err == nil && r.change.Apply(r.old) != r.old {
			n++
		}
	}
	if s.stdin == nil || !term.IsTerminal(int(s.stdin.Fd())) {
		return misuse("this changes %s, and there is no terminal to ask", namespaces(n)).withHint("add --yes, or --dry-run to see what would change")
	}
	if err := report.Table(s.stderr, d, s.style()); err != nil {
		return err
	}
	fmt.Fprintf(s.stderr, "\nChange %s? [y/N] ", namespaces(n))
	answer, err := bufio.NewReader(s.stdin).ReadString('\n')
	if a := strings.ToLower(strings.TrimSpace(answer)); err != nil || a != "y" && a != "yes" {
		return failed(errors.New("not confirmed, nothing was changed"))
	}
	return nil
}

// advise adds what to do about a failed write.
func (s *session) advise(err error, ch keepalive.Change) error {
	values, _ := procfs.Values(ch)
	_, sysctl := errors.AsType[*sysctlError](err)
	switch {
	case sysctl && errors.Is(err, unix.EROFS):
		var flags []string
		for _, v := range values {
			flags = append(flags, fmt.Sprintf("--sysctl %s=%d", v.Key, v.N))
		}
		return failed(err).withHint("a container's /proc/sys is read-only: give the values to its runtime, as in docker run %s, or in Kubernetes as securityContext.sysctls of the pod", strings.Join(flags, " "))
	case errors.Is(err, sysctld.ErrNotDirectory):
		var lines []string
		for _, v := range values {
			lines = append(lines, fmt.Sprintf("boot.kernel.sysctl.%q = %d;", v.Key, v.N))
		}
		return failed(err).withHint("/etc is made by a tool here; tell it instead, on NixOS: %s", strings.Join(lines, " "))
	case errors.Is(err, sysctld.ErrForeign), errors.Is(err, sysctld.ErrNotFile):
		return failed(err).withHint("move it away, or leave out --persist")
	}
	return s.permission(err)
}

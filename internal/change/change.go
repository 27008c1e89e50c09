// Package change is the one way to change something and to take it back: plan, show, ask,
// record, apply, read back, undo. How a kind of change is made it does not know: each has a
// folder below, with its plan, what applies it and what takes it back side by side. The
// documents of all are here, as one answer can have several.
package change

import (
	"bufio"
	"errors"
	"fmt"
	"iter"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/internal/journal"
	"github.com/tcpka/tcpka/internal/rootfs"
	"github.com/tcpka/tcpka/internal/suggest"
)

// Plan is what a command is about to change: gathered and computed, nothing
// written. Whatever the kind of change, all go the same way, see [Make].
type Plan interface {
	// AnyChange reports whether there is anything to change.
	AnyChange() bool

	// Document is the plan as an answer, with what was applied of it so far.
	Document() Set

	// Touches is what has to be asked about: "3 namespaces". Empty asks nothing.
	Touches() string

	// Record is the plan as the journal has it; nil is nothing to record. applied says,
	// when the plan was carried out, which of the changes were made: their indices, or
	// nil for all of them.
	Record() (changes iter.Seq[journal.Change], applied func() []int)

	// Apply makes the changes, and the error is what could not be changed. A plan
	// that takes long ends early when something comes from interrupted; one that
	// takes milliseconds need not look.
	Apply(interrupted <-chan os.Signal) error

	// AnyApplied reports whether anything was changed. Where Apply failed and
	// nothing was, Restored reports whether everything is as it was before.
	AnyApplied() bool
	Restored() bool

	// Failures is what was left out of the plan, as it cannot be changed.
	Failures() error

	// Beaten is a failure with exit status 3 where the change is written, or will
	// be, and still is not in force.
	Beaten(dryRun bool) error
}

// ErrStopped is the end of a change that was interrupted.
var ErrStopped = errors.New("stopped")

// ChangeFlags are what every command that changes something has.
func ChangeFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "show what would change, and write nothing", DisableDefaultText: true},
		&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "do not ask", DisableDefaultText: true},
		&cli.BoolFlag{Name: "no-journal", Usage: "do not record the change: there will be no undo", DisableDefaultText: true},
	}
}

// Job is a command that changes something.
type Job struct {
	Root rootfs.FS // whose journal it is
	// Gather plans the change. It is called again when it is sure that no other
	// tcpka makes changes, because one may have just before.
	Gather func() (Plan, error)
	Advise func(error) error // adds what to do about a failed write
}

// Make plans, asks, records, changes and answers.
func Make(s *cmdline.Invocation, c *cli.Context, j Job) error {
	p, err := j.Gather()
	if err != nil {
		return err
	}
	if dryRun := cmdline.GivenBool(c, "dry-run"); dryRun || !p.AnyChange() {
		if dryRun && p.AnyChange() && !cmdline.GivenBool(c, "no-journal") {
			noticeJournal(s, j.Root)
		}
		d := p.Document()
		d.DryRun = dryRun
		return Finish(s, c, p, d, p.Failures())
	}
	shown, err := confirm(s, c, p)
	if err != nil {
		return err
	}
	var log *journal.Journal
	if !cmdline.GivenBool(c, "no-journal") {
		if log, err = openJournal(j.Root); err != nil {
			return notRecorded(s, err)
		}
		defer log.Close()
		// From here on no other tcpka makes changes; one may have just before.
		if p, err = j.Gather(); err != nil {
			return err
		}
		if !p.AnyChange() {
			return Finish(s, c, p, p.Document(), p.Failures())
		}
	}
	id, err := carryOut(s, p, log)
	if err != nil && !p.AnyApplied() {
		return j.Advise(err)
	}
	d := p.Document()
	if id != "" {
		d.Undo, d.UndoCommand = &id, UndoCommandLine(c, id)
	}
	d.AsShown = err == nil && shown != nil && s.Style().Terminal && d.Fulfils(*shown)
	return Finish(s, c, p, d, err)
}

// confirm asks before something is changed that is not only the caller's matter. It
// returns the plan that it has shown; nil is that it need not ask.
func confirm(s *cmdline.Invocation, c *cli.Context, p Plan) (shown *Set, err error) {
	what := p.Touches()
	if what == "" || cmdline.GivenBool(c, "yes") {
		return nil, nil
	}
	if s.Stdin == nil || cmdline.Terminal(s.Stdin) == nil {
		return nil, cmdline.Misuse("this changes %s, and there is no terminal to ask", what).WithHint("add --yes, or --dry-run to see what would change")
	}
	d := p.Document()
	if err := answer.Table(s.Stderr, d, cmdline.StyleOf(s.Stderr)); err != nil {
		return nil, err
	}
	fmt.Fprintf(s.Stderr, "\nChange %s? [y/N] ", answer.Escape(what))
	answer, err := bufio.NewReader(s.Stdin).ReadString('\n')
	if a := strings.ToLower(strings.TrimSpace(answer)); err != nil || a != "y" && a != "yes" {
		return nil, cmdline.Failed(errors.New("not confirmed, nothing was changed"))
	}
	if !cmdline.StyleOf(s.Stderr).Terminal {
		return nil, nil
	}
	return &d, nil
}

// openJournal opens the caller's journal for writing and locks it.
func openJournal(root rootfs.FS) (*journal.Journal, error) {
	dir, err := journal.Locate(root, os.Getenv)
	if err != nil {
		return nil, err
	}
	return dir.Open()
}

// notRecorded is why nothing was changed, where the journal cannot be written.
func notRecorded(s *cmdline.Invocation, err error) error {
	err = fmt.Errorf("nothing was changed, as it could not be recorded for undo: %w", err)
	const without = "--no-journal changes it all the same"
	advised := AdviseJournal(s, err)
	f, ok := errors.AsType[*cmdline.Failure](advised)
	switch {
	case !ok:
		return cmdline.Failed(err).WithHint(without)
	case !errors.Is(err, os.ErrPermission) && !errors.Is(err, journal.ErrLocked):
		f.Hint += "; " + without
	}
	return advised
}

// AdviseJournal adds what to do about a journal that cannot be read or written.
func AdviseJournal(s *cmdline.Invocation, err error) error {
	untrusted, ok := errors.AsType[*journal.UntrustedError](err)
	switch {
	case ok && untrusted.Fix != "":
		return cmdline.Failed(err).WithHint("%s", untrusted.Fix)
	case errors.Is(err, journal.ErrLocked):
		return cmdline.Failed(err).WithHint("wait for it: set sockets --jitter may take as long as it was told to")
	case errors.Is(err, journal.ErrFull):
		return cmdline.Failed(err).WithHint("take some of them back, or let them be by tcpka undo --forget ID: the next command then leaves them out; they are listed by: tcpka undo --list")
	case errors.Is(err, journal.ErrTooLong):
		return cmdline.Failed(err).WithHint("move the file away, and a new one begins; what it has can then not be undone")
	}
	return s.Permission(err)
}

// noticeJournal says of a dry run that the change could not be recorded. Nothing is made.
func noticeJournal(s *cmdline.Invocation, root rootfs.FS) {
	dir, err := journal.Locate(root, os.Getenv)
	if err == nil {
		err = dir.Writable()
	}
	if err != nil {
		NoticeRefused(s, notRecorded(s, err))
	}
}

// NoticeRefused says of a dry run why the command itself would fail, and what to do.
func NoticeRefused(s *cmdline.Invocation, err error) {
	hint := ""
	if f, ok := errors.AsType[*cmdline.Failure](err); ok && f.Hint != "" {
		hint = "; " + f.Hint
	}
	s.Notice("without --dry-run this would be refused: %v%s", err, hint)
}

// carryOut makes the changes between two records in the journal: what is about
// to be done, and what was. Without a journal id is empty.
func carryOut(s *cmdline.Invocation, p Plan, log *journal.Journal) (id string, err error) {
	changes, applied := p.Record()
	interrupted, release := holdSignals()
	defer release()
	if log == nil || changes == nil {
		return "", p.Apply(interrupted)
	}
	if id, err = log.BeginSeq(suggest.ShellJoin(s.Args), changes); err != nil {
		return "", notRecorded(s, err)
	}
	err = p.Apply(interrupted)
	if !p.AnyApplied() {
		if !p.Restored() { // the record stays, so that undo knows
			return "", cmdline.Failed(err).WithHint("to take back what is left of it: tcpka undo %s", id)
		}
		return "", errors.Join(err, log.Undone(id))
	}
	return id, errors.Join(err, log.Done(id, applied()))
}

// holdSignals keeps the signals that would end the program half-way through its
// writes. They come by the channel, for who wants to end early; release lets them
// through again.
func holdSignals() (interrupted <-chan os.Signal, release func()) {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}
	// What was ignored before, as under nohup, stays so.
	signals = slices.DeleteFunc(signals, signal.Ignored)
	if len(signals) == 0 { // for Notify that means all
		return nil, func() {}
	}
	arrived := make(chan os.Signal, 1)
	signal.Notify(arrived, signals...)
	return arrived, func() { signal.Stop(arrived) }
}

// Finish renders the answer. err is what could not be done of it: exit 3, as
// for what is written and not in force.
func Finish(s *cmdline.Invocation, c *cli.Context, p Plan, d Set, err error) error {
	if rerr := s.Render(c, d); rerr != nil && d.Undo != nil {
		return &cmdline.Failure{Err: rerr, Status: cmdline.StatusPartly, Hint: "the change was made; to take it back: " + d.UndoCommand}
	} else if rerr != nil {
		return rerr
	}
	if err != nil {
		return &cmdline.Failure{Err: err, Status: cmdline.StatusPartly, Hint: restHint(d, err)}
	}
	err = p.Beaten(d.DryRun)
	if f, ok := errors.AsType[*cmdline.Failure](err); ok && d.DryRun {
		s.Notice("%v", f)
		return nil
	}
	return err
}

// restHint says what became of the rest, where something could not be done.
func restHint(d Set, err error) string {
	switch {
	case errors.Is(err, ErrStopped):
		return "the others are as they were; the same command goes on with them"
	case !d.Changed:
		return "of the rest there is nothing to change"
	case d.DryRun:
		return "the rest would be done"
	}
	return "the rest was done"
}

// UndoCommandLine is what takes the command back, as it has to be typed.
func UndoCommandLine(c *cli.Context, id string, flags ...string) string {
	words := append(append([]string{"tcpka", "undo"}, flags...), id)
	for _, name := range []string{"root", "file"} {
		if value, ok := cmdline.Given(c, name); ok {
			words = append(words, "--"+name, value)
		}
	}
	if cmdline.GivenBool(c, "reload") && len(flags) == 0 { // else sshd goes on with what is taken back
		words = append(words, "--reload")
	}
	return suggest.AsTyped(words)
}

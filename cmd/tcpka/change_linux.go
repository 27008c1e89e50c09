package main

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
	"golang.org/x/term"

	"github.com/tcpka/tcpka/internal/journal"
	"github.com/tcpka/tcpka/internal/report"
	"github.com/tcpka/tcpka/internal/rootfs"
)

// planned is what a command is about to change: gathered and computed, nothing
// written. Whatever the kind of change, all go the same way, see [session.change].
type planned interface {
	// anyChange reports whether there is anything to change.
	anyChange() bool

	// document is the plan as an answer, with what was applied of it so far.
	document() report.Set

	// touches is what has to be asked about: "3 namespaces". Empty asks nothing.
	touches() string

	// record is the plan as the journal has it; nil is nothing to record. applied says,
	// when the plan was carried out, which of the changes were made: their indices, or
	// nil for all of them.
	record() (changes iter.Seq[journal.Change], applied func() []int)

	// apply makes the changes, and the error is what could not be changed. A plan
	// that takes long ends early when something comes from interrupted; one that
	// takes milliseconds need not look.
	apply(interrupted <-chan os.Signal) error

	// anyApplied reports whether anything was changed. Where apply failed and
	// nothing was, restored reports whether everything is as it was before.
	anyApplied() bool
	restored() bool

	// failures is what was left out of the plan, as it cannot be changed.
	failures() error

	// beaten is a failure with exit status 3 where the change is written, or will
	// be, and still is not in force.
	beaten(dryRun bool) error
}

// errStopped is the end of a change that was interrupted.
var errStopped = errors.New("stopped")

// changeFlags are what every command that changes something has.
func changeFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "show what would change, and write nothing", DisableDefaultText: true},
		&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "do not ask", DisableDefaultText: true},
		&cli.BoolFlag{Name: "no-journal", Usage: "do not record the change: there will be no undo", DisableDefaultText: true},
	}
}

// job is a command that changes something.
type job struct {
	root rootfs.FS // whose journal it is
	// gather plans the change. It is called again when it is sure that no other
	// tcpka makes changes, because one may have just before.
	gather func() (planned, error)
	advise func(error) error // adds what to do about a failed write
}

// change plans, asks, records, changes and answers.
func carry(s *session, c *cli.Context, j job) error {
	p, err := j.gather()
	if err != nil {
		return err
	}
	if dryRun := givenBool(c, "dry-run"); dryRun || !p.anyChange() {
		d := p.document()
		d.DryRun = dryRun
		return finish(s, c, p, d, p.failures())
	}
	shown, err := confirm(s, c, p)
	if err != nil {
		return err
	}
	var log *journal.Journal
	if !givenBool(c, "no-journal") {
		if log, err = openJournal(j.root); err != nil {
			err = fmt.Errorf("nothing was changed, as it could not be recorded for undo: %w", err)
			if errors.Is(err, os.ErrPermission) && os.Geteuid() != 0 {
				return s.permission(err)
			}
			if errors.Is(err, journal.ErrLocked) {
				return failed(err).withHint("wait for it: set sockets --jitter may take as long as it was told to")
			}
			return failed(err).withHint("--no-journal changes it all the same")
		}
		defer log.Close()
		// From here on no other tcpka makes changes; one may have just before.
		if p, err = j.gather(); err != nil {
			return err
		}
		if !p.anyChange() {
			return finish(s, c, p, p.document(), p.failures())
		}
	}
	id, err := carryOut(s, p, log)
	if err != nil && !p.anyApplied() {
		return j.advise(err)
	}
	d := p.document()
	if id != "" {
		d.Undo, d.UndoCommand = &id, undoCommandLine(c, id)
	}
	d.AsShown = err == nil && shown != nil && s.style().Terminal && d.Fulfils(*shown)
	return finish(s, c, p, d, err)
}

// confirm asks before something is changed that is not only the caller's matter. It
// returns the plan that it has shown; nil is that it need not ask.
func confirm(s *session, c *cli.Context, p planned) (shown *report.Set, err error) {
	what := p.touches()
	if what == "" || givenBool(c, "yes") {
		return nil, nil
	}
	if s.stdin == nil || !term.IsTerminal(int(s.stdin.Fd())) {
		return nil, misuse("this changes %s, and there is no terminal to ask", what).withHint("add --yes, or --dry-run to see what would change")
	}
	d := p.document()
	if err := report.Table(s.stderr, d, styleOf(s.stderr)); err != nil {
		return nil, err
	}
	fmt.Fprintf(s.stderr, "\nChange %s? [y/N] ", report.Escape(what))
	answer, err := bufio.NewReader(s.stdin).ReadString('\n')
	if a := strings.ToLower(strings.TrimSpace(answer)); err != nil || a != "y" && a != "yes" {
		return nil, failed(errors.New("not confirmed, nothing was changed"))
	}
	if !styleOf(s.stderr).Terminal {
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

// carryOut makes the changes between two records in the journal: what is about
// to be done, and what was. Without a journal id is empty.
func carryOut(s *session, p planned, log *journal.Journal) (id string, err error) {
	changes, applied := p.record()
	interrupted, release := holdSignals()
	defer release()
	if log == nil || changes == nil {
		return "", p.apply(interrupted)
	}
	if id, err = log.BeginSeq(shellJoin(s.args), changes); err != nil {
		return "", err
	}
	err = p.apply(interrupted)
	if !p.anyApplied() {
		if !p.restored() { // the record stays, so that undo knows
			return "", failed(err).withHint("to take back what is left of it: tcpka undo %s", id)
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

// finish renders the answer. err is what could not be done of it: exit 3, as
// for what is written and not in force.
func finish(s *session, c *cli.Context, p planned, d report.Set, err error) error {
	if rerr := s.render(c, d); rerr != nil && d.Undo != nil {
		return &failure{err: rerr, status: statusPartly, hint: "the change was made; to take it back: " + d.UndoCommand}
	} else if rerr != nil {
		return rerr
	}
	if err != nil {
		return &failure{err: err, status: statusPartly, hint: restHint(d, err)}
	}
	err = p.beaten(d.DryRun)
	if f, ok := errors.AsType[*failure](err); ok && d.DryRun {
		s.notice("%v", f)
		return nil
	}
	return err
}

// restHint says what became of the rest, where something could not be done.
func restHint(d report.Set, err error) string {
	switch {
	case errors.Is(err, errStopped):
		return "the others are as they were; the same command goes on with them"
	case !d.Changed:
		return "of the rest there is nothing to change"
	case d.DryRun:
		return "the rest would be done"
	}
	return "the rest was done"
}

// undoCommandLine is what takes the command back, as it has to be typed.
func undoCommandLine(c *cli.Context, id string, flags ...string) string {
	words := append(append([]string{"tcpka", "undo"}, flags...), id)
	for _, name := range []string{"root", "file"} {
		if value, ok := given(c, name); ok {
			words = append(words, "--"+name, value)
		}
	}
	if givenBool(c, "reload") && len(flags) == 0 { // else sshd goes on with what is taken back
		words = append(words, "--reload")
	}
	return asTyped(words)
}

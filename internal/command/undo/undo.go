// Package undo is tcpka undo: it takes back what the journal has.
package undo

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/internal/change"
	"github.com/tcpka/tcpka/internal/change/bootfile"
	"github.com/tcpka/tcpka/internal/change/connections"
	"github.com/tcpka/tcpka/internal/change/policy"
	"github.com/tcpka/tcpka/internal/change/settings"
	"github.com/tcpka/tcpka/internal/change/sshfiles"
	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/internal/journal"
	"github.com/tcpka/tcpka/internal/rootfs"
	"github.com/tcpka/tcpka/internal/sshproc"
	"github.com/tcpka/tcpka/internal/target"
)

// Command is tcpka undo.
func Command(s *cmdline.Invocation) *cli.Command {
	return &cli.Command{
		Name:      "undo",
		Usage:     "take back a change",
		UsageText: "tcpka undo [-n] [--reload] [--file FILE] [ID]\ntcpka undo --forget ID\ntcpka undo --list",
		ArgsUsage: "[ID]",
		Description: `Takes back the newest command that was not taken back yet, whole; again goes
further back; ID takes back that one. What someone else has changed since it leaves as
it is and says so: that stays to be undone, and the exit status is 3, or 1 where nothing
was taken back. A file of ssh it takes back whole or not at all. It passes over what the
last reboot took back by itself.

A change of sshd is taken back in its file; sshd goes on with what it has read until it
is reloaded, which --reload does as set ssh --reload does: only where it will come back.`,
		Flags: cmdline.Join([]cli.Flag{
			&cli.BoolFlag{Name: "list", Usage: "list the recorded commands, the newest first", DisableDefaultText: true},
			&cli.BoolFlag{Name: "forget", Usage: "mark ID as taken back, and change nothing", DisableDefaultText: true},
			&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "show what would be taken back, and write nothing", DisableDefaultText: true},
			&cli.BoolFlag{Name: "reload", Usage: "have sshd read its files again, once a change of them is taken back", DisableDefaultText: true},
			&cli.StringFlag{Name: "file", Usage: "the `FILE` that set ssh --file has changed may be written"},
			&cli.StringFlag{Name: "root", Usage: "work on the files under `DIR` instead of /"},
		}, cmdline.OutputFlags()),
		Action: func(c *cli.Context) error { return run(s, c) },
	}
}

func run(s *cmdline.Invocation, c *cli.Context) error {
	format, err := cmdline.OutputFormat(c)
	if err != nil {
		return err
	}
	list, dryRun, forget, id := cmdline.GivenBool(c, "list"), cmdline.GivenBool(c, "dry-run"), cmdline.GivenBool(c, "forget"), c.Args().First()
	switch {
	case c.NArg() > 1:
		return cmdline.Misuse("undo takes one ID: %q", c.Args().Get(1))
	case forget && (dryRun || list || id == ""):
		return cmdline.Misuse("--forget takes an ID, and goes with neither --list nor --dry-run")
	case list && (dryRun || c.Args().Present()):
		return cmdline.Misuse("--list goes with neither --dry-run nor an ID")
	case c.Args().Present() && id == "": // as from an empty variable
		return cmdline.Misuse("the ID is empty").WithHint("without one the newest command is taken back")
	}
	reload := cmdline.GivenBool(c, "reload")
	if reload && (list || forget) {
		return cmdline.Misuse("--reload goes with neither --list nor --forget")
	}
	w, err := target.WhereOf(c)
	if err != nil {
		return err
	}
	if reload && !w.Root.Live() {
		return cmdline.Misuse("--reload: no sshd runs in an image")
	}
	named := ""
	if file, ok := cmdline.Given(c, "file"); ok {
		if named, err = filepath.Abs(file); err != nil {
			return err
		}
	}
	boot, err := journal.BootID()
	if err != nil {
		return err
	}
	dir, err := journal.Locate(w.Root, os.Getenv)
	if err != nil {
		return err
	}
	log, err := dir.Read()
	if err != nil {
		return change.AdviseJournal(s, err)
	}
	if log.Skipped > 0 {
		s.Notice("%d lines of %s cannot be read and were passed over", log.Skipped, dir)
	}
	if list {
		if len(log.Entries) == 0 && ownList(w.Root) {
			s.Notice("this is your own list, and it is empty; root's is another: sudo tcpka undo --list")
		}
		return s.Render(c, listed(log, boot, format == "json"))
	}
	if _, err := choose(log, id, boot, ownList(w.Root)); err != nil {
		return err
	}
	if dryRun {
		e, _ := choose(log, id, boot, false)
		if err := dir.Writable(); err != nil {
			change.NoticeRefused(s, change.AdviseJournal(s, err))
		}
		u := change.NewUndoing(w.Root, e, boot, named, reload, known())
		if err := u.Gather(); err != nil {
			return adviseUndo(s, err)
		}
		return s.Render(c, u.Document(true))
	}
	j, err := dir.Open()
	if err != nil {
		return change.AdviseJournal(s, err)
	}
	defer j.Close()
	if log, err = j.Log(); err != nil { // now that nobody else writes
		return err
	}
	e, err := choose(log, id, boot, ownList(w.Root))
	if err != nil {
		return err
	}
	if forget {
		s.Notice("%s (%s) is marked as taken back; nothing was changed", e.ID, e.Command)
		return j.Undone(e.ID)
	}
	u := change.NewUndoing(w.Root, e, boot, named, reload, known())
	if err := u.Gather(); err != nil {
		return adviseUndo(s, err)
	}
	done, err := u.TakeBack(j)
	if err != nil && !done {
		return s.Permission(err)
	}
	if rerr := s.Render(c, u.Document(false)); rerr != nil {
		return &cmdline.Failure{Err: rerr, Status: cmdline.StatusPartly, Hint: "what could be taken back was"}
	}
	if err != nil {
		return &cmdline.Failure{Err: err, Status: cmdline.StatusPartly}
	}
	return u.Rest(done, change.UndoCommandLine(c, e.ID), change.UndoCommandLine(c, e.ID, "--forget"))
}

// adviseUndo adds what to do where nothing was taken back.
func adviseUndo(s *cmdline.Invocation, err error) error {
	if errors.Is(err, sshproc.ErrNoDaemon) || errors.Is(err, sshproc.ErrSeveralDaemons) || errors.Is(err, sshproc.ErrNotReady) {
		return cmdline.Failed(fmt.Errorf("--reload: %w", err)).WithHint("nothing was taken back; without --reload the file is")
	}
	return s.Permission(err)
}

// ownList reports whether the journal is that of an ordinary user, beside root's.
func ownList(root rootfs.FS) bool { return root.Live() && os.Geteuid() != 0 }

// choose finds the entry to take back: the one with this ID, or the newest that
// is neither undone nor gone with its boot. own is that root has another list.
func choose(log journal.Log, id, boot string, own bool) (journal.Entry, error) {
	hint := "the recorded commands are listed by: tcpka undo --list"
	if own {
		hint = "this is about your own list; what was done with sudo is in root's: sudo tcpka undo --list"
	}
	if id == "" {
		for _, e := range log.Entries {
			if !e.Undone && !e.Gone(boot) {
				return e, nil
			}
		}
		return journal.Entry{}, cmdline.Failed(errors.New("nothing to undo")).WithHint("%s", hint)
	}
	e, ok := log.Find(id)
	switch {
	case !ok:
		return e, cmdline.Failed(fmt.Errorf("no command is recorded as %q", id)).WithHint("%s", hint)
	case e.Undone:
		return e, sshfiles.UndoneAlready(e)
	case e.Gone(boot):
		return e, cmdline.Failed(fmt.Errorf("%s changed only the running kernel, and the machine was rebooted since: nothing is left of it", id))
	}
	return e, nil
}

// known are the kinds of change that can be taken back.
func known() change.Reversals {
	return change.Reversals{
		journal.Sysctl:   settings.Undo,
		journal.Bootfile: bootfile.Undo,
		journal.Socket:   connections.Undo,
		journal.SSH:      sshfiles.Undo,
		journal.Policy:   policy.Undo,
	}
}

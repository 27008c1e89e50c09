package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/internal/journal"
	"github.com/tcpka/tcpka/sshconf"
)

func undoCommand(s *session) *cli.Command {
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
		Flags: join([]cli.Flag{
			&cli.BoolFlag{Name: "list", Usage: "list the recorded commands, the newest first", DisableDefaultText: true},
			&cli.BoolFlag{Name: "forget", Usage: "mark ID as taken back, and change nothing", DisableDefaultText: true},
			&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "show what would be taken back, and write nothing", DisableDefaultText: true},
			&cli.BoolFlag{Name: "reload", Usage: "have sshd read its files again, once a change of them is taken back", DisableDefaultText: true},
			&cli.StringFlag{Name: "file", Usage: "the `FILE` that set ssh --file has changed may be written"},
			&cli.StringFlag{Name: "root", Usage: "work on the files under `DIR` instead of /"},
		}, outputFlags()),
		Action: func(c *cli.Context) error { return undoLast(s, c) },
	}
}

func undoLast(s *session, c *cli.Context) error {
	format, err := outputFormat(c)
	if err != nil {
		return err
	}
	list, dryRun, forget, id := givenBool(c, "list"), givenBool(c, "dry-run"), givenBool(c, "forget"), c.Args().First()
	switch {
	case c.NArg() > 1:
		return misuse("undo takes one ID: %q", c.Args().Get(1))
	case forget && (dryRun || list || id == ""):
		return misuse("--forget takes an ID, and goes with neither --list nor --dry-run")
	case list && (dryRun || c.Args().Present()):
		return misuse("--list goes with neither --dry-run nor an ID")
	case c.Args().Present() && id == "": // as from an empty variable
		return misuse("the ID is empty").withHint("without one the newest command is taken back")
	}
	reload := givenBool(c, "reload")
	if reload && (list || forget) {
		return misuse("--reload goes with neither --list nor --forget")
	}
	w, err := whereOf(c)
	if err != nil {
		return err
	}
	if reload && !w.root.Live() {
		return misuse("--reload: no sshd runs in an image")
	}
	named := ""
	if file, ok := given(c, "file"); ok {
		if named, err = filepath.Abs(file); err != nil {
			return err
		}
	}
	boot, err := journal.BootID()
	if err != nil {
		return err
	}
	dir, err := journal.Locate(w.root, os.Getenv)
	if err != nil {
		return err
	}
	log, err := dir.Read()
	if err != nil {
		return s.permission(err)
	}
	if log.Skipped > 0 {
		s.notice("%d lines of %s cannot be read and were passed over", log.Skipped, dir)
	}
	if list {
		return s.render(c, listed(log, boot, format == "json"))
	}
	if _, err := choose(log, id, boot); err != nil {
		return err
	}
	if dryRun {
		e, _ := choose(log, id, boot)
		u := newUndoing(w.root, e, boot, named, reload, known())
		if err := u.gather(); err != nil {
			return adviseUndo(s, err)
		}
		return s.render(c, u.document(true))
	}
	j, err := dir.Open()
	if err != nil {
		return s.permission(err)
	}
	defer j.Close()
	if log, err = j.Log(); err != nil { // now that nobody else writes
		return err
	}
	e, err := choose(log, id, boot)
	if err != nil {
		return err
	}
	if forget {
		s.notice("%s (%s) is marked as taken back; nothing was changed", e.ID, e.Command)
		return j.Undone(e.ID)
	}
	u := newUndoing(w.root, e, boot, named, reload, known())
	if err := u.gather(); err != nil {
		return adviseUndo(s, err)
	}
	done, err := u.takeBack(j)
	if err != nil && !done {
		return s.permission(err)
	}
	if rerr := s.render(c, u.document(false)); rerr != nil {
		return &failure{err: rerr, status: statusPartly, hint: "what could be taken back was"}
	}
	if err != nil {
		return &failure{err: err, status: statusPartly}
	}
	return u.rest(done, undoCommandLine(c, e.ID), undoCommandLine(c, e.ID, "--forget"))
}

// adviseUndo adds what to do where nothing was taken back.
func adviseUndo(s *session, err error) error {
	if errors.Is(err, sshconf.ErrNoDaemon) || errors.Is(err, sshconf.ErrSeveralDaemons) || errors.Is(err, sshconf.ErrNotReady) {
		return failed(fmt.Errorf("--reload: %w", err)).withHint("nothing was taken back; without --reload the file is")
	}
	return s.permission(err)
}

// choose finds the entry to take back: the one with this ID, or the newest that
// is neither undone nor gone with its boot.
func choose(log journal.Log, id, boot string) (journal.Entry, error) {
	if id == "" {
		for _, e := range log.Entries {
			if !e.Undone && !known().gone(e, boot) {
				return e, nil
			}
		}
		return journal.Entry{}, failed(errors.New("nothing to undo")).withHint("the recorded commands are listed by: tcpka undo --list")
	}
	e, ok := log.Find(id)
	switch {
	case !ok:
		return e, failed(fmt.Errorf("no command is recorded as %q", id)).withHint("the recorded commands are listed by: tcpka undo --list")
	case e.Undone:
		return e, undoneAlready(e)
	case known().gone(e, boot):
		return e, failed(fmt.Errorf("%s changed only the running kernel, and the machine was rebooted since: nothing is left of it", id))
	}
	return e, nil
}

// known are the kinds of change that can be taken back.
func known() reversals {
	return reversals{
		journal.Sysctl:   undoSysctl,
		journal.Bootfile: undoBootfile,
		journal.Socket:   undoSocket,
		journal.SSH:      undoSSH,
	}
}

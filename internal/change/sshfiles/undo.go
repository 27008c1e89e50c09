package sshfiles

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"slices"
	"strings"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/account"
	"github.com/tcpka/tcpka/internal/change"
	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/internal/journal"
	"github.com/tcpka/tcpka/internal/sshconf"
	"github.com/tcpka/tcpka/internal/sshedit"
	"github.com/tcpka/tcpka/internal/sshend"
	"github.com/tcpka/tcpka/internal/sshproc"
	"github.com/tcpka/tcpka/internal/suggest"
)

// sshReversal puts files of ssh, sshd and other clients back. It writes to those that
// sshconf finds by itself: the caller's ~/.ssh/config, and what lies in /etc/ssh. A
// file that was named with --file has to be named again: the journal alone is not
// enough to have it written.
type sshReversal struct {
	*change.Undoing
	revisions []*sshedit.Revision
	tell      *sshedit.Request // whose sshd reads its files again; nil is none
}

func Undo(u *change.Undoing) change.Reversal { return &sshReversal{Undoing: u} }

func (r *sshReversal) List(c journal.Change) []change.Change {
	return ofSSH(c.Path, c.Old, c.New)
}

func (r *sshReversal) Gather(changes []*journal.Change) error {
	as, err := sshconf.Caller()
	if err != nil {
		return err
	}
	owner := as
	if owner == nil {
		if owner, err = account.Current(); err != nil { // not in the password database: he has no file
			owner = &user.User{HomeDir: "/nonexistent"}
		}
	}
	for _, c := range changes {
		request, ok := r.request(c, owner, as)
		if !ok {
			r.Keep(c)
			r.Leave("%s: it is no file that tcpka finds by itself; to take it back: tcpka undo %s --file %s", c.Path, r.Entry.ID, suggest.ShellJoin([]string{c.Path}))
			continue
		}
		v, err := request.Revert(context.Background(), c.Path, change.BytesOf(c.New), change.BytesOf(c.Old))
		switch {
		case errors.Is(err, sshedit.ErrChanged):
			return cmdline.Failed(fmt.Errorf("%s: someone has changed it since", c.Path)).
				WithHint("edit it by hand; an older command can be taken back by its ID, see tcpka undo --list")
		case err != nil:
			return err
		case v.Changed():
			if err := v.Writable(); err != nil {
				return err
			}
			v.DropDir = c.MadeDir
			r.revisions = append(r.revisions, v)
			switch {
			case request.Server && r.Reload:
				r.tell = &request
			case request.Server:
				r.Note("new connections keep the values, too, until sshd reads its files again: %s", ReloadCommand(request.File))
			}
		}
	}
	if r.tell != nil {
		return r.reloadable()
	}
	return nil
}

// ReloadCommand has the sshd read its files again that begins with a file; empty is the
// usual one, and so is one that this includes.
func ReloadCommand(file string) string {
	words := []string{"tcpka", "set", "ssh", "--side", "server", "--reload"}
	usual, err := sshconf.FindServer(sshconf.Server{File: sshend.SshdConfig, Connection: sshconf.Any})
	if file != "" && (err != nil || !slices.Contains(usual.Files, file)) {
		words = append(words, "--file", file)
	}
	if os.Geteuid() != 0 && os.Getenv("SUDO_UID") == "" {
		words = append([]string{"sudo"}, words...)
	}
	return suggest.AsTyped(words)
}

// UndoneAlready refuses to take a command back twice. What is left to do may be a reload.
func UndoneAlready(e journal.Entry) error {
	err := cmdline.Failed(fmt.Errorf("%s was taken back already", e.ID))
	for _, c := range e.Changes {
		if c.Kind != journal.SSH || c.Key != string(calc.SSHServer) {
			continue
		}
		file := c.Path
		if (sshedit.Request{Server: true}).Owns(file) {
			file = ""
		}
		return err.WithHint("if sshd has not read its files since: %s", ReloadCommand(file))
	}
	return err
}

// reloadable finds the sshd to tell, and looks whether it would come back, before
// anything is taken back.
func (r *sshReversal) reloadable() error {
	found, err := sshproc.FindDaemon(daemonFile(*r.tell))
	if err != nil {
		return err
	}
	defer found.Close()
	return found.Ready(context.Background(), r.tell.Programs)
}

// request finds out which file a change is of, without trusting it.
func (r *sshReversal) request(c *journal.Change, owner, as *user.User) (sshedit.Request, bool) {
	base := sshedit.Request{Owner: owner, As: as, Programs: sshconf.FindPrograms(), Server: c.Key == string(calc.SSHServer)}
	if c.Path == r.Named {
		base.File = r.Named
		if c.Key == otherKey {
			base = base.Other()
		}
		return base, true
	}
	for _, system := range []bool{false, true} {
		base.System = system
		if c.Key != otherKey && base.Owns(c.Path) {
			return base, true
		}
	}
	return base, false
}

func (r *sshReversal) Reloads() bool { return r.tell != nil }

func (r *sshReversal) Apply() (done bool, err error) {
	for _, v := range r.revisions {
		if err := v.Apply(context.Background()); err != nil {
			return done || v.Written(), err
		}
		done = true
	}
	if r.tell != nil {
		if err := tellDaemon(context.Background(), *r.tell); err != nil {
			r.Leave("the file is as it was, but sshd has not read it: %v", err)
		} else {
			r.Reloaded = true
		}
	}
	return done, nil
}

func (r *sshReversal) Changes() []change.Change {
	var all []change.Change
	for _, v := range r.revisions {
		changes := ofSSH(v.Path, change.Content(v.Old), change.Content(v.New))
		for i := range changes {
			changes[i].Applied = v.Written()
		}
		all = append(all, changes...)
	}
	return all
}

// ofSSH are the statements that differ between two contents of a file. A value that
// the file does not say is nil; what is in force then is not asked.
func ofSSH(path string, old, new *string) []change.Change {
	before, after := sshedit.Statements(change.BytesOf(old)), sshedit.Statements(change.BytesOf(new))
	var changes []change.Change
	for _, v := range before {
		if i := slices.Index(after, v); i >= 0 { // as it was
			after = slices.Delete(after, i, i+1)
			continue
		}
		changes = append(changes, change.Change{Target: change.TargetSSH, Path: &path, Key: string(v.Keyword), Old: &v.Text, Applied: true})
	}
	for _, v := range after {
		same := func(c change.Change) bool { return strings.EqualFold(c.Key, string(v.Keyword)) && c.New == nil }
		if i := slices.IndexFunc(changes, same); i >= 0 {
			changes[i].New = &v.Text
			continue
		}
		changes = append(changes, change.Change{Target: change.TargetSSH, Path: &path, Key: string(v.Keyword), New: &v.Text, Applied: true})
	}
	return changes
}

package main

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/tcpka/tcpka/internal/journal"
	"github.com/tcpka/tcpka/internal/report"
	"github.com/tcpka/tcpka/internal/rootfs"
)

// undoing is an entry on its way back.
type undoing struct {
	root     rootfs.FS
	entry    journal.Entry
	named    string // a file named with --file, absolute; empty is none
	rebooted bool   // since the command
	reload   bool   // sshd, where a change of its files is taken back
	reloaded bool   // that was done
	known    reversals
	kinds    []reversal
	left     []string                 // what stays, and why
	open     map[*journal.Change]bool // those of the entry that stay and may still be in force
	notes    []string                 // what need not be taken back
}

// reversal takes back the changes of one kind.
type reversal interface {
	// survives reports whether a reboot leaves the change as it is.
	survives(journal.Change) bool

	// list is the change as undo --list has it.
	list(journal.Change) []report.Change

	// gather looks at all changes of this kind in an entry, in the order in which
	// they were made. What is as it was before is passed over. What someone has changed
	// since, or cannot be taken back for other reasons, is left; what of that may still
	// be in force is kept, too. After an error nothing of the entry is taken back: so it
	// is with a file of ssh that someone has changed.
	gather([]*journal.Change) error

	// apply takes back what gather found. done says that something was written.
	apply() (done bool, err error)

	// changes are those that gather found, the last one made first; of sockets they
	// come apart.
	changes() []report.Change
}

// What some kinds of change have beside that.
type (
	reloading   interface{ reloads() bool }     // an sshd is to be told
	replaceable interface{ instead() []string } // command lines for what someone else has changed since
	manySockets interface {
		perSocket() iter.Seq[[]report.Change]
	}
)

// reversals make what takes back the changes of each kind that there is. A kind that is
// not among them is one of a newer version.
type reversals map[journal.Kind]func(*undoing) reversal

// of returns what takes back the changes of a kind, or nil.
func (r reversals) of(k journal.Kind, u *undoing) reversal {
	if f := r[k]; f != nil {
		return f(u)
	}
	return nil
}

// gone reports whether an entry changed nothing but the kernel of an earlier
// boot.
func (r reversals) gone(e journal.Entry, boot string) bool {
	return e.BootID != boot && !slices.ContainsFunc(e.Changes, func(c journal.Change) bool {
		of := r.of(c.Kind, nil)
		return of == nil || of.survives(c)
	})
}

func newUndoing(root rootfs.FS, e journal.Entry, boot, named string, reload bool, known reversals) *undoing {
	return &undoing{root: root, entry: e, rebooted: e.BootID != boot, named: named, reload: reload, known: known, open: map[*journal.Change]bool{}}
}

// keep has changes stay in the journal, for another undo.
func (u *undoing) keep(changes ...*journal.Change) {
	for _, c := range changes {
		u.open[c] = true
	}
}

// leave notes something that is not taken back, and why.
func (u *undoing) leave(format string, args ...any) {
	u.left = append(u.left, fmt.Sprintf(format, args...))
}

// note notes something that need not be taken back.
func (u *undoing) note(format string, args ...any) {
	u.notes = append(u.notes, fmt.Sprintf(format, args...))
}

// gather looks at every change of the entry.
func (u *undoing) gather() error {
	of := map[journal.Kind][]*journal.Change{}
	var order []journal.Kind
	for i := range u.entry.Changes {
		c := &u.entry.Changes[i]
		if _, seen := of[c.Kind]; !seen {
			order = append(order, c.Kind)
		}
		of[c.Kind] = append(of[c.Kind], c)
	}
	for _, kind := range order {
		r := u.known.of(kind, u)
		if r == nil {
			u.keep(of[kind]...)
			u.leave("a change of kind %q, which this version does not know", kind)
			continue
		}
		if err := r.gather(of[kind]); err != nil {
			return err
		}
		u.kinds = append(u.kinds, r)
	}
	tells := func(r reversal) bool { d, ok := r.(reloading); return ok && d.reloads() }
	if u.reload && len(u.left) == 0 && !slices.ContainsFunc(u.kinds, tells) {
		return misuse("--reload: %s changed no file of sshd that is to be taken back", u.entry.ID)
	}
	return nil
}

// takeBack writes the old values, in the order in which the new ones were
// written, and marks the entry: what is left of it stays to be undone. done says that
// something was written, or that nothing need be. After an error all of the entry
// stays; what is back already is passed over the next time.
func (u *undoing) takeBack(j *journal.Journal) (done bool, err error) {
	_, release := holdSignals()
	defer release()
	for _, r := range u.kinds {
		wrote, err := r.apply()
		done = done || wrote
		if err != nil {
			return done, err
		}
	}
	var left []int
	for i := range u.entry.Changes {
		if u.open[&u.entry.Changes[i]] {
			left = append(left, i)
		}
	}
	switch len(left) {
	case 0:
		return true, j.Undone(u.entry.ID)
	case len(u.entry.Changes):
		return done, nil
	}
	return done, j.Partly(u.entry.ID, left)
}

// rest is the error that says what was not taken back. again is the command line
// that goes on with it, forget the one that does not.
func (u *undoing) rest(done bool, again, forget string) error {
	if len(u.left) == 0 {
		return nil
	}
	f := &failure{err: errors.New("not everything could be taken back"), status: statusPartly}
	if len(u.open) > 0 {
		f.hint = fmt.Sprintf("what is left stays to be undone: %s tries again, and %s leaves it as it is", again, forget)
		for _, r := range u.kinds {
			if r, ok := r.(replaceable); ok && len(r.instead()) > 0 {
				f.hint += fmt.Sprintf("; to set the old value all the same: %s, then %s", strings.Join(r.instead(), ", "), again)
			}
		}
	}
	if !done {
		f.err, f.status = errors.New("nothing could be taken back"), statusFailed
		f.hint = strings.TrimPrefix(f.hint+"; an older command is taken back by its ID, see tcpka undo --list", "; ")
	}
	return f
}

func (u *undoing) document(dryRun bool) report.Undo {
	d := report.Undo{
		Schema: "tcpka/undo/v1", ID: u.entry.ID, Command: u.entry.Command, DryRun: dryRun,
		Changes: []report.Change{}, Left: append([]string{}, u.left...), Partly: len(u.open) > 0, Notes: append([]string{}, u.notes...),
	}
	if u.reload {
		d.Reloaded = &u.reloaded
	}
	for _, r := range slices.Backward(u.kinds) {
		d.Changes = append(d.Changes, r.changes()...)
		if r, ok := r.(manySockets); ok {
			d.PerSocket = r.perSocket()
		}
	}
	return d
}

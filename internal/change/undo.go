package change

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/internal/journal"
	"github.com/tcpka/tcpka/internal/rootfs"
)

// Undoing is an entry on its way back.
type Undoing struct {
	Root     rootfs.FS
	Entry    journal.Entry
	Named    string // a file named with --file, absolute; empty is none
	Rebooted bool   // since the command
	Reload   bool   // sshd, where a change of its files is taken back
	Reloaded bool   // that was done
	known    Reversals
	kinds    []Reversal
	left     []string                 // what stays, and why
	Open     map[*journal.Change]bool // those of the entry that stay and may still be in force
	notes    []string                 // what need not be taken back
}

// Reversal takes back the changes of one kind.
type Reversal interface {
	// List is the change as undo --list has it.
	List(journal.Change) []Change

	// Gather looks at all changes of this kind in an entry, in the order in which
	// they were made. What is as it was before is passed over. What someone has changed
	// since, or cannot be taken back for other reasons, is left; what of that may still
	// be in force is kept, too. After an error nothing of the entry is taken back: so it
	// is with a file of ssh that someone has changed.
	Gather([]*journal.Change) error

	// Apply takes back what gather found. done says that something was written.
	Apply() (done bool, err error)

	// Changes are those that gather found, the last one made first; of sockets they
	// come apart.
	Changes() []Change
}

// What some kinds of change have beside that.
type (
	reloading   interface{ Reloads() bool }     // an sshd is to be told
	replaceable interface{ Instead() []string } // command lines for what someone else has changed since
	manySockets interface {
		PerSocket() iter.Seq[[]Change]
	}
)

// Reversals make what takes back the changes of each kind that there is. A kind that is
// not among them is one of a newer version.
type Reversals map[journal.Kind]func(*Undoing) Reversal

// Of returns what takes back the changes of a kind, or nil.
func (r Reversals) Of(k journal.Kind, u *Undoing) Reversal {
	if f := r[k]; f != nil {
		return f(u)
	}
	return nil
}

func NewUndoing(root rootfs.FS, e journal.Entry, boot, named string, reload bool, known Reversals) *Undoing {
	return &Undoing{Root: root, Entry: e, Rebooted: e.BootID != boot, Named: named, Reload: reload, known: known, Open: map[*journal.Change]bool{}}
}

// Keep has changes stay in the journal, for another undo.
func (u *Undoing) Keep(changes ...*journal.Change) {
	for _, c := range changes {
		u.Open[c] = true
	}
}

// Leave notes something that is not taken back, and why.
func (u *Undoing) Leave(format string, args ...any) {
	u.left = append(u.left, fmt.Sprintf(format, args...))
}

// Note notes something that need not be taken back.
func (u *Undoing) Note(format string, args ...any) {
	u.notes = append(u.notes, fmt.Sprintf(format, args...))
}

// Gather looks at every change of the entry.
func (u *Undoing) Gather() error {
	of := map[journal.Kind][]*journal.Change{}
	var order []journal.Kind
	for i := range u.Entry.Changes {
		c := &u.Entry.Changes[i]
		if _, seen := of[c.Kind]; !seen {
			order = append(order, c.Kind)
		}
		of[c.Kind] = append(of[c.Kind], c)
	}
	for _, kind := range order {
		r := u.known.Of(kind, u)
		if r == nil {
			u.Keep(of[kind]...)
			u.Leave("a change of kind %q, which this version does not know", kind)
			continue
		}
		if err := r.Gather(of[kind]); err != nil {
			return err
		}
		u.kinds = append(u.kinds, r)
	}
	tells := func(r Reversal) bool { d, ok := r.(reloading); return ok && d.Reloads() }
	if u.Reload && len(u.left) == 0 && !slices.ContainsFunc(u.kinds, tells) {
		return cmdline.Misuse("--reload: %s changed no file of sshd that is to be taken back", u.Entry.ID)
	}
	return nil
}

// TakeBack writes the old values, in the order in which the new ones were
// written, and marks the entry: what is left of it stays to be undone. done says that
// something was written, or that nothing need be. After an error all of the entry
// stays; what is back already is passed over the next time.
func (u *Undoing) TakeBack(j *journal.Journal) (done bool, err error) {
	_, release := holdSignals()
	defer release()
	for _, r := range u.kinds {
		wrote, err := r.Apply()
		done = done || wrote
		if err != nil {
			return done, err
		}
	}
	var left []int
	for i := range u.Entry.Changes {
		if u.Open[&u.Entry.Changes[i]] {
			left = append(left, i)
		}
	}
	switch len(left) {
	case 0:
		return true, j.Undone(u.Entry.ID)
	case len(u.Entry.Changes):
		return done, nil
	}
	return done, j.Partly(u.Entry.ID, left)
}

// Rest is the error that says what was not taken back. again is the command line
// that goes on with it, forget the one that does not.
func (u *Undoing) Rest(done bool, again, forget string) error {
	if len(u.left) == 0 {
		return nil
	}
	f := &cmdline.Failure{Err: errors.New("not everything could be taken back"), Status: cmdline.StatusPartly}
	if len(u.Open) > 0 {
		f.Hint = fmt.Sprintf("what is left stays to be undone: %s tries again, and %s leaves it as it is", again, forget)
		for _, r := range u.kinds {
			if r, ok := r.(replaceable); ok && len(r.Instead()) > 0 {
				f.Hint += fmt.Sprintf("; to set the old value all the same: %s, then %s", strings.Join(r.Instead(), ", "), again)
			}
		}
	}
	if !done {
		f.Err, f.Status = errors.New("nothing could be taken back"), cmdline.StatusFailed
		f.Hint = strings.TrimPrefix(f.Hint+"; an older command is taken back by its ID, see tcpka undo --list", "; ")
	}
	return f
}

func (u *Undoing) Document(dryRun bool) Undo {
	d := Undo{
		Schema: "tcpka/undo/v1", ID: u.Entry.ID, Command: u.Entry.Command, DryRun: dryRun,
		Changes: []Change{}, Left: append([]string{}, u.left...), Partly: len(u.Open) > 0, Notes: append([]string{}, u.notes...),
	}
	if u.Reload {
		d.Reloaded = &u.Reloaded
	}
	for _, r := range slices.Backward(u.kinds) {
		d.Changes = append(d.Changes, r.Changes()...)
		if r, ok := r.(manySockets); ok {
			d.PerSocket = r.PerSocket()
		}
	}
	return d
}

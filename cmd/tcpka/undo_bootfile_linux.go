package main

import (
	"errors"

	"github.com/tcpka/tcpka/internal/journal"
	"github.com/tcpka/tcpka/internal/report"
	"github.com/tcpka/tcpka/internal/sysctld"
)

// bootfileReversal puts our drop-in back, whatever path the journal names.
type bootfileReversal struct {
	*undoing
	file *journal.Change // nil is as it was before
	done bool
}

func undoBootfile(u *undoing) reversal { return &bootfileReversal{undoing: u} }

func (r *bootfileReversal) survives(journal.Change) bool { return true }

func (r *bootfileReversal) list(c journal.Change) []report.Change {
	return ofFile(c.Path, c.Old, c.New)
}

func (r *bootfileReversal) gather(changes []*journal.Change) error {
	for _, c := range changes {
		now, err := sysctld.ReadDropIn(r.root)
		foreign := errors.Is(err, sysctld.ErrForeign) || errors.Is(err, sysctld.ErrNotFile)
		switch {
		case err != nil && !foreign:
			return err
		case !foreign && sameContent(content(now), c.Old): // it was never changed, or is back already
		case !foreign && sameContent(content(now), c.New):
			r.file = c
		default:
			r.keep(c)
			r.leave("%s: someone has changed it since: to take it back, edit it by hand", r.root.Path(sysctld.DropIn))
		}
	}
	return nil
}

func (r *bootfileReversal) apply() (done bool, err error) {
	if r.file == nil {
		return false, nil
	}
	if err := sysctld.ReplaceDropIn(r.root, bytesOf(r.file.New), bytesOf(r.file.Old)); err != nil {
		return false, err
	}
	r.done = true
	return true, nil
}

func (r *bootfileReversal) changes() []report.Change {
	if r.file == nil {
		return nil
	}
	changes := ofFile(r.root.Path(sysctld.DropIn), r.file.New, r.file.Old)
	for i := range changes {
		changes[i].Applied = r.done
	}
	return changes
}

// ofFile are the keys that differ between two contents of the boot file.
func ofFile(path string, old, new *string) []report.Change {
	var changes []report.Change
	oldValues, newValues := valuesOf(old), valuesOf(new)
	for _, key := range keys() {
		if oldValues[key] == newValues[key] {
			continue
		}
		c := report.Change{Target: report.TargetBootfile, Path: &path, Key: key, Applied: true}
		if v, ok := oldValues[key]; ok {
			c.Old = &v
		}
		if v, ok := newValues[key]; ok {
			c.New = &v
		}
		changes = append(changes, c)
	}
	return changes
}

func valuesOf(file *string) map[string]string {
	if file == nil {
		return nil
	}
	return sysctld.Values([]byte(*file))
}

// content is a file for the journal; nil is no file.
func content(b []byte) *string {
	if b == nil {
		return nil
	}
	return new(string(b))
}

func bytesOf(file *string) []byte {
	if file == nil {
		return nil
	}
	return []byte(*file)
}

func sameContent(a, b *string) bool { return a == b || a != nil && b != nil && *a == *b }

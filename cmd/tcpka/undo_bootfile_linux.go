package main

import (
	"fmt"

	"github.com/tcpka/tcpka/internal/report"
	"github.com/tcpka/tcpka/journal"
	"github.com/tcpka/tcpka/sysctld"
)

// bootfileReversal puts our drop-in back, whatever path the journal names.
type bootfileReversal struct {
	*undoing
	file *journal.Change // nil is as it was before
	done bool
}

func (r *bootfileReversal) survives(journal.Change) bool { return true }

func (r *bootfileReversal) list(c journal.Change) []report.Change {
	return ofFile(c.Path, c.Old, c.New)
}

func (r *bootfileReversal) gather(changes []*journal.Change) error {
	for _, c := range changes {
		now, err := sysctld.ReadDropIn(r.root)
		if err != nil {
			return err
		}
		switch {
		case sameContent(content(now), c.Old):
			continue
		case !sameContent(content(now), c.New):
			return failed(fmt.Errorf("%s: someone has changed it since", r.root.Path(sysctld.DropIn))).
				withHint("edit it by hand; an older command can be taken back by its ID, see tcpka undo --list")
		}
		r.file = c
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

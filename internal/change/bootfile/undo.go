package bootfile

import (
	"errors"

	"github.com/tcpka/tcpka/internal/change"
	"github.com/tcpka/tcpka/internal/journal"
	"github.com/tcpka/tcpka/internal/nextboot"
	"github.com/tcpka/tcpka/internal/sysctld"
)

// bootfileReversal puts our drop-in back, whatever path the journal names.
type bootfileReversal struct {
	*change.Undoing
	file *journal.Change // nil is as it was before
	done bool
}

func Undo(u *change.Undoing) change.Reversal { return &bootfileReversal{Undoing: u} }

func (r *bootfileReversal) List(c journal.Change) []change.Change {
	return ofFile(c.Path, c.Old, c.New)
}

func (r *bootfileReversal) Gather(changes []*journal.Change) error {
	for _, c := range changes {
		now, err := sysctld.ReadDropIn(r.Root)
		foreign := errors.Is(err, sysctld.ErrForeign) || errors.Is(err, sysctld.ErrNotFile)
		switch {
		case err != nil && !foreign:
			return err
		case !foreign && change.SameContent(change.Content(now), c.Old): // it was never changed, or is back already
		case !foreign && change.SameContent(change.Content(now), c.New):
			r.file = c
		default:
			r.Keep(c)
			r.Leave("%s: someone has changed it since: to take it back, edit it by hand", r.Root.Path(sysctld.DropIn))
		}
	}
	return nil
}

func (r *bootfileReversal) Apply() (done bool, err error) {
	if r.file == nil {
		return false, nil
	}
	if err := sysctld.ReplaceDropIn(r.Root, change.BytesOf(r.file.New), change.BytesOf(r.file.Old)); err != nil {
		return false, err
	}
	r.done = true
	return true, nil
}

func (r *bootfileReversal) Changes() []change.Change {
	if r.file == nil {
		return nil
	}
	changes := ofFile(r.Root.Path(sysctld.DropIn), r.file.New, r.file.Old)
	for i := range changes {
		changes[i].Applied = r.done
	}
	return changes
}

// ofFile are the keys that differ between two contents of the boot file.
func ofFile(path string, old, new *string) []change.Change {
	var changes []change.Change
	oldValues, newValues := valuesOf(old), valuesOf(new)
	for _, key := range nextboot.Keys() {
		if oldValues[key] == newValues[key] {
			continue
		}
		c := change.Change{Target: change.TargetBootfile, Path: &path, Key: key, Applied: true}
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

// Package bootfile changes what the next boot sets: tcpka's own drop-in in /etc/sysctl.d.
package bootfile

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/change"
	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/internal/journal"
	"github.com/tcpka/tcpka/internal/nextboot"
	"github.com/tcpka/tcpka/internal/rootfs"
	"github.com/tcpka/tcpka/internal/sysctld"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/procfs"
)

// Change is what changes in our drop-in.
type Change struct {
	root     rootfs.FS
	hz       int    // of the kernel that the boot files are for
	old, new []byte // the file; nil is none
	values   map[string]string
	before   keepalive.Settings // at boot, as the files are now
	after    keepalive.Settings // and as they will be
	Applied  bool
}

// Plan reads the drop-in and computes what becomes of it.
func Plan(root rootfs.FS, hz int, ch keepalive.Change) (*Change, error) {
	values, err := procfs.Values(ch)
	if err != nil {
		return nil, err
	}
	b := &Change{root: root, hz: hz, values: map[string]string{}}
	for _, v := range values {
		b.values[v.Key] = strconv.Itoa(v.N)
	}
	if b.old, err = sysctld.ReadDropIn(root); err != nil {
		return nil, err
	}
	if b.new, err = sysctld.Merge(b.old, b.values); err != nil {
		return nil, err
	}
	files, err := sysctld.Load(root)
	if err != nil {
		return nil, err
	}
	b.before, _ = nextboot.At(files, sysctld.Systemd, hz)
	b.after = ch.Apply(b.before)
	return b, nil
}

// Changed reports whether the file becomes another.
func (b *Change) Changed() bool { return string(b.old) != string(b.new) }

// Record is the change as the journal has it.
func (b *Change) Record() journal.Change {
	return journal.Change{Kind: journal.Bootfile, Path: sysctld.DropIn, Old: change.Content(b.old), New: change.Content(b.new)}
}

// Apply writes the file.
func (b *Change) Apply() error {
	err := sysctld.ReplaceDropIn(b.root, b.old, b.new)
	b.Applied = err == nil
	return err
}

// Restored reports whether the file is as it was before.
func (b *Change) Restored() bool {
	now, err := sysctld.ReadDropIn(b.root)
	return err == nil && change.SameContent(change.Content(now), change.Content(b.old))
}

// Unchanged says what the next boot sets of a change that is not written for it,
// as far as the files can be read; nothing where that is the same.
func Unchanged(root rootfs.FS, hz int, ch keepalive.Change) string {
	values, _ := procfs.Values(ch) // checked when planned
	files, _ := sysctld.Load(root)
	readers := sysctld.Readers()
	var lines []string
	same := true
	for _, v := range values {
		by := map[string][]string{} // a line, and who reads it last
		var order []string
		for _, reader := range readers {
			settings, deciding := nextboot.At(files, reader, hz)
			same = same && nextboot.Numbers(settings)[v.Key] == v.N
			a, ok := deciding[v.Key]
			if !ok {
				continue
			}
			a.Path = root.Path(a.Path)
			line := fmt.Sprintf("%s has %s = %s", a.Source(), v.Key, a.Value)
			if by[line] == nil {
				order = append(order, line)
			}
			by[line] = append(by[line], string(reader))
		}
		for _, line := range order {
			if len(by[line]) < len(readers) {
				line += " (as " + strings.Join(by[line], " and ") + " reads it)"
			}
			lines = append(lines, line)
		}
	}
	switch {
	case len(lines) == 0:
		return "the next boot: --persist writes it to " + sysctld.DropIn + ", too"
	case same:
		return ""
	}
	return fmt.Sprintf("the next boot, for which %s: --persist writes what is set now to %s, too", strings.Join(lines, ", and "), sysctld.DropIn)
}

func (b *Change) Report() []change.Change {
	old := sysctld.Values(b.old)
	times := change.Detection(calc.DefaultKernel(), b.before, b.after)
	var changes []change.Change
	for _, key := range nextboot.Keys() {
		value, ok := b.values[key]
		if !ok {
			continue
		}
		c := change.Change{
			Target: change.TargetBootfile, Path: new(b.root.Path(sysctld.DropIn)), Key: key,
			New: new(value), Detection: &times,
		}
		if v, ok := old[key]; ok {
			c.Old = &v
		}
		c.Applied = b.Applied && (c.Old == nil || *c.Old != value)
		changes = append(changes, c)
	}
	return changes
}

// Beaten is a failure where the boot file does not decide what is set at boot.
func (b *Change) Beaten(dryRun bool) error {
	lines, err := b.culprits()
	if err != nil || len(lines) == 0 {
		return err
	}
	is := "is written, but not"
	if dryRun {
		is = "would not be"
	}
	return &cmdline.Failure{
		Err:    fmt.Errorf("%s %s in force at the next boot: %s", b.root.Path(sysctld.DropIn), is, strings.Join(lines, "; ")),
		Status: cmdline.StatusPartly,
		Hint:   "change or remove those lines",
	}
}

// culprits name what keeps the boot file from being in force: for a reader and a
// key, another file that is read later and says something else.
func (b *Change) culprits() ([]string, error) {
	files, err := sysctld.Load(b.root)
	if err != nil {
		return nil, err
	}
	files = files.WithDropIn(b.new) // it may not be written yet
	var lines []string
	for _, reader := range sysctld.Readers() {
		settings, deciding := nextboot.At(files, reader, b.hz)
		for _, key := range nextboot.Keys() {
			if want, ok := b.values[key]; ok && strconv.Itoa(nextboot.Numbers(settings)[key]) != want {
				lines = append(lines, fmt.Sprintf("%s: %s", reader, b.culprit(files, reader, key, deciding)))
			}
		}
	}
	return lines, nil
}

// culprit is the line that keeps ours from being in force for a key.
func (b *Change) culprit(files *sysctld.Files, reader sysctld.Reader, key string, deciding map[string]sysctld.Assignment) string {
	if a, ok := deciding[key]; ok {
		a.Path = b.root.Path(a.Path)
		return fmt.Sprintf("%s sets %s = %s after it", a.Source(), key, a.Value)
	}
	if all := files.Writes(reader, key); len(all) > 0 {
		a := all[len(all)-1]
		a.Path = b.root.Path(a.Path)
		return fmt.Sprintf("%s sets %s = %s after it, which the kernel refuses", a.Source(), key, a.Value)
	}
	a := files.Exclusion(reader, key)
	return fmt.Sprintf("%s:%d takes %s out of what is set", b.root.Path(a.Path), a.Line, key)
}

package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/journal"
	"github.com/tcpka/tcpka/internal/report"
	"github.com/tcpka/tcpka/internal/rootfs"
	"github.com/tcpka/tcpka/internal/sysctld"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/procfs"
)

// bootChange is what changes in our drop-in.
type bootChange struct {
	root     rootfs.FS
	hz       int    // of the kernel that the boot files are for
	old, new []byte // the file; nil is none
	values   map[string]string
	before   keepalive.Settings // at boot, as the files are now
	after    keepalive.Settings // and as they will be
	applied  bool
}

// planBoot reads the drop-in and computes what becomes of it.
func planBoot(root rootfs.FS, hz int, ch keepalive.Change) (*bootChange, error) {
	values, err := procfs.Values(ch)
	if err != nil {
		return nil, err
	}
	b := &bootChange{root: root, hz: hz, values: map[string]string{}}
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
	b.before, _ = atBoot(files, sysctld.Systemd, hz)
	b.after = ch.Apply(b.before)
	return b, nil
}

// changed reports whether the file becomes another.
func (b *bootChange) changed() bool { return string(b.old) != string(b.new) }

// record is the change as the journal has it.
func (b *bootChange) record() journal.Change {
	return journal.Change{Kind: journal.Bootfile, Path: sysctld.DropIn, Old: content(b.old), New: content(b.new)}
}

// apply writes the file.
func (b *bootChange) apply() error {
	err := sysctld.ReplaceDropIn(b.root, b.old, b.new)
	b.applied = err == nil
	return err
}

// unchangedBoot says what the next boot sets of a change that is not written for it,
// as far as the files can be read; nothing where that is the same.
func unchangedBoot(root rootfs.FS, hz int, ch keepalive.Change) string {
	values, _ := procfs.Values(ch) // checked when planned
	files, _ := sysctld.Load(root)
	readers := sysctld.Readers()
	var lines []string
	same := true
	for _, v := range values {
		by := map[string][]string{} // a line, and who reads it last
		var order []string
		for _, reader := range readers {
			settings, deciding := atBoot(files, reader, hz)
			same = same && numbers(settings)[v.Key] == v.N
			a, ok := deciding[v.Key]
			if !ok {
				continue
			}
			line := fmt.Sprintf("%s:%d has %s = %s", root.Path(a.Path), a.Line, v.Key, a.Value)
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

func (b *bootChange) report() []report.Change {
	old := sysctld.Values(b.old)
	times := detection(calc.DefaultKernel(), b.before, b.after)
	var changes []report.Change
	for _, key := range keys() {
		value, ok := b.values[key]
		if !ok {
			continue
		}
		c := report.Change{
			Target: report.TargetBootfile, Path: new(b.root.Path(sysctld.DropIn)), Key: key,
			New: new(value), Detection: &times,
		}
		if v, ok := old[key]; ok {
			c.Old = &v
		}
		c.Applied = b.applied && (c.Old == nil || *c.Old != value)
		changes = append(changes, c)
	}
	return changes
}

// beaten is a failure where the boot file does not decide what is set at boot.
func (b *bootChange) beaten(dryRun bool) error {
	lines, err := b.culprits()
	if err != nil || len(lines) == 0 {
		return err
	}
	is := "is written, but not"
	if dryRun {
		is = "would not be"
	}
	return &failure{
		err:    fmt.Errorf("%s %s in force at the next boot: %s", b.root.Path(sysctld.DropIn), is, strings.Join(lines, "; ")),
		status: statusPartly,
		hint:   "change or remove those lines",
	}
}

// culprits name what keeps the boot file from being in force: for a reader and a
// key, another file that is read later and says something else.
func (b *bootChange) culprits() ([]string, error) {
	files, err := sysctld.Load(b.root)
	if err != nil {
		return nil, err
	}
	files = files.WithDropIn(b.new) // it may not be written yet
	var lines []string
	for _, reader := range sysctld.Readers() {
		settings, deciding := atBoot(files, reader, b.hz)
		for _, key := range keys() {
			if want, ok := b.values[key]; ok && strconv.Itoa(numbers(settings)[key]) != want {
				lines = append(lines, fmt.Sprintf("%s: %s", reader, b.culprit(files, reader, key, deciding)))
			}
		}
	}
	return lines, nil
}

// culprit is the line that keeps ours from being in force for a key.
func (b *bootChange) culprit(files *sysctld.Files, reader sysctld.Reader, key string, deciding map[string]sysctld.Assignment) string {
	if a, ok := deciding[key]; ok {
		return fmt.Sprintf("%s:%d sets %s = %s after it", b.root.Path(a.Path), a.Line, key, a.Value)
	}
	if all := files.Writes(reader, key); len(all) > 0 {
		a := all[len(all)-1]
		return fmt.Sprintf("%s:%d sets %s = %s after it, which the kernel refuses", b.root.Path(a.Path), a.Line, key, a.Value)
	}
	a := files.Exclusion(reader, key)
	return fmt.Sprintf("%s:%d takes %s out of what is set", b.root.Path(a.Path), a.Line, key)
}

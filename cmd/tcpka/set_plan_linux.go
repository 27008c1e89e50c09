package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/report"
	"github.com/tcpka/tcpka/internal/rootfs"
	"github.com/tcpka/tcpka/journal"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/netns"
	"github.com/tcpka/tcpka/procfs"
	"github.com/tcpka/tcpka/sysctld"
)

// plan is what set is about to do: gathered and computed, nothing written.
type plan struct {
	where
	hz      int // of the kernel that the boot files are for
	runtime []*runtimeChange
	boot    *bootChange
}

// runtimeChange is what changes in one namespace, or in the proc of an image.
type runtimeChange struct {
	ns     namespace
	cookie uint64
	kernel calc.Kernel
	old    keepalive.Settings
	change keepalive.Change

	applied bool
	err     error // why it cannot be done, or could not
}

// addRuntime reads what the namespaces hold and whether it may be changed.
// Of all namespaces, those that cannot be changed are left out; it is an error
// where none remains.
func (p *plan) addRuntime(w where, ch keepalive.Change) error {
	values, err := procfs.Values(ch)
	if err != nil {
		return err
	}
	for _, ns := range w.namespaces {
		r := &runtimeChange{ns: ns, change: ch}
		r.err = r.ns.Do(func() error {
			snap, err := look(p.root)
			if err != nil {
				return err
			}
			r.old, r.kernel = snap.settings, snap.kernel
			r.cookie, _ = netns.Cookie() // 0 before Linux 5.14
			return p.sysctl(procfs.New(p.root).Writable(values...))
		})
		if r.err != nil && !w.all {
			return r.err
		}
		p.runtime = append(p.runtime, r)
	}
	if !slices.ContainsFunc(p.runtime, func(r *runtimeChange) bool { return r.err == nil }) {
		return p.failures()
	}
	return nil
}

// sysctlError is a sysctl of the running kernel that cannot be written. The same
// error of a file has other remedies.
type sysctlError struct{ err error }

func (e *sysctlError) Error() string { return e.err.Error() }
func (e *sysctlError) Unwrap() error { return e.err }

func (p *plan) sysctl(err error) error {
	if err == nil || !p.root.Live() {
		return err
	}
	return &sysctlError{err}
}

// bootChange is what changes in our drop-in.
type bootChange struct {
	old, new []byte // the file; nil is none
	values   map[string]string
	before   keepalive.Settings // at boot, as the files are now
	after    keepalive.Settings // and as they will be
	applied  bool
}

func (p *plan) addBoot(ch keepalive.Change) error {
	values, err := procfs.Values(ch)
	if err != nil {
		return err
	}
	b := bootChange{values: map[string]string{}}
	for _, v := range values {
		b.values[v.Key] = strconv.Itoa(v.N)
	}
	if b.old, err = sysctld.ReadDropIn(p.root); err != nil {
		return err
	}
	if b.new, err = sysctld.Merge(b.old, b.values); err != nil {
		return err
	}
	files, err := sysctld.Load(p.root)
	if err != nil {
		return err
	}
	b.before, _ = atBoot(files, sysctld.Systemd, p.hz)
	b.after = ch.Apply(b.before)
	p.boot = &b
	return nil
}

// document is the plan as an answer, with nothing applied yet.
func (p *plan) document() report.Set {
	d := report.Set{Schema: "tcpka/set/v1", Changes: []report.Change{}, Warnings: []calc.Warning{}, Unaffected: []string{}}
	for _, r := range p.runtime {
		d.Changes = append(d.Changes, r.report()...)
	}
	if p.boot != nil {
		d.Changes = append(d.Changes, p.boot.report(p.root)...)
	}
	for _, c := range d.Changes {
		d.Changed = d.Changed || c.Old == nil || *c.Old != *c.New
	}
	d.Detection = common(d.Changes)
	for _, r := range p.runtime {
		if r.err == nil {
			d.Warnings = append(d.Warnings, r.kernel.Warnings(r.change.Apply(r.old))...)
			break
		}
	}
	d.Unaffected = append(d.Unaffected, p.unaffected()...)
	return d
}

// common is the detection time before and after, if it is one for all changes.
func common(changes []report.Change) *report.OldNew {
	for _, c := range changes {
		if !equal(c.Detection.Old, changes[0].Detection.Old) || !equal(c.Detection.New, changes[0].Detection.New) {
			return nil
		}
	}
	if len(changes) == 0 {
		return nil
	}
	return changes[0].Detection
}

func equal(a, b *report.Seconds) bool { return a == b || a != nil && b != nil && *a == *b }

func detection(k calc.Kernel, old, new keepalive.Settings) report.OldNew {
	return report.OldNew{
		Old: report.NewPrediction(k.IdlePeerGone(old)).Seconds,
		New: report.NewPrediction(k.IdlePeerGone(new)).Seconds,
	}
}

func (r *runtimeChange) report() []report.Change {
	if r.err != nil {
		return nil
	}
	values, _ := procfs.Values(r.change) // checked when planned
	times := detection(r.kernel, r.old, r.change.Apply(r.old))
	var changes []report.Change
	for _, v := range values {
		changes = append(changes, report.Change{
			Target: report.TargetSysctl, Netns: new(r.ns.Name), Key: v.Key,
			Old: new(strconv.Itoa(numbers(r.old)[v.Key])), New: new(strconv.Itoa(v.N)),
			Applied: r.applied && v.N != numbers(r.old)[v.Key], Detection: &times,
		})
	}
	return changes
}

func (b *bootChange) report(root rootfs.FS) []report.Change {
	old := sysctld.Values(b.old)
	times := detection(calc.DefaultKernel(), b.before, b.after)
	var changes []report.Change
	for _, key := range keys() {
		value, ok := b.values[key]
		if !ok {
			continue
		}
		c := report.Change{
			Target: report.TargetBootfile, Path: new(root.Path(sysctld.DropIn)), Key: key,
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

// unaffected says what a change to the running kernel does not reach: what
// people who "set the sysctl and nothing happened" have met.
func (p *plan) unaffected() []string {
	if len(p.runtime) == 0 || !p.root.Live() {
		return nil
	}
	lines := []string{"sockets with keepalive off, or with values of their own (TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT)"}
	if !p.all {
		lines = append(lines, "other network namespaces: a container has settings of its own, which start at the kernel's defaults")
	}
	var longest time.Duration
	for _, r := range p.runtime {
		if t := r.change.Time; r.err == nil && t != nil && *t < r.old.Time {
			longest = max(longest, r.old.Time)
		}
	}
	if longest > 0 {
		lines = append(lines, fmt.Sprintf("timers that already run: a connection that is idle now is probed at its old time, up to %s from now, and by the new one from then on", report.Seconds(longest).Both()))
	}
	if p.boot == nil && p.namespaces[0].here {
		lines = append(lines, "the next boot: --persist writes it to "+sysctld.DropIn+", too")
	}
	return lines
}

// record is the plan as the journal has it. applied says, when the plan was
// carried out, which of the changes were made: their indices.
func (p *plan) record() (changes []journal.Change, applied func() []int) {
	var made []*bool
	for _, r := range p.runtime {
		for _, c := range r.report() {
			if *c.Old == *c.New {
				continue
			}
			made = append(made, &r.applied)
			changes = append(changes, journal.Change{
				Kind: journal.Sysctl, Key: c.Key, Old: c.Old, New: c.New,
				Netns: &journal.Netns{Name: r.ns.Name, Inode: r.ns.Inode, Cookie: r.cookie},
			})
		}
	}
	if b := p.boot; b != nil && string(b.old) != string(b.new) {
		made = append(made, &b.applied)
		changes = append(changes, journal.Change{
			Kind: journal.Bootfile, Path: sysctld.DropIn, Old: content(b.old), New: content(b.new),
		})
	}
	return changes, func() []int {
		indices := []int{}
		for i, m := range made {
			if *m {
				indices = append(indices, i)
			}
		}
		return indices
	}
}

// content is a file for the journal; nil is no file.
func content(b []byte) *string {
	if b == nil {
		return nil
	}
	return new(string(b))
}

// apply makes the changes. If the boot file, or the only namespace, cannot be
// written, everything is as it was before; of several namespaces those that
// fail are left as they were and named in the error.
func (p *plan) apply() error {
	for _, r := range p.runtime {
		if r.err == nil {
			r.err = r.ns.Do(func() error { return p.sysctl(procfs.New(p.root).Set(r.change)) })
			r.applied = r.err == nil
		}
		if r.err != nil && len(p.runtime) == 1 {
			return r.err
		}
	}
	if p.boot == nil {
		return p.failures()
	}
	if err := sysctld.ReplaceDropIn(p.root, p.boot.old, p.boot.new); err != nil {
		return errors.Join(err, p.restore())
	}
	p.boot.applied = true
	return p.failures()
}

// restore takes back what apply changed in the namespaces.
func (p *plan) restore() error {
	var errs []error
	for _, r := range p.runtime {
		if r.applied {
			err := r.ns.Do(func() error { return procfs.New(p.root).Put(r.before()...) })
			r.applied = err != nil
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// restored reports whether the namespaces hold what they held before.
func (p *plan) restored() bool {
	return !slices.ContainsFunc(p.runtime, func(r *runtimeChange) bool {
		var now keepalive.Settings
		err := r.ns.Do(func() (err error) {
			now, err = procfs.New(p.root).Keepalive()
			return err
		})
		return err != nil || now != r.old
	})
}

// failures are the namespaces that cannot be changed, or could not.
func (p *plan) failures() error {
	var errs []error
	for _, r := range p.runtime {
		if r.err != nil {
			errs = append(errs, fmt.Errorf("namespace %s: %w", r.ns.Name, r.err))
		}
	}
	return errors.Join(errs...)
}

func (p *plan) anyApplied() bool {
	for _, r := range p.runtime {
		if r.applied {
			return true
		}
	}
	return p.boot != nil && p.boot.applied
}

// before are the values that the change replaces.
func (r *runtimeChange) before() []procfs.Value {
	values, _ := procfs.Values(r.change)
	for i := range values {
		values[i].N = numbers(r.old)[values[i].Key]
	}
	return values
}

// beaten names what keeps the boot file from being in force: for a reader and a
// key, another file that is read later and says something else. Empty is none.
func (p *plan) beaten() ([]string, error) {
	if p.boot == nil {
		return nil, nil
	}
	files, err := sysctld.Load(p.root)
	if err != nil {
		return nil, err
	}
	files = files.WithDropIn(p.boot.new) // it may not be written yet
	var lines []string
	for _, reader := range sysctld.Readers() {
		settings, deciding := atBoot(files, reader, p.hz)
		for _, key := range keys() {
			if want, ok := p.boot.values[key]; ok && strconv.Itoa(numbers(settings)[key]) != want {
				lines = append(lines, fmt.Sprintf("%s: %s", reader, p.culprit(files, reader, key, deciding)))
			}
		}
	}
	return lines, nil
}

// culprit is the line that keeps ours from being in force for a key.
func (p *plan) culprit(files *sysctld.Files, reader sysctld.Reader, key string, deciding map[string]sysctld.Assignment) string {
	if a, ok := deciding[key]; ok {
		return fmt.Sprintf("%s:%d sets %s = %s after it", p.root.Path(a.Path), a.Line, key, a.Value)
	}
	if all := files.Writes(reader, key); len(all) > 0 {
		a := all[len(all)-1]
		return fmt.Sprintf("%s:%d sets %s = %s after it, which the kernel refuses", p.root.Path(a.Path), a.Line, key, a.Value)
	}
	a := files.Exclusion(reader, key)
	return fmt.Sprintf("%s:%d takes %s out of what is set", p.root.Path(a.Path), a.Line, key)
}

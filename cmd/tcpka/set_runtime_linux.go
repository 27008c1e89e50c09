package main

import (
	"errors"
	"os"
	"strconv"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/journal"
	"github.com/tcpka/tcpka/internal/netns"
	"github.com/tcpka/tcpka/internal/report"
	"github.com/tcpka/tcpka/internal/rootfs"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/procfs"
)

// runtimeChange is what changes in one namespace, or in the proc of an image.
type runtimeChange struct {
	root   rootfs.FS
	ns     namespace
	cookie uint64
	kernel calc.Kernel
	old    keepalive.Settings
	change keepalive.Change

	refused error // what a dry run may not write
	applied bool
	err     error // why it cannot be done, or could not
}

// planRuntime reads what a namespace holds and whether it may be changed. A dry run
// only needs to read. What cannot be done is in err.
func planRuntime(root rootfs.FS, ns namespace, ch keepalive.Change, dryRun bool) *runtimeChange {
	r := &runtimeChange{root: root, ns: ns, change: ch}
	values, err := procfs.Values(ch)
	if err != nil {
		r.err = err
		return r
	}
	r.err = ns.Do(func() error {
		snap, err := look(root)
		if err != nil {
			return err
		}
		r.old, r.kernel = snap.settings, snap.kernel
		r.cookie, _ = netns.Cookie() // 0 before Linux 5.14
		err = r.sysctl(procfs.New(root).Writable(values...))
		if dryRun && errors.Is(err, os.ErrPermission) {
			r.refused, err = err, nil
		}
		return err
	})
	return r
}

// next are the settings after the change.
func (r *runtimeChange) next() keepalive.Settings { return r.change.Apply(r.old) }

// apply writes the values, all of them or none.
func (r *runtimeChange) apply() error {
	if r.err == nil && !r.change.Empty() {
		r.err = r.ns.Do(func() error { return r.sysctl(procfs.New(r.root).Set(r.change)) })
		r.applied = r.err == nil
	}
	return r.err
}

// restore takes back what apply has written.
func (r *runtimeChange) restore() error {
	if !r.applied {
		return nil
	}
	err := r.ns.Do(func() error { return procfs.New(r.root).Put(r.before()...) })
	r.applied = err != nil
	return err
}

// restored reports whether the namespace holds what it held before.
func (r *runtimeChange) restored() bool {
	var now keepalive.Settings
	err := r.ns.Do(func() (err error) {
		now, err = procfs.New(r.root).Keepalive()
		return err
	})
	return err == nil && now == r.old
}

// record is the change as the journal has it.
func (r *runtimeChange) record() []journal.Change {
	var changes []journal.Change
	for _, c := range r.report() {
		if *c.Old != *c.New {
			changes = append(changes, journal.Change{
				Kind: journal.Sysctl, Key: c.Key, Old: c.Old, New: c.New,
				Netns: &journal.Netns{Name: r.ns.Name, Inode: r.ns.Inode, Cookie: r.cookie},
			})
		}
	}
	return changes
}

// sysctlError is a sysctl of the running kernel that cannot be written. The same
// error of a file has other remedies.
type sysctlError struct{ err error }

func (e *sysctlError) Error() string { return e.err.Error() }

func (e *sysctlError) Unwrap() error { return e.err }

func (r *runtimeChange) sysctl(err error) error {
	if err == nil || !r.root.Live() {
		return err
	}
	return &sysctlError{err}
}

func (r *runtimeChange) report() []report.Change {
	if r.err != nil {
		return nil
	}
	values, _ := procfs.Values(r.change) // checked when planned
	times := detection(r.kernel, r.old, r.next())
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

// before are the values that the change replaces.
func (r *runtimeChange) before() []procfs.Value {
	values, _ := procfs.Values(r.change)
	for i := range values {
		values[i].N = numbers(r.old)[values[i].Key]
	}
	return values
}

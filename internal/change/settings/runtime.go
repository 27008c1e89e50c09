// Package settings changes the three sysctls of a network namespace, or those of an image.
package settings

import (
	"errors"
	"os"
	"strconv"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/change"
	"github.com/tcpka/tcpka/internal/journal"
	"github.com/tcpka/tcpka/internal/netns"
	"github.com/tcpka/tcpka/internal/nextboot"
	"github.com/tcpka/tcpka/internal/rootfs"
	"github.com/tcpka/tcpka/internal/target"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/procfs"
)

// Change is what changes in one namespace, or in the proc of an image.
type Change struct {
	root   rootfs.FS
	Netns  target.Namespace
	cookie uint64
	Kernel calc.Kernel
	Old    keepalive.Settings
	Wanted keepalive.Change

	Refused error // what a dry run may not write
	Applied bool
	Err     error // why it cannot be done, or could not
}

// Plan reads what a namespace holds and whether it may be changed. A dry run
// only needs to read. What cannot be done is in err.
func Plan(root rootfs.FS, ns target.Namespace, ch keepalive.Change, dryRun bool) *Change {
	r := &Change{root: root, Netns: ns, Wanted: ch}
	values, err := procfs.Values(ch)
	if err != nil {
		r.Err = err
		return r
	}
	r.Err = ns.Do(func() error {
		snap, err := target.Look(root)
		if err != nil {
			return err
		}
		r.Old, r.Kernel = snap.Settings, snap.Kernel
		r.cookie, _ = netns.Cookie() // 0 before Linux 5.14
		err = r.sysctl(procfs.New(root).Writable(values...))
		if dryRun && errors.Is(err, os.ErrPermission) {
			r.Refused, err = err, nil
		}
		return err
	})
	return r
}

// Next are the settings after the change.
func (r *Change) Next() keepalive.Settings { return r.Wanted.Apply(r.Old) }

// Apply writes the values, all of them or none.
func (r *Change) Apply() error {
	if r.Err == nil && !r.Wanted.Empty() {
		r.Err = r.Netns.Do(func() error { return r.sysctl(procfs.New(r.root).Set(r.Wanted)) })
		r.Applied = r.Err == nil
	}
	return r.Err
}

// Restore takes back what apply has written.
func (r *Change) Restore() error {
	if !r.Applied {
		return nil
	}
	err := r.Netns.Do(func() error { return procfs.New(r.root).Put(r.before()...) })
	r.Applied = err != nil
	return err
}

// Restored reports whether the namespace holds what it held before.
func (r *Change) Restored() bool {
	var now keepalive.Settings
	err := r.Netns.Do(func() (err error) {
		now, err = procfs.New(r.root).Keepalive()
		return err
	})
	return err == nil && now == r.Old
}

// Record is the change as the journal has it.
func (r *Change) Record() []journal.Change {
	var changes []journal.Change
	for _, c := range r.Report() {
		if *c.Old != *c.New {
			changes = append(changes, journal.Change{
				Kind: journal.Sysctl, Key: c.Key, Old: c.Old, New: c.New,
				Netns: &journal.Netns{Name: r.Netns.Name, Inode: r.Netns.Inode, Cookie: r.cookie},
			})
		}
	}
	return changes
}

// SysctlError is a sysctl of the running kernel that cannot be written. The same
// error of a file has other remedies.
type SysctlError struct{ err error }

func (e *SysctlError) Error() string { return e.err.Error() }

func (e *SysctlError) Unwrap() error { return e.err }

func (r *Change) sysctl(err error) error {
	if err == nil || !r.root.Live() {
		return err
	}
	return &SysctlError{err}
}

func (r *Change) Report() []change.Change {
	if r.Err != nil {
		return nil
	}
	values, _ := procfs.Values(r.Wanted) // checked when planned
	times := change.Detection(r.Kernel, r.Old, r.Next())
	var changes []change.Change
	for _, v := range values {
		changes = append(changes, change.Change{
			Target: change.TargetSysctl, Netns: new(r.Netns.Name), Key: v.Key,
			Old: new(strconv.Itoa(nextboot.Numbers(r.Old)[v.Key])), New: new(strconv.Itoa(v.N)),
			Applied: r.Applied && v.N != nextboot.Numbers(r.Old)[v.Key], Detection: &times,
		})
	}
	return changes
}

// before are the values that the change replaces.
func (r *Change) before() []procfs.Value {
	values, _ := procfs.Values(r.Wanted)
	for i := range values {
		values[i].N = nextboot.Numbers(r.Old)[values[i].Key]
	}
	return values
}

package main

import (
	"errors"
	"os"
	"slices"
	"strconv"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/report"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/netns"
	"github.com/tcpka/tcpka/procfs"
)

// runtimeChange is what changes in one namespace, or in the proc of an image.
type runtimeChange struct {
	ns     namespace
	cookie uint64
	kernel calc.Kernel
	old    keepalive.Settings
	change keepalive.Change
	timers *timers // to be armed anew; nil is not asked for

	applied bool
	err     error // why it cannot be done, or could not
}

// addRuntime reads what the namespaces hold and whether it may be changed.
// Of all namespaces, those that cannot be changed are left out; it is an error
// where none remains. A dry run only needs to read.
//
// Where timers are to be armed anew, they are those that were shown before, if
// any were.
func (p *setPlan) addRuntime(w where, ch keepalive.Change, shown *setPlan) error {
	values, err := procfs.Values(ch)
	if err != nil {
		return err
	}
	for i, ns := range w.namespaces {
		r := &runtimeChange{ns: ns, change: ch}
		r.err = r.ns.Do(func() error {
			snap, err := look(p.root)
			if err != nil {
				return err
			}
			r.old, r.kernel = snap.settings, snap.kernel
			r.cookie, _ = netns.Cookie() // 0 before Linux 5.14
			err = p.sysctl(procfs.New(p.root).Writable(values...))
			if p.dryRun && errors.Is(err, os.ErrPermission) {
				p.refused, err = err, nil
			}
			if err != nil || !p.rearm {
				return err
			}
			var only *timers
			if shown != nil {
				only = shown.runtime[i].timers
			}
			r.timers, err = findTimers(r.old, ch.Apply(r.old), only)
			return err
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

func (p *setPlan) sysctl(err error) error {
	if err == nil || !p.root.Live() {
		return err
	}
	return &sysctlError{err}
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

// before are the values that the change replaces.
func (r *runtimeChange) before() []procfs.Value {
	values, _ := procfs.Values(r.change)
	for i := range values {
		values[i].N = numbers(r.old)[values[i].Key]
	}
	return values
}

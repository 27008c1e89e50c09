package main

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/report"
	"github.com/tcpka/tcpka/journal"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/procfs"
	"github.com/tcpka/tcpka/sysctld"
)

// setPlan is what set is about to do.
type setPlan struct {
	where
	hz      int // of the kernel that the boot files are for
	rearm   bool
	dryRun  bool
	refused error // what a dry run may not write
	runtime []*runtimeChange
	boot    *bootChange

	nextBoot string // what becomes of the change then, where boot is nil; empty is that it stays
}

// document is the plan as an answer, with nothing applied yet.
func (p *setPlan) document() report.Set {
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
	if d.Rearmed = p.rearmed(); d.Rearmed != nil {
		d.Changed = d.Changed || d.Rearmed.Sockets > 0
	}
	for _, r := range p.runtime {
		if r.err == nil {
			d.Warnings = append(d.Warnings, r.kernel.Warnings(r.change.Apply(r.old))...)
			break
		}
	}
	if p.boot != nil && p.root.Live() && p.namespaces[0].Name != "host" {
		d.Warnings = append(d.Warnings, calc.Warning{
			ID:   "boot_namespace_unknown",
			Text: fmt.Sprintf("namespace %s is not known to be the host's: who reads %s at boot, and which namespace has it then, cannot be told from here; tcpka show lists it only in the host's", p.namespaces[0].Name, sysctld.DropIn),
		})
	}
	d.Unaffected = append(d.Unaffected, p.unaffected()...)
	return d
}

// common is the detection time before and after, if it is one for all changes.
func common(changes []report.Change) *report.OldNew {
	for _, c := range changes {
		if c.Detection == nil || changes[0].Detection == nil || !equal(c.Detection.Old, changes[0].Detection.Old) || !equal(c.Detection.New, changes[0].Detection.New) {
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

// unaffected says what a change to the running kernel does not reach: what
// people who "set the sysctl and nothing happened" have met.
func (p *setPlan) unaffected() []string {
	if len(p.runtime) == 0 || p.runtime[0].change.Empty() || !p.root.Live() {
		return nil
	}
	lines := []string{"sockets with keepalive off, or with values of their own (TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT): tcpka set sockets changes those"}
	switch {
	case p.all:
	case !p.namespaces[0].here:
		lines = append(lines, "other network namespaces, the one that tcpka runs in among them")
	default:
		lines = append(lines, "other network namespaces: a container has settings of its own, which start at the kernel's defaults; --netns changes those")
	}
	var longest time.Duration
	for _, r := range p.runtime {
		if t := r.change.Time; !p.rearm && r.err == nil && t != nil && *t < r.old.Time {
			longest = max(longest, r.old.Time)
		}
	}
	if longest > 0 {
		lines = append(lines, fmt.Sprintf("timers that already run: a connection that is idle now is probed at its old time, up to %s from now, and by the new one from then on; --rearm starts them anew", report.Seconds(longest).Both()))
	}
	if p.nextBoot != "" && p.namespaces[0].here {
		lines = append(lines, p.nextBoot)
	}
	return lines
}

func (p *setPlan) record() (iter.Seq[journal.Change], func() []int) {
	var changes []journal.Change
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
	if len(changes) == 0 {
		return nil, nil
	}
	return slices.Values(changes), func() []int {
		indices := []int{}
		for i, m := range made {
			if *m {
				indices = append(indices, i)
			}
		}
		return indices
	}
}

// apply makes the changes. If the boot file, or the only namespace, cannot be
// written, everything is as it was before; of several namespaces those that
// fail are left as they were and named in the error.
func (p *setPlan) apply(<-chan os.Signal) error {
	for _, r := range p.runtime {
		if r.err == nil && !r.change.Empty() {
			r.err = r.ns.Do(func() error { return p.sysctl(procfs.New(p.root).Set(r.change)) })
			r.applied = r.err == nil
		}
		if r.err != nil && len(p.runtime) == 1 {
			return r.err
		}
	}
	if p.boot != nil {
		if err := sysctld.ReplaceDropIn(p.root, p.boot.old, p.boot.new); err != nil {
			return errors.Join(err, p.restore())
		}
		p.boot.applied = true
	}
	return errors.Join(p.startTimers(), p.failures())
}

// startTimers comes last: what it does cannot be taken back, and need not be. A
// timer that runs for a time that is no longer in force looks at the one that is
// when it fires.
func (p *setPlan) startTimers() error {
	var errs []error
	for _, r := range p.runtime {
		if r.err == nil && r.timers != nil && len(r.timers.late) > 0 {
			errs = append(errs, r.ns.Do(func() error { return r.timers.rearm(r.change.Apply(r.old)) }))
		}
	}
	return errors.Join(errs...)
}

// restore takes back what apply changed in the namespaces.
func (p *setPlan) restore() error {
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
func (p *setPlan) restored() bool {
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
func (p *setPlan) failures() error {
	var errs []error
	for _, r := range p.runtime {
		if r.err != nil {
			errs = append(errs, fmt.Errorf("namespace %s: %w", r.ns.Name, r.err))
		}
		errs = append(errs, r.timers.failures()...)
	}
	return errors.Join(errs...)
}

// touches are the namespaces, where it is not only the one that was meant, and
// the timers of other programs.
func (p *setPlan) touches() string {
	var what []string
	n := 0
	for _, r := range p.runtime {
		if r.err == nil && r.change.Apply(r.old) != r.old {
			n++
		}
	}
	if p.all && n > 0 {
		what = append(what, namespaces(n))
	}
	if d := p.rearmed(); d != nil && d.Sockets > 0 {
		what = append(what, some(d.Sockets, "the timer of 1 connection", "the timers of %d connections"))
	}
	return strings.Join(what, " and ")
}

func (p *setPlan) anyChange() bool { return p.document().Changed }

func (p *setPlan) anyApplied() bool {
	for _, r := range p.runtime {
		if r.applied || r.timers.started() {
			return true
		}
	}
	return p.boot != nil && p.boot.applied
}

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
	"github.com/tcpka/tcpka/internal/journal"
	"github.com/tcpka/tcpka/internal/report"
	"github.com/tcpka/tcpka/internal/sysctld"
	"github.com/tcpka/tcpka/keepalive"
)

// setPlan is what set is about to do.
type setPlan struct {
	where
	hz      int // of the kernel that the boot files are for
	rearm   bool
	dryRun  bool
	runtime []runtimePart
	boot    *bootChange

	nextBoot string // what becomes of the change then, where boot is nil; empty is that it stays
}

// runtimePart is what is about to change in one namespace: its sysctls, and the timers
// that are to be armed anew, nil where that is not asked for.
type runtimePart struct {
	*runtimeChange
	timers *timers
}

// addRuntime plans the change of each namespace. Of all namespaces, those that cannot
// be changed are left out; it is an error where none remains.
//
// Where timers are to be armed anew, they are those that were shown before, if any
// were.
func (p *setPlan) addRuntime(ch keepalive.Change, shown *setPlan) error {
	for i, ns := range p.namespaces {
		r := runtimePart{runtimeChange: planRuntime(p.root, ns, ch, p.dryRun)}
		if r.err == nil && p.rearm {
			var only *timers
			if shown != nil {
				only = shown.runtime[i].timers
			}
			r.err = ns.Do(func() (err error) {
				r.timers, err = findTimers(r.old, r.next(), only)
				return err
			})
		}
		if r.err != nil && !p.all {
			return r.err
		}
		p.runtime = append(p.runtime, r)
	}
	if !slices.ContainsFunc(p.runtime, func(r runtimePart) bool { return r.err == nil }) {
		return p.failures()
	}
	return nil
}

// refused is what a dry run may not write.
func (p *setPlan) refused() error {
	for _, r := range slices.Backward(p.runtime) {
		if r.refused != nil {
			return r.refused
		}
	}
	return nil
}

// document is the plan as an answer, with nothing applied yet.
func (p *setPlan) document() report.Set {
	d := report.Set{Schema: "tcpka/set/v1", Changes: []report.Change{}, Warnings: []calc.Warning{}, Unaffected: []string{}}
	for _, r := range p.runtime {
		d.Changes = append(d.Changes, r.report()...)
	}
	if p.boot != nil {
		d.Changes = append(d.Changes, p.boot.report()...)
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
			d.Warnings = append(d.Warnings, r.kernel.Warnings(r.next())...)
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
		for _, c := range r.record() {
			changes, made = append(changes, c), append(made, &r.applied)
		}
	}
	if p.boot != nil && p.boot.changed() {
		changes, made = append(changes, p.boot.record()), append(made, &p.boot.applied)
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
		if err := r.apply(); err != nil && len(p.runtime) == 1 {
			return err
		}
	}
	if p.boot != nil {
		if err := p.boot.apply(); err != nil {
			return errors.Join(err, p.restore())
		}
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
			errs = append(errs, r.ns.Do(func() error { return r.timers.rearm(r.next()) }))
		}
	}
	return errors.Join(errs...)
}

// restore takes back what apply changed in the namespaces.
func (p *setPlan) restore() error {
	var errs []error
	for _, r := range p.runtime {
		errs = append(errs, r.restore())
	}
	return errors.Join(errs...)
}

// restored reports whether the namespaces hold what they held before.
func (p *setPlan) restored() bool {
	return !slices.ContainsFunc(p.runtime, func(r runtimePart) bool { return !r.restored() })
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
		if r.err == nil && r.next() != r.old {
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

// beaten is a failure where the boot file does not decide what is set at boot.
func (p *setPlan) beaten(dryRun bool) error {
	if p.boot == nil {
		return nil
	}
	return p.boot.beaten(dryRun)
}

// rearmed adds up the timers of all namespaces; nil is not asked for.
func (p *setPlan) rearmed() *report.Rearmed {
	if !p.rearm {
		return nil
	}
	sum := newTimerSum()
	for _, r := range p.runtime {
		sum.addAll(r.ns.Name, r.timers)
	}
	return sum.report()
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

package set

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/change"
	"github.com/tcpka/tcpka/internal/change/bootfile"
	"github.com/tcpka/tcpka/internal/change/connections"
	"github.com/tcpka/tcpka/internal/change/settings"
	"github.com/tcpka/tcpka/internal/journal"
	"github.com/tcpka/tcpka/internal/sysctld"
	"github.com/tcpka/tcpka/internal/target"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/sockets"
)

// setPlan is what set is about to do.
type setPlan struct {
	target.Where
	hz      int // of the kernel that the boot files are for
	rearm   bool
	dryRun  bool
	runtime []runtimePart
	boot    *bootfile.Change

	nextBoot string // what becomes of the change then, where boot is nil; empty is that it stays
}

// runtimePart is what is about to change in one namespace: its sysctls, and the timers
// that are to be armed anew, nil where that is not asked for.
type runtimePart struct {
	*settings.Change
	timers *connections.Timers
}

// addRuntime plans the change of each namespace. Of all namespaces, those that cannot
// be changed are left out; it is an error where none remains.
//
// Where timers are to be armed anew, they are those that were shown before, if any
// were.
func (p *setPlan) addRuntime(ch keepalive.Change, shown *setPlan) error {
	var shared sockets.Shared
	defer shared.Close()
	for i, ns := range p.Namespaces {
		r := runtimePart{Change: settings.Plan(p.Root, ns, ch, p.dryRun)}
		if r.Err == nil && p.rearm {
			var only *connections.Timers
			if shown != nil {
				only = shown.runtime[i].timers
			}
			r.Err = ns.Do(func() (err error) {
				r.timers, err = connections.FindTimers(&shared, r.Old, r.Next(), only)
				return err
			})
		}
		if r.Err != nil && !p.All {
			return r.Err
		}
		p.runtime = append(p.runtime, r)
	}
	if !slices.ContainsFunc(p.runtime, func(r runtimePart) bool { return r.Err == nil }) {
		return p.Failures()
	}
	return nil
}

// refused is what a dry run may not write.
func (p *setPlan) refused() error {
	for _, r := range slices.Backward(p.runtime) {
		if r.Refused != nil {
			return r.Refused
		}
	}
	return nil
}

// Document is the plan as an answer, with nothing applied yet.
func (p *setPlan) Document() change.Set {
	d := change.Set{Schema: "tcpka/set/v1", Changes: []change.Change{}, Warnings: []calc.Warning{}, Unaffected: []string{}}
	for _, r := range p.runtime {
		d.Changes = append(d.Changes, r.Report()...)
	}
	if p.boot != nil {
		d.Changes = append(d.Changes, p.boot.Report()...)
	}
	for _, c := range d.Changes {
		d.Changed = d.Changed || c.Old == nil || *c.Old != *c.New
	}
	d.Detection = change.Common(d.Changes)
	if d.Rearmed = p.rearmed(); d.Rearmed != nil {
		d.Changed = d.Changed || d.Rearmed.Sockets > 0
	}
	for _, r := range p.runtime {
		if r.Err == nil {
			d.Warnings = append(d.Warnings, r.Kernel.Warnings(r.Next())...)
			break
		}
	}
	if p.boot != nil && p.Root.Live() && p.Namespaces[0].Name != "host" {
		d.Warnings = append(d.Warnings, calc.Warning{
			ID:   "boot_namespace_unknown",
			Text: fmt.Sprintf("namespace %s is not known to be the host's: who reads %s at boot, and which namespace has it then, cannot be told from here; tcpka show lists it only in the host's", p.Namespaces[0].Name, sysctld.DropIn),
		})
	}
	d.Unaffected = append(d.Unaffected, p.unaffected()...)
	return d
}

// unaffected says what a change to the running kernel does not reach: what
// people who "set the sysctl and nothing happened" have met.
func (p *setPlan) unaffected() []string {
	if len(p.runtime) == 0 || p.runtime[0].Wanted.Empty() || !p.Root.Live() {
		return nil
	}
	lines := []string{"sockets with keepalive off, or with values of their own (TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT): tcpka set sockets changes those"}
	switch {
	case p.All:
	case !p.Namespaces[0].Here:
		lines = append(lines, "other network namespaces, the one that tcpka runs in among them")
	default:
		lines = append(lines, "other network namespaces: a container has settings of its own, which start at the kernel's defaults; --netns changes those")
	}
	var longest time.Duration
	for _, r := range p.runtime {
		if t := r.Wanted.Time; !p.rearm && r.Err == nil && t != nil && *t < r.Old.Time {
			longest = max(longest, r.Old.Time)
		}
	}
	if longest > 0 {
		lines = append(lines, fmt.Sprintf("timers that already run: a connection that is idle now is probed at its old time, up to %s from now, and by the new one from then on; --rearm starts them anew", answer.Seconds(longest).Both()))
	}
	if p.nextBoot != "" && p.Namespaces[0].Here {
		lines = append(lines, p.nextBoot)
	}
	return lines
}

func (p *setPlan) Record() (iter.Seq[journal.Change], func() []int) {
	var changes []journal.Change
	var made []*bool
	for _, r := range p.runtime {
		for _, c := range r.Record() {
			changes, made = append(changes, c), append(made, &r.Applied)
		}
	}
	if p.boot != nil && p.boot.Changed() {
		changes, made = append(changes, p.boot.Record()), append(made, &p.boot.Applied)
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

// Apply makes the changes. If the boot file, or the only namespace, cannot be
// written, everything is as it was before; of several namespaces those that
// fail are left as they were and named in the error.
func (p *setPlan) Apply(<-chan os.Signal) error {
	for _, r := range p.runtime {
		if err := r.Apply(); err != nil && len(p.runtime) == 1 {
			return err
		}
	}
	if p.boot != nil {
		if err := p.boot.Apply(); err != nil {
			return errors.Join(err, p.restore())
		}
	}
	return errors.Join(p.startTimers(), p.Failures())
}

// startTimers comes last: what it does cannot be taken back, and need not be. A
// timer that runs for a time that is no longer in force looks at the one that is
// when it fires.
func (p *setPlan) startTimers() error {
	var errs []error
	var shared sockets.Shared
	defer shared.Close()
	for _, r := range p.runtime {
		if r.Err == nil && r.timers != nil && len(r.timers.Late) > 0 {
			errs = append(errs, r.Netns.Do(func() error { return r.timers.Rearm(&shared, r.Next()) }))
		}
	}
	return errors.Join(errs...)
}

// restore takes back what apply changed in the namespaces.
func (p *setPlan) restore() error {
	var errs []error
	for _, r := range p.runtime {
		errs = append(errs, r.Restore())
	}
	return errors.Join(errs...)
}

// Restored reports whether the namespaces and the boot file hold what they held before.
func (p *setPlan) Restored() bool {
	return (p.boot == nil || p.boot.Restored()) && !slices.ContainsFunc(p.runtime, func(r runtimePart) bool { return !r.Restored() })
}

// Failures are the namespaces that cannot be changed, or could not.
func (p *setPlan) Failures() error {
	var errs []error
	for _, r := range p.runtime {
		if r.Err != nil {
			errs = append(errs, fmt.Errorf("namespace %s: %w", r.Netns.Name, r.Err))
		}
		errs = append(errs, r.timers.Failures()...)
	}
	return errors.Join(errs...)
}

// Touches are the namespaces, where it is not only the one that was meant, and
// the timers of other programs.
func (p *setPlan) Touches() string {
	var what []string
	n := 0
	for _, r := range p.runtime {
		if r.Err == nil && r.Next() != r.Old {
			n++
		}
	}
	if p.All && n > 0 {
		what = append(what, answer.Count(n, "namespace"))
	}
	if d := p.rearmed(); d != nil && d.Sockets > 0 {
		what = append(what, answer.Some(d.Sockets, "the timer of 1 connection", "the timers of %d connections"))
	}
	return strings.Join(what, " and ")
}

// Beaten is a failure where the boot file does not decide what is set at boot.
func (p *setPlan) Beaten(dryRun bool) error {
	if p.boot == nil {
		return nil
	}
	return p.boot.Beaten(dryRun)
}

// rearmed adds up the timers of all namespaces; nil is not asked for.
func (p *setPlan) rearmed() *change.Rearmed {
	if !p.rearm {
		return nil
	}
	sum := connections.NewTimerSum()
	for _, r := range p.runtime {
		sum.AddAll(r.Netns.Name, r.timers)
	}
	return sum.Report()
}

func (p *setPlan) AnyChange() bool { return p.Document().Changed }

func (p *setPlan) AnyApplied() bool {
	for _, r := range p.runtime {
		if r.Applied || r.timers.Started() {
			return true
		}
	}
	return p.boot != nil && p.boot.Applied
}

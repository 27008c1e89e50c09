// Package show is tcpka show: the settings in force.
package show

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/internal/netns"
	"github.com/tcpka/tcpka/internal/nextboot"
	"github.com/tcpka/tcpka/internal/rootfs"
	"github.com/tcpka/tcpka/internal/sysctld"
	"github.com/tcpka/tcpka/internal/target"
	"github.com/tcpka/tcpka/keepalive"
)

// Command is tcpka show, with the commands below it.
func Command(s *cmdline.Invocation, below ...*cli.Command) *cli.Command {
	return &cli.Command{
		Name:      "show",
		Usage:     "show the keepalive settings in force",
		UsageText: "tcpka show [--netns NS] [--root DIR] [-o table|json]",
		Description: `Shows the kernel's three keepalive settings, who sets them at boot, when a dead
peer is noticed, how often an idle path is refreshed, and the counters. With
--netns all a line for each network namespace; containers have settings of their
own, which start at the kernel's defaults. Needs no privilege for its own
namespace, and root for those of others.`,
		Flags:       cmdline.Join(cmdline.OutputFlags(), cmdline.WhereFlags()),
		Subcommands: below,
		Action:      func(c *cli.Context) error { return run(s, c) },
	}
}

func run(s *cmdline.Invocation, c *cli.Context) error {
	if _, err := cmdline.OutputFormat(c); err != nil {
		return err
	}
	w, err := target.WhereOf(c)
	if err != nil {
		return err
	}
	d := Document{Schema: "tcpka/show/v1", Namespaces: []Namespace{}, Rows: w.All}
	unreadable := 0
	for _, ns := range w.Namespaces {
		var snap target.Snapshot
		err := ns.Do(func() (err error) {
			snap, err = target.Look(w.Root)
			return err
		})
		if w.Gone(err) {
			continue
		}
		stopped := !w.Root.Live() && errors.Is(err, fs.ErrNotExist) // an image that nothing runs of
		if err != nil && !w.All && !stopped {
			return s.Permission(err)
		}
		n, running := describe(ns.Namespace, snap), &snap.Settings
		switch {
		case stopped:
			n, running = unknown(ns.Namespace, err), nil
			snap.Kernel.HZ = target.HZ(w.Root)
		case err != nil:
			unreadable++
			n = unknown(ns.Namespace, err)
		}
		if ns.Name == "host" && err == nil || !w.Root.Live() {
			boot, warnings, err := bootOf(w.Root, running, snap.Kernel.HZ)
			if err != nil {
				s.Notice("not all boot settings are known: %v", err)
			}
			n.Boot, n.Warnings = boot, append(n.Warnings, warnings...)
		}
		d.Namespaces = append(d.Namespaces, n)
	}
	if unreadable > 0 {
		s.Notice("%d of %d namespaces could not be entered; %s", unreadable, len(w.Namespaces), s.Sudo())
	}
	return s.Render(c, d)
}

// describe computes what a snapshot means.
func describe(ns netns.Namespace, snap target.Snapshot) Namespace {
	n := Namespace{
		Name:    ns.Name,
		Current: ns.Current,
		Time:    new(int64(snap.Settings.Time / time.Second)),
		Intvl:   new(int64(snap.Settings.Intvl / time.Second)),
		Probes:  new(snap.Settings.Probes),
		Counters: Counters{
			ProbesSent: snap.Counters.KeepaliveProbesSent, AbortedOnTimeout: snap.Counters.AbortedOnTimeout,
		},
		HZ:       new(snap.Kernel.HZ),
		Assumed:  append([]string{}, snap.Assumed...),
		Boot:     []Boot{},
		Warnings: append([]calc.Warning{}, snap.Kernel.Warnings(snap.Settings)...),
	}
	identify(&n, ns)
	p := answer.NewPrediction(snap.Kernel.IdlePeerGone(snap.Settings))
	n.Detection, n.DetectionEarliest, n.DetectionLatest = p.Seconds, p.Earliest, p.Latest
	// What was last heard may have been the answer to a probe.
	if answered := answer.NewPrediction(snap.Kernel.IdleAfterAnsweredProbe(snap.Settings)); p.Latest != nil && *answered.Latest > *p.Latest {
		n.DetectionLatest = answered.Latest
	}
	if period, _, ok := snap.Kernel.Refresh(snap.Settings); ok {
		n.Refresh = new(answer.Seconds(period))
	}
	return n
}

// unknown is a namespace that could not be read.
func unknown(ns netns.Namespace, err error) Namespace {
	n := Namespace{
		Name: ns.Name, Current: ns.Current, Error: new(err.Error()),
		Assumed: []string{}, Boot: []Boot{}, Warnings: []calc.Warning{},
	}
	identify(&n, ns)
	return n
}

// identify adds what an image does not have.
func identify(n *Namespace, ns netns.Namespace) {
	if ns.Inode != 0 {
		n.Inode = new(ns.Inode)
	}
	if ns.PID != 0 {
		n.PID = new(ns.PID)
	}
}

// bootOf says who sets each key at boot, and whether that is what runs, if that is known.
// The error names what could not be read; the rest holds all the same.
func bootOf(root rootfs.FS, running *keepalive.Settings, hz int) ([]Boot, []calc.Warning, error) {
	files, err := sysctld.Load(root)
	boot := []Boot{}
	var warnings []calc.Warning
	for _, reader := range sysctld.Readers() {
		settings, deciding := nextboot.At(files, reader, hz)
		for _, key := range nextboot.Keys() {
			b := Boot{Key: key, Reader: string(reader)}
			a, ok := deciding[key]
			if ok {
				b.Value, b.Source = new(a.Value), new(fmt.Sprintf("%s:%d", a.Path, a.Line))
				if a.By != "" {
					b.Writer = &a.By
				}
			}
			if running != nil {
				b.MatchesRunning = new(nextboot.Numbers(settings)[key] == nextboot.Numbers(*running)[key])
			}
			boot = append(boot, b)
			for _, w := range files.Writes(reader, key) {
				if _, ok := nextboot.Takes(key, w.Value, hz); !ok {
					warnings = append(warnings, calc.Warning{
						ID:   "boot_value_refused",
						Text: fmt.Sprintf("%s sets %s = %s for %s, which the kernel refuses", w.Source(), key, w.Value, reader),
					})
				}
			}
		}
	}
	for _, key := range nextboot.Keys() {
		before, after := files.Beside(key)
		for _, w := range before {
			warnings = append(warnings, besideFiles("%s sets %s = %s before the files of sysctl.d are read", w))
		}
		for _, w := range after {
			if w.By != "" { // else it is a file that is read again
				warnings = append(warnings, besideFiles("%s sets %s = %s after the files of sysctl.d are read", w))
			}
		}
	}
	for _, stray := range files.Strays(nextboot.Keys()...) {
		text := fmt.Sprintf("%s:%d sets nothing, %.100q: %s", stray.Path, stray.Line, stray.Text, stray.Why)
		if stray.Want != "" {
			text += "; meant is: " + stray.Want
		}
		warnings = append(warnings, calc.Warning{ID: "boot_line_ignored", Text: text})
	}
	return boot, warnings, err
}

func besideFiles(format string, w sysctld.Assignment) calc.Warning {
	return calc.Warning{ID: "boot_other_writer", Text: fmt.Sprintf(format, w.Source(), w.Key, w.Value)}
}

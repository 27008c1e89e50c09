package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/netns"
	"github.com/tcpka/tcpka/internal/report"
	"github.com/tcpka/tcpka/internal/rootfs"
	"github.com/tcpka/tcpka/internal/sysctld"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/procfs"
)

func showCommand(s *session, below ...*cli.Command) *cli.Command {
	return &cli.Command{
		Name:      "show",
		Usage:     "show the keepalive settings in force",
		UsageText: "tcpka show [--netns NS] [--root DIR] [-o table|json]",
		Description: `Shows the kernel's three keepalive settings, who sets them at boot, when a dead
peer is noticed, how often an idle path is refreshed, and the counters. With
--netns all a line for each network namespace; containers have settings of their
own, which start at the kernel's defaults. Needs no privilege for its own
namespace, and root for those of others.`,
		Flags:       join(outputFlags(), whereFlags()),
		Subcommands: below,
		Action:      func(c *cli.Context) error { return showSettings(s, c) },
	}
}

func showSettings(s *session, c *cli.Context) error {
	if _, err := outputFormat(c); err != nil {
		return err
	}
	w, err := whereOf(c)
	if err != nil {
		return err
	}
	d := report.Show{Schema: "tcpka/show/v1", Namespaces: []report.Namespace{}, Rows: w.all}
	unreadable := 0
	for _, ns := range w.namespaces {
		var snap snapshot
		err := ns.Do(func() (err error) {
			snap, err = look(w.root)
			return err
		})
		if err != nil && !w.all {
			return s.permission(err)
		}
		n := describe(ns.Namespace, snap)
		switch {
		case err != nil:
			unreadable++
			n = unknown(ns.Namespace, err)
		case ns.Name == "host" || !w.root.Live():
			boot, warnings, err := bootOf(w.root, snap.settings, snap.kernel.HZ)
			if err != nil {
				s.notice("not all boot settings are known: %v", err)
			}
			n.Boot, n.Warnings = boot, append(n.Warnings, warnings...)
		}
		d.Namespaces = append(d.Namespaces, n)
	}
	if unreadable > 0 {
		s.notice("%d of %d namespaces could not be entered; %s", unreadable, len(w.namespaces), s.sudo())
	}
	return s.render(c, d)
}

// describe computes what a snapshot means.
func describe(ns netns.Namespace, snap snapshot) report.Namespace {
	n := report.Namespace{
		Name:    ns.Name,
		Current: ns.Current,
		Time:    new(int64(snap.settings.Time / time.Second)),
		Intvl:   new(int64(snap.settings.Intvl / time.Second)),
		Probes:  new(snap.settings.Probes),
		Counters: report.Counters{
			ProbesSent: snap.counters.KeepaliveProbesSent, AbortedOnTimeout: snap.counters.AbortedOnTimeout,
		},
		HZ:       new(snap.kernel.HZ),
		Assumed:  append([]string{}, snap.assumed...),
		Boot:     []report.Boot{},
		Warnings: append([]calc.Warning{}, snap.kernel.Warnings(snap.settings)...),
	}
	identify(&n, ns)
	p := report.NewPrediction(snap.kernel.IdlePeerGone(snap.settings))
	n.Detection, n.DetectionEarliest, n.DetectionLatest = p.Seconds, p.Earliest, p.Latest
	// What was last heard may have been the answer to a probe.
	if answered := report.NewPrediction(snap.kernel.IdleAfterAnsweredProbe(snap.settings)); p.Latest != nil && *answered.Latest > *p.Latest {
		n.DetectionLatest = answered.Latest
	}
	if period, _, ok := snap.kernel.Refresh(snap.settings); ok {
		n.Refresh = new(report.Seconds(period))
	}
	return n
}

// unknown is a namespace that could not be read.
func unknown(ns netns.Namespace, err error) report.Namespace {
	n := report.Namespace{
		Name: ns.Name, Current: ns.Current, Error: new(err.Error()),
		Assumed: []string{}, Boot: []report.Boot{}, Warnings: []calc.Warning{},
	}
	identify(&n, ns)
	return n
}

// identify adds what an image does not have.
func identify(n *report.Namespace, ns netns.Namespace) {
	if ns.Inode != 0 {
		n.Inode = new(ns.Inode)
	}
	if ns.PID != 0 {
		n.PID = new(ns.PID)
	}
}

// keys are the three settings, in the order they are shown.
func keys() []string { return []string{procfs.KeyTime, procfs.KeyIntvl, procfs.KeyProbes} }

// bootOf says who sets each key at boot, and whether that is what runs. The
// error names what could not be read; the rest holds all the same.
func bootOf(root rootfs.FS, running keepalive.Settings, hz int) ([]report.Boot, []calc.Warning, error) {
	files, err := sysctld.Load(root)
	boot := []report.Boot{}
	var warnings []calc.Warning
	for _, reader := range sysctld.Readers() {
		settings, deciding := atBoot(files, reader, hz)
		for _, key := range keys() {
			b := report.Boot{Key: key, Reader: string(reader)}
			a, ok := deciding[key]
			if ok {
				b.Value, b.Source = new(a.Value), new(fmt.Sprintf("%s:%d", a.Path, a.Line))
			}
			b.MatchesRunning = numbers(settings)[key] == numbers(running)[key]
			boot = append(boot, b)
			for _, w := range files.Writes(reader, key) {
				if _, ok := kernelTakes(key, w.Value, hz); !ok {
					warnings = append(warnings, calc.Warning{
						ID:   "boot_value_refused",
						Text: fmt.Sprintf("%s:%d sets %s = %s for %s, which the kernel refuses", w.Path, w.Line, key, w.Value, reader),
					})
				}
			}
		}
	}
	return boot, warnings, err
}

// atBoot is what a reader leaves in force, on the kernel's defaults, and the
// assignments that decide it: of each key the last that the kernel accepts.
func atBoot(files *sysctld.Files, reader sysctld.Reader, hz int) (keepalive.Settings, map[string]sysctld.Assignment) {
	s, deciding := keepalive.Defaults(), map[string]sysctld.Assignment{}
	for _, key := range keys() {
		for _, w := range files.Writes(reader, key) {
			n, ok := kernelTakes(key, w.Value, hz)
			if !ok {
				continue
			}
			deciding[key] = w
			switch key {
			case procfs.KeyTime:
				s.Time = time.Duration(n) * time.Second
			case procfs.KeyIntvl:
				s.Intvl = time.Duration(n) * time.Second
			case procfs.KeyProbes:
				s.Probes = n
			}
		}
	}
	return s, deciding
}

// numbers are settings as the sysctls hold them.
func numbers(s keepalive.Settings) map[string]int {
	return map[string]int{
		procfs.KeyTime:   int(s.Time / time.Second),
		procfs.KeyIntvl:  int(s.Intvl / time.Second),
		procfs.KeyProbes: s.Probes,
	}
}

// kernelTakes is the number that the kernel makes of a text written to a
// sysctl: its first word, decimal, octal after a 0, or hexadecimal after 0x. ok
// is false for what it refuses. Source: kernel/sysctl.c, proc_get_long.
func kernelTakes(key, text string, hz int) (n int, ok bool) {
	word, _, _ := strings.Cut(strings.TrimSpace(text), " ")
	word, _, _ = strings.Cut(word, "\t")
	digits, negative := strings.CutPrefix(strings.ToLower(word), "-")
	if strings.HasPrefix(digits, "0b") || strings.HasPrefix(digits, "0o") || strings.ContainsAny(digits, "_+-") {
		return 0, false // Go's own ways to write a number
	}
	if negative && key == procfs.KeyProbes { // an unsigned byte, not even -0
		return 0, false
	}
	v, err := strconv.ParseInt(word, 0, 32)
	if err != nil {
		return 0, false
	}
	n = int(v)
	ch := keepalive.Change{Time: new(time.Duration(n) * time.Second)}
	if key == procfs.KeyProbes {
		ch = keepalive.Change{Probes: &n}
	}
	return n, keepalive.Kernel(hz).Check(ch) == nil
}

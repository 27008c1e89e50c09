package main

import (
	"context"
	"errors"
	"os"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/diff"
	"github.com/tcpka/tcpka/internal/report"
	"github.com/tcpka/tcpka/internal/rootfs"
	"github.com/tcpka/tcpka/journal"
	"github.com/tcpka/tcpka/sshconf"
)

// setOther changes a file of another client where its format is known from its
// source, and else says what to do.
func (s *session) setOther(c *cli.Context, w sshWanted, f sshconf.File) error {
	for _, name := range []string{"host", "count"} {
		if _, ok := given(c, name); ok {
			return misuse("--%s: a file of %s has no such setting", name, f.Format)
		}
	}
	want := sshconf.Wanted{Interval: w.interval, TCPKeepAlive: w.tcp}
	if !f.Format.InPlace() {
		return s.instruct(c, w, f, want)
	}
	as, err := sshconf.Caller()
	if err != nil {
		return err
	}
	gather := func() (planned, error) {
		p := &otherPlan{wanted: w}
		var err error
		p.revision, err = sshconf.PlanOther(w.file, as, func(content []byte) ([]byte, error) {
			return p.edit(content, want)
		})
		switch {
		case errors.Is(err, sshconf.ErrInterval):
			return nil, misuse("--interval: %w", err)
		case err != nil:
			return nil, s.adviseSSH(err)
		}
		if p.revision.Changed() {
			err = p.revision.Writable()
		}
		return p, s.adviseSSH(err)
	}
	return s.change(c, job{root: rootfs.FS{}, gather: gather, advise: s.adviseSSH})
}

// otherPlan is what set ssh is about to do to a file of PuTTY or Tera Term.
type otherPlan struct {
	wanted        sshWanted
	before, after sshconf.Session
	revision      *sshconf.Revision
}

func (p *otherPlan) edit(content []byte, want sshconf.Wanted) ([]byte, error) {
	f, err := sshconf.ParseFile(p.wanted.file, content)
	if err != nil {
		return nil, err
	}
	updated, err := f.Edit(content, want)
	if err != nil {
		return nil, err
	}
	g, err := sshconf.ParseFile(p.wanted.file, updated)
	if err != nil {
		return nil, err
	}
	p.before, p.after = f.Sessions[0], g.Sessions[0]
	return updated, nil
}

func (p *otherPlan) document() report.Set {
	v := p.revision
	d := report.Set{
		Schema: "tcpka/set/v1", Changed: v.Changed(), Changes: []report.Change{}, Warnings: []calc.Warning{},
		Unaffected: []string{"sessions that are there already, and a " + calc.SSHProgram(p.after.Program).String() + " that has read the file: it writes it anew when its settings are saved"},
		SSH:        &report.SSHChange{Diff: diff.Unified(v.Path, v.Path, v.Old, v.New), Kept: []string{}},
	}
	add := func(key, old, now string) {
		d.Changes = append(d.Changes, report.Change{
			Target: report.TargetSSH, Path: &v.Path, Key: key, Old: &old, New: &now, Applied: v.Written() && old != now,
		})
	}
	if p.wanted.interval != nil {
		add("interval_seconds", wholeSeconds(p.before.Interval), wholeSeconds(p.after.Interval))
	}
	if p.wanted.tcp != nil {
		add("tcp_keepalive", yesOrNo(p.before.TCPKeepAlive), yesOrNo(p.after.TCPKeepAlive))
	}
	end := calc.OtherSSH{Program: calc.SSHProgram(p.after.Program)}
	if p.after.Interval != nil {
		end.Interval = *p.after.Interval
	}
	if p.after.TCPKeepAlive != nil {
		end.TCPKeepAlive = *p.after.TCPKeepAlive
	}
	d.Warnings = append(d.Warnings, end.Warnings()...)
	return d
}

func wholeSeconds(d *time.Duration) string {
	if d == nil {
		return "unknown"
	}
	return strconv.FormatInt(int64(*d/time.Second), 10)
}

func yesOrNo(b *bool) string {
	if b == nil {
		return "unknown"
	}
	return map[bool]string{true: "yes", false: "no"}[*b]
}

func (p *otherPlan) record() (changes []journal.Change, applied func() []int) {
	return recordSSH(p.revision, otherKey)
}

func (p *otherPlan) apply(<-chan os.Signal) error { return p.revision.Apply(context.Background()) }
func (p *otherPlan) touches() string              { return "" }
func (p *otherPlan) anyApplied() bool             { return p.revision.Written() }
func (p *otherPlan) restored() bool               { return p.revision.Restored() }
func (p *otherPlan) failures() error              { return nil }
func (p *otherPlan) beaten(bool) error            { return nil }

// instruct says what to do by hand, for every session of the file.
func (s *session) instruct(c *cli.Context, w sshWanted, f sshconf.File, want sshconf.Wanted) error {
	d := report.Set{
		Schema: "tcpka/set/v1", DryRun: givenBool(c, "dry-run"), Changes: []report.Change{}, Warnings: []calc.Warning{}, Unaffected: []string{},
		SSH: &report.SSHChange{Kept: []string{}},
	}
	said := map[string]bool{}
	file := ""
	for _, session := range f.Sessions {
		in, err := session.Instructions(want)
		if err != nil {
			return misuse("%s: %w", f.Format, err)
		}
		for _, step := range in.Steps {
			if !said[step] {
				d.SSH.Instructions = append(d.SSH.Instructions, step)
			}
			said[step] = true
		}
		file += in.File
	}
	if file != "" {
		d.SSH.File = &file
	}
	return s.render(c, d)
}

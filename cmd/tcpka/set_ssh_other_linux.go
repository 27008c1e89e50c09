package main

import (
	"context"
	"errors"
	"iter"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/diff"
	"github.com/tcpka/tcpka/internal/journal"
	"github.com/tcpka/tcpka/internal/report"
	"github.com/tcpka/tcpka/internal/rootfs"
	"github.com/tcpka/tcpka/sshconf"
)

// setOther changes a file of another client where its format is known from its
// source, and else says what to do.
func setOther(s *session, c *cli.Context, w sshWanted, f sshconf.File) error {
	for _, name := range []string{"host", "count"} {
		if _, ok := given(c, name); ok {
			return misuse("--%s: a file of %s has no such setting", name, f.Format)
		}
	}
	want := sshconf.Wanted{Interval: w.interval, TCPKeepAlive: w.tcp}
	if !f.Format.InPlace() {
		return instruct(s, c, w, f, want)
	}
	as, err := sshconf.Caller()
	if err != nil {
		return err
	}
	gather := func() (planned, error) {
		p := &otherPlan{file: w.file, want: want}
		var err error
		p.revision, err = sshconf.PlanOther(w.file, as, func(content []byte) ([]byte, error) {
			return p.edit(content, want)
		})
		switch {
		case errors.Is(err, sshconf.ErrInterval):
			return nil, misuse("--interval: %w", err)
		case err != nil:
			return nil, adviseSSH(s, err)
		}
		if p.revision.Changed() {
			err = p.revision.Writable()
		}
		return p, adviseSSH(s, err)
	}
	return carry(s, c, job{root: rootfs.FS{}, gather: gather, advise: func(err error) error { return adviseSSH(s, err) }})
}

// otherPlan is what set ssh is about to do to a file of PuTTY or Tera Term.
type otherPlan struct {
	file          string
	want          sshconf.Wanted
	before, after otherFile
	revision      *sshconf.Revision
}

// otherFile is a file of a client at one moment.
type otherFile struct {
	sshconf.Session
	written map[string]string // what is wanted, by the keys of the file
	keys    []string          // and in its order
}

func (p *otherPlan) read(content []byte) (f sshconf.File, o otherFile, err error) {
	if f, err = sshconf.ParseFile(p.file, content); err != nil {
		return f, o, err
	}
	o.Session = f.Sessions[0]
	o.keys, o.written, err = f.Written(content, p.want)
	return f, o, err
}

func (p *otherPlan) edit(content []byte, want sshconf.Wanted) (updated []byte, err error) {
	var f sshconf.File
	if f, p.before, err = p.read(content); err != nil {
		return nil, err
	}
	if updated, err = f.Edit(content, want); err != nil {
		return nil, err
	}
	_, p.after, err = p.read(updated)
	return updated, err
}

func (p *otherPlan) document() report.Set {
	v := p.revision
	d := report.Set{
		Schema: "tcpka/set/v1", Changed: v.Changed(), Changes: []report.Change{}, Warnings: []calc.Warning{},
		Unaffected: []string{"sessions that are there already, and a " + calc.SSHProgram(p.after.Program).String() + " that has read the file: it writes it anew when its settings are saved"},
		SSH:        &report.SSHChange{Diff: diff.Unified(v.Path, v.Path, v.Old, v.New), Kept: []string{}},
	}
	for _, key := range p.after.keys {
		c := report.Change{Target: report.TargetSSH, Path: &v.Path, Key: key}
		if old, ok := p.before.written[key]; ok {
			c.Old = &old
		}
		if now, ok := p.after.written[key]; ok {
			c.New = &now
			c.Applied = v.Written() && (c.Old == nil || *c.Old != now)
		}
		if c.Old != nil || c.New != nil { // else it is the program's own default
			d.Changes = append(d.Changes, c)
		}
	}
	if p.want.Interval != nil {
		d.SSH.Refresh = &report.OldNew{Old: p.before.refresh(), New: p.after.refresh()}
	}
	d.Warnings = append(d.Warnings, p.after.end().Warnings()...)
	return d
}

func (o otherFile) end() calc.OtherSSH {
	end := calc.OtherSSH{Program: calc.SSHProgram(o.Program)}
	if o.Interval != nil {
		end.Interval = *o.Interval
	}
	if o.TCPKeepAlive != nil {
		end.TCPKeepAlive = *o.TCPKeepAlive
	}
	return end
}

// refresh is how often something is sent, or nil.
func (o otherFile) refresh() *report.Seconds {
	if period, ok := o.end().Refresh(); ok {
		return new(report.Seconds(period))
	}
	return nil
}

func (p *otherPlan) record() (changes iter.Seq[journal.Change], applied func() []int) {
	return recordSSH(p.revision, otherKey)
}

func (p *otherPlan) apply(<-chan os.Signal) error { return p.revision.Apply(context.Background()) }
func (p *otherPlan) touches() string              { return "" }
func (p *otherPlan) anyChange() bool              { return p.revision.Changed() }
func (p *otherPlan) anyApplied() bool             { return p.revision.Written() }
func (p *otherPlan) restored() bool               { return p.revision.Restored() }
func (p *otherPlan) failures() error              { return nil }
func (p *otherPlan) beaten(bool) error            { return nil }

// instruct says what to do by hand, for every session of the file.
func instruct(s *session, c *cli.Context, w sshWanted, f sshconf.File, want sshconf.Wanted) error {
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

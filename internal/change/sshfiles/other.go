package sshfiles

import (
	"context"
	"iter"
	"os"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/change"
	"github.com/tcpka/tcpka/internal/journal"
	"github.com/tcpka/tcpka/internal/sshclients"
	"github.com/tcpka/tcpka/internal/sshedit"
)

// OtherPlan is what set ssh is about to do to a file of PuTTY or Tera Term.
type OtherPlan struct {
	File          string
	Want          sshclients.Wanted
	before, after otherFile
	Revision      *sshedit.Revision
}

// otherFile is a file of a client at one moment.
type otherFile struct {
	sshclients.Session
	written map[string]string // what is wanted, by the keys of the file
	keys    []string          // and in its order
}

func (p *OtherPlan) read(content []byte) (f sshclients.File, o otherFile, err error) {
	if f, err = sshclients.ParseFile(p.File, content); err != nil {
		return f, o, err
	}
	o.Session = f.Sessions[0]
	o.keys, o.written, err = f.Written(content, p.Want)
	return f, o, err
}

func (p *OtherPlan) Edit(content []byte, want sshclients.Wanted) (updated []byte, err error) {
	var f sshclients.File
	if f, p.before, err = p.read(content); err != nil {
		return nil, err
	}
	if updated, err = f.Edit(content, want); err != nil {
		return nil, err
	}
	_, p.after, err = p.read(updated)
	return updated, err
}

func (p *OtherPlan) Document() change.Set {
	v := p.Revision
	d := change.Set{
		Schema: "tcpka/set/v1", Changed: v.Changed(), Changes: []change.Change{}, Warnings: []calc.Warning{},
		Unaffected: []string{"sessions that are there already, and a " + calc.SSHProgram(p.after.Program).String() + " that has read the file: it writes it anew when its settings are saved"},
		SSH:        &change.SSHChange{Diff: unified(v.Path, v.Path, v.Old, v.New), Kept: []string{}},
	}
	for _, key := range p.after.keys {
		c := change.Change{Target: change.TargetSSH, Path: &v.Path, Key: key}
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
	if p.Want.Interval != nil {
		d.SSH.Refresh = &change.OldNew{Old: p.before.refresh(), New: p.after.refresh()}
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
func (o otherFile) refresh() *answer.Seconds {
	if period, ok := o.end().Refresh(); ok {
		return new(answer.Seconds(period))
	}
	return nil
}

func (p *OtherPlan) Record() (changes iter.Seq[journal.Change], applied func() []int) {
	return recordSSH(p.Revision, otherKey)
}

func (p *OtherPlan) Apply(<-chan os.Signal) error { return p.Revision.Apply(context.Background()) }

func (p *OtherPlan) Touches() string { return "" }

func (p *OtherPlan) AnyChange() bool { return p.Revision.Changed() }

func (p *OtherPlan) AnyApplied() bool { return p.Revision.Written() }

func (p *OtherPlan) Restored() bool { return p.Revision.Restored() }

func (p *OtherPlan) Failures() error { return nil }

func (p *OtherPlan) Beaten(bool) error { return nil }

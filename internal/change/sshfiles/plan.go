// Package sshfiles changes the files of ssh and sshd, and those of other clients whose format
// is known; on request it has sshd read them.
package sshfiles

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/basis"
	"github.com/tcpka/tcpka/internal/change"
	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/internal/journal"
	"github.com/tcpka/tcpka/internal/sshconf"
	"github.com/tcpka/tcpka/internal/sshedit"
	"github.com/tcpka/tcpka/internal/sshend"
	"github.com/tcpka/tcpka/internal/sshproc"
)

// Plan is what set ssh is about to do to a file of OpenSSH.
type Plan struct {
	Context context.Context
	Side    calc.SSHSide
	Request sshedit.Request
	Values  basis.Values
	Reload  bool

	Revision *sshedit.Revision
	version  calc.SSHVersion
	daemon   *daemon
	reloaded bool
}

// daemon is the sshd to tell, and what its command line says.
type daemon struct {
	*sshproc.Daemon
	overruled []string
	others    string // other edits that it has not read, as far as is seen: "FILE has changed since it began"
}

func (p *Plan) Gather() (err error) {
	p.Revision, err = p.Request.Plan(p.Context)
	if err != nil {
		return err
	}
	ask := p.Request.Programs.ClientVersion
	if p.Request.Server {
		ask = p.Request.Programs.ServerVersion
	}
	if text, err := ask(p.Context); err == nil {
		p.version, _ = calc.ParseSSHVersion(text)
	}
	if p.Reload {
		return p.findDaemon()
	}
	return nil
}

func (p *Plan) findDaemon() error {
	found, err := sshproc.FindDaemon(daemonFile(p.Request))
	if err != nil {
		return err
	}
	// It is found again when it is told: it may be another one by then.
	defer found.Close()
	if err := found.Ready(p.Context, p.Request.Programs); err != nil {
		return err
	}
	p.daemon = &daemon{Daemon: found, others: otherEdits(found.PID, sshconf.Server{File: daemonFile(p.Request), Options: found.Options})}
	for _, option := range found.Options {
		keyword, _, _ := strings.Cut(strings.ReplaceAll(option, "=", " "), " ")
		for _, v := range p.Request.Values {
			if strings.EqualFold(keyword, string(v.Keyword)) {
				p.daemon.overruled = append(p.daemon.overruled, "-o "+option)
			}
		}
	}
	return nil
}

// otherEdits says which file of an sshd that listens has changed since it has read its
// files: a reload puts that in force, too, whoever has changed it, and whatever it is
// about. "" is none that is seen.
func otherEdits(pid int, v sshconf.Server) string {
	processes, err := sshproc.Processes()
	if err != nil {
		return ""
	}
	i := slices.IndexFunc(processes, func(p sshproc.Process) bool { return p.PID == pid })
	if i < 0 {
		return ""
	}
	return NotRead(processes[i], v)
}

// NotRead is what otherEdits says, of a process.
func NotRead(p sshproc.Process, v sshconf.Server) string {
	found, err := sshconf.FindServer(v)
	if err != nil {
		return ""
	}
	since := sshend.FilesRead(p, time.Time{}, true)
	changed := sshend.ChangedSince(found, since.Time)
	if changed == "" {
		return ""
	}
	return changed + " " + since.Text
}

// end is the side with the options of one moment.
func (p *Plan) end(said sshconf.Options) calc.SSH {
	end := calc.SSH{Side: p.Side, CountMax: calc.DefaultSSHCountMax, TCPKeepAlive: true, Version: p.version}
	_ = sshend.ReadEnd(&end, said) // a value that it cannot read stays the default
	return end
}

// gone is when a peer that vanished is noticed, by SSH or by TCP.
func (p *Plan) gone(end calc.SSH) *answer.Seconds {
	return answer.NewPrediction(end.PeerGone(p.Values.Kernel, p.Values.Settings)).Seconds
}

func (p *Plan) Document() change.Set {
	v := p.Revision
	before, after := p.end(v.Before), p.end(v.After)
	times := change.OldNew{Old: p.gone(before), New: p.gone(after)}
	d := change.Set{
		Schema: "tcpka/set/v1", Changed: v.Changed(), Detection: &times,
		Changes: []change.Change{}, Warnings: []calc.Warning{}, Unaffected: p.unaffected(),
	}
	for _, w := range p.wantedOrAll() {
		old := v.Before[strings.ToLower(string(w.Keyword))]
		c := change.Change{
			Target: change.TargetSSH, Path: &v.Path, Key: string(w.Keyword), Old: &old, New: new(w.Text),
			Applied: v.Written() && old != w.Text, Detection: &times,
		}
		if old == w.Text || !v.Changed() {
			c.Path = v.Decides(w.Keyword)
		}
		d.Changes = append(d.Changes, c)
	}
	d.Warnings = append(d.Warnings, after.Warnings(p.Values.Kernel, p.Values.Settings)...)
	d.Warnings = append(d.Warnings, sshend.Ends(v.After, after.Interval)...)
	if p.daemon != nil && p.daemon.others != "" {
		d.Warnings = append(d.Warnings, calc.Warning{ID: "other_edits", Text: "sshd reads all of its files anew, not this change alone: " + p.daemon.others})
	}
	d.SSH = &change.SSHChange{Diff: p.diff(), Approximate: v.Approximate, Kept: append([]string{}, v.Kept...)}
	if p.Reload {
		d.SSH.Reloaded = &p.reloaded
	}
	return d
}

// wantedOrAll are the values that are wanted, or for a reload alone those in force.
func (p *Plan) wantedOrAll() []sshconf.Value {
	if len(p.Request.Values) > 0 {
		return p.Request.Values
	}
	var all []sshconf.Value
	for _, k := range sshend.KeywordsOf(p.Side) {
		all = append(all, sshconf.Value{Keyword: k, Text: p.Revision.After[strings.ToLower(string(k))]})
	}
	return all
}

func (p *Plan) diff() string {
	v := p.Revision
	old := v.Path
	if v.Old == nil {
		old = os.DevNull
	}
	return unified(old, v.Path, v.Old, v.New)
}

func (p *Plan) unaffected() []string {
	switch {
	case p.Request.Server && !p.Reload:
		return []string{
			"sessions that are there already: they keep what they began with",
			"new ones, too, until sshd reads its files again: --reload, or a reload of its service",
		}
	case p.Request.Server:
		return []string{"sessions that are there already: they keep what they began with"}
	case p.Request.System:
		return []string{"sessions that are there already", "users whose own ~/.ssh/config has other values"}
	}
	return []string{"sessions that are there already, and new ones that go through a master of theirs (ControlMaster)"}
}

// Touches asks about values by which a peer is dropped although it answers.
func (p *Plan) Touches() string {
	alive := p.end(p.Revision.After).Situations(p.Values.Kernel, p.Values.Settings)
	for _, s := range alive {
		if s.ID == calc.SSHPeerAlive && !s.Prediction.Never {
			return "when healthy sessions end: after " + answer.Seconds(s.Prediction.Exact).Both() + " of silence"
		}
	}
	return ""
}

func (p *Plan) Record() (changes iter.Seq[journal.Change], applied func() []int) {
	return recordSSH(p.Revision, string(p.Side))
}

// recordSSH is one file for the journal. Its key says whose it is: the side of
// OpenSSH, or another program.
func recordSSH(v *sshedit.Revision, key string) (changes iter.Seq[journal.Change], applied func() []int) {
	one := journal.Change{Kind: journal.SSH, Key: key, Path: v.Path, Old: change.Content(v.Old), New: change.Content(v.New), MadeDir: v.MakesDir()}
	return slices.Values([]journal.Change{one}), func() []int {
		if v.Written() {
			return []int{0}
		}
		return []int{}
	}
}

// otherKey is the key of a file of another program than OpenSSH.
const otherKey = "other"

func (p *Plan) Apply(<-chan os.Signal) error {
	if err := p.Revision.Apply(p.Context); err != nil {
		return err
	}
	if p.Reload {
		return p.Tell()
	}
	return nil
}

// Tell has sshd read its files, which were found to be right just before.
func (p *Plan) Tell() error {
	if err := tellDaemon(p.Context, p.Request); err != nil {
		return fmt.Errorf("the file is right, but sshd has not read it: %w", err)
	}
	p.reloaded = true
	return nil
}

// tellDaemon has the sshd of a request read its files again, if it will come back.
func tellDaemon(ctx context.Context, r sshedit.Request) error {
	found, err := sshproc.FindDaemon(daemonFile(r))
	if err != nil {
		return err
	}
	defer found.Close()
	if err := found.Ready(ctx, r.Programs); err != nil {
		return err
	}
	return found.Reload(ctx, r.Programs)
}

// daemonFile is what the sshd has been started with that reads the file of a request.
func daemonFile(r sshedit.Request) string { return cmp.Or(r.File, sshend.SshdConfig) }

func (p *Plan) AnyChange() bool { return p.Revision.Changed() }

func (p *Plan) AnyApplied() bool { return p.Revision.Written() }

func (p *Plan) Restored() bool { return p.Revision.Restored() }

func (p *Plan) Failures() error { return nil }

// Beaten is a daemon whose command line says something else.
func (p *Plan) Beaten(bool) error {
	if p.daemon == nil || len(p.daemon.overruled) == 0 {
		return nil
	}
	return &cmdline.Failure{
		Err:    errors.New("it is written, but sshd has another value on its command line: " + strings.Join(p.daemon.overruled, ", ")),
		Status: cmdline.StatusPartly,
		Hint:   "start sshd without it",
	}
}

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/diff"
	"github.com/tcpka/tcpka/internal/journal"
	"github.com/tcpka/tcpka/internal/report"
	"github.com/tcpka/tcpka/sshconf"
)

// sshPlan is what set ssh is about to do to a file of OpenSSH.
type sshPlan struct {
	ctx     context.Context
	side    calc.SSHSide
	request sshconf.Request
	values  values
	reload  bool

	revision *sshconf.Revision
	version  calc.SSHVersion
	daemon   *daemon
	reloaded bool
}

// daemon is the sshd to tell, and what its command line says.
type daemon struct {
	*sshconf.Daemon
	overruled []string
	others    string // other edits that it has not read, as far as is seen: "FILE has changed since it began"
}

func (p *sshPlan) gather() (err error) {
	p.revision, err = p.request.Plan(p.ctx)
	if err != nil {
		return err
	}
	ask := p.request.Programs.ClientVersion
	if p.request.Server {
		ask = p.request.Programs.ServerVersion
	}
	if text, err := ask(p.ctx); err == nil {
		p.version, _ = calc.ParseSSHVersion(text)
	}
	if p.reload {
		return p.findDaemon()
	}
	return nil
}

func (p *sshPlan) findDaemon() error {
	found, err := sshconf.FindDaemon(daemonFile(p.request))
	if err != nil {
		return err
	}
	// It is found again when it is told: it may be another one by then.
	defer found.Close()
	if err := found.Ready(p.ctx, p.request.Programs); err != nil {
		return err
	}
	p.daemon = &daemon{Daemon: found, others: otherEdits(found.PID, sshconf.Server{File: daemonFile(p.request), Options: found.Options})}
	for _, option := range found.Options {
		keyword, _, _ := strings.Cut(strings.ReplaceAll(option, "=", " "), " ")
		for _, v := range p.request.Values {
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
	processes, err := sshconf.Processes()
	if err != nil {
		return ""
	}
	i := slices.IndexFunc(processes, func(p sshconf.Process) bool { return p.PID == pid })
	if i < 0 {
		return ""
	}
	return notRead(processes[i], v)
}

// notRead is what otherEdits says, of a process.
func notRead(p sshconf.Process, v sshconf.Server) string {
	found, err := sshconf.FindServer(v)
	if err != nil {
		return ""
	}
	since := filesRead(p, time.Time{}, true)
	changed := changedSince(found, since.Time)
	if changed == "" {
		return ""
	}
	return changed + " " + since.text
}

// end is the side with the options of one moment.
func (p *sshPlan) end(said sshconf.Options) calc.SSH {
	end := calc.SSH{Side: p.side, CountMax: calc.DefaultSSHCountMax, TCPKeepAlive: true, Version: p.version}
	prefix := "serveralive"
	if p.request.Server {
		prefix = "clientalive"
	}
	if d, err := sshconf.ParseTime(said[prefix+"interval"]); err == nil {
		end.Interval = d
	}
	if n, err := strconv.Atoi(said[prefix+"countmax"]); err == nil {
		end.CountMax = n
	}
	if text := said["tcpkeepalive"]; text != "" {
		end.TCPKeepAlive = text == "yes" || text == "true"
	}
	return end
}

// gone is when a peer that vanished is noticed, by SSH or by TCP.
func (p *sshPlan) gone(end calc.SSH) *report.Seconds {
	for _, s := range end.Situations(p.values.kernel, p.values.settings) {
		if s.ID == calc.SSHPeerGone {
			return report.NewPrediction(s.Prediction).Seconds
		}
	}
	return nil
}

func (p *sshPlan) document() report.Set {
	v := p.revision
	before, after := p.end(v.Before), p.end(v.After)
	times := report.OldNew{Old: p.gone(before), New: p.gone(after)}
	d := report.Set{
		Schema: "tcpka/set/v1", Changed: v.Changed(), Detection: &times,
		Changes: []report.Change{}, Warnings: []calc.Warning{}, Unaffected: p.unaffected(),
	}
	for _, w := range p.wantedOrAll() {
		old := v.Before[strings.ToLower(string(w.Keyword))]
		c := report.Change{
			Target: report.TargetSSH, Path: &v.Path, Key: string(w.Keyword), Old: &old, New: new(w.Text),
			Applied: v.Written() && old != w.Text, Detection: &times,
		}
		if old == w.Text || !v.Changed() {
			c.Path = v.Decides(w.Keyword)
		}
		d.Changes = append(d.Changes, c)
	}
	d.Warnings = append(d.Warnings, after.Warnings(p.values.kernel, p.values.settings)...)
	d.Warnings = append(d.Warnings, p.timeouts()...)
	if p.daemon != nil && p.daemon.others != "" {
		d.Warnings = append(d.Warnings, calc.Warning{ID: "other_edits", Text: "sshd reads all of its files anew, not this change alone: " + p.daemon.others})
	}
	d.SSH = &report.SSHChange{Diff: p.diff(), Approximate: v.Approximate, Kept: append([]string{}, v.Kept...)}
	if p.reload {
		d.SSH.Reloaded = &p.reloaded
	}
	return d
}

// wantedOrAll are the values that are wanted, or for a reload alone those in force.
func (p *sshPlan) wantedOrAll() []sshconf.Value {
	if len(p.request.Values) > 0 {
		return p.request.Values
	}
	var all []sshconf.Value
	for _, k := range keywordsOf(p.side) {
		all = append(all, sshconf.Value{Keyword: k, Text: p.revision.After[strings.ToLower(string(k))]})
	}
	return all
}

func (p *sshPlan) diff() string {
	v := p.revision
	old := v.Path
	if v.Old == nil {
		old = os.DevNull
	}
	return diff.Unified(old, v.Path, v.Old, v.New)
}

// timeouts are what ends a session all the same.
func (p *sshPlan) timeouts() []calc.Warning {
	var all []calc.Warning
	for _, t := range []struct{ id, keyword, text string }{
		{"channel_timeout", "ChannelTimeout", "a session without input and output ends after that, probes or not"},
		{"unused_connection_timeout", "UnusedConnectionTimeout", "a connection without a session ends after that, probes or not"},
	} {
		if value := p.revision.After[strings.ToLower(t.keyword)]; value != "" && value != "none" && value != "0" {
			all = append(all, calc.Warning{ID: t.id, Text: t.keyword + " is " + value + ": " + t.text})
		}
	}
	return all
}

func (p *sshPlan) unaffected() []string {
	switch {
	case p.request.Server && !p.reload:
		return []string{
			"sessions that are there already: they keep what they began with",
			"new ones, too, until sshd reads its files again: --reload, or a reload of its service",
		}
	case p.request.Server:
		return []string{"sessions that are there already: they keep what they began with"}
	case p.request.System:
		return []string{"sessions that are there already", "users whose own ~/.ssh/config has other values"}
	}
	return []string{"sessions that are there already, and new ones that go through a master of theirs (ControlMaster)"}
}

// touches asks about values by which a peer is dropped although it answers.
func (p *sshPlan) touches() string {
	alive := p.end(p.revision.After).Situations(p.values.kernel, p.values.settings)
	for _, s := range alive {
		if s.ID == calc.SSHPeerAlive && !s.Prediction.Never {
			return "when healthy sessions end: after " + report.Seconds(s.Prediction.Exact).Both() + " of silence"
		}
	}
	return ""
}

func (p *sshPlan) record() (changes iter.Seq[journal.Change], applied func() []int) {
	return recordSSH(p.revision, string(p.side))
}

// recordSSH is one file for the journal. Its key says whose it is: the side of
// OpenSSH, or another program.
func recordSSH(v *sshconf.Revision, key string) (changes iter.Seq[journal.Change], applied func() []int) {
	one := journal.Change{Kind: journal.SSH, Key: key, Path: v.Path, Old: content(v.Old), New: content(v.New), MadeDir: v.MakesDir()}
	return slices.Values([]journal.Change{one}), func() []int {
		if v.Written() {
			return []int{0}
		}
		return []int{}
	}
}

// otherKey is the key of a file of another program than OpenSSH.
const otherKey = "other"

func (p *sshPlan) apply(<-chan os.Signal) error {
	if err := p.revision.Apply(p.ctx); err != nil {
		return err
	}
	if p.reload {
		return p.tell()
	}
	return nil
}

// tell has sshd read its files, which were found to be right just before.
func (p *sshPlan) tell() error {
	if err := tellDaemon(p.ctx, p.request); err != nil {
		return fmt.Errorf("the file is right, but sshd has not read it: %w", err)
	}
	p.reloaded = true
	return nil
}

// tellDaemon has the sshd of a request read its files again, if it will come back.
func tellDaemon(ctx context.Context, r sshconf.Request) error {
	found, err := sshconf.FindDaemon(daemonFile(r))
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
func daemonFile(r sshconf.Request) string { return cmp.Or(r.File, sshdConfig) }

func (p *sshPlan) anyChange() bool  { return p.revision.Changed() }
func (p *sshPlan) anyApplied() bool { return p.revision.Written() }
func (p *sshPlan) restored() bool   { return p.revision.Restored() }
func (p *sshPlan) failures() error  { return nil }

// beaten is a daemon whose command line says something else.
func (p *sshPlan) beaten(bool) error {
	if p.daemon == nil || len(p.daemon.overruled) == 0 {
		return nil
	}
	return &failure{
		err:    errors.New("it is written, but sshd has another value on its command line: " + strings.Join(p.daemon.overruled, ", ")),
		status: statusPartly,
		hint:   "start sshd without it",
	}
}

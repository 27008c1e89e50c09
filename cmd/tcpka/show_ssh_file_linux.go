package main

import (
	"errors"
	"fmt"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/report"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/sshconf"
)

// showSSHFile reads one file of any program.
func showSSHFile(path string, v values) ([]report.SSHFile, error) {
	f, err := sshconf.ReadFile(path)
	if errors.Is(err, sshconf.ErrFormat) {
		return nil, failed(err).withHint("it reads files of OpenSSH, PuTTY, KiTTY, Tera Term, SecureCRT, Xshell, MobaXterm, WinSCP, and OpenWrt's /etc/config/dropbear")
	}
	if err != nil {
		return nil, err
	}
	return sshFiles(f, v), nil
}

// sshFiles says what the sessions of a file lead to, where it is of a program of this
// host with TCP as it is here.
func sshFiles(f sshconf.File, v values) []report.SSHFile {
	var all []report.SSHFile
	for _, s := range f.Sessions {
		if s.Name == "" && (f.Format == sshconf.FormatPuTTY || f.Format == sshconf.FormatKiTTY) {
			s.Name = sshconf.PuTTYSessionName(filepath.Base(f.Path))
		}
		d := report.SSHFile{
			Kind: string(s.Program), Format: string(f.Format), Path: report.Foreign(f.Path),
			CountMax: s.CountMax, TCPKeepAlive: s.TCPKeepAlive,
			Interval: seconds(s.Interval), Typed: seconds(s.Typed),
			Sources: map[string]report.Foreign{}, Warnings: []calc.Warning{},
		}
		if s.Name != "" {
			d.Session = new(report.Foreign(s.Name))
		}
		if s.Host != "" {
			d.Host = new(report.Foreign(s.Host))
		}
		for key, line := range s.Lines {
			d.Sources[key] = report.Foreign(f.Path + ":" + strconv.Itoa(line))
		}
		if s.Interval != nil {
			predictSSHFile(&d, s, f.Sessions)
		}
		if f.Format == sshconf.FormatPuTTY && s.Interval != nil { // PuTTY's on Unix
			end := calc.OtherSSH{Program: calc.PuTTY, Interval: *s.Interval, TCPKeepAlive: *s.TCPKeepAlive}
			if gone := end.PeerGone(v.kernel, v.settings); !gone.Never {
				d.PeerGone, d.PeerGoneBy = new(report.Seconds(gone.Exact)), new(gone.DecidedBy)
			}
		}
		if s.Problem != "" {
			d.Warnings = append(d.Warnings, calc.Warning{ID: "file_note", Text: s.Problem})
		}
		if s.Typed != nil && *s.Typed > 0 {
			d.Warnings = append(d.Warnings, calc.Warning{ID: "types_into_shell", Text: fmt.Sprintf("after %s of silence a text is typed into the shell: that is no keepalive, and the program that runs there reads it", report.Seconds(*s.Typed).Both())})
		}
		all = append(all, d)
	}
	return all
}

// predictSSHFile adds what an interval leads to. All are the sessions of the file.
func predictSSHFile(d *report.SSHFile, s sshconf.Session, all []sshconf.Session) {
	side := map[sshconf.Program]calc.SSHSide{sshconf.SSH: calc.SSHClient, sshconf.SSHD: calc.SSHServer}[s.Program]
	if side == "" {
		end := calc.OtherSSH{Program: calc.SSHProgram(s.Program), Interval: *s.Interval, TCPKeepAlive: s.TCPKeepAlive != nil && *s.TCPKeepAlive}
		d.SetDetection(end.Detection())
		d.Refresh = refreshes(end.Refresh())
		d.Warnings = append(d.Warnings, end.Warnings()...)
		return
	}
	end := calc.SSH{Side: side, Interval: *s.Interval, CountMax: calc.DefaultSSHCountMax, TCPKeepAlive: true}
	elsewhere := func(other sshconf.Session) bool { // what is outside any block is for hosts that have none
		return other.CountMax != nil && (s.Name != "" || other.Name == "Host *" || strings.EqualFold(other.Name, "Match all"))
	}
	switch {
	case s.CountMax != nil:
		end.CountMax = *s.CountMax
	case end.Interval > 0 && slices.ContainsFunc(all, elsewhere):
		d.Detects = true
		d.Warnings = append(d.Warnings, calc.Warning{ID: "count_elsewhere", Text: "another block has the count, which may hold for this one too, so when a dead peer is noticed is not known: ask tcpka show ssh HOST"})
		d.Refresh = refreshes(end.Refresh())
		return
	}
	d.SetDetection(end.Detection())
	d.Refresh = refreshes(end.Refresh())
	for _, w := range end.Warnings(calc.DefaultKernel(), keepalive.Defaults()) {
		// What is true of these lines alone, whatever the host.
		if slices.Contains([]string{"count_zero_drops_idle", "count_zero_never_drops", "version_matters"}, w.ID) {
			d.Warnings = append(d.Warnings, w)
		}
	}
}

// refreshes is how often something is sent; nil is never.
func refreshes(period time.Duration, ok bool) *report.Seconds {
	if !ok {
		return nil
	}
	return new(report.Seconds(period))
}

func seconds(d *time.Duration) *report.Seconds {
	if d == nil {
		return nil
	}
	return new(report.Seconds(*d))
}

// puttySessions are those that PuTTY has stored for a user.
func puttySessions(who *user.User, own bool, v values) (files []report.SSHFile, unread []report.SSHFileError) {
	files, unread = []report.SSHFile{}, []report.SSHFileError{}
	stored, failed := sshconf.PuTTYSessions(who, own)
	for _, f := range stored {
		files = append(files, sshFiles(f, v)...)
	}
	for _, e := range failed {
		unread = append(unread, report.SSHFileError{Path: report.Foreign(e.Path), Error: report.Foreign(e.Error())})
	}
	return files, unread
}

package ssh

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
	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/basis"
	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/internal/sshclients"
	"github.com/tcpka/tcpka/internal/sshconf"
	"github.com/tcpka/tcpka/keepalive"
)

// showSSHFile reads one file of any program.
func showSSHFile(path string, v basis.Values) ([]File, error) {
	f, err := sshclients.ReadFile(path)
	if errors.Is(err, sshclients.ErrFormat) {
		return nil, cmdline.Failed(err).WithHint("it reads files of OpenSSH, PuTTY, KiTTY, Tera Term, SecureCRT, Xshell, MobaXterm, WinSCP, and OpenWrt's /etc/config/dropbear")
	}
	if err != nil {
		return nil, err
	}
	return sshFiles(f, v), nil
}

// sshFiles says what the sessions of a file lead to, where it is of a program of this
// host with TCP as it is here.
func sshFiles(f sshclients.File, v basis.Values) []File {
	var all []File
	for _, s := range f.Sessions {
		if s.Name == "" && (f.Format == sshclients.FormatPuTTY || f.Format == sshclients.FormatKiTTY) {
			s.Name = sshclients.PuTTYSessionName(filepath.Base(f.Path))
		}
		d := File{
			Kind: string(s.Program), Format: string(f.Format), Path: answer.Foreign(f.Path),
			CountMax: s.CountMax, TCPKeepAlive: s.TCPKeepAlive,
			Interval: seconds(s.Interval), Typed: seconds(s.Typed),
			Sources: map[string]answer.Foreign{}, Warnings: []calc.Warning{},
		}
		if s.Name != "" {
			d.Session = new(answer.Foreign(s.Name))
		}
		if s.Host != "" {
			d.Host = new(answer.Foreign(s.Host))
		}
		for key, line := range s.Lines {
			d.Sources[key] = answer.Foreign(f.Path + ":" + strconv.Itoa(line))
		}
		if s.Interval != nil {
			predictSSHFile(&d, s, f.Sessions)
		}
		if f.Format == sshclients.FormatPuTTY && s.Interval != nil { // PuTTY's on Unix
			end := calc.OtherSSH{Program: calc.PuTTY, Interval: *s.Interval, TCPKeepAlive: *s.TCPKeepAlive}
			if gone := end.PeerGone(v.Kernel, v.Settings); !gone.Never {
				d.PeerGone, d.PeerGoneBy = new(answer.Seconds(gone.Exact)), new(gone.DecidedBy)
			}
		}
		if s.Problem != "" {
			d.Warnings = append(d.Warnings, calc.Warning{ID: "file_note", Text: s.Problem})
		}
		if s.Typed != nil && *s.Typed > 0 {
			d.Warnings = append(d.Warnings, calc.Warning{ID: "types_into_shell", Text: fmt.Sprintf("after %s of silence a text is typed into the shell: that is no keepalive, and the program that runs there reads it", answer.Seconds(*s.Typed).Both())})
		}
		all = append(all, d)
	}
	return all
}

// predictSSHFile adds what an interval leads to. All are the sessions of the file.
func predictSSHFile(d *File, s sshclients.Session, all []sshclients.Session) {
	side := map[sshconf.Program]calc.SSHSide{sshconf.SSH: calc.SSHClient, sshconf.SSHD: calc.SSHServer}[s.Program]
	if side == "" {
		end := calc.OtherSSH{Program: calc.SSHProgram(s.Program), Interval: *s.Interval, TCPKeepAlive: s.TCPKeepAlive != nil && *s.TCPKeepAlive}
		d.SetDetection(end.Detection())
		d.Refresh = refreshes(end.Refresh())
		d.Warnings = append(d.Warnings, end.Warnings()...)
		return
	}
	end := calc.SSH{Side: side, Interval: *s.Interval, CountMax: calc.DefaultSSHCountMax, TCPKeepAlive: true}
	elsewhere := func(other sshclients.Session) bool { // what is outside any block is for hosts that have none
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
func refreshes(period time.Duration, ok bool) *answer.Seconds {
	if !ok {
		return nil
	}
	return new(answer.Seconds(period))
}

func seconds(d *time.Duration) *answer.Seconds {
	if d == nil {
		return nil
	}
	return new(answer.Seconds(*d))
}

// puttySessions are those that PuTTY has stored for a user.
func puttySessions(who *user.User, own bool, v basis.Values) (files []File, unread []FileError) {
	files, unread = []File{}, []FileError{}
	stored, failed := sshclients.PuTTYSessions(who, own)
	for _, f := range stored {
		files = append(files, sshFiles(f, v)...)
	}
	for _, e := range failed {
		unread = append(unread, FileError{Path: answer.Foreign(e.Path), Error: answer.Foreign(e.Error())})
	}
	return files, unread
}

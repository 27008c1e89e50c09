package sshproc

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tcpka/tcpka/internal/sshconf"
	"github.com/tcpka/tcpka/internal/sshedit"
)

// LastRead is when an sshd that listens has read its files for the last time; the zero
// time is not known. A reload leaves its number and its start as they were, but sshd
// writes its PID file anew, some milliseconds after it has read its files. Source:
// sshd.c, main.
//
// The PID file is looked for where the command line, the main file or the presets have
// it, and counts only where it has the number of the process. What a process of another
// user names, root's apart, is not opened.
func (p Process) LastRead() time.Time {
	if p.Program != sshconf.SSHD || p.Role != RoleListener || p.Files == Other || p.UID != 0 && int(p.UID) != os.Geteuid() {
		return time.Time{}
	}
	own := p.innerPID()
	for _, path := range p.pidFiles() {
		info, err := os.Lstat(path)
		if err != nil || !info.Mode().IsRegular() || info.Size() > 32 {
			continue
		}
		if text, err := sshconf.ReadConfig(path); err == nil && own != "" && strings.TrimSpace(string(text)) == own {
			return info.ModTime()
		}
	}
	return time.Time{}
}

// innerPID is its number in its own PID namespace: see proc(5), NSpid.
func (p Process) innerPID() string {
	status, err := readSome(fmt.Sprintf("/proc/%d/status", p.PID))
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(status)) {
		if all, ok := strings.CutPrefix(line, "NSpid:"); ok && len(strings.Fields(all)) > 0 {
			return strings.Fields(all)[len(strings.Fields(all))-1] // after those of the outer ones
		}
	}
	return ""
}

func (p Process) pidFiles() []string {
	for _, option := range p.Options {
		if keyword, path, _ := strings.Cut(strings.Replace(option, "=", " ", 1), " "); strings.EqualFold(keyword, "PidFile") {
			return []string{strings.TrimSpace(path)}
		}
	}
	// A relative path leads nowhere any more, and "none" never did.
	if file := cmp.Or(p.File, sshconf.SshdConfig); filepath.IsAbs(file) {
		content, _ := sshconf.ReadConfig(file)
		for _, v := range sshedit.Statements(content) {
			if strings.EqualFold(string(v.Keyword), "PidFile") {
				return []string{v.Text}
			}
		}
	}
	return []string{"/run/sshd.pid", "/var/run/sshd.pid"}
}

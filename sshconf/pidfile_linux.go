package sshconf

import (
	"os"
	"strings"
	"time"
)

// LastRead is when an sshd that listens has read its files for the last time; the zero
// time is not known. A reload leaves its number and its start as they were, but sshd
// writes its PID file anew, some milliseconds after it has read its files. Source:
// sshd.c, main.
//
// The PID file is looked for where the command line, the main file or the presets have
// it, and counts only where it has the number of the process.
func (p Process) LastRead() time.Time {
	if p.Program != SSHD || p.Role != RoleListener || p.Files == Other {
		return time.Time{}
	}
	for _, path := range p.pidFiles() {
		info, err := os.Lstat(path)
		if err != nil || !info.Mode().IsRegular() || info.Size() > 32 {
			continue
		}
		if text, err := readFile(path); err == nil && p.inner != "" && strings.TrimSpace(string(text)) == p.inner {
			return info.ModTime()
		}
	}
	return time.Time{}
}

func (p Process) pidFiles() []string {
	for _, option := range p.Options {
		if keyword, path, _ := strings.Cut(strings.Replace(option, "=", " ", 1), " "); strings.EqualFold(keyword, "PidFile") {
			return []string{strings.TrimSpace(path)}
		}
	}
	file := p.File
	if file == "" {
		file = systemDir + "/sshd_config"
	}
	if content, err := readFile(file); err == nil {
		for _, v := range Statements(content) {
			if strings.EqualFold(string(v.Keyword), "PidFile") {
				return []string{v.Text}
			}
		}
	}
	return []string{"/run/sshd.pid", "/var/run/sshd.pid"}
}

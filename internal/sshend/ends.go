package sshend

import (
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/sshconf"
)

// Ends are the options of ssh or sshd that end a session, or a login, whatever is probed.
// Interval is that of the probes; 0 is none. See ssh_config(5) and sshd_config(5).
func Ends(said sshconf.Options, interval time.Duration) []calc.Warning {
	var all []calc.Warning
	warn := func(id, format string, args ...any) {
		all = append(all, calc.Warning{ID: id, Text: fmt.Sprintf(format, args...)})
	}
	if value := said["channeltimeout"]; IsSet(value) {
		early := ""
		for entry := range strings.FieldsSeq(value) {
			kind, text, _ := strings.Cut(entry, "=")
			if d, err := sshconf.ParseTime(text); err == nil && d > 0 && d <= interval {
				early = fmt.Sprintf("; that of %s is over before the first probe", kind)
				break
			}
		}
		warn("channel_timeout", "ChannelTimeout is %s: a session without input and output ends after that, probes or not%s", value, early)
	}
	if value := said["unusedconnectiontimeout"]; IsSet(value) {
		warn("unused_connection_timeout", "UnusedConnectionTimeout is %s: a connection without a session ends after that, probes or not", value)
	}
	if said["logingracetime"] == "0" {
		warn("login_grace_time", "LoginGraceTime is 0: a client that vanishes during the login is left to TCP, as ClientAliveInterval counts only after it")
	}
	return all
}

// EndsIdle is what ends an idle session on a host besides sshd, as far as files for every
// user say so: the TMOUT of shells, and StopIdleSessionSec of systemd-logind. Both look at
// the terminal, so no probe holds them off. fsys is the root directory. See bash(1) and
// logind.conf(5).
func EndsIdle(fsys fs.FS) []calc.Warning {
	var all []calc.Warning
	for _, pattern := range []string{"etc/environment", "etc/profile", "etc/profile.d/*.sh", "etc/bash.bashrc", "etc/bashrc", "etc/zsh/zshenv", "etc/zshenv"} {
		names, _ := fs.Glob(fsys, pattern)
		for _, name := range names {
			number := 0
			for line := range strings.Lines(readText(fsys, name)) {
				number++
				m := tmout().FindStringSubmatch(line)
				if m != nil && strings.Trim(m[1], "0") != "" {
					all = append(all, calc.Warning{ID: "shell_timeout", Text: fmt.Sprintf("TMOUT is %s in /%s:%d: a shell that waits for input ends after so many seconds, probes or not", m[1], name, number)})
				}
			}
		}
	}
	if _, err := fs.Stat(fsys, "run/systemd/system"); err == nil { // sd_booted(3)
		if value, at := stopIdle(fsys); value != "" && value != "0" && value != "infinity" {
			all = append(all, calc.Warning{ID: "logind_timeout", Text: fmt.Sprintf("StopIdleSessionSec is %s in %s: systemd-logind ends a session whose terminal has no input for that long, probes or not", value, at)})
		}
	}
	return all
}

var tmout = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(?:[^#]*[\s;&])?TMOUT=["']?(\d+)`)
})

// stopIdle is StopIdleSessionSec, and where it is set: the last of all files, the main one
// first. Of drop-ins with one name that of /etc counts, then /run, then /usr.
func stopIdle(fsys fs.FS) (value, at string) {
	const name = "systemd/logind.conf"
	dirs := []string{"usr/lib/", "usr/local/lib/", "run/", "etc/"}
	main, dropIns := "", map[string]string{} // by their names
	for _, dir := range dirs {
		if _, err := fs.Stat(fsys, dir+name); err == nil {
			main = dir + name
		}
		files, _ := fs.Glob(fsys, dir+name+".d/*.conf")
		for _, file := range files {
			dropIns[path.Base(file)] = file
		}
	}
	files := []string{}
	if main != "" {
		files = append(files, main)
	}
	for _, base := range slices.Sorted(maps.Keys(dropIns)) {
		files = append(files, dropIns[base])
	}
	for _, file := range files {
		section, number := "", 0
		for line := range strings.Lines(readText(fsys, file)) {
			number++
			line = strings.TrimSpace(line)
			if strings.HasPrefix(line, "[") {
				section = line
			}
			if key, text, ok := strings.Cut(line, "="); ok && section == "[Login]" && strings.TrimSpace(key) == "StopIdleSessionSec" {
				value, at = strings.TrimSpace(text), fmt.Sprintf("/%s:%d", file, number)
			}
		}
	}
	return value, cmp.Or(at, name)
}

// readText is a file that is there to be read by everybody; anything else is empty.
func readText(fsys fs.FS, name string) string {
	info, err := fs.Stat(fsys, name)
	if err != nil || !info.Mode().IsRegular() || info.Size() > sshconf.MaxFile {
		return ""
	}
	content, _ := fs.ReadFile(fsys, name)
	return string(content)
}

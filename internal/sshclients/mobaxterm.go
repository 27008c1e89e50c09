package sshclients

import (
	"strings"
	"time"

	"github.com/tcpka/tcpka/internal/sshconf"
)

// parseMobaXterm reads MobaXterm.ini: one switch for all sessions of SSH, which are
// the bookmarks of kind 0. What a single bookmark says besides is not documented, and
// not read.
func parseMobaXterm(t text) ([]Session, error) {
	all := Session{Program: sshconf.MobaXterm, Lines: map[string]int{}}
	keys := first{}
	var marks []Session
	for s := range t.iniSettings() {
		switch {
		case s.key == "":
		case strings.EqualFold(s.section, "SSH"):
			keys.add(s)
		case strings.HasPrefix(s.section, "Bookmarks"):
			// NAME=#ICON#KIND%HOST%PORT%USER%...
			_, rest, ok := strings.Cut(s.value, "#")
			_, rest, ok2 := strings.Cut(rest, "#")
			kind, rest, ok3 := strings.Cut(rest, "%")
			host, _, _ := strings.Cut(rest, "%")
			if ok && ok2 && ok3 && kind == "0" {
				if marks = append(marks, Session{Name: s.key, Host: host}); len(marks) > maxSessions {
					return nil, errSessions
				}
			}
		}
	}
	key := "SSHKeepAlive2"
	if _, set := keys[key]; !set {
		key = "SSHKeepAlive" // older builds
	}
	if on, ok := keys.number(key, 0); !ok || on == 0 {
		all.Interval = new(time.Duration(0))
	} else {
		all.Problem = "MobaXterm does not tell how often it sends"
	}
	all.Lines = keys.lines(key)
	if len(marks) == 0 {
		return []Session{all}, nil
	}
	for i := range marks {
		name, host := marks[i].Name, marks[i].Host
		marks[i] = all
		marks[i].Name, marks[i].Host = name, host
	}
	return marks, nil
}

func instructMobaXterm(in *Instructions, _ Session, w Wanted) error {
	if w.TCPKeepAlive != nil {
		return errNoTCP
	}
	if n, ok := w.seconds(); ok {
		in.step("MobaXterm, Settings, Configuration, SSH: SSH keepalive: %s. It cannot be told how often.", onOrOff(n > 0))
	}
	return nil
}

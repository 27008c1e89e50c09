package sshend

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/sshconf"
)

func ids(all []calc.Warning) string {
	var ids []string
	for _, w := range all {
		ids = append(ids, w.ID)
	}
	return strings.Join(ids, " ")
}

func TestEnds(t *testing.T) {
	for _, tt := range []struct {
		name string
		said sshconf.Options
		want string
		part string
	}{
		{"nothing", sshconf.Options{"channeltimeout": "none", "unusedconnectiontimeout": "none", "logingracetime": "120"}, "", ""},
		{"a channel", sshconf.Options{"channeltimeout": "session:*=5m"}, "channel_timeout", "ends after that"},
		{"before the first probe", sshconf.Options{"channeltimeout": "x11=1h session:*=60"}, "channel_timeout", "that of session:* is over before the first probe"},
		{"no channel", sshconf.Options{"unusedconnectiontimeout": "60"}, "unused_connection_timeout", "is 60"},
		{"a login without end", sshconf.Options{"logingracetime": "0"}, "login_grace_time", "left to TCP"},
	} {
		got := Ends(tt.said, time.Minute)
		if ids(got) != tt.want || len(got) > 0 && !strings.Contains(got[0].Text, tt.part) {
			t.Errorf("%s: %+v", tt.name, got)
		}
	}
}

func TestEndsIdle(t *testing.T) {
	type files map[string]string
	booted := func(f files) files { f["run/systemd/system/x"] = ""; return f }
	for _, tt := range []struct {
		name  string
		files files
		want  string // parts of the texts, with commas
	}{
		{"nothing", files{"etc/profile": "# TMOUT=900\nexport X=1; ATMOUT=5\n"}, ""},
		{"as hardening guides have it", files{"etc/profile.d/tmout.sh": "#!/bin/sh\nreadonly TMOUT=900 ; export TMOUT\n"}, "TMOUT is 900 in /etc/profile.d/tmout.sh:2"},
		{"with declare", files{"etc/bashrc": "declare -xr TMOUT='600'\n"}, "TMOUT is 600 in /etc/bashrc:1"},
		{"off", files{"etc/profile": "TMOUT=0\n"}, ""},
		{"logind", booted(files{"etc/systemd/logind.conf": "[Login]\n#StopIdleSessionSec=1h\nStopIdleSessionSec = 15min\n"}), "StopIdleSessionSec is 15min in /etc/systemd/logind.conf:3"},
		{"without systemd", files{"etc/systemd/logind.conf": "[Login]\nStopIdleSessionSec=15min\n"}, ""},
		{"a drop-in beats it", booted(files{"etc/systemd/logind.conf": "[Login]\nStopIdleSessionSec=15min\n", "usr/lib/systemd/logind.conf.d/50-a.conf": "[Login]\nStopIdleSessionSec=infinity\n"}), ""},
		{"one of /etc stands for one of /usr", booted(files{"etc/systemd/logind.conf.d/50-a.conf": "[Login]\nStopIdleSessionSec=1h\n", "usr/lib/systemd/logind.conf.d/50-a.conf": "[Login]\nStopIdleSessionSec=2h\n"}), "is 1h in /etc/systemd/logind.conf.d/50-a.conf:2"},
		{"in another section", booted(files{"etc/systemd/logind.conf": "[Other]\nStopIdleSessionSec=15min\n"}), ""},
	} {
		fsys := fstest.MapFS{}
		for name, content := range tt.files {
			fsys[name] = &fstest.MapFile{Data: []byte(content)}
		}
		got := EndsIdle(fsys)
		if (tt.want == "") != (len(got) == 0) || len(got) > 0 && !strings.Contains(got[0].Text, tt.want) {
			t.Errorf("%s: %+v", tt.name, got)
		}
	}
}

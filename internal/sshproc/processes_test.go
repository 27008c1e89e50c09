package sshproc

import (
	"errors"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tcpka/tcpka/internal/sshconf"
)

// TestCommandLineOfProcesses has /proc/PID/cmdline as OpenSSH leaves it.
func TestCommandLineOfProcesses(t *testing.T) {
	for _, tt := range []struct {
		name    string
		program sshconf.Program
		cmdline string
		want    Process
	}{
		{"ssh", sshconf.SSH, "ssh\x00-o\x00ServerAliveInterval=5\x00web1\x00", Process{Role: RoleSession, CommandLine: sshconf.CommandLine{Options: []string{"ServerAliveInterval=5"}, Destination: "web1"}}},
		{"ssh -M", sshconf.SSH, "/usr/bin/ssh\x00-M\x00web1\x00", Process{Role: RoleMaster, CommandLine: sshconf.CommandLine{Master: true, Destination: "web1"}}},
		{"a master in the background", sshconf.SSH, "ssh: /home/bob/.ssh/m [mux]\x00\x00\x00", Process{Role: RoleMaster, Title: "/home/bob/.ssh/m"}},
		{"sshd that listens", sshconf.SSHD, "sshd: /usr/sbin/sshd -D -o ClientAliveInterval=5 -f /f [listener] 0 of 10-100 startups\x00", Process{
			Role: RoleListener, Title: "/usr/sbin/sshd -D -o ClientAliveInterval=5 -f /f [listener] 0 of 10-100 startups",
			CommandLine: sshconf.CommandLine{Options: []string{"ClientAliveInterval=5"}, File: "/f"}}},
		{"an old sshd that listens", sshconf.SSHD, "/usr/sbin/sshd\x00-D\x00-f\x00/f\x00", Process{Role: RoleListener, CommandLine: sshconf.CommandLine{File: "/f"}}},
		{"the privileged half", sshconf.SSHD, "sshd: bob [priv]\x00", Process{Role: RoleMonitor, Title: "bob"}},
		{"a session", sshconf.SSHD, "sshd: bob@pts/0\x00", Process{Role: RoleSession, Title: "bob@pts/0"}},
		{"a session from 9.8 on", sshconf.SSHD, "sshd-session: bob@pts/0\x00", Process{Role: RoleSession, Title: "bob@pts/0"}},
		{"a login", sshconf.SSHD, "sshd: bob [net]\x00", Process{Role: RoleLogin, Title: "bob [net]"}},
		{"a login with a name that is a trick", sshconf.SSHD, "sshd: bob [listener] x", Process{Role: RoleLogin, Title: "bob [listener] x"}},
		{"a title that is cut off", sshconf.SSHD, "sshd: /usr/sbin/sshd -D -f /srv/conf", Process{Role: RoleSession, Title: "/usr/sbin/sshd -D -f /srv/conf"}},
		{"a login of nobody yet", sshconf.SSHD, "sshd: [accepted]\x00", Process{Role: RoleLogin, Title: "[accepted]"}},
		{"nothing", sshconf.SSHD, "", Process{Role: RoleListener}},
	} {
		got := Process{Program: tt.program}
		got.parseCommandLine([]byte(tt.cmdline))
		tt.want.Program = tt.program
		if diff := cmp.Diff(tt.want, got, cmpopts.IgnoreUnexported(Process{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// FuzzCommandLine reads anything as /proc/PID/cmdline.
func FuzzCommandLine(f *testing.F) {
	f.Add("ssh\x00-o\x00ServerAliveInterval=5\x00web1\x00-oX\x00", true)
	f.Add("sshd: /usr/sbin/sshd -D -o x [listener] 0 of 10-100 startups\x00", false)
	f.Fuzz(func(t *testing.T, cmdline string, client bool) {
		p := Process{Program: map[bool]sshconf.Program{true: sshconf.SSH, false: sshconf.SSHD}[client]}
		p.parseCommandLine([]byte(cmdline))
		if p.Role == "" {
			t.Errorf("%q has no role", cmdline)
		}
		sshconf.NewScan(sshconf.NamesOf(!client), new(sshconf.Findings), nil).CommandLine(p.Options)
	})
}

// A link that names no namespace says nothing of whether two are the same.
func TestWhatNamesNoNamespaceIsNotKnown(t *testing.T) {
	if link, err := namespaceOf("/proc/self/ns/net"); err != nil {
		t.Errorf("%q: %v", link, err)
	}
	path := t.TempDir() + "/net"
	if err := os.Symlink("net", path); err != nil {
		t.Fatal(err)
	}
	if link, err := namespaceOf(path); !errors.Is(err, os.ErrPermission) {
		t.Errorf("%q: %v", link, err)
	}
	if _, err := namespaceOf(path + "/missing"); err == nil {
		t.Error("a link that is missing is known")
	}
}

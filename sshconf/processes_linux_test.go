package sshconf

import (
	"errors"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestCommandLineOfProcesses has /proc/PID/cmdline as OpenSSH leaves it.
func TestCommandLineOfProcesses(t *testing.T) {
	for _, tt := range []struct {
		name    string
		program Program
		cmdline string
		want    Process
	}{
		{"ssh", SSH, "ssh\x00-o\x00ServerAliveInterval=5\x00web1\x00", Process{Role: RoleSession, CommandLine: CommandLine{Options: []string{"ServerAliveInterval=5"}, Destination: "web1"}}},
		{"ssh -M", SSH, "/usr/bin/ssh\x00-M\x00web1\x00", Process{Role: RoleMaster, CommandLine: CommandLine{Master: true, Destination: "web1"}}},
		{"a master in the background", SSH, "ssh: /home/bob/.ssh/m [mux]\x00\x00\x00", Process{Role: RoleMaster, Title: "/home/bob/.ssh/m"}},
		{"sshd that listens", SSHD, "sshd: /usr/sbin/sshd -D -o ClientAliveInterval=5 -f /f [listener] 0 of 10-100 startups\x00", Process{
			Role: RoleListener, Title: "/usr/sbin/sshd -D -o ClientAliveInterval=5 -f /f [listener] 0 of 10-100 startups",
			CommandLine: CommandLine{Options: []string{"ClientAliveInterval=5"}, File: "/f"}}},
		{"an old sshd that listens", SSHD, "/usr/sbin/sshd\x00-D\x00-f\x00/f\x00", Process{Role: RoleListener, CommandLine: CommandLine{File: "/f"}}},
		{"the privileged half", SSHD, "sshd: bob [priv]\x00", Process{Role: RoleMonitor, Title: "bob"}},
		{"a session", SSHD, "sshd: bob@pts/0\x00", Process{Role: RoleSession, Title: "bob@pts/0"}},
		{"a session from 9.8 on", SSHD, "sshd-session: bob@pts/0\x00", Process{Role: RoleSession, Title: "bob@pts/0"}},
		{"a login", SSHD, "sshd: bob [net]\x00", Process{Role: RoleLogin, Title: "bob [net]"}},
		{"a login with a name that is a trick", SSHD, "sshd: bob [listener] x", Process{Role: RoleLogin, Title: "bob [listener] x"}},
		{"a title that is cut off", SSHD, "sshd: /usr/sbin/sshd -D -f /srv/conf", Process{Role: RoleSession, Title: "/usr/sbin/sshd -D -f /srv/conf"}},
		{"a login of nobody yet", SSHD, "sshd: [accepted]\x00", Process{Role: RoleLogin, Title: "[accepted]"}},
		{"nothing", SSHD, "", Process{Role: RoleListener}},
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
		p := Process{Program: map[bool]Program{true: SSH, false: SSHD}[client]}
		p.parseCommandLine([]byte(cmdline))
		if p.Role == "" {
			t.Errorf("%q has no role", cmdline)
		}
		newScan(namesOf(!client), new(Findings), nil).commandLine(p.Options)
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

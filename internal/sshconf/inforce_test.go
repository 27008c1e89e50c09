package sshconf_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/internal/sshconf"
)

// TestInForce: the value that the program says strikes the lines that say otherwise. What
// is found is proved with the real ssh: where that line has another value, so has ssh.
func TestInForce(t *testing.T) {
	p := sshconf.FindPrograms()
	if p.SSH == "" {
		nstest.Missing(t, "ssh is not installed")
	}
	const isDefault = 0
	for _, tt := range []struct {
		name, content string
		line          int    // of ServerAliveInterval; 0 is the default
		unsure        string // part of the reason; empty is sure
	}{
		{"one that does not hold, and one behind it", "Match exec false\nServerAliveInterval 5\nHost *\nServerAliveInterval 61\n", 4, ""},
		{"one that holds", "Match exec true\nServerAliveInterval 5\nHost *\nServerAliveInterval 61\n", 2, ""},
		{"the second of two", "Match exec false\nServerAliveInterval 5\nMatch exec true\nServerAliveInterval 6\nHost *\nServerAliveInterval 61\n", 4, ""},
		{"none, and the default", "Match exec false\nServerAliveInterval 5\n", isDefault, ""},
		{"one that holds, and the default", "Match exec true\nServerAliveInterval 5\n", 2, ""},
		{"the same value in other words", "Match exec false\nServerAliveInterval 1m\nHost *\nServerAliveInterval 60\n", 4, ".ssh/config:2 and .ssh/config:4 both have 60"},
		{"the default's value in a line", "Match exec false\nServerAliveInterval 0\n", isDefault, ":2 and the default both have 0"},
		{"of three the two that say the same", "Match exec false\nServerAliveInterval 5\nMatch exec true\nServerAliveInterval 6\nHost *\nServerAliveInterval 6\n", 6, ":4 and .ssh/config:6 both have 6"},
		{"a line that is not seen may decide", "Include ~nobody/none\nMatch exec true\nServerAliveInterval 5\n", 3, "is not followed"},
		{"a host that is renamed, and one line for all", "CanonicalizeHostname yes\nHost web1.example\nServerAliveInterval 5\nHost *\nServerAliveInterval 61\n", 5, ""},
		{"a host that is renamed, and the default", "CanonicalizeHostname yes\nHost *.example\nServerAliveInterval 5\nServerAliveCountMax 7\n", isDefault, ""},
		{"batch mode, on Debian or not", "BatchMode yes\n", -1, ""},
		{"batch mode and the value that it sets", "BatchMode yes\nMatch exec false\nServerAliveInterval 300\n", -2, ""},
	} {
		home := t.TempDir()
		file := filepath.Join(home, ".ssh/config")
		write := func(content string) {
			if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		ask := func() string {
			said, err := p.ClientFile(t.Context(), nil, file, "web1")
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			return said.Of(sshconf.ServerAliveInterval)
		}
		write(tt.content)
		value := ask()
		all, err := sshconf.FindClient(sshconf.Client{Host: "web1", LocalUser: "alice", Home: home, UserFile: file})
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		got := sshconf.Of(all.Settings, sshconf.ServerAliveInterval).InForce(value)
		want, unsure := tt.line, tt.unsure
		switch {
		case tt.line < 0 && value == "0": // not Debian's
			want = isDefault
		case tt.line == -1:
			want = 1
		case tt.line == -2:
			want, unsure = isDefault, "both have 300"
		}
		reason := strings.ReplaceAll(got.Unsure, home+"/", "")
		if got.Line != want && unsure == "" || unsure == "" && reason != "" || !strings.Contains(reason, unsure) {
			t.Errorf("%s, %s s: line %d, unsure %q, want line %d, %q", tt.name, value, got.Line, reason, want, unsure)
			continue
		}
		if unsure != "" || got.Line == 0 || tt.line < 0 {
			continue
		}
		lines := strings.Split(tt.content, "\n")
		lines[got.Line-1] = "ServerAliveInterval 4321"
		write(strings.Join(lines, "\n"))
		if now := ask(); now != "4321" {
			t.Errorf("%s: with another value in line %d ssh has %s", tt.name, got.Line, now)
		}
	}
}

// TestInForceOfSSHD: Match blocks, of which it is not known whether they are for the
// connection.
func TestInForceOfSSHD(t *testing.T) {
	for _, tt := range []struct {
		name, content, value string
		line                 int
		unsure               string
	}{
		{"a group may match", "ClientAliveInterval 300\nMatch Group a\nClientAliveInterval 5\n", "300", 1, ""},
		{"and does", "ClientAliveInterval 300\nMatch Group a\nClientAliveInterval 5\n", "5", 3, ""},
		{"of two the second", "ClientAliveInterval 300\nMatch Group a\nClientAliveInterval 5\nMatch Group b\nClientAliveInterval 6\n", "6", 5, ""},
		{"the default", "Match Group a\nClientAliveInterval 5\n", "0", 0, ""},
		{"both say so", "ClientAliveInterval 5m\nMatch Group a\nClientAliveInterval 300\n", "300", 1, "both have 300"},
		{"none says so", "Match Group a\nClientAliveInterval 5\n", "7", 0, "may apply or not"},
	} {
		file := filepath.Join(t.TempDir(), "sshd_config")
		if err := os.WriteFile(file, []byte(tt.content), 0o600); err != nil {
			t.Fatal(err)
		}
		all, err := sshconf.FindServer(sshconf.Server{File: file, Connection: sshconf.Connection{User: "bob"}})
		if err != nil {
			t.Fatal(err)
		}
		got := sshconf.Of(all.Settings, sshconf.ClientAliveInterval).InForce(tt.value)
		if got.Line != tt.line || (got.Unsure == "") != (tt.unsure == "") || !strings.Contains(got.Unsure, tt.unsure) {
			t.Errorf("%s: line %d, unsure %q, want %d, %q", tt.name, got.Line, got.Unsure, tt.line, tt.unsure)
		}
	}
}

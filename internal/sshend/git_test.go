package sshend

import (
	"strings"
	"testing"

	"github.com/tcpka/tcpka/internal/nstest"
)

// TestGit: what is said is what decides on keepalives, and where it stands.
func TestGit(t *testing.T) {
	for _, tt := range []struct {
		name, environment, file string
		want                    string // part of the text; empty is nothing
	}{
		{"nothing", "", "[core]\n\teditor = vi\n", ""},
		{"of the environment", "ssh -o ServerAliveInterval=5", "[core]\n\tsshCommand = ssh -F none\n", "by GIT_SSH_COMMAND: ssh -o ServerAliveInterval=5; its options"},
		{"of the file", "", "[user]\n sshCommand = ssh -F x\n[Core]\n\tsshcommand = \"ssh -F none\"\n", "by core.sshCommand in HOME/.gitconfig:4: ssh -F none;"},
		{"a key alone", "ssh -i key -o IdentitiesOnly=yes", "", ""},
		{"a proxy", "ssh -o 'ProxyCommand=nc'", "", ""}, // what the shell makes of quotes is not followed
		{"a jump", "ssh -oProxyJump=hop", "", "ProxyJump=hop"},
	} {
		home := t.TempDir()
		t.Setenv("GIT_SSH_COMMAND", tt.environment)
		nstest.WriteFile(t, home+"/.gitconfig", tt.file)
		text := ""
		for _, w := range Git(nil, home) {
			text += strings.ReplaceAll(w.Text, home, "HOME")
		}
		if (text == "") != (tt.want == "") || !strings.Contains(text, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, text, tt.want)
		}
	}
}

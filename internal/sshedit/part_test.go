package sshedit_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/internal/sshconf"
	"github.com/tcpka/tcpka/internal/sshedit"
	"github.com/tcpka/tcpka/internal/sshtest"
)

// TestAPartOfSSHDsConfiguration names a file that sshd_config includes. It is right by
// itself, and what it is part of must be, too.
func TestAPartOfSSHDsConfiguration(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		sshtest.Room(t)
		p := sshtest.Programs(t)
		const part = "/etc/ssh/part.conf"
		if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/etc/ssh/ssh_host_ed25519_key").CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen: %v: %s", err, out)
		}
		set := func(k sshconf.Keyword, text string) error {
			r := sshedit.Request{Server: true, File: part, Programs: p, Values: []sshconf.Value{{Keyword: k, Text: text}}}
			v, err := r.Plan(t.Context())
			if err == nil {
				err = v.Apply(t.Context())
			}
			if err := p.CheckServer(t.Context(), "/etc/ssh/sshd_config"); err != nil {
				t.Errorf("%s %s: sshd would not start any more: %v", k, text, err)
			}
			return err
		}
		refused := func(what string, err error, text string) {
			t.Helper()
			if err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("%s: %v", what, err)
			}
			if got, _ := os.ReadFile(part); string(got) != "X11Forwarding no\n" {
				t.Errorf("%s: it has %q", what, got)
			}
		}
		sshtest.Write(t, part, "X11Forwarding no\n")
		sshtest.Write(t, "/etc/ssh/sshd_config", "Match User bob\nInclude part.conf\n")
		refused("below Match", set(sshconf.TCPKeepAlive, "no"), "not allowed below a Match")
		sshtest.Write(t, "/etc/ssh/sshd_config", "ClientAliveInterval 9\nInclude part.conf\n")
		err := set(sshconf.ClientAliveInterval, "60")
		refused("behind another line", err, "/etc/ssh/sshd_config:1 comes first")
		if _, ok := errors.AsType[*sshedit.ShadowedError](err); !ok {
			t.Errorf("behind another line: %T", err)
		}
		sshtest.Write(t, "/etc/ssh/sshd_config", "Match User bob\nInclude part.conf\n")
		if err := set(sshconf.ClientAliveInterval, "60"); err != nil {
			t.Errorf("what a Match may have: %v", err)
		}
		// What only sshd notices: one that changes its mind about the whole.
		sshtest.Write(t, part, "X11Forwarding no\n")
		fickle := filepath.Join(t.TempDir(), "sshd")
		sshtest.Write(t, fickle, "#!/bin/sh\n[ \"$*\" != '-t -f /etc/ssh/sshd_config' ] || ! grep -q Alive "+part+" || { echo 'line 7: no' >&2; exit 255; }\nexec "+p.SSHD+" \"$@\"\n")
		if err := os.Chmod(fickle, 0o755); err != nil {
			t.Fatal(err)
		}
		real := p.SSHD
		p.SSHD = fickle
		err = set(sshconf.ClientAliveInterval, "60")
		p.SSHD = real
		refused("what sshd does not take", err, "line 7: no")
	})
}

// TestRootDoesNotRunAnothersCommands has a file of another user with a Match exec,
// which ssh would run.
func TestRootDoesNotRunAnothersCommands(t *testing.T) {
	nstest.RunRoot(t, func(t *testing.T) {
		dir := t.TempDir()
		config, ran := filepath.Join(dir, "config"), filepath.Join(dir, "ran")
		sshtest.Write(t, config, "Match exec \"id -u >"+ran+"\"\nUser bob\n")
		if err := os.Chown(config, 4242, 4242); err != nil {
			t.Fatal(err)
		}
		r := sshedit.Request{File: config, Owner: me(t), Programs: sshtest.Programs(t), Values: []sshconf.Value{{Keyword: sshconf.ServerAliveInterval, Text: "60"}}}
		if _, err := r.Plan(t.Context()); !errors.Is(err, sshedit.ErrNotOwner) {
			t.Errorf("plan: %v", err)
		}
		content, _ := os.ReadFile(config)
		if _, err := r.Revert(t.Context(), config, content, append(content, '\n')); !errors.Is(err, sshedit.ErrNotOwner) {
			t.Errorf("revert: %v", err)
		}
		if _, err := os.Stat(ran); err == nil {
			t.Error("its command was run by root")
		}
	})
}

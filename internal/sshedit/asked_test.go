package sshedit_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/internal/sshconf"
	"github.com/tcpka/tcpka/internal/sshedit"
	"github.com/tcpka/tcpka/internal/sshtest"
)

// TestWithoutTheProgram has the scanner alone to go by.
func TestWithoutTheProgram(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		home := sshtest.Room(t)
		sshtest.Write(t, home+"/.ssh/config", "Host web1\n  ServerAliveInterval 7\n")
		r := sshedit.Request{Owner: me(t), Values: []sshconf.Value{{Keyword: sshconf.ServerAliveInterval, Text: "60"}}}
		v, err := r.Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Apply(t.Context()); err != nil || !v.Approximate || v.After["serveraliveinterval"] != "60" {
			t.Errorf("%v, %+v", err, v)
		}
		if want := []string{"Host web1: ServerAliveInterval 7 (" + home + "/.ssh/config line 2)"}; !slices.Equal(v.Kept, want) {
			t.Errorf("kept: %q", v.Kept)
		}
		var many strings.Builder
		for n := range 12 {
			fmt.Fprintf(&many, "Host h%d\n  ServerAliveInterval 7\n", n)
		}
		sshtest.Write(t, home+"/.ssh/config", many.String())
		if v, err = r.Plan(t.Context()); err != nil || len(v.Kept) != 11 || v.Kept[10] != "and 2 more" {
			t.Errorf("twelve: %v, %q", err, v.Kept)
		}
		sshtest.Write(t, home+"/.ssh/config", "Include config\n")
		if _, err := r.Plan(t.Context()); err == nil || !strings.Contains(err.Error(), "more than 16 levels of Include") {
			t.Errorf("a loop: %v", err)
		}
		sshtest.Write(t, home+"/.ssh/config", "Match exec x\n  ServerAliveInterval 7\n")
		if _, err := r.Plan(t.Context()); err == nil || !strings.Contains(err.Error(), "may apply or not") {
			t.Errorf("a Match exec: %v", err)
		}
	})
}

// TestRelativeIncludeOfTheSystem: ssh looks below /etc/ssh for it, and below ~/.ssh where
// it is given the same file by -F. What counts is what a user of the system gets.
func TestRelativeIncludeOfTheSystem(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		home, p := sshtest.Room(t), sshtest.Programs(t)
		ask := func() string {
			t.Helper()
			said, err := p.Client(t.Context(), nil, "web1") // without a file of his own
			if err != nil {
				t.Fatal(err)
			}
			return said["serveraliveinterval"]
		}
		for _, tt := range []struct {
			name, main, dropIn string
			before, path       string // path: empty is refused
		}{
			{"no value yet", "Include ssh_config.d/*.conf\nHost *\n", "", "0", "/etc/ssh/ssh_config.d/90-tcpka.conf"},
			{"a value in a drop-in", "Include ssh_config.d/*.conf\n", "ServerAliveInterval 30\n", "30", "/etc/ssh/ssh_config.d/10-tcpka.conf"},
			{"a value above", "ServerAliveInterval 15\nInclude nothing \"ssh_config.d/*.conf\"\n", "ServerAliveInterval 30\n", "15", "/etc/ssh/ssh_config"},
			{"a value that comes first, and is not seen with -F", "Host *\nInclude ssh_config.d/*.conf\n", "ServerAliveInterval 30\n", "30", ""},
		} {
			for _, dir := range []string{home + "/.ssh/ssh_config.d", "/etc/ssh/ssh_config.d"} {
				if err := os.RemoveAll(dir); err != nil {
					t.Fatal(err)
				}
			}
			sshtest.Write(t, home+"/.ssh/ssh_config.d/50-x.conf", "ServerAliveInterval 7\n") // nobody reads it
			sshtest.Write(t, "/etc/ssh/ssh_config", tt.main)
			sshtest.Write(t, "/etc/ssh/ssh_config.d/50-x.conf", tt.dropIn)
			if got := ask(); got != tt.before {
				t.Fatalf("%s: ssh has %s, want %s", tt.name, got, tt.before)
			}
			r := sshedit.Request{System: true, Owner: me(t), Programs: p, Values: []sshconf.Value{{Keyword: sshconf.ServerAliveInterval, Text: "60"}}}
			v, err := r.Plan(t.Context())
			if tt.path == "" {
				if shadowed, ok := errors.AsType[*sshedit.ShadowedError](err); !ok || shadowed.Source != "/etc/ssh/ssh_config.d/50-x.conf:1" || shadowed.Got != tt.before {
					t.Errorf("%s: %v", tt.name, err)
				}
				continue
			}
			if err == nil {
				err = v.Apply(t.Context())
			}
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
				continue
			}
			if got := ask(); got != "60" || v.Path != tt.path || v.Before["serveraliveinterval"] != tt.before {
				t.Errorf("%s: %s was written, %s before: ssh has %s", tt.name, v.Path, v.Before["serveraliveinterval"], got)
			}
		}
	})
}

// TestDropInOfAMainFileThatIsALink: the link stays within /etc, so sshd's file is found,
// and what is written is a drop-in beside it.
func TestDropInOfAMainFileThatIsALink(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		sshtest.Room(t)
		p := sshtest.Programs(t)
		if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/etc/ssh/ssh_host_ed25519_key").CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen: %v: %s", err, out)
		}
		sshtest.Write(t, "/etc/ssh/sshd_config.site", "Include /etc/ssh/sshd_config.d/*.conf\n")
		if err := os.Mkdir("/etc/ssh/sshd_config.d", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("sshd_config.site", "/etc/ssh/sshd_config"); err != nil {
			t.Fatal(err)
		}
		r := sshedit.Request{Server: true, Programs: p, Values: []sshconf.Value{{Keyword: sshconf.ClientAliveInterval, Text: "60"}}}
		v, err := r.Plan(t.Context())
		if err == nil {
			err = v.Apply(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		said, err := p.Server(t.Context(), "/etc/ssh/sshd_config", sshconf.Any)
		if err != nil || said["clientaliveinterval"] != "60" || v.Path != "/etc/ssh/sshd_config.d/10-tcpka.conf" {
			t.Errorf("%s in %s, %v", said["clientaliveinterval"], v.Path, err)
		}
		back, err := r.Revert(t.Context(), v.Path, v.New, v.Old)
		if err == nil {
			err = back.Apply(t.Context())
		}
		if _, there := os.Lstat(v.Path); err != nil || there == nil {
			t.Errorf("taken back: %v, %v", err, there)
		}
	})
}

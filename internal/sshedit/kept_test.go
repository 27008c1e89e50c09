package sshedit_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/internal/sshconf"
	"github.com/tcpka/tcpka/internal/sshedit"
	"github.com/tcpka/tcpka/internal/sshtest"
)

// TestWhatIsKept writes a file that is a link within the home directory, with a mode,
// an attribute and line ends of its own.
func TestWhatIsKept(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		home, p := sshtest.Room(t), sshtest.Programs(t)
		config, real := home+"/.ssh/config", home+"/dotfiles/ssh"
		sshtest.Write(t, real, "Host web1\r\n\tUser bob # him\r\n\r\nHost *\r\n\tServerAliveInterval 30\t# half\r\n")
		if err := errors.Join(os.Chmod(real, 0o640), os.Symlink("../dotfiles/ssh", config)); err != nil {
			t.Fatal(err)
		}
		const attribute = "user.tcpka"
		attributes := true
		if err := unix.Setxattr(real, attribute, []byte("mine"), 0); errors.Is(err, unix.ENOTSUP) {
			attributes = false
			t.Log("the file system has no user attributes")
		} else if err != nil {
			t.Fatal(err)
		}
		r := sshedit.Request{Owner: me(t), Programs: p, Values: []sshconf.Value{{Keyword: sshconf.ServerAliveInterval, Text: "60"}}}
		v, err := r.Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Apply(t.Context()); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(real)
		want := "Host web1\r\n\tUser bob # him\r\n\r\nHost *\r\n\tServerAliveInterval 60\t# half\r\n"
		if err != nil || string(got) != want {
			t.Errorf("%q, %v", got, err)
		}
		if to, err := os.Readlink(config); err != nil || to != "../dotfiles/ssh" {
			t.Errorf("the link leads to %q, %v", to, err)
		}
		if info, err := os.Stat(real); err != nil || info.Mode() != 0o640 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
		value := make([]byte, 64)
		if n, err := unix.Getxattr(real, attribute, value); attributes && (err != nil || !bytes.Equal(value[:n], []byte("mine"))) {
			t.Errorf("the attribute is %q, %v", value[:max(n, 0)], err)
		}
		if left, _ := filepath.Glob(home + "/dotfiles/.*"); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
	})
}

// TestKeptOfAPattern tells of blocks that come first for some of the hosts of a pattern.
func TestKeptOfAPattern(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		home, p := sshtest.Room(t), sshtest.Programs(t)
		config := home + "/.ssh/config"
		sshtest.Write(t, config, "Host web1\n  ServerAliveInterval 7\nHost db1\n  ServerAliveInterval 8\n")
		for pattern, want := range map[string][]string{
			"web?": {"Host web1: ServerAliveInterval 7 (" + config + " line 2)"},
			"web2": nil,
			"*1":   {"Host web1: ServerAliveInterval 7 (" + config + " line 2)", "Host db1: ServerAliveInterval 8 (" + config + " line 4)"},
		} {
			r := sshedit.Request{Owner: me(t), Host: pattern, Programs: p, Values: []sshconf.Value{{Keyword: sshconf.ServerAliveInterval, Text: "60"}}}
			v, err := r.Plan(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(v.Kept, want) {
				t.Errorf("%s: %q, want %q", pattern, v.Kept, want)
			}
		}
	})
}

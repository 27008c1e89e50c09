package sshedit_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/internal/sshconf"
	"github.com/tcpka/tcpka/internal/sshedit"
	"github.com/tcpka/tcpka/internal/sshtest"
)

// TestFilesThatAreNotWritten refuses files that are somebody else's business, and
// leaves them as they are.
func TestFilesThatAreNotWritten(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		home, p := sshtest.Room(t), sshtest.Programs(t)
		config := home + "/.ssh/config"
		r := sshedit.Request{Owner: me(t), Programs: p, Values: []sshconf.Value{{Keyword: sshconf.ServerAliveInterval, Text: "60"}}}
		plan := func(t *testing.T, want error, text string) {
			t.Helper()
			before := snapshot(filepath.Dir(home))
			_, err := r.Plan(t.Context())
			if err == nil || want != nil && !errors.Is(err, want) || !strings.Contains(err.Error(), text) {
				t.Errorf("%v", err)
			}
			if !equal(before, snapshot(filepath.Dir(home))) {
				t.Error("something changed")
			}
		}
		fresh := func(t *testing.T, content string) {
			t.Helper()
			os.RemoveAll(config)
			sshtest.Write(t, config, content)
		}
		t.Run("a link out of the home directory", func(t *testing.T) {
			fresh(t, "")
			os.Remove(config)
			sshtest.Write(t, filepath.Dir(home)+"/elsewhere", "Compression yes\n")
			if err := os.Symlink(filepath.Dir(home)+"/elsewhere", config); err != nil {
				t.Fatal(err)
			}
			plan(t, sshedit.ErrOutside, "leads elsewhere")
		})
		t.Run("a file with two names", func(t *testing.T) {
			fresh(t, "Compression yes\n")
			if err := os.Link(config, home+"/.ssh/second"); err != nil {
				t.Fatal(err)
			}
			defer os.Remove(home + "/.ssh/second")
			before := snapshot(home)
			v, err := r.Plan(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := v.Writable(); !errors.Is(err, sshedit.ErrHardLinks) {
				t.Error(err)
			}
			if err := v.Apply(t.Context()); !errors.Is(err, sshedit.ErrHardLinks) || v.Written() || !equal(before, snapshot(home)) {
				t.Errorf("%v, written %t", err, v.Written())
			}
		})
		t.Run("a file that ssh refuses", func(t *testing.T) {
			fresh(t, "ServerAliveIntervall 5\n")
			plan(t, nil, "line 1: Bad configuration option: serveraliveintervall")
		})
		t.Run("a file with a byte order mark", func(t *testing.T) {
			fresh(t, "\xef\xbb\xbfCompression yes\n")
			plan(t, nil, "line 1: Bad configuration option")
		})
		t.Run("a file with NUL bytes", func(t *testing.T) {
			fresh(t, "Compression yes\x00\n")
			plan(t, nil, "NUL")
		})
		t.Run("a file that is too large", func(t *testing.T) {
			fresh(t, "")
			if err := os.Truncate(config, 100<<20); err != nil {
				t.Fatal(err)
			}
			_, err := r.Plan(t.Context())
			if err == nil || !strings.Contains(err.Error(), "larger than 1048576 bytes") {
				t.Error(err)
			}
		})
		t.Run("a directory", func(t *testing.T) {
			os.RemoveAll(config)
			os.Mkdir(config, 0o700)
			plan(t, nil, "not a regular file")
		})
		t.Run("a loop of Include", func(t *testing.T) {
			fresh(t, "Include config\n")
			plan(t, nil, "Too many recursive configuration includes")
		})
		t.Run("17 levels of Include", func(t *testing.T) {
			fresh(t, "Include l1\n")
			for n := 1; n < 17; n++ {
				sshtest.Write(t, fmt.Sprintf("%s/.ssh/l%d", home, n), fmt.Sprintf("Include l%d\n", n+1))
			}
			sshtest.Write(t, home+"/.ssh/l17", "ServerAliveInterval 5\n")
			plan(t, nil, "Too many recursive configuration includes")
		})
		t.Run("an earlier block in an included file", func(t *testing.T) {
			fresh(t, "Include other\nHost *\n")
			sshtest.Write(t, home+"/.ssh/other", "Host tcpka*\n  # mine\n  ServerAliveInterval 5\n")
			plan(t, nil, "ServerAliveInterval would stay 5: "+home+"/.ssh/other:3 comes first")
		})
		t.Run("a Match exec that decides", func(t *testing.T) {
			fresh(t, "Match exec true\n  ServerAliveInterval 5\n")
			plan(t, nil, "ServerAliveInterval would stay 5: "+config+":2 comes first")
		})
		t.Run("a read-only disk", func(t *testing.T) {
			fresh(t, "Compression yes\n")
			before := snapshot(home)
			if err := unix.Mount(home, home, "", unix.MS_BIND, ""); err != nil {
				t.Fatal(err)
			}
			defer unix.Unmount(home, unix.MNT_DETACH)
			if err := unix.Mount("", home, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV, ""); err != nil {
				t.Fatal(err)
			}
			v, err := r.Plan(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := v.Writable(); !errors.Is(err, unix.EROFS) {
				t.Error(err)
			}
			if err := v.Apply(t.Context()); !errors.Is(err, unix.EROFS) || v.Written() || !v.Restored() {
				t.Errorf("%v, written %t", err, v.Written())
			}
			if !equal(before, snapshot(home)) {
				t.Error("something changed")
			}
		})
		t.Run("a file that changes between reading and writing", func(t *testing.T) {
			fresh(t, "Compression yes\n")
			v, err := r.Plan(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			sshtest.Write(t, config, "Compression no\n")
			if err := v.Apply(t.Context()); !errors.Is(err, sshedit.ErrChanged) || v.Written() {
				t.Errorf("%v, written %t", err, v.Written())
			}
			if got, _ := os.ReadFile(config); string(got) != "Compression no\n" {
				t.Errorf("it has %q", got)
			}
			os.Remove(config)
			if err := v.Apply(t.Context()); !errors.Is(err, sshedit.ErrChanged) {
				t.Errorf("removed: %v", err)
			}
		})
		t.Run("a file that appears", func(t *testing.T) {
			os.RemoveAll(config)
			v, err := r.Plan(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			sshtest.Write(t, config, "Compression no\n")
			if err := v.Apply(t.Context()); !errors.Is(err, sshedit.ErrChanged) {
				t.Error(err)
			}
			if got, _ := os.ReadFile(config); string(got) != "Compression no\n" {
				t.Errorf("it has %q", got)
			}
		})
		t.Run("one that is named and is a link", func(t *testing.T) {
			fresh(t, "Compression yes\n")
			if err := os.Symlink(config, home+"/link"); err != nil {
				t.Fatal(err)
			}
			defer func() { r.File = "" }()
			r.File = home + "/link"
			plan(t, sshedit.ErrOutside, "symbolic link")
			r.File = home + "/missing"
			plan(t, fs.ErrNotExist, "missing")
		})
		if left, _ := filepath.Glob(home + "/.ssh/.*tcpka*"); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
	})
}

// TestWhatTheProgramRefuses has values that sshd refuses, and an sshd that changes its
// mind once the file is in place. Neither leaves a trace.
func TestWhatTheProgramRefuses(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		sshtest.Room(t)
		p := sshtest.Programs(t)
		const config, dropIn = "/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d/10-tcpka.conf"
		if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/etc/ssh/ssh_host_ed25519_key").CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen: %v: %s", err, out)
		}
		sshtest.Write(t, config, "Include /etc/ssh/sshd_config.d/*.conf\n")
		if err := os.Mkdir("/etc/ssh/sshd_config.d", 0o755); err != nil {
			t.Fatal(err)
		}
		before := snapshot("/etc/ssh")
		r := sshedit.Request{Server: true, Programs: p, Values: []sshconf.Value{{Keyword: sshconf.ClientAliveInterval, Text: "soon"}}}
		if _, err := r.Plan(t.Context()); err == nil || !strings.Contains(err.Error(), config+" line 1: invalid time value.") || strings.Contains(err.Error(), "/tmp/") {
			t.Errorf("a value that is no time: %v", err)
		}
		// What is not right only where it lies: sshd looks at the real file alone.
		fickle := filepath.Join(t.TempDir(), "sshd")
		sshtest.Write(t, fickle, "#!/bin/sh\ncase \"$*\" in *' -f "+config+" '*|*' -f "+config+"') [ ! -e "+dropIn+" ] || { echo '"+config+": line 7: no' >&2; exit 255; };; esac\nexec "+p.SSHD+" \"$@\"\n")
		if err := os.Chmod(fickle, 0o755); err != nil {
			t.Fatal(err)
		}
		r.Values[0].Text, r.Programs.SSHD = "60", fickle
		v, err := r.Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Apply(t.Context()); err == nil || !strings.Contains(err.Error(), config+": line 7: no") || v.Written() || !v.Restored() {
			t.Errorf("written %t, restored %t, %v", v.Written(), v.Restored(), err)
		}
		if after := snapshot("/etc/ssh"); !equal(before, after) {
			t.Errorf("something changed: %q", after)
		}
		// One whose answer is another value.
		sshtest.Write(t, fickle, "#!/bin/sh\ncase \"$*\" in '-T -f "+config+" '*) "+p.SSHD+" \"$@\" | sed 's/^clientaliveinterval .*/clientaliveinterval 5/';; *) exec "+p.SSHD+" \"$@\";; esac\n")
		if v, err = r.Plan(t.Context()); err != nil {
			t.Fatal(err)
		}
		err = v.Apply(t.Context())
		if shadowed, ok := errors.AsType[*sshedit.ShadowedError](err); !ok || shadowed.Got != "5" || v.Written() {
			t.Errorf("another value: %v", err)
		}
		if after := snapshot("/etc/ssh"); !equal(before, after) {
			t.Errorf("something changed: %q", after)
		}
		r.Programs = p
		if v, err = r.Plan(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := v.Apply(t.Context()); err != nil {
			t.Errorf("without all that: %v", err)
		}
	})
}

// TestRootDoesNotWriteWhatIsImmutable needs a file system with that attribute, and the
// right to set it.
func TestRootDoesNotWriteWhatIsImmutable(t *testing.T) {
	nstest.RunRoot(t, func(t *testing.T) {
		home, p := sshtest.Room(t), sshtest.Programs(t)
		config := home + "/.ssh/config"
		sshtest.Write(t, config, "Compression yes\n")
		chattr := nstest.Program(t, "chattr")
		if out, err := exec.Command(chattr, "+i", config).CombinedOutput(); err != nil {
			nstest.Missing(t, fmt.Sprintf("chattr +i: %v: %s", err, out))
		}
		defer exec.Command(chattr, "-i", config).Run()
		r := sshedit.Request{Owner: me(t), Programs: p, Values: []sshconf.Value{{Keyword: sshconf.ServerAliveInterval, Text: "60"}}}
		v, err := r.Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Apply(t.Context()); !errors.Is(err, fs.ErrPermission) || v.Written() || !v.Restored() {
			t.Errorf("%v, written %t", err, v.Written())
		}
		if got, _ := os.ReadFile(config); string(got) != "Compression yes\n" {
			t.Errorf("it has %q", got)
		}
		if left, _ := filepath.Glob(home + "/.ssh/.*tcpka*"); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
	})
}

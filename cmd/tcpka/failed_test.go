//go:build linux && (amd64 || arm64)

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/internal/nstest"
)

// fails has the system call fail that is about to be made, as on a disk that is broken.
// The last one of all does not fail, nor do Go's own by which its threads wake each other.
func fails(pid, tid int) error {
	nr, first, fail, err := callOf(tid)
	if err != nil || nr == unix.SYS_EXIT_GROUP {
		return err
	}
	if file, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", pid, first)); err == nil && strings.HasPrefix(file, "anon_inode:") {
		return nil
	}
	return fail(unix.EIO)
}

// TestSetFailsAtEachStep has one system call after the other fail. What set then says is
// true: it is done, or nothing is changed, or undo takes back what is left of it.
func TestSetFailsAtEachStep(t *testing.T) {
	nstest.Parallel(t)
	nstest.Run(t, func(t *testing.T) {
		furnish(t)
		eachScene(t, func(s scene, _, after []byte) {
			for n := 1; ; n++ {
				s.setUp()
				reached, end := stopAt(s.t, n, fails, s.args(setCommand...)...)
				if !reached {
					break
				}
				state := s.look(after)
				switch unchanged := strings.HasSuffix(state, ": nothing changed"); {
				case end.ExitStatus() == cmdline.StatusFailed && !unchanged:
					s.t.Errorf("step %d: it says that it failed, and %s", n, state)
				case end.ExitStatus() == 0 && unchanged:
					s.t.Errorf("step %d: it says that it is done, and %s", n, state)
				}
				s.tcpka("undo")
				if got := s.look(after); !strings.HasSuffix(got, ": nothing changed") {
					s.t.Errorf("step %d, status %d, %s: after undo: %s", n, end.ExitStatus(), state, got)
				}
				if status, _, stderr := s.tcpka(setCommand...); status != 0 {
					s.t.Errorf("step %d: the next set: %s", n, stderr)
				}
				if left := temporaries(filepath.Dir(s.root + bootFile)); len(left) > 0 {
					s.t.Errorf("step %d: the next set leaves %q", n, left)
				}
			}
		})
	})
}

// TestSetSSHFailsAtEachStep does the same to a file of ssh: one that is replaced, and one
// that is made.
func TestSetSSHFailsAtEachStep(t *testing.T) {
	nstest.Parallel(t)
	nstest.Run(t, func(t *testing.T) {
		r := newSSHRoom(t)
		t.Setenv("TMPDIR", room(t))
		file := os.Getenv("HOME") + "/.ssh/config"
		set := []string{"set", "ssh", "--side", "client", "--interval", "60"}
		s := scene{t: t, home: os.Getenv("HOME")}
		for _, old := range []string{"", "Host a\n\tUser b\nHost *\n\tServerAliveInterval 5\n"} {
			content := func() string { b, _ := os.ReadFile(file); return string(b) }
			setUp := func() {
				r.must(os.RemoveAll(s.home))
				r.must(os.MkdirAll(filepath.Dir(file), 0o700))
				if old != "" {
					r.must(os.WriteFile(file, []byte(old), 0o600))
				}
			}
			for n := 1; ; n++ {
				setUp()
				reached, end := stopAt(t, n, fails, set...)
				if !reached {
					break
				}
				switch now := content(); {
				case end.ExitStatus() == cmdline.StatusFailed && now != old:
					t.Errorf("%q, step %d: it says that it failed, and the file has %q", old, n, now)
				case end.ExitStatus() == 0 && now == old:
					t.Errorf("%q, step %d: it says that it is done, and the file is as it was", old, n)
				}
				s.tcpka("undo")
				if now := content(); now != old {
					t.Errorf("%q, step %d, status %d: after undo: %q", old, n, end.ExitStatus(), now)
				}
				if status, _, stderr := s.tcpka(set...); status != 0 {
					t.Errorf("%q, step %d: the next set: %s", old, n, stderr)
				}
				if left := append(temporaries(filepath.Dir(file)), temporaries(os.TempDir())...); len(left) > 0 {
					t.Errorf("%q, step %d: the next set leaves %q", old, n, left)
				}
			}
		}
	})
}

// TestTemporaryFilesOfAKilledRunAreSwept kills set ssh before each step. The next one
// leaves nothing of it.
func TestTemporaryFilesOfAKilledRunAreSwept(t *testing.T) {
	nstest.Parallel(t)
	nstest.Run(t, func(t *testing.T) {
		newSSHRoom(t)
		t.Setenv("TMPDIR", room(t))
		home := os.Getenv("HOME")
		s := scene{t: t, home: home}
		s.must(os.WriteFile(home+"/.ssh/config", []byte("Host *\n\tServerAliveInterval 5\n"), 0o600))
		left := 0
		for n := 1; ; n++ {
			reached, _ := stopAt(t, n, sends(unix.SIGKILL), "set", "ssh", "--side", "client", "--interval", fmt.Sprint(60+n))
			if !reached {
				break
			}
			left += len(temporaries(home+"/.ssh")) + len(temporaries(os.TempDir()))
			if status, _, stderr := s.tcpka("set", "ssh", "--side", "client", "--interval", fmt.Sprint(6000+n)); status != 0 {
				t.Errorf("step %d: the next set: %s", n, stderr)
			}
			if left := append(temporaries(home+"/.ssh"), temporaries(os.TempDir())...); len(left) > 0 {
				t.Errorf("step %d: the next set leaves %q", n, left)
			}
		}
		if left == 0 {
			t.Error("nothing was ever left")
		}
	})
}

// temporaries are the temporary files of tcpka in a directory.
func temporaries(dir string) []string {
	hidden, _ := filepath.Glob(dir + "/.*[0-9A-Z]")
	dirs, _ := filepath.Glob(dir + "/tcpka-[0-9]*")
	return append(hidden, dirs...)
}

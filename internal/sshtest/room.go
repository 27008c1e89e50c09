// Package sshtest is what the tests about OpenSSH share: a room with its own /etc/ssh, and
// configurations made up at random.
package sshtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/internal/sshconf"
)

// Room replaces /etc/ssh, /etc/passwd and /run by the test's own.
func Room(t *testing.T) (home string) {
	t.Helper()
	dir := t.TempDir()
	home = filepath.Join(dir, "home")
	etc := filepath.Join(dir, "etc")
	for _, d := range []string{home + "/.ssh", etc} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	Write(t, dir+"/passwd", "root:x:0:0::"+home+":/bin/sh\nsshd:x:100:65534::/run/sshd:/bin/false\n")
	for from, to := range map[string]string{etc: "/etc/ssh", dir + "/passwd": "/etc/passwd"} {
		if err := unix.Mount(from, to, "", unix.MS_BIND, ""); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mount("none", "/run", "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir("/run/sshd", 0o755); err != nil {
		t.Fatal(err)
	}
	return home
}

func Write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func Programs(t *testing.T) sshconf.Programs {
	return sshconf.Programs{SSH: nstest.Program(t, "ssh"), SSHD: nstest.Program(t, "sshd")}
}

// Show logs every file below the directories.
func Show(t *testing.T, dirs ...string) {
	for _, dir := range dirs {
		filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() && !strings.Contains(path, "key") {
				text, _ := os.ReadFile(path)
				t.Logf("== %s\n%s", path, text)
			}
			return nil
		})
	}
}

package sshconf

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
)

// TestGlob finds what glob(3) does, in its order.
func TestGlob(t *testing.T) {
	dir := tree(t, map[string]string{"d/10.conf": "", "d/9.conf": "", "d/.hidden.conf": "", "d/_.conf": "", "d/x.conf~": "", "d-e/1.conf": "", ".f/1.conf": ""})
	for pattern, want := range map[string][]string{
		"d/*.conf":       {"d/10.conf", "d/9.conf", "d/_.conf"},
		"d/?.conf":       {"d/9.conf", "d/_.conf"},
		"d/.*.conf":      {"d/.hidden.conf"},
		"*/1*.conf":      {"d-e/1.conf", "d/10.conf"},
		"?*/./../d/9*":   {"d/9.conf"},
		"*/9.conf":       {"d/9.conf"},
		"d*/":            {"d", "d-e"},
		"nothing/*.conf": nil,
		"d/9.conf/*":     nil,
		"is/not/there":   {"is/not/there"},
	} {
		got, err := NewScan(nil, new(Findings), nil).glob(dir + "/" + pattern)
		for i := range got {
			got[i] = strings.TrimPrefix(got[i], dir+"/")
		}
		if len(got) == 0 {
			got = nil
		}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", pattern, err, diff)
		}
	}
}

// TestIncludeIsBounded has a few links by which a pattern finds more than anybody has.
func TestIncludeIsBounded(t *testing.T) {
	dir := tree(t, map[string]string{"config": "Include " + strings.Repeat("*/", 9) + "x\nServerAliveInterval 5\n"})
	for _, name := range strings.Split("abcdefghijklmnop", "") {
		if err := os.Symlink(".", filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	config := filepath.Join(dir, "config")
	content, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, []byte(strings.Replace(string(content), "Include ", "Include "+dir+"/", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	lateness, start := nstest.WatchLateness(), time.Now()
	_, err = scanClient(Client{Host: "web1", UserFile: config})
	if err == nil || !strings.Contains(err.Error(), config+" line 1: more than 100000 names to look through for Include") {
		t.Error(err)
	}
	if took := time.Since(start); took > 20*time.Second+lateness.Since(start) {
		t.Errorf("took %s", took)
	}
}

// TestIncludeThatMayNotBeRead: ssh refuses its files for it, and goes on where it does
// not even see it.
func TestIncludeThatMayNotBeRead(t *testing.T) {
	dir := tree(t, map[string]string{
		"seen": "Include @/secret\nServerAliveInterval 5\n", "unseen": "Include @/dir/secret\nServerAliveInterval 5\n",
		"secret": "ServerAliveInterval 9\n", "dir/secret": "ServerAliveInterval 9\n",
	})
	for name, mode := range map[string]os.FileMode{"secret": 0, "dir": 0} {
		if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	defer os.Chmod(filepath.Join(dir, "dir"), 0o700)
	look := func(name string) (all []Setting, err error) {
		file := filepath.Join(dir, name)
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(file, []byte(strings.ReplaceAll(string(content), "@", dir)), 0o600); err != nil {
			return nil, err
		}
		if err := powerless(func() { all, err = scanClient(Client{Host: "web1", UserFile: file}) }); err != nil {
			t.Fatal(err)
		}
		return all, err
	}
	if all, err := look("unseen"); err != nil || all[0].Value != "5" {
		t.Errorf("in a directory that may not be searched: %+v, %v", all, err)
	}
	if all, err := look("seen"); err == nil || !strings.Contains(err.Error(), "/seen line 1: Include: open "+dir+"/secret: permission denied") || errors.Is(err, os.ErrPermission) {
		t.Errorf("a file: %+v, %v", all, err)
	}
}

// powerless runs f on a thread without root's power over files.
func powerless(f func()) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for ever
		var none [2]unix.CapUserData
		err := unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &none[0])
		if err == nil {
			f()
		}
		done <- err
	}()
	return <-done
}

package nstest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Cgroup moves this process into a new cgroup (version 2) below the one it is
// in, and returns its directory. At the end of the test the process goes back
// and the cgroup is removed, with all that is left in it and below it (Linux
// 5.14 kills processes, too). Cgroups are the machine's and not private: it works
// only under [RunRoot], and touches nothing but its own.
func Cgroup(t testing.TB) string {
	t.Helper()
	if os.Getenv(childEnv) == "" || !initialUserNamespace() {
		t.Fatal("Cgroup: not in the namespaces of RunRoot")
	}
	old, err := ownCgroup()
	if err != nil {
		Missing(t, err.Error())
	}
	dir, err := os.MkdirTemp(old, "tcpka-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := enter(old); err != nil {
			t.Error(err)
		}
		// What still runs there was started by the test.
		if err := os.WriteFile(filepath.Join(dir, "cgroup.kill"), []byte("1"), 0); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
		err := removeCgroups(dir)
		for deadline := time.Now().Add(5 * time.Second); err != nil && time.Now().Before(deadline); {
			time.Sleep(5 * time.Millisecond)
			err = removeCgroups(dir)
		}
		if err != nil {
			t.Error(err)
		}
	})
	if err := enter(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func enter(cgroup string) error {
	return os.WriteFile(filepath.Join(cgroup, "cgroup.procs"), []byte(strconv.Itoa(os.Getpid())), 0)
}

func removeCgroups(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := removeCgroups(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	if err := unix.Rmdir(dir); err != nil {
		return fmt.Errorf("rmdir %s: %w", dir, err)
	}
	return nil
}

// ownCgroup is the directory of the cgroup that this process is in.
func ownCgroup() (string, error) {
	cgroup, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	_, path, _ := strings.Cut("\n"+string(cgroup), "\n0::")
	path, _, ok := strings.Cut(path, "\n")
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); ok && len(f) > 4 && f[3] == "/" && strings.Contains(line, " - cgroup2 ") {
			return filepath.Join(f[4], path), nil
		}
	}
	return "", fmt.Errorf("no cgroup v2 is mounted")
}

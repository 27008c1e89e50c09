package nstest_test

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
)

// secludedEnv makes the test binary the process inside.
const secludedEnv = "TCPKA_SECLUDED"

// What others have mounted is locked in a namespace of another user, and gone where
// that is secluded. The rest is where it was, and namespaces can be made as before.
func TestSeclude(t *testing.T) {
	if os.Getenv(secludedEnv) != "" {
		inside(t)
		return
	}
	nstest.Run(t, func(t *testing.T) {
		if err := unix.Mount("tmpfs", "/run", "tmpfs", 0, ""); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("/run/blue", nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount("/proc/self/ns/net", "/run/blue", "", unix.MS_BIND, ""); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("/proc/self/exe", "-test.run=^TestSeclude$", "-test.v")
		cmd.Env = append(os.Environ(), secludedEnv+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNS,
			UidMappings: []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}},
		}
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestSeclude") {
			t.Errorf("%v\n%s", err, out)
		}
	})
}

func inside(t *testing.T) {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		t.Fatal(err)
	}
	mounted := func() bool {
		table, err := os.ReadFile("/proc/self/mountinfo")
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(string(table), " - nsfs ")
	}
	if err := unix.Unmount("/run/blue", unix.MNT_DETACH); err != unix.EINVAL || !mounted() {
		t.Fatalf("it is not locked: %v", err)
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(".")
	if err != nil {
		t.Fatal(err)
	}
	if err := nstest.Seclude(); err != nil {
		t.Fatal(err)
	}
	if mounted() {
		t.Error("it is still mounted")
	}
	if now, err := os.Getwd(); now != dir || err != nil {
		t.Errorf("in %q, was in %q: %v", now, dir, err)
	}
	if entries, err := os.ReadDir("/run"); len(entries) != 0 || err != nil {
		t.Errorf("/run has %v, %v", entries, err)
	}
	if after, err := os.Stat("."); err != nil || !os.SameFile(before, after) {
		t.Errorf("the working directory is another one: %v", err)
	}
	cmd := exec.Command("/bin/sh", "-c", ":")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNS}
	if err := cmd.Run(); err != nil {
		t.Errorf("another user namespace: %v", err)
	}
}

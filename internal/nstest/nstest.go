// Package nstest gives a test a kernel of its own to play with: private user,
// network and mount namespaces, made for one test and gone with it. Tests only.
//
// A namespace belongs to a thread, and Go moves goroutines between threads; so a
// test that needs one runs again in a child process of the test binary.
package nstest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/room"
)

// childEnv carries the name of the test that a child process runs.
const childEnv = "TCPKA_NSTEST_CHILD"

// RequireEnv, set to 1, turns a skip for want of a kernel feature or a program
// into a failure.
const RequireEnv = "TCPKA_REQUIRE"

// Run runs f in a child process with user, network and mount namespaces of its
// own, in which the caller is root, the loopback interface is up and mounts
// reach nobody else. It needs no privilege where the kernel lets users make
// namespaces; elsewhere the test is skipped. Equivalent to: unshare -Urnm.
//
// The child runs the test from its first line: let Run be the only statement.
func Run(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	run(t, unix.CLONE_NEWUSER|unix.CLONE_NEWNET|unix.CLONE_NEWNS, f)
}

// RunRoot is [Run] for what a user namespace does not allow: f is the real root
// in network and mount namespaces of its own. Without root the test is skipped,
// always: tests that need it are named TestRoot.
func RunRoot(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	if !initialUserNamespace() {
		Missing(t, "needs root of the initial user namespace")
	}
	run(t, unix.CLONE_NEWNET|unix.CLONE_NEWNS, f)
}

// Parallel lets a test run beside others that do so, as t.Parallel does. In the child
// process of [Run] it does nothing: nothing else runs there, and the test may set the
// environment.
func Parallel(t *testing.T) {
	t.Helper()
	if os.Getenv(childEnv) == "" {
		t.Parallel()
	}
}

func run(t *testing.T, namespaces uintptr, f func(t *testing.T)) {
	t.Helper()
	if os.Getenv(childEnv) == t.Name() {
		if err := prepare(); err != nil {
			t.Fatal(err)
		}
		f(t)
		return
	}
	cmd := exec.Command("/proc/self/exe", childArgs(t)...)
	cmd.Env = append(os.Environ(), childEnv+"="+t.Name())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces, Pdeathsig: syscall.SIGKILL}
	if namespaces&unix.CLONE_NEWUSER != 0 {
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}}
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := withShortTable(cmd)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EINVAL) {
		Missing(t, fmt.Sprintf("private namespaces: %v", err))
	}
	text := strings.TrimSpace(out.String())
	switch {
	case err != nil:
		t.Fatalf("in private namespaces: %v\n%s", err, text)
	case strings.Contains(text, "--- SKIP: "+t.Name()+" "):
		t.Skip(text)
	case !strings.Contains(text, "--- PASS: "+t.Name()+" "):
		t.Fatalf("in private namespaces: the test did not run\n%s", text)
	case testing.Verbose():
		t.Log(text)
	}
}

// withShortTable runs a command so that a network namespace which is made for it has a
// table of TCP connections of its own, a short one, see tcp_child_ehash_entries in
// ip-sysctl.rst (Linux 6.1). Else it shares the machine's: hundreds of thousands of
// entries to look through whenever somebody lists a handful of sockets. Who may not ask
// for that does without.
//
// The thread lives as long as the command: Pdeathsig is about the death of a thread.
func withShortTable(cmd *exec.Cmd) error {
	return OnThread(func() error {
		if unix.Unshare(unix.CLONE_NEWNET) == nil {
			os.WriteFile("/proc/sys/net/ipv4/tcp_child_ehash_entries", []byte("4096"), 0)
		}
		return cmd.Run()
	})
}

// childArgs are the arguments that make the test binary run just t, with the
// flags of this run that matter to it.
func childArgs(t *testing.T) []string {
	parts := strings.Split(t.Name(), "/")
	for i, p := range parts {
		parts[i] = "^" + regexp.QuoteMeta(p) + "$"
	}
	// Rows that run side by side wait for timers: more than there are processors.
	args := []string{"-test.run=" + strings.Join(parts, "/"), "-test.v", "-test.parallel=16"}
	for _, a := range os.Args[1:] {
		if name, _, _ := strings.Cut(strings.TrimLeft(a, "-"), "="); name == "test.gocoverdir" || name == "update" {
			args = append(args, a)
		}
	}
	if d, ok := t.Deadline(); ok {
		args = append(args, "-test.timeout="+time.Until(d).String())
	}
	return args
}

// prepare finishes the namespaces from inside.
func prepare() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	return room.Up("lo")
}

// Missing skips the test because the machine lacks something, or fails it where
// [RequireEnv] says that nothing may be lacking.
func Missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv(RequireEnv) == "1" {
		t.Fatalf("%s=1 and %s", RequireEnv, what)
	}
	t.Skip(what)
}

// Program returns the path of an installed program, or skips the test with
// [Missing]. It looks where system programs lie, too.
func Program(t testing.TB, name string) string {
	t.Helper()
	if p, err := exec.LookPath(name); err == nil {
		return p
	}
	dirs := []string{"/usr/sbin", "/sbin", "/usr/lib/systemd", "/lib/systemd"}
	postgres, _ := filepath.Glob("/usr/lib/postgresql/*/bin") // Debian
	for _, dir := range append(dirs, postgres...) {
		if p, err := exec.LookPath(dir + "/" + name); err == nil {
			return p
		}
	}
	Missing(t, name+" is not installed")
	return ""
}

// Sysctl writes a sysctl of this namespace, for example
// Sysctl(t, "net.ipv4.tcp_retries2", "3"). It cannot reach the host's: it fails
// the test outside a namespace made by [Run] or [RunRoot].
func Sysctl(t testing.TB, key, value string) {
	t.Helper()
	if os.Getenv(childEnv) == "" {
		t.Fatalf("sysctl %s: not in a private namespace", key)
	}
	path := "/proc/sys/" + strings.ReplaceAll(key, ".", "/")
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(value); err != nil {
		t.Fatal(err)
	}
}

func initialUserNamespace() bool {
	b, err := os.ReadFile("/proc/self/uid_map")
	return err == nil && strings.Join(strings.Fields(string(b)), " ") == "0 0 4294967295"
}

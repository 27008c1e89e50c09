package netns

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A stand-in for the kernels that do it: the directory instead of what is in it.
func TestALinkThatLeadsNowhereIsNotOurs(t *testing.T) {
	var st unix.Stat_t
	check(t, unix.Stat("/proc/self/ns", &st))
	if err := followed(&st); !errors.Is(err, os.ErrPermission) {
		t.Errorf("a directory: %v", err)
	}
	check(t, unix.Stat(selfPath, &st))
	if err := followed(&st); err != nil {
		t.Errorf("a namespace: %v", err)
	}
}

// emptyRun gives the test a /run of its own, with the directories of ip-netns(8)
// and of Docker.
func emptyRun(t *testing.T) {
	t.Helper()
	check(t, unix.Mount("tmpfs", "/run", "tmpfs", 0, ""))
	for _, dir := range []string{"/run/netns", "/run/docker/netns"} {
		check(t, os.MkdirAll(dir, 0o755))
	}
}

// mounted makes a network namespace and mounts it on path, as ip netns add does.
func mounted(t *testing.T, path string) id {
	t.Helper()
	check(t, os.WriteFile(path, nil, 0o444))
	var ns id
	check(t, onOwnThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		var err error
		if ns, err = statID(selfPath); err != nil {
			return err
		}
		return unix.Mount(selfPath, path, "", unix.MS_BIND, "")
	}))
	return ns
}

// process starts one in namespaces of its own that lives as long as the test.
func process(t *testing.T, cloneFlags uintptr) (pid int, ns id) {
	t.Helper()
	cmd := exec.Command(nstest.Program(t, "cat"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: cloneFlags, Pdeathsig: unix.SIGKILL}
	if cloneFlags&unix.CLONE_NEWUSER != 0 {
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}}
	}
	stdin, err := cmd.StdinPipe()
	check(t, err)
	check(t, cmd.Start())
	t.Cleanup(func() {
		stdin.Close()
		cmd.Wait()
	})
	// Start returns a little before the kernel gives the process its new name.
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", cmd.Process.Pid)); err != nil || string(comm) == "cat\n" {
			break
		}
	}
	ns, err = statID(procPath(cmd.Process.Pid))
	check(t, err)
	return cmd.Process.Pid, ns
}

// asUser runs f as an ordinary user: in this process, or as root in another that
// runs this test again. It must be the only statement of the test.
func asUser(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	if os.Geteuid() != 0 {
		f(t)
		return
	}
	const nobody = 65534
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+regexp.QuoteMeta(t.Name())+"$", "-test.v")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}, Pdeathsig: unix.SIGKILL}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	text := strings.TrimSpace(out.String())
	switch {
	case err != nil:
		t.Fatalf("as an ordinary user: %v\n%s", err, text)
	case strings.Contains(text, "--- SKIP: "+t.Name()+" "):
		t.Skip(text)
	case !strings.Contains(text, "--- PASS: "+t.Name()+" "):
		t.Fatalf("as an ordinary user: the test did not run\n%s", text)
	}
}

// keepaliveTime reads the sysctl of the calling thread's namespace.
func keepaliveTime(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("/proc/sys/net/ipv4/tcp_keepalive_time")
	check(t, err)
	return strings.TrimSpace(string(b))
}

func TestCurrent(t *testing.T) {
	got, err := Current()
	check(t, err)
	var st unix.Stat_t
	check(t, unix.Stat("/proc/self/ns/net", &st))
	want := Namespace{
		Name: got.Name, Container: got.Container,
		Dev: uint64(st.Dev), Inode: st.Ino, Current: true, PID: os.Getpid(), Path: "/proc/thread-self/ns/net",
	}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got.Name == "" {
		t.Error("it has no name")
	}
}

func TestCurrentOfAPrivateNamespace(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		emptyRun(t)
		n, err := Current()
		check(t, err)
		if n.Name != "current" {
			t.Errorf("without a name it is %q", n.Name)
		}
		check(t, os.WriteFile("/run/docker/netns/1a2b3c", nil, 0o444))
		check(t, unix.Mount(selfPath, "/run/docker/netns/1a2b3c", "", unix.MS_BIND, ""))
		if n, err = Current(); err != nil || n.Name != "1a2b3c" {
			t.Errorf("with a mount of Docker's it is %q, %v", n.Name, err)
		}
		check(t, os.WriteFile("/run/netns/blue", nil, 0o444))
		check(t, unix.Mount(selfPath, "/run/netns/blue", "", unix.MS_BIND, ""))
		if n, err = Current(); err != nil || n.Name != "blue" {
			t.Errorf("with a mount in /run/netns too it is %q, %v", n.Name, err)
		}
	})
}

func TestCurrentIsThatOfTheThread(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		emptyRun(t)
		blue := mounted(t, "/run/netns/blue")
		h, err := Find("blue")
		check(t, err)
		defer h.Close()
		check(t, h.Do(func() error {
			n, err := Current()
			if err == nil && (n.Name != "blue" || n.id() != blue || !n.Current) {
				err = fmt.Errorf("in blue, Current is %+v", n)
			}
			return err
		}))
	})
}

func BenchmarkCurrent(b *testing.B) {
	for b.Loop() {
		if _, err := Current(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkList(b *testing.B) {
	for b.Loop() {
		if _, err := List(); err != nil {
			b.Fatal(err)
		}
	}
}

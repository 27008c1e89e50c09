package nstest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
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

// CgroupRoot is [Cgroup] with a hierarchy of its own: the new cgroup is the root of what
// is mounted as cgroup v2, and bpffs is mounted anew, and empty. What is attached to that
// root reaches nothing but the test. Equivalent to: unshare -C, and mount -t cgroup2.
func CgroupRoot(t testing.TB) string {
	t.Helper()
	Cgroup(t)
	const at, pins = "/sys/fs/cgroup", "/sys/fs/bpf"
	err := OnThread(func() error { // the namespace decides what is mounted, and who is in it does not matter
		if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil {
			return err
		}
		return unix.Mount("cgroup2", at, "cgroup2", 0, "")
	})
	if err == nil {
		t.Cleanup(func() { // or the way to the cgroup that is to be removed is covered
			if err := unix.Unmount(at, 0); err != nil {
				t.Error(err)
			}
		})
		err = unix.Mount("bpf", pins, "bpf", 0, "mode=700")
	}
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// SocketIn returns a TCP socket of a cgroup below root, which is made where there is none.
// A socket belongs to the cgroup of who makes it: a child process that starts there. To
// move this one takes a tenth of a second. The test binary has to have a test
// TestSocketMaker, and in it a call of [MakeSocket].
func SocketIn(t testing.TB, root, name string, family int) int {
	t.Helper()
	path := filepath.Join(root, name)
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
	dir, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "ours"), os.NewFile(uintptr(pair[1]), "theirs")
	defer ours.Close()
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestSocketMaker$")
	cmd.Env = append(os.Environ(), socketEnv+"="+strconv.Itoa(family))
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd()), Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	theirs.Close()
	if err != nil {
		t.Fatalf("a socket in %s: %v\n%s", path, err, out)
	}
	rights := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(pair[0], make([]byte, 1), rights, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	messages, err := unix.ParseSocketControlMessage(rights[:n])
	if err != nil || len(messages) != 1 {
		t.Fatalf("a socket in %s: %v, %d messages\n%s", path, err, len(messages), out)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		t.Fatal(err)
	}
	return fds[0]
}

// socketEnv has the family of the socket that a child of [SocketIn] makes.
const socketEnv = "TCPKA_NSTEST_SOCKET"

// MakeSocket is what the child process of [SocketIn] does. Otherwise it does nothing.
func MakeSocket(t testing.TB) {
	family, err := strconv.Atoi(os.Getenv(socketEnv))
	if err != nil {
		return
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err == nil {
		err = unix.Sendmsg(3, []byte{0}, unix.UnixRights(fd), nil, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
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

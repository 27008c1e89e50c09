package rootfs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
)

// tree makes an image beside a file that nothing may reach.
func tree(t *testing.T) (root FS, dir, outside string) {
	t.Helper()
	base := t.TempDir()
	dir, outside = filepath.Join(base, "image"), filepath.Join(base, "outside")
	if err := os.MkdirAll(filepath.Join(dir, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(outside, []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	root, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return root, dir, outside
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, target, path string) {
	t.Helper()
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
}

func TestLinksStayInsideTheRoot(t *testing.T) {
	root, dir, outside := tree(t)
	put(t, filepath.Join(dir, "usr/data"), "inside")
	link(t, "/usr/data", filepath.Join(dir, "etc/absolute"))
	link(t, "../../../../usr/data", filepath.Join(dir, "etc/climbing"))
	link(t, outside, filepath.Join(dir, "etc/out"))
	link(t, "/usr", filepath.Join(dir, "etc/dir"))

	for _, name := range []string{"/etc/absolute", "etc/climbing", "/etc/dir/data", "/../usr/data", "/etc/../etc/absolute"} {
		if b, err := root.ReadFile(name); string(b) != "inside" || err != nil {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	if b, err := root.ReadFile("/etc/out"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a link to a file outside: %q, %v", b, err)
	}
	if info, err := root.Lstat("/etc/absolute"); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("Lstat of a link: %v, %v", info, err)
	}
	if info, err := root.Stat("/etc/absolute"); err != nil || info.Size() != int64(len("inside")) {
		t.Errorf("Stat of a link: %v, %v", info, err)
	}
	if text, err := root.Readlink("/etc/absolute"); text != "/usr/data" || err != nil {
		t.Errorf("Readlink: %q, %v", text, err)
	}
	entries, err := root.ReadDir("/etc")
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if got := strings.Join(names, " "); got != "absolute climbing dir out" || err != nil {
		t.Errorf("ReadDir: %s, %v", got, err)
	}
}

func TestWritesStayInsideTheRoot(t *testing.T) {
	root, dir, outside := tree(t)
	link(t, "/var/real", filepath.Join(dir, "etc/sub"))
	if err := root.MkdirAll("/var/real", 0o755); err != nil {
		t.Fatal(err)
	}
	link(t, outside, filepath.Join(dir, "var/real/file"))

	// The directory's link leads inside; the file's link is replaced.
	if err := root.WriteFile("/etc/sub/file", []byte("new"), 0o640); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(outside); string(b) != "secret" {
		t.Errorf("the file outside holds %q", b)
	}
	path := filepath.Join(dir, "var/real/file")
	info, err := os.Lstat(path)
	if err != nil || info.Mode() != 0o640 {
		t.Errorf("the file written: %v, %v", info, err)
	}
	if b, _ := os.ReadFile(path); string(b) != "new" {
		t.Errorf("it holds %q", b)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "var/real/.*")); left != nil {
		t.Errorf("left behind: %v", left)
	}
	if err := root.Remove("/etc/sub/file"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after Remove: %v", err)
	}
	if err := root.Remove("/etc/sub/file"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a second Remove: %v", err)
	}
}

func TestMkdirAll(t *testing.T) {
	root, dir, _ := tree(t)
	link(t, "/elsewhere/deep", filepath.Join(dir, "etc/link"))
	put(t, filepath.Join(dir, "etc/file"), "")
	defer unix.Umask(unix.Umask(0o077))
	if err := root.MkdirAll("/a/b/c", 0o755); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(filepath.Join(dir, "a/b/c")); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("a/b/c: %v, %v", info, err)
	}
	if err := root.MkdirAll("/etc/file/x", 0o755); !errors.Is(err, unix.ENOTDIR) {
		t.Errorf("below a file: %v", err)
	}
}

func TestReadFileRefusesWhatIsNoOrdinaryFile(t *testing.T) {
	root, dir, _ := tree(t)
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "large"), strings.Repeat("x", MaxFile+1))
	put(t, filepath.Join(dir, "whole"), strings.Repeat("x", MaxFile))
	for name, want := range map[string]string{
		"/fifo":    "not a regular file",
		"/etc":     "not a regular file",
		"/large":   "larger than",
		"/missing": "no such file",
	} {
		_, err := root.ReadFile(name)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), dir+name) {
			t.Errorf("%s: %v, want %q and the path", name, err, want)
		}
	}
	if b, err := root.ReadFile("/whole"); len(b) != MaxFile || err != nil {
		t.Errorf("a file of the largest size: %d bytes, %v", len(b), err)
	}
}

func TestOpenRefusesTheLiveProc(t *testing.T) {
	if _, err := Open("/"); !errors.Is(err, ErrLiveProc) {
		t.Errorf("/: %v", err)
	}
	if _, err := Open("/proc/self/root"); !errors.Is(err, ErrLiveProc) {
		t.Errorf("another name of /: %v", err)
	}
	if _, err := Open(filepath.Join(t.TempDir(), "missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a directory that is not there: %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	put(t, file, "")
	if _, err := Open(file); !errors.Is(err, unix.ENOTDIR) {
		t.Errorf("a file: %v", err)
	}
}

func TestNothingUnderARootIsTheLiveProc(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		root, dir, _ := tree(t)
		put(t, filepath.Join(dir, "proc/sys/x"), "")
		if err := unix.Mount("/proc/sys", filepath.Join(dir, "proc/sys"), "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			t.Fatal(err)
		}
		// Before the directory is removed, and what it holds.
		t.Cleanup(func() {
			if err := unix.Unmount(filepath.Join(dir, "proc/sys"), 0); err != nil {
				panic(err)
			}
		})
		const name = "/proc/sys/net/ipv4/tcp_keepalive_time"
		if b, err := root.ReadFile(name); !errors.Is(err, ErrLiveProc) {
			t.Errorf("read: %q, %v", b, err)
		}
		if f, err := root.OpenFile(name, os.O_WRONLY, 0); !errors.Is(err, ErrLiveProc) {
			t.Errorf("open for writing: %v, %v", f, err)
		}
	})
}

func TestTheZeroFSIsTheLiveTree(t *testing.T) {
	var root FS
	if !root.Live() {
		t.Error("not live")
	}
	if b, err := root.ReadFile("/proc/sys/kernel/ostype"); string(b) != "Linux\n" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
}

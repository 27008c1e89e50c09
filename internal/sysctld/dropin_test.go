package sysctld

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/internal/rootfs"
)

var (
	first  = []byte("# Written by tcpka. Undo with: tcpka undo\n" + key + " = 600\n")
	second = []byte("# Written by tcpka. Undo with: tcpka undo\n" + key + " = 300\n")
)

func TestReplaceDropInAndBack(t *testing.T) {
	root := open(t, nil) // not even /etc
	steps := [][]byte{nil, first, second, first, nil, nil}
	for i, content := range steps[1:] {
		if err := ReplaceDropIn(root, steps[i], content); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		got, err := ReadDropIn(root)
		if err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		if diff := cmp.Diff(content, got); diff != "" {
			t.Errorf("step %d (-want +got):\n%s", i, diff)
		}
	}
}

func TestReplaceDropInIsReadableByAll(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077))
	root := open(t, tree{"/etc/sysctl.d/": ""})
	if err := ReplaceDropIn(root, nil, first); err != nil {
		t.Fatal(err)
	}
	info, err := root.Lstat(DropIn)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != 0o644 {
		t.Errorf("mode %v, want 0644", info.Mode())
	}
	entries, err := root.ReadDir("/etc/sysctl.d")
	if err != nil || len(entries) != 1 {
		t.Errorf("left in the directory: %v, %v; want the one file", entries, err)
	}
}

func TestDropInOfOthersIsLeftAlone(t *testing.T) {
	const elsewhere = "/etc/elsewhere.conf"
	for _, tt := range []struct {
		name string
		tree tree
		want error
	}{
		{"a file without our header", tree{DropIn: key + " = 5\n"}, ErrForeign},
		{"a file with our header further down", tree{DropIn: "\n" + string(first)}, ErrForeign},
		{"an empty file, which hides others of its name", tree{DropIn: ""}, ErrForeign},
		{"a file with our header and what we never write", tree{DropIn: string(first) + "\x00"}, ErrForeign},
		{"such as a terminal's control characters", tree{DropIn: string(first) + "\x7f"}, ErrForeign},
		{"or CRLF", tree{DropIn: "# Written by tcpka. Undo with: tcpka undo\r\n"}, ErrForeign},
		{"a symbolic link to a file of ours", tree{DropIn: "-> ../elsewhere.conf", elsewhere: string(first)}, ErrNotFile},
		{"a dangling link", tree{DropIn: "-> ../elsewhere.conf"}, ErrNotFile},
		{"a link to /dev/null", tree{DropIn: "-> /dev/null"}, ErrNotFile},
		{"a directory", tree{DropIn + "/": ""}, ErrNotFile},
		{"a linked sysctl.d", tree{"/etc/sysctl.d": "-> store", "/etc/store/99-tcpka.conf": string(first)}, ErrNotDirectory},
		{"a dangling sysctl.d", tree{"/etc/sysctl.d": "-> store"}, ErrNotDirectory},
		{"a file in place of sysctl.d", tree{"/etc/sysctl.d": ""}, ErrNotDirectory},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := open(t, tt.tree)
			before := snapshot(t, root)
			if content, err := ReadDropIn(root); content != nil || !errors.Is(err, tt.want) {
				t.Errorf("read %q, %v; want %v", content, err, tt.want)
			}
			for _, old := range [][]byte{nil, first} {
				for _, updated := range [][]byte{nil, first, second} {
					if err := ReplaceDropIn(root, old, updated); !errors.Is(err, tt.want) {
						t.Errorf("replace %q by %q: error %v, want %v", old, updated, err, tt.want)
					}
				}
			}
			if diff := cmp.Diff(before, snapshot(t, root)); diff != "" {
				t.Errorf("something was written (-before +after):\n%s", diff)
			}
		})
	}
}

func TestReplaceDropInRefuses(t *testing.T) {
	for _, tt := range []struct {
		name         string
		tree         tree
		old, updated []byte
		want         error
	}{
		{"a file that was changed since", tree{DropIn: string(second)}, first, nil, ErrChanged},
		{"a file that appeared since", tree{DropIn: string(second)}, nil, first, ErrChanged},
		{"a file that is gone", tree{"/etc/sysctl.d/": ""}, first, second, ErrChanged},
		{"a directory that is gone", nil, first, nil, ErrChanged},
		{"new content without our header", nil, nil, []byte(key + " = 600\n"), ErrForeign},
		{"new content that is empty", nil, nil, []byte{}, ErrForeign},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := open(t, tt.tree)
			before := snapshot(t, root)
			if err := ReplaceDropIn(root, tt.old, tt.updated); !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
			if diff := cmp.Diff(before, snapshot(t, root)); diff != "" {
				t.Errorf("something was written (-before +after):\n%s", diff)
			}
		})
	}
}

func TestReplaceDropInWithoutPermission(t *testing.T) {
	root := open(t, tree{DropIn: string(first)})
	dir := root.Path("/etc/sysctl.d")
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o755) })
	nstest.LoseFileAccess(t)
	for _, updated := range [][]byte{second, nil} {
		if err := ReplaceDropIn(root, first, updated); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("replace by %q: error %v, want permission denied", updated, err)
		}
	}
	if got, err := ReadDropIn(root); !same(got, first) {
		t.Errorf("left %q, %v", got, err)
	}
}

func TestReplaceDropInOnAReadOnlyFileSystem(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		root := open(t, tree{DropIn: string(first)})
		dir := root.Path("/etc/sysctl.d")
		for _, flags := range []uintptr{syscall.MS_BIND, syscall.MS_BIND | syscall.MS_REMOUNT | syscall.MS_RDONLY} {
			if err := syscall.Mount(dir, dir, "", flags|locked(t, dir), ""); err != nil {
				t.Fatal(err)
			}
		}
		t.Cleanup(func() { _ = syscall.Unmount(dir, 0) })
		for _, updated := range [][]byte{second, nil} {
			if err := ReplaceDropIn(root, first, updated); !errors.Is(err, syscall.EROFS) {
				t.Errorf("replace by %q: error %v, want a read-only file system", updated, err)
			}
		}
	})
}

// locked are the flags of the mount that a user namespace cannot take off.
func locked(t *testing.T, path string) uintptr {
	t.Helper()
	var st syscall.Statfs_t
	if err := syscall.Statfs(path, &st); err != nil {
		t.Fatal(err)
	}
	return uintptr(st.Flags) & (syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_NOEXEC | syscall.MS_NOATIME | syscall.MS_NODIRATIME)
}

// snapshot is everything in the root: links by their text, files by their
// content.
func snapshot(t *testing.T, root rootfs.FS) tree {
	t.Helper()
	tr := tree{}
	dir := os.DirFS(root.Path("/"))
	err := fs.WalkDir(dir, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch {
		case d.IsDir():
			tr["/"+path+"/"] = ""
		case d.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(root.Path(path))
			tr["/"+path] = "-> " + target
			return err
		default:
			content, err := os.ReadFile(root.Path(path))
			tr["/"+path] = string(content)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func TestWithDropInIsWhatWouldBe(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"usr/lib/sysctl.d/99-tcpka.conf": "net.ipv4.tcp_keepalive_time = 1\n",
		"etc/sysctl.d/50-other.conf":     "net.ipv4.tcp_keepalive_time = 2\nnet.ipv4.tcp_keepalive_intvl = 3\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	root, err := rootfs.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	before, err := Load(root)
	if err != nil {
		t.Fatal(err)
	}
	content, err := Merge(nil, map[string]string{"net.ipv4.tcp_keepalive_time": "600"})
	if err != nil {
		t.Fatal(err)
	}
	would := before.WithDropIn(content)
	if err := ReplaceDropIn(root, nil, content); err != nil {
		t.Fatal(err)
	}
	after, err := Load(root)
	if err != nil {
		t.Fatal(err)
	}
	keys := []string{"net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_keepalive_intvl"}
	for _, r := range Readers() {
		if got, want := would.Resolve(r, keys...), after.Resolve(r, keys...); !slices.Equal(got, want) {
			t.Errorf("%s: %v, once written %v", r, got, want)
		}
		if a := before.Resolve(r, keys[0])[0]; a.Value != "1" {
			t.Errorf("%s: the files before say %q", r, a.Value)
		}
	}
}

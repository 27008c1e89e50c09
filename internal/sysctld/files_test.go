package sysctld

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/internal/rootfs"
)

func TestLoadNamesWhatItCannotRead(t *testing.T) {
	const bad, good = "/etc/sysctl.d/50-bad.conf", "/etc/sysctl.d/60-good.conf"
	for _, tt := range []struct {
		name string
		make func(path string) error
		want error // nil: any
	}{
		{
			"a file that is too large",
			func(path string) error { return os.WriteFile(path, make([]byte, rootfs.MaxFile+1), 0o644) }, nil,
		},
		{
			"a fifo, at which the programs wait for ever",
			func(path string) error { return syscall.Mkfifo(path, 0o644) }, nil,
		},
		{
			"a file of somebody else",
			func(path string) error { return os.WriteFile(path, nil, 0) }, fs.ErrPermission,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := open(t, tree{good: key + " = 5\n"})
			if err := tt.make(root.Path(bad)); err != nil {
				t.Fatal(err)
			}
			if tt.want == fs.ErrPermission {
				nstest.LoseFileAccess(t)
			}
			files, err := Load(root)
			if err == nil || !strings.Contains(err.Error(), root.Path(bad)) || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("error %v, want one that names %s and is %v", err, bad, tt.want)
			}
			for _, r := range Readers() {
				if a := files.Resolve(r, key)[0]; a.Path != good {
					t.Errorf("%s: %+v, want the answer of the file that can be read", r, a)
				}
			}
		})
	}
}

func TestLoadNamesADirectoryItCannotRead(t *testing.T) {
	root := open(t, tree{"/run/sysctl.d/": ""})
	dir := root.Path("/run/sysctl.d")
	if err := os.Chmod(dir, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o755) })
	nstest.LoseFileAccess(t)
	if _, err := Load(root); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), dir) {
		t.Errorf("error %v, want permission denied on %s", err, dir)
	}
}

func TestAnImageNeedsNoDevNull(t *testing.T) {
	files := load(t, tree{
		"/dev/null":                key + " = 1\n", // left by a build in a chroot
		"/etc/sysctl.d/a.conf":     "-> /dev/null",
		"/usr/lib/sysctl.d/a.conf": key + " = 6\n",
		"/etc/sysctl.conf":         "-> ../dev/null",
	})
	for _, r := range Readers() {
		if a := files.Resolve(r, key)[0]; a.IsSet() {
			t.Errorf("%s: %+v, want nothing", r, a)
		}
	}
}

func TestLibIsReadAfterUsrLib(t *testing.T) {
	for _, tt := range []struct {
		name string
		tree tree
		want string
	}{
		{"a directory of its own is read", tree{"/lib/sysctl.d/a.conf": key + "=5"}, "/lib/sysctl.d/a.conf"},
		{
			"but hides nothing in /usr/lib",
			tree{"/lib/sysctl.d/a.conf": key + "=5", "/usr/lib/sysctl.d/a.conf": key + "=6"}, "/usr/lib/sysctl.d/a.conf",
		},
		{
			"a link to /usr/lib adds nothing",
			tree{"/lib": "-> usr/lib", "/usr/lib/sysctl.d/a.conf": key + "=6"}, "/usr/lib/sysctl.d/a.conf",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, r := range Readers() {
				if a := load(t, tt.tree).Resolve(r, key)[0]; a.Path != tt.want {
					t.Errorf("%s: %+v, want %s", r, a, tt.want)
				}
			}
		})
	}
}

func TestLinksStayInTheRoot(t *testing.T) {
	outside := open(t, tree{"/a.conf": key + " = 5\n"}).Path("/a.conf")
	files := load(t, tree{"/etc/sysctl.d/a.conf": "-> " + outside, "/etc/sysctl.conf": "-> ../../../../../../.." + outside})
	for _, r := range Readers() {
		if a := files.Resolve(r, key)[0]; a.IsSet() {
			t.Errorf("%s: %+v, read through a link out of the root", r, a)
		}
	}
}

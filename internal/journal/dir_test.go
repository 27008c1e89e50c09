package journal

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/internal/rootfs"
)

// In a user namespace of its own the test is root, but not of the machine.
func TestAUsersJournalLiesInTheStateDirectory(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		for _, row := range []struct {
			name, state, home string
			want              string // "" is an error
		}{
			{"only a home", "", "/home/a", "/home/a/.local/state/tcpka"},
			{"a state directory", "/state", "/home/a", "/state/tcpka"},
			{"a state directory and no home", "/state", "", "/state/tcpka"},
			{"a relative state directory does not count", "state", "/home/a", "/home/a/.local/state/tcpka"},
			{"nothing", "", "", ""},
			{"a relative home", "", "a", ""},
		} {
			t.Run(row.name, func(t *testing.T) {
				env := map[string]string{"XDG_STATE_HOME": row.state, "HOME": row.home}
				d, err := Locate(rootfs.FS{}, func(name string) string { return env[name] })
				if (err == nil) != (row.want != "") || err == nil && d.String() != row.want {
					t.Errorf("got %q, %v; want %q", d, err, row.want)
				}
			})
		}
	})
}

func TestRootsJournalIsTheSystems(t *testing.T) {
	nstest.RunRoot(t, func(t *testing.T) {
		d, err := Locate(rootfs.FS{}, func(string) string { return "/home/a" })
		if err != nil || d.String() != SystemDir {
			t.Errorf("got %q, %v; want %q", d, err, SystemDir)
		}
	})
}

func TestAnImagesJournalStaysInTheImage(t *testing.T) {
	image, outside := t.TempDir(), t.TempDir()
	// Seen from the machine this leads out of the image.
	if err := os.Symlink(outside, filepath.Join(image, "var")); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(image, outside), 0o755); err != nil {
		t.Fatal(err)
	}
	root, err := rootfs.Open(image)
	if err != nil {
		t.Fatal(err)
	}
	d, err := Locate(root, func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(image, SystemDir); d.String() != want {
		t.Errorf("it lies in %q, want %q", d, want)
	}
	begin(t, open(t, d), "600")
	if log, err := d.Read(); err != nil || len(log.Entries) != 1 {
		t.Errorf("read %+v, %v", log, err)
	}
	inside := filepath.Join(image, outside, "lib")
	if info, err := os.Stat(inside); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("%s: %v, %v; want mode 0755", inside, info, err)
	}
	if entries, err := os.ReadDir(outside); err != nil || len(entries) != 0 {
		t.Errorf("outside there is %v, %v", entries, err)
	}
}

// TestRootIsNotTakenForAnother has a uid_map that cannot be read. To take the journal of
// another user then would be to record what root's undo does not find.
func TestRootIsNotTakenForAnother(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		socket := filepath.Join(t.TempDir(), "s")
		l, err := net.Listen("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if err := unix.Mount(socket, "/proc/self/uid_map", "", unix.MS_BIND, ""); err != nil {
			t.Fatal(err)
		}
		if dir, err := Locate(rootfs.FS{}, func(string) string { return "/home" }); !errors.Is(err, unix.ENXIO) {
			t.Errorf("%v, %v", dir, err)
		}
	})
}

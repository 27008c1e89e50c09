package journal

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
)

func TestWhatSomeoneElseMayHavePreparedIsRefused(t *testing.T) {
	const secret = "what a link leads to"
	for _, row := range []struct {
		name    string
		prepare func(dir, elsewhere string) error
		want    string // in the error
	}{
		{"a directory that the world may read", func(dir, _ string) error {
			return os.Chmod(dir, 0o755)
		}, "mode 0755"},
		{"a directory that the group may enter", func(dir, _ string) error {
			return os.Chmod(dir, 0o710)
		}, "mode 0710"},
		{"a link to a directory", func(dir, elsewhere string) error {
			return errors.Join(os.Rename(dir, elsewhere), os.Symlink(elsewhere, dir))
		}, "symbolic link, not a directory"},
		{"a link to nothing in place of the directory", func(dir, elsewhere string) error {
			return errors.Join(os.RemoveAll(dir), os.Symlink(elsewhere, dir))
		}, "symbolic link, not a directory"},
		{"a file in place of the directory", func(dir, _ string) error {
			return errors.Join(os.RemoveAll(dir), os.WriteFile(dir, nil, 0o600))
		}, "regular file, not a directory"},
		{"a file that the group may write", func(dir, _ string) error {
			return os.Chmod(filepath.Join(dir, fileName), 0o620)
		}, "mode 0620"},
		{"a file that the world may read", func(dir, _ string) error {
			return os.Chmod(filepath.Join(dir, fileName), 0o604)
		}, "mode 0604"},
		{"a link to a file", func(dir, elsewhere string) error {
			file := filepath.Join(dir, fileName)
			return errors.Join(os.Remove(file), os.WriteFile(elsewhere, []byte(secret), 0o600), os.Symlink(elsewhere, file))
		}, "symbolic link, not a regular file"},
		{"a link to nothing in place of the file", func(dir, elsewhere string) error {
			file := filepath.Join(dir, fileName)
			return errors.Join(os.Remove(file), os.Symlink(elsewhere, file))
		}, "symbolic link, not a regular file"},
		{"a second name of another file", func(dir, elsewhere string) error {
			file := filepath.Join(dir, fileName)
			return errors.Join(os.Remove(file), os.WriteFile(elsewhere, []byte(secret), 0o600), os.Link(elsewhere, file))
		}, "2 names"},
		{"a fifo", func(dir, _ string) error {
			file := filepath.Join(dir, fileName)
			return errors.Join(os.Remove(file), unix.Mkfifo(file, 0o600))
		}, "special file, not a regular file"},
		{"a socket", func(dir, _ string) error {
			file := filepath.Join(dir, fileName)
			if err := os.Remove(file); err != nil {
				return err
			}
			return bind(file)
		}, "special file, not a regular file"},
		{"a directory in place of the file", func(dir, _ string) error {
			file := filepath.Join(dir, fileName)
			return errors.Join(os.Remove(file), os.Mkdir(file, 0o700))
		}, "directory, not a regular file"},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := tempDir(t)
			begun(t, d)
			elsewhere := filepath.Join(t.TempDir(), "elsewhere")
			if err := row.prepare(d.String(), elsewhere); err != nil {
				t.Fatal(err)
			}
			wantUntrusted(t, d, row.want)
			if text, err := os.ReadFile(elsewhere); err == nil && string(text) != secret {
				t.Errorf("what lies elsewhere is now %q", text)
			}
			if _, err := os.Lstat(elsewhere); strings.Contains(row.name, "nothing") && err == nil {
				t.Error("something was made at the end of the link")
			}
		})
	}
}

func TestRootRefusesWhatBelongsToAnother(t *testing.T) {
	nstest.RunRoot(t, func(t *testing.T) {
		const other = 65534
		for _, row := range []struct {
			name, path string
		}{
			{"the directory", "."},
			{"the file", fileName},
		} {
			t.Run(row.name, func(t *testing.T) {
				d := tempDir(t)
				begun(t, d)
				if err := os.Chown(filepath.Join(d.String(), row.path), other, 0); err != nil {
					t.Fatal(err)
				}
				wantUntrusted(t, d, "belongs to uid 65534, not to uid 0")
			})
		}
	})
}

func TestAFileAboveTheDirectoryIsNoMatterOfTrust(t *testing.T) {
	above := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(above, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var untrusted *UntrustedError
	if _, err := At(filepath.Join(above, "tcpka")).Open(); !errors.Is(err, unix.ENOTDIR) || errors.As(err, &untrusted) {
		t.Errorf("got %v, want ENOTDIR", err)
	}
}

func TestPermissionIsTested(t *testing.T) {
	obeyModes(t, func() {
		d := tempDir(t)
		begun(t, d)
		above := filepath.Dir(d.String())
		if err := os.Chmod(above, 0o500); err != nil {
			t.Fatal(err)
		}
		defer os.Chmod(above, 0o700)
		if _, err := At(filepath.Join(above, "other")).Open(); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("a directory that cannot be made: %v, want fs.ErrPermission", err)
		}
		if err := os.Chmod(filepath.Join(d.String(), fileName), 0o400); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Open(); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("a file that cannot be written: %v, want fs.ErrPermission", err)
		}
		if log, err := d.Read(); err != nil || len(log.Entries) != 1 {
			t.Errorf("a file that can be read: %d commands, %v", len(log.Entries), err)
		}
		if err := os.Chmod(d.String(), 0); err != nil {
			t.Fatal(err)
		}
		defer os.Chmod(d.String(), 0o700)
		if _, err := d.Read(); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("a directory that cannot be read: %v, want fs.ErrPermission", err)
		}
	})
}

func TestAReadOnlyFileSystem(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		dir := tmpfs(t, "size=1m")
		d := At(filepath.Join(dir, "tcpka"))
		begun(t, d)
		if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Open(); !errors.Is(err, unix.EROFS) {
			t.Errorf("Open: %v, want EROFS", err)
		}
		if _, err := At(filepath.Join(dir, "other")).Open(); !errors.Is(err, unix.EROFS) {
			t.Errorf("Open of what must be made: %v, want EROFS", err)
		}
		if log, err := d.Read(); err != nil || len(log.Entries) != 1 {
			t.Errorf("Read: %d commands, %v", len(log.Entries), err)
		}
	})
}

func TestAFullDiskLeavesNothingOfACommand(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		d := At(filepath.Join(tmpfs(t, "size=32k"), "tcpka"))
		j := open(t, d)
		begin(t, j, "600")
		if _, err := j.Begin("set ssh", []Change{{Kind: SSH, New: new(strings.Repeat("x", 100_000))}}); !errors.Is(err, unix.ENOSPC) {
			t.Fatalf("got %v, want ENOSPC", err)
		}
		id := begin(t, j, "700")
		log, err := d.Read()
		if err != nil || log.Skipped != 0 || len(log.Entries) != 2 || log.Entries[0].ID != id {
			t.Errorf("the journal holds %+v, %v", log, err)
		}
	})
}

// begun makes a journal with one command.
func begun(t *testing.T, d Dir) {
	t.Helper()
	j := open(t, d)
	begin(t, j, "600")
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

func wantUntrusted(t *testing.T, d Dir, why string) {
	t.Helper()
	_, openErr := d.Open()
	_, readErr := d.Read()
	for name, err := range map[string]error{"Open": openErr, "Read": readErr} {
		var untrusted *UntrustedError
		if !errors.As(err, &untrusted) || !strings.Contains(untrusted.Why, why) {
			t.Errorf("%s: %v, want an UntrustedError with %q", name, err, why)
		}
	}
}

func bind(name string) error {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
	if err != nil {
		return err
	}
	l.SetUnlinkOnClose(false)
	return l.Close()
}

func tmpfs(t *testing.T, options string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

// obeyModes runs f on a thread without the capabilities that let root pass over
// the modes of files.
func obeyModes(t *testing.T, f func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with it
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var data [2]unix.CapUserData
		err := unix.Capget(&header, &data[0])
		if err == nil {
			data[0].Effective &^= 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_DAC_READ_SEARCH
			err = unix.Capset(&header, &data[0])
		}
		if err == nil {
			f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

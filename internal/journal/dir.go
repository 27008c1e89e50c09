package journal

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/rootfs"
)

// SystemDir is where root's journal lies, and that of an offline image.
const SystemDir = "/var/lib/tcpka"

// Dir is a directory that holds a journal, or may come to hold one.
type Dir struct {
	root rootfs.FS
	path string // as seen inside root
}

// At is the directory with this absolute path.
func At(path string) Dir { return Dir{path: path} }

// Locate returns the directory of the caller's journal:
//
//   - under a root that is not the live one, [SystemDir] in it, whoever asks;
//   - for root of the initial user namespace, [SystemDir];
//   - for everyone else, root of a user namespace or of an unprivileged
//     container included, tcpka in $XDG_STATE_HOME, or where that is not an
//     absolute path, $HOME/.local/state/tcpka.
//
// getenv is [os.Getenv]. Nothing is opened or made.
func Locate(root rootfs.FS, getenv func(string) string) (Dir, error) {
	if !root.Live() {
		return Dir{root, SystemDir}, nil
	}
	if os.Geteuid() == 0 {
		initial, err := initialUserNamespace()
		if err != nil {
			return Dir{}, fmt.Errorf("the place of the journal: %w", err)
		}
		if initial {
			return Dir{root, SystemDir}, nil
		}
	}
	if state := getenv("XDG_STATE_HOME"); path.IsAbs(state) {
		return At(path.Join(state, "tcpka")), nil
	}
	if home := getenv("HOME"); path.IsAbs(home) {
		return At(path.Join(home, ".local/state/tcpka")), nil
	}
	return Dir{}, errors.New("no place for a journal: neither XDG_STATE_HOME nor HOME is an absolute path")
}

// initialUserNamespace reports whether this process sees every user ID as it
// is. See user_namespaces(7).
func initialUserNamespace() (bool, error) {
	b, err := os.ReadFile("/proc/self/uid_map")
	return strings.Join(strings.Fields(string(b)), " ") == "0 0 4294967295", err
}

// String is the path on this machine, for messages.
func (d Dir) String() string { return d.root.Path(d.path) }

// open opens the directory and checks it.
func (d Dir) open() (*os.File, error) {
	dir, err := d.root.OpenFile(d.path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if errors.Is(err, unix.ENOTDIR) {
		// It, or a directory above it.
		if info, lerr := d.root.Lstat(d.path); lerr == nil {
			return nil, &UntrustedError{Path: d.String(), Why: notA(fs.ModeDir, info.Mode().Type())}
		}
	}
	if err != nil {
		return nil, err
	}
	if err := check(dir, fs.ModeDir); err != nil {
		dir.Close()
		return nil, err
	}
	return dir, nil
}

// Writable looks whether [Dir.Open] can work, and makes nothing, nor takes the lock. It has
// the same errors, but for [ErrLocked].
func (d Dir) Writable() error {
	err := d.writable()
	if err != nil {
		return fmt.Errorf("open journal: %w", err)
	}
	return nil
}

func (d Dir) writable() error {
	dir, err := d.open()
	if errors.Is(err, fs.ErrNotExist) {
		above := path.Dir(d.path)
		for above != "/" {
			if _, err := d.root.Lstat(above); !errors.Is(err, fs.ErrNotExist) {
				break
			}
			above = path.Dir(above)
		}
		dir, err = d.root.OpenFile(above, unix.O_RDONLY|unix.O_DIRECTORY, 0)
		if err != nil {
			return err
		}
		defer dir.Close()
		return mayWrite(dir, "")
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	file, err := openFile(dir, fileName, unix.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return mayWrite(dir, "")
	}
	if err != nil {
		return err
	}
	defer file.Close()
	return mayWrite(dir, fileName)
}

// mayWrite asks the kernel whether a file in dir, or with "" dir itself, may be written.
func mayWrite(dir *os.File, name string) error {
	err := unix.Faccessat(int(dir.Fd()), cmp.Or(name, "."), unix.W_OK, unix.AT_EACCESS)
	if err != nil {
		return &fs.PathError{Op: "open", Path: path.Join(dir.Name(), name), Err: err}
	}
	return nil
}

// create makes the directory, 0700, and those above it that are missing: 0755
// towards SystemDir, 0700 in a user's home as the XDG base directory
// specification has it.
func (d Dir) create() error {
	parents := fs.FileMode(0o700)
	if d.path == SystemDir {
		parents = 0o755
	}
	return mkdir(d.root, d.path, 0o700, parents)
}

// mkdir makes one directory, on the disk when it returns, in parents of the
// other mode.
func mkdir(root rootfs.FS, name string, mode, parents fs.FileMode) error {
	above, err := root.OpenFile(path.Dir(name), unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		if err := mkdir(root, path.Dir(name), parents, parents); err != nil {
			return err
		}
		above, err = root.OpenFile(path.Dir(name), unix.O_RDONLY|unix.O_DIRECTORY, 0)
	}
	if err != nil {
		return err
	}
	defer above.Close()
	err = unix.Mkdirat(int(above.Fd()), path.Base(name), uint32(mode))
	if err != nil && err != unix.EEXIST {
		return &fs.PathError{Op: "mkdir", Path: root.Path(name), Err: err}
	}
	if err := above.Sync(); err != nil {
		return fmt.Errorf("mkdir: %w", err)
	}
	return nil
}

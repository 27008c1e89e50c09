package rootfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/leftover"
)

// WriteFile replaces or creates name whole: a reader, or a crash, sees the old
// content or the new, never a part. File and directory reach the disk before it
// returns; after an error either may be there. A symbolic link at name is replaced, not
// followed; the mode is perm whatever the umask. The temporary file has a name that starts
// with a dot and does not end in name's suffix; those that a killed run has left are
// removed.
func (f FS) WriteFile(name string, data []byte, perm fs.FileMode) error {
	return f.inDir(name, func(dir *os.File, base string) error {
		// The directory by its descriptor, so that a rename on the way to it
		// cannot lead the write elsewhere.
		root, err := os.OpenRoot(fmt.Sprintf("/proc/self/fd/%d", dir.Fd()))
		if err != nil {
			return err
		}
		defer root.Close()
		leftover.Sweep(root, func(name string) bool {
			rest, ok := strings.CutPrefix(name, "."+base)
			return ok && rest != "" && strings.Trim(rest, "0123456789") == ""
		})
		file, err := renameio.NewPendingFile(base, renameio.WithRoot(root), renameio.WithStaticPermissions(perm))
		if err != nil {
			return err
		}
		defer file.Cleanup()
		if err := leftover.Hold(file.File); err != nil {
			return err
		}
		if _, err := file.Write(data); err != nil {
			return err
		}
		if err := file.CloseAtomicallyReplace(); err != nil {
			return err
		}
		return dir.Sync()
	})
}

// Remove deletes the file name; a symbolic link is deleted itself.
func (f FS) Remove(name string) error {
	return f.inDir(name, func(dir *os.File, base string) error {
		if err := unix.Unlinkat(int(dir.Fd()), base, 0); err != nil {
			return &fs.PathError{Op: "remove", Path: f.Path(name), Err: err}
		}
		return dir.Sync()
	})
}

func (f FS) inDir(name string, do func(dir *os.File, base string) error) error {
	name = clean(name)
	dir, err := f.OpenFile(path.Dir(name), unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer dir.Close()
	return do(dir, path.Base(name))
}

// MkdirAll makes the directory name and those above it that are missing, with
// the mode perm whatever the umask. They are on the disk when it returns.
func (f FS) MkdirAll(name string, perm fs.FileMode) error {
	name = clean(name)
	if name == "/" {
		return nil
	}
	if info, err := f.Stat(name); err == nil {
		if !info.IsDir() {
			return &fs.PathError{Op: "mkdir", Path: f.Path(name), Err: unix.ENOTDIR}
		}
		return nil
	}
	if err := f.MkdirAll(path.Dir(name), perm); err != nil {
		return err
	}
	return f.inDir(name, func(dir *os.File, base string) error {
		err := unix.Mkdirat(int(dir.Fd()), base, uint32(perm.Perm()))
		if errors.Is(err, fs.ErrExist) {
			return nil
		}
		if err == nil {
			err = unix.Fchmodat(int(dir.Fd()), base, uint32(perm.Perm()), 0)
		}
		if err != nil {
			return &fs.PathError{Op: "mkdir", Path: f.Path(name), Err: err}
		}
		return dir.Sync()
	})
}

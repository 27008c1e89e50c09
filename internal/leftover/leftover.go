// Package leftover is for temporary files: a run that is killed leaves them, and the next
// one removes them. Who has one open with [Hold] keeps it from that.
package leftover

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Hold marks an open file, or directory, as in use, until it is closed: at the end of the
// process at the latest. It fails with [fs.ErrNotExist] where another run was faster and
// has removed it. See flock(2); on a file system without locks it does nothing.
func Hold(f *os.File) error {
	if unix.Flock(int(f.Fd()), unix.LOCK_SH) != nil {
		return nil
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if st := info.Sys().(*syscall.Stat_t); st.Nlink == 0 {
		return &fs.PathError{Op: "lock", Path: f.Name(), Err: fs.ErrNotExist}
	}
	return nil
}

// Sweep removes from a directory the files and directories with such names, if they are
// regular, belong to who asks, and nobody holds them. What it cannot remove stays.
func Sweep(dir *os.Root, ours func(name string) bool) {
	self, err := dir.Open(".")
	if err != nil {
		return
	}
	defer self.Close()
	names, _ := self.Readdirnames(-1)
	for _, name := range names {
		if ours(name) {
			sweep(dir, name)
		}
	}
}

func sweep(dir *os.Root, name string) {
	info, err := dir.Lstat(name)
	if err != nil || !info.Mode().IsRegular() && !info.IsDir() {
		return
	}
	// Of the thread: root may act for a user. An invalid number asks and changes nothing.
	if uid, _ := unix.SetfsuidRetUid(-1); int(info.Sys().(*syscall.Stat_t).Uid) != uid {
		return
	}
	f, err := dir.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if err != nil {
		return
	}
	defer f.Close()
	if now, err := f.Stat(); err == nil && os.SameFile(info, now) && unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
		dir.RemoveAll(name)
	}
}

// prefix begins the name of each directory that [MkdirTemp] makes.
const prefix = "tcpka-"

// MkdirTemp makes a directory in parent, "" for [os.TempDir], and removes those that runs
// that were killed have left there. remove removes it again.
func MkdirTemp(parent string) (dir string, remove func(), err error) {
	if parent == "" {
		parent = os.TempDir()
	}
	if root, err := os.OpenRoot(parent); err == nil {
		Sweep(root, func(name string) bool {
			rest, ok := strings.CutPrefix(name, prefix)
			return ok && rest != "" && strings.Trim(rest, "0123456789") == ""
		})
		root.Close()
	}
	for range 10 {
		if dir, err = os.MkdirTemp(parent, prefix); err != nil {
			return "", nil, err
		}
		var f *os.File
		if f, err = os.Open(dir); errors.Is(err, fs.ErrNotExist) {
			continue // another run has swept it already
		} else if err != nil {
			return "", nil, err
		}
		Hold(f)
		here, _ := os.Lstat(filepath.Clean(dir)) // not every file system counts the names of a directory
		if now, _ := f.Stat(); here != nil && os.SameFile(here, now) {
			return dir, func() { os.RemoveAll(dir); f.Close() }, nil
		}
		f.Close()
	}
	return "", nil, &fs.PathError{Op: "mkdir", Path: dir, Err: fs.ErrNotExist}
}

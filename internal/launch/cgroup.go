package launch

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// prefix begins the name of every cgroup made here; eight hexadecimal digits
// end it.
const prefix = "tcpka-run-"

func randomName() string {
	var b [4]byte
	rand.Read(b[:]) // never fails
	return prefix + hex.EncodeToString(b[:])
}

func isOurs(name string) bool {
	digits, ok := strings.CutPrefix(name, prefix)
	return ok && len(digits) == 8 && strings.Trim(digits, "0123456789abcdef") == ""
}

// create makes a cgroup below parent and returns it locked: that tells others
// that it is in use, although nothing may run in it.
func create(parent *os.File) (*os.File, error) {
	for {
		name := randomName()
		err := unix.Mkdirat(int(parent.Fd()), name, 0o755)
		if errors.Is(err, unix.EEXIST) {
			continue
		}
		var f *os.File
		if err == nil {
			f, err = lock(parent, name)
		}
		// Until it was locked it was a leftover to any other run, which takes
		// it away.
		if errors.Is(err, unix.ENOENT) && exists(parent) || errors.Is(err, unix.EWOULDBLOCK) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("make the cgroup %s: %w", filepath.Join(parent.Name(), name), err)
		}
		return f, nil
	}
}

// lock opens the cgroup name below parent and locks it. It answers EWOULDBLOCK
// for one in use, and ENOENT for one that is gone, even if it went just after it
// was opened.
func lock(parent *os.File, name string) (*os.File, error) {
	fd, err := unix.Openat(int(parent.Fd()), name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), filepath.Join(parent.Name(), name))
	err = unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
	if err == nil && !exists(f) {
		err = unix.ENOENT
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// exists reports whether an open cgroup has not been removed. One that was has
// lost its files.
func exists(dir *os.File) bool {
	return unix.Faccessat(int(dir.Fd()), "cgroup.procs", unix.F_OK, 0) == nil
}

// remove removes a cgroup that was locked, with what crashed runs inside it left
// there. Nothing happens to one in which something runs: the kernel answers
// EBUSY.
func remove(parent, dir *os.File) error {
	sweep(dir)
	return unix.Unlinkat(int(parent.Fd()), filepath.Base(dir.Name()), unix.AT_REMOVEDIR)
}

// sweep removes the cgroups that killed runs have left below parent: those that
// have a name of ours, in which nothing runs, and whose maker is gone. Whatever
// cannot be removed stays. It reads parent to its end.
func sweep(parent *os.File) {
	entries, _ := parent.ReadDir(-1)
	for _, e := range entries {
		if !isOurs(e.Name()) {
			continue
		}
		if dir, err := lock(parent, e.Name()); err == nil {
			_ = remove(parent, dir)
			dir.Close()
		}
	}
}

package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// lockWait is how long [Dir.Open] waits for another process to finish.
const lockWait = 5 * time.Second

// ErrLocked is returned by [Dir.Open] when another process held the journal
// all the time that it waited.
var ErrLocked = errors.New("another tcpka is making changes")

// openLocked opens the journal in dir for writing, makes it where it is missing,
// and takes the lock on it. See flock(2): the lock goes with the open file, and
// with the process at the latest.
func openLocked(dir *os.File, wait time.Duration) (*os.File, error) {
	deadline := time.Now().Add(wait)
	for {
		file, err := openFile(dir, fileName, unix.O_RDWR|unix.O_APPEND|unix.O_CREAT)
		if err != nil {
			return nil, err
		}
		if err = lock(file, deadline); err == nil {
			var current bool
			if current, err = isCurrent(dir, file); current {
				return file, nil
			}
		}
		file.Close()
		if err != nil {
			return nil, err
		}
	}
}

func lock(file *os.File, deadline time.Time) error {
	for {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return nil
		}
		if err != unix.EWOULDBLOCK && err != unix.EINTR {
			return &fs.PathError{Op: "lock", Path: file.Name(), Err: err}
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("lock %s: %w", file.Name(), ErrLocked)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// isCurrent reports whether file is still the journal in dir: who held the lock
// before may have put a shorter one in its place.
func isCurrent(dir, file *os.File) (bool, error) {
	var now, ours unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &ours); err != nil {
		return false, &fs.PathError{Op: "stat", Path: file.Name(), Err: err}
	}
	err := unix.Fstatat(int(dir.Fd()), fileName, &now, unix.AT_SYMLINK_NOFOLLOW)
	if err == unix.ENOENT {
		return false, nil
	}
	if err != nil {
		return false, &fs.PathError{Op: "stat", Path: file.Name(), Err: err}
	}
	return now.Dev == ours.Dev && now.Ino == ours.Ino, nil
}

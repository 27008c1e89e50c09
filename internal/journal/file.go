package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

const fileName = "journal.jsonl"

// maxSize is the length in bytes that a journal does not outgrow, but by marks:
// some 100,000 ordinary commands. One command may take half of it, some 300,000
// sockets that were changed alike.
const maxSize = 64 << 20

// ErrTooLarge is returned for a command with more changes than a journal takes,
// and for a file that is longer than a journal becomes.
var ErrTooLarge = errors.New("too large for a journal")

// openFile opens name in dir and checks it. It follows no link and does not wait
// for the other end of a fifo.
func openFile(dir *os.File, name string, flags int) (*os.File, error) {
	full := dir.Name() + "/" + name
	flags |= unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
	fd, err := unix.Openat(int(dir.Fd()), name, flags, 0o600)
	for err == unix.EINTR {
		fd, err = unix.Openat(int(dir.Fd()), name, flags, 0o600)
	}
	if err != nil {
		return nil, wrongType(full, &fs.PathError{Op: "open", Path: full, Err: err})
	}
	file := os.NewFile(uintptr(fd), full)
	if err := check(file, 0); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// readFile reads a journal whole, whatever the offset of file.
func readFile(file *os.File) ([]byte, error) {
	data, err := io.ReadAll(io.NewSectionReader(file, 0, 2*maxSize))
	if err == nil && len(data) == 2*maxSize {
		err = fmt.Errorf("%s: %w", file.Name(), ErrTooLarge)
	}
	return data, err
}

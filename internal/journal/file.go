package journal

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"

	"golang.org/x/sys/unix"
)

const fileName = "journal.jsonl"

// maxSize is the length in bytes that a journal does not outgrow, but by marks:
// some 100,000 ordinary commands. One command may take half of it, some 300,000
// sockets that were changed alike.
const maxSize = 64 << 20

var (
	// ErrTooLarge is returned for a command with more changes than a journal takes.
	ErrTooLarge = errors.New("too large for a journal")

	// ErrTooLong is a file that is longer than a journal becomes, whatever is left out.
	ErrTooLong = errors.New("longer than a journal becomes")

	// ErrFull is a journal that cannot be shortened.
	ErrFull = errors.New("full of commands that can still be undone")
)

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

// readFile reads a journal whole, whatever the offset of file. Of one that is longer than
// it becomes by itself, it leaves out the lines that are too long for one command.
func readFile(file *os.File) ([]byte, error) {
	data, err := io.ReadAll(io.NewSectionReader(file, 0, 2*maxSize))
	if err != nil || len(data) < 2*maxSize {
		return data, err
	}
	all := bufio.NewReader(io.NewSectionReader(file, 0, math.MaxInt64))
	data = data[:0]
	for start, long := 0, false; ; {
		part, err := all.ReadSlice('\n')
		if long = long || len(data)+len(part)-start > maxSize/2; long {
			data = data[:start]
		} else {
			data = append(data, part...)
		}
		switch {
		case len(data) > 2*maxSize:
			return nil, fmt.Errorf("%s: %w", file.Name(), ErrTooLong)
		case err == io.EOF:
			return data, nil
		case err == nil:
			start, long = len(data), false
		case err != bufio.ErrBufferFull:
			return nil, err
		}
	}
}

package journal

import (
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"
)

// Read reads the journal without a lock, and makes nothing: a journal that is
// missing is empty. Errors to test for: [*UntrustedError], [ErrTooLong],
// [fs.ErrPermission].
func (d Dir) Read() (Log, error) {
	log, err := d.read()
	if errors.Is(err, fs.ErrNotExist) {
		return Log{}, nil
	}
	if err != nil {
		return Log{}, fmt.Errorf("read journal: %w", err)
	}
	return log, nil
}

func (d Dir) read() (Log, error) {
	dir, err := d.open()
	if err != nil {
		return Log{}, err
	}
	defer dir.Close()
	file, err := openFile(dir, fileName, unix.O_RDONLY)
	if err != nil {
		return Log{}, err
	}
	defer file.Close()
	data, err := readFile(file)
	if err != nil {
		return Log{}, err
	}
	return parse(data), nil
}

// Log reads the journal that is open for writing.
func (j *Journal) Log() (Log, error) {
	data, err := readFile(j.file)
	if err != nil {
		return Log{}, fmt.Errorf("read journal: %w", err)
	}
	return parse(data), nil
}

package sshconf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"syscall"
)

// MaxFile is the most that is read of one file of OpenSSH, in bytes. Nobody has such
// files by intention.
const MaxFile = 1 << 20

// ReadConfig reads a file of OpenSSH.
func ReadConfig(path string) ([]byte, error) {
	content, _, err := ReadFile(path, MaxFile)
	if err == nil && bytes.IndexByte(content, 0) >= 0 {
		err = fmt.Errorf("%s: has NUL bytes", path)
	}
	return content, err
}

// ReadFile reads a regular file of at most so many bytes, and describes it. Of anything
// else nothing is read: to open a device may be to start it, and a FIFO blocks.
func ReadFile(path string, most int64) ([]byte, os.FileInfo, error) {
	if err := Answers(path); err != nil {
		return nil, nil, err
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("%s: not a regular file", path)
	}
	return OpenAndRead(path, 0, most)
}

// OpenAndRead opens a file, with further flags, and reads it as it then is.
func OpenAndRead(path string, flags int, most int64) ([]byte, os.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|flags, 0)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	return ReadOpen(f, most)
}

func ReadOpen(f *os.File, most int64) ([]byte, os.FileInfo, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("%s: not a regular file", f.Name())
	}
	content, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(content)) > most {
		err = fmt.Errorf("%s: larger than %d bytes", f.Name(), most)
	}
	if err != nil {
		return nil, nil, err
	}
	return content, info, nil
}

// ReadNames are the names in a directory, at most so many, in the order of bytes.
func ReadNames(dir string, most int) ([]string, error) {
	if err := Answers(dir); err != nil {
		return nil, err
	}
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(most)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	slices.Sort(names)
	return names, err
}

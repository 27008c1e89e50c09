package journal

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// tail returns the end of a journal: as many of the newest commands as fit in
// size, with all that follows them, but at least one.
func tail(data []byte, size int) []byte {
	kept := data[len(data):]
	for rest := data; len(rest) > 0; {
		start := bytes.LastIndexByte(rest[:len(rest)-1], '\n') + 1
		if beginID(rest[start:]) != "" {
			if len(kept) > 0 && len(data)-start > size {
				break
			}
			kept = data[start:]
		}
		rest = rest[:start]
	}
	return kept
}

// lastID returns the ID of the newest command of a journal, "" if it has none.
func lastID(data []byte) string {
	first, _, _ := bytes.Cut(tail(data, 0), []byte{'\n'})
	return beginID(first)
}

// beginID returns the ID in a line that begins a command, "" for other lines.
func beginID(line []byte) string {
	var r struct{ Op, ID string }
	if json.Unmarshal(line, &r) != nil || r.Op != opBegin {
		return ""
	}
	return r.ID
}

// replace puts a journal with this content in the place of the present one. A
// crash leaves the one or the other.
func (j *Journal) replace(data []byte) error {
	const newName = fileName + ".new"
	file, err := writeNew(j.dir, newName, data)
	if err != nil {
		return err
	}
	dir := int(j.dir.Fd())
	if err := unix.Renameat(dir, newName, dir, fileName); err != nil {
		file.Close()
		return &fs.PathError{Op: "rename", Path: file.Name(), Err: err}
	}
	j.file.Close() // who waited for its lock sees that it is no longer current
	j.file = file
	return j.dir.Sync()
}

// writeNew makes a file that is locked before anyone else can see it under the
// name that matters, and has its content on the disk.
func writeNew(dir *os.File, name string, data []byte) (*os.File, error) {
	// What a crash may have left.
	if err := unix.Unlinkat(int(dir.Fd()), name, 0); err != nil && err != unix.ENOENT {
		return nil, &fs.PathError{Op: "remove", Path: dir.Name() + "/" + name, Err: err}
	}
	file, err := openFile(dir, name, unix.O_RDWR|unix.O_APPEND|unix.O_CREAT|unix.O_EXCL)
	if err != nil {
		return nil, err
	}
	err = lock(file, time.Time{})
	if err == nil {
		_, err = file.Write(data)
	}
	if err == nil {
		err = file.Sync()
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

package journal

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// shorten leaves commands out of a journal until it fits in size, those that nothing is
// left of to undo: the oldest first, and those of earlier boots before those of this one.
// What can be undone stays, so the result may be longer; and so do the newest command, and
// what a newer version has written. Lines that cannot be read go.
func shorten(data []byte, size int, boot string) []byte {
	log := parse(data)
	known := map[string]bool{}
	var earlier, ours []string
	for i, e := range slices.Backward(log.Entries) { // the oldest first
		known[e.ID] = true
		switch {
		case i == 0 || !e.Undone && !e.Gone(boot):
		case e.BootID != boot:
			earlier = append(earlier, e.ID)
		default:
			ours = append(ours, e.ID)
		}
	}
	type line struct {
		id   string
		text []byte
	}
	var lines []line
	sizes, total := map[string]int{}, 0
	for text := range bytes.Lines(data) {
		var r struct{ Op, ID string }
		mark := func() bool { return r.Op == opDone || r.Op == opPartly || r.Op == opUndone }
		if json.Unmarshal(text, &r) != nil || r.Op == "" || r.ID == "" || mark() && !known[r.ID] {
			continue
		}
		lines = append(lines, line{r.ID, text})
		sizes[r.ID] += len(text)
		total += len(text)
	}
	dropped := map[string]bool{}
	for _, id := range append(earlier, ours...) {
		if total <= size {
			break
		}
		dropped[id] = true
		total -= sizes[id]
	}
	kept := make([]byte, 0, total)
	for _, l := range lines {
		if !dropped[l.id] {
			kept = append(kept, l.text...)
		}
	}
	return kept
}

// lastID returns the ID of the newest command of a journal, "" if it has none.
func lastID(data []byte) string {
	for len(data) > 0 {
		start := bytes.LastIndexByte(data[:len(data)-1], '\n') + 1
		if id := beginID(data[start:]); id != "" {
			return id
		}
		data = data[:start]
	}
	return ""
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

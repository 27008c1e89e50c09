package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"slices"
	"time"
)

// A Journal is open for writing. No other process can open it meanwhile, so the
// changes of two do not cross if each keeps it open from Begin to Done. It is
// not for several goroutines.
type Journal struct {
	dir, file *os.File
	max       int // maxSize, but in tests
}

// Open opens the journal for writing, and makes it and its directory where they
// are missing. It waits up to five seconds for another process that holds it.
//
// Errors to test for: [*UntrustedError], [ErrLocked], [fs.ErrPermission], and
// EROFS on a file system that is read-only.
func (d Dir) Open() (*Journal, error) {
	j, err := d.openWrite(lockWait)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	return j, nil
}

func (d Dir) openWrite(wait time.Duration) (*Journal, error) {
	dir, err := d.open()
	if errors.Is(err, fs.ErrNotExist) {
		if err := d.create(); err != nil {
			return nil, err
		}
		dir, err = d.open()
	}
	if err != nil {
		return nil, err
	}
	file, err := openLocked(dir, wait)
	if err == nil {
		err = dir.Sync() // the file may be new
	}
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	return &Journal{dir, file, maxSize}, nil
}

// Close gives the journal free for others.
func (j *Journal) Close() error {
	return errors.Join(j.file.Close(), j.dir.Close())
}

// Begin records what command is about to change, and returns the ID it is undone
// by. The record is on the disk when Begin returns. If it fails, nothing should
// be changed.
//
// A journal that would become too long first loses commands, up to half its length: those
// that nothing is left of to undo, of earlier boots before this one. Where the others alone
// are too long, the error is [ErrFull].
func (j *Journal) Begin(command string, changes []Change) (id string, err error) {
	return j.BeginSeq(command, slices.Values(changes))
}

// BeginSeq is [Journal.Begin] of changes that may be too many to have all in memory at
// once.
func (j *Journal) BeginSeq(command string, changes iter.Seq[Change]) (id string, err error) {
	defer wrap(&err)
	boot, err := BootID()
	if err != nil {
		return "", err
	}
	data, err := readFile(j.file)
	if err != nil {
		return "", err
	}
	now := time.Now().UTC().Truncate(time.Second)
	id = nextID(lastID(data), now)
	line, n, err := encodeBegin(record{Op: opBegin, ID: id, Time: now, BootID: boot, Command: command}, changes)
	if err != nil {
		return "", err
	}
	if len(line) > j.max/2 {
		return "", fmt.Errorf("%d changes: %w", n, ErrTooLarge)
	}
	info, err := j.file.Stat()
	if err != nil {
		return "", err
	}
	if info.Size()+int64(len(line)) > int64(j.max) {
		kept := shorten(data, j.max/2, boot)
		if len(kept)+len(line) > j.max {
			return "", fmt.Errorf("%s: %w", j.file.Name(), ErrFull)
		}
		if err := j.replace(kept); err != nil {
			return "", err
		}
	}
	return id, j.append(line)
}

// Done marks a command as finished. applied are the indices of the changes that
// were made; nil is all of them. A command that was taken back by itself,
// because one of its changes failed, is marked Undone instead.
func (j *Journal) Done(id string, applied []int) error {
	return j.mark(record{Op: opDone, ID: id, Applied: applied})
}

// Undone marks a command as taken back, whole. Like Done it does not look
// whether there is such a command.
func (j *Journal) Undone(id string) error {
	return j.mark(record{Op: opUndone, ID: id})
}

// Partly marks a command as taken back but for some of its changes. left are their
// indices in [Entry.Changes], which from then on has no others, so that another undo
// goes on with them; nil is all. What was taken back, anyone may change again.
func (j *Journal) Partly(id string, left []int) error {
	return j.mark(record{Op: opPartly, ID: id, Left: left})
}

func (j *Journal) mark(r record) (err error) {
	defer wrap(&err)
	line, err := encode(r)
	if err != nil {
		return err
	}
	return j.append(line)
}

// append adds a line, and has it on the disk when it returns; if it fails, it
// tries to leave nothing of it. A line that a crash broke off is ended first.
func (j *Journal) append(line []byte) error {
	info, err := j.file.Stat()
	if err != nil {
		return err
	}
	size := info.Size()
	if size > 0 {
		last := make([]byte, 1)
		if _, err := j.file.ReadAt(last, size-1); err != nil {
			return err
		}
		if last[0] != '\n' {
			line = slices.Insert(line, 0, '\n')
		}
	}
	_, err = j.file.Write(line)
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		j.file.Truncate(size)
	}
	return err
}

func encode(r record) ([]byte, error) {
	line, err := json.Marshal(r)
	return append(line, '\n'), err
}

// encodeBegin is encode with the changes that are not in r, and counts them.
func encodeBegin(r record, changes iter.Seq[Change]) (line []byte, n int, err error) {
	head, err := json.Marshal(r)
	if err != nil {
		return nil, 0, err
	}
	b := bytes.NewBuffer(bytes.TrimSuffix(head, []byte{'}'}))
	b.WriteString(`,"changes":`)
	n, err = writePacked(b, changes)
	b.WriteString("}\n")
	return b.Bytes(), n, err
}

func wrap(err *error) {
	if *err != nil {
		*err = fmt.Errorf("write journal: %w", *err)
	}
}

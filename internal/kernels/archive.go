package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
)

// An archive is what the kernel unpacks as its first file system: cpio in the
// "newc" format. Source: Documentation/driver-api/early-userspace/buffer-format.rst.
type archive struct {
	w     io.Writer
	inode int
	dirs  map[string]bool
	err   error // the first one
}

func newArchive(w io.Writer) *archive { return &archive{w: w, dirs: map[string]bool{".": true}} }

// Modes as stat(2) has them. Source: include/uapi/linux/stat.h.
const (
	modeDir  = 0o040000
	modeFile = 0o100000
	modeLink = 0o120000
)

func (a *archive) entry(name string, mode int, data []byte) {
	if a.err != nil {
		return
	}
	a.inode++
	const nlink = 1
	_, a.err = fmt.Fprintf(a.w, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
		a.inode, mode, 0, 0, nlink, 0, len(data), 0, 0, 0, 0, len(name)+1, 0, name)
	a.pad(110 + len(name) + 1)
	if a.err == nil {
		_, a.err = a.w.Write(data)
	}
	a.pad(len(data))
}

// pad fills up to a multiple of four.
func (a *archive) pad(n int) {
	if a.err == nil {
		_, a.err = a.w.Write(make([]byte, -n&3))
	}
}

// dir adds a directory with a mode, unless it is there, and those that it is in.
func (a *archive) dir(name string, mode int) {
	if !a.dirs[name] {
		a.parents(name)
		a.dirs[name] = true
		a.entry(name, modeDir|mode, nil)
	}
}

func (a *archive) parents(name string) { a.dir(path.Dir(name), 0o755) }

func (a *archive) file(name string, mode int, data []byte) {
	a.parents(name)
	a.entry(name, modeFile|mode, data)
}

func (a *archive) link(name, target string) {
	a.parents(name)
	a.entry(name, modeLink|0o777, []byte(target))
}

// copy adds a file of this machine.
func (a *archive) copy(name, from string, mode int) {
	data, err := os.ReadFile(from)
	if err != nil {
		a.err = err
		return
	}
	a.file(name, mode, data)
}

// tree adds a directory of this machine, if there is one.
func (a *archive) tree(name, from string) error {
	if _, err := os.Stat(from); err != nil {
		return nil
	}
	return filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, p)
		if err != nil {
			return err
		}
		if d.IsDir() {
			a.dir(path.Join(name, rel), 0o755)
		} else {
			a.copy(path.Join(name, rel), p, 0o644)
		}
		return a.err
	})
}

// close ends the archive and returns the first error.
func (a *archive) close() error {
	a.entry("TRAILER!!!", 0, nil)
	return a.err
}

package sshedit

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/leftover"
	"github.com/tcpka/tcpka/internal/sshconf"
)

// directory is where a file lies, held open so that a rename on the way to it cannot
// lead elsewhere.
type directory struct {
	*os.Root
	self *os.File
	base string
}

func (d directory) rename(from, to string, flags uint) error {
	err := unix.Renameat2(int(d.self.Fd()), from, int(d.self.Fd()), to, flags)
	if err != nil {
		return &fs.PathError{Op: "rename", Path: d.self.Name() + "/" + to, Err: err}
	}
	return nil
}

// temporary is a name that no program reads: it begins with a dot, and does not end
// as the file's does.
func (d directory) temporary() string { return d.prefix() + rand.Text()[:8] }

func (d directory) prefix() string { return "." + d.base + ".tcpka-" }

// sweep removes the temporary files that killed runs have left.
func (d directory) sweep() {
	leftover.Sweep(d.Root, func(name string) bool {
		rest, ok := strings.CutPrefix(name, d.prefix())
		return ok && len(rest) == 8
	})
}

// make writes a new file, and has it on the disk.
func (d directory) make(content []byte, mode fs.FileMode, like *original) (name string, err error) {
	name = d.temporary()
	f, err := d.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			d.Remove(name)
		}
	}()
	err = leftover.Hold(f)
	switch {
	case err != nil:
	case like != nil:
		err = like.dress(f)
	default:
		err = f.Chmod(mode)
	}
	if err == nil {
		_, err = f.Write(content)
	}
	if err == nil {
		err = f.Sync()
	}
	return name, err
}

// hold keeps other runs from the old file while it has a temporary name.
func (d directory) hold() (release func()) {
	f, err := d.OpenFile(d.base, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return func() {}
	}
	leftover.Hold(f)
	return func() { f.Close() }
}

// create puts a new file where none is.
func (d directory) create(content []byte, mode fs.FileMode) error {
	name, err := d.make(content, mode, nil)
	if err != nil {
		return err
	}
	defer d.Remove(name)
	err = d.rename(name, d.base, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) { // the file system cannot; see rename(2)
		err = d.Link(name, d.base)
	}
	if errors.Is(err, fs.ErrExist) {
		return ErrChanged
	}
	return err
}

// exchange puts a new file in the place of the old one. Both change places first, so
// that what was there is looked at after nobody can reach it by its name, and comes
// back where it is not what was read.
func (d directory) exchange(o *original, content []byte) error {
	if err := d.same(d.base, o); err != nil {
		return err
	}
	defer d.hold()()
	name, err := d.make(content, 0, o)
	if err != nil {
		return err
	}
	err = d.rename(name, d.base, unix.RENAME_EXCHANGE)
	if errors.Is(err, unix.EINVAL) { // the file system cannot
		if err = d.same(d.base, o); err == nil {
			err = d.rename(name, d.base, 0)
		}
		if err != nil {
			d.Remove(name)
		}
		return err
	}
	if err != nil {
		d.Remove(name)
		return err
	}
	if err := d.same(name, o); err != nil {
		if back := d.rename(name, d.base, unix.RENAME_EXCHANGE); back != nil {
			return fmt.Errorf("%w: what was there is now %s: %w", err, d.self.Name()+"/"+name, back)
		}
		d.Remove(name)
		return err
	}
	return d.Remove(name)
}

// remove takes the file away, in the same two steps.
func (d directory) remove(o *original) error {
	if err := d.same(d.base, o); err != nil {
		return err
	}
	defer d.hold()()
	name := d.temporary()
	if err := d.rename(d.base, name, 0); err != nil {
		return err
	}
	if err := d.same(name, o); err != nil {
		return errors.Join(err, d.rename(name, d.base, unix.RENAME_NOREPLACE))
	}
	return d.Remove(name)
}

// same reports with ErrChanged that a file is not the one that was read: by its
// content, owner and mode, not by its times.
func (d directory) same(name string, o *original) error {
	f, err := d.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return ErrChanged
	}
	if err != nil {
		return err
	}
	defer f.Close()
	content, info, err := sshconf.ReadOpen(f, sshconf.MaxFile)
	if err != nil {
		return err
	}
	now, was := info.Sys().(*syscall.Stat_t), o.info.Sys().(*syscall.Stat_t)
	if !bytes.Equal(content, o.content) || now.Uid != was.Uid || now.Gid != was.Gid || now.Mode != was.Mode {
		return ErrChanged
	}
	return nil
}

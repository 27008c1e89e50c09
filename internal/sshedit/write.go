package sshedit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/sshconf"
)

// What keeps a file from being written. Test with [errors.Is].
var (
	// ErrChanged is a file that is no longer as it was read.
	ErrChanged = errors.New("changed in the meantime")

	// ErrOutside is a symbolic link that leads out of where the file belongs.
	ErrOutside = errors.New("leads elsewhere")

	// ErrNotOwner is a file of another user.
	ErrNotOwner = errors.New("belongs to another user")

	// ErrHardLinks is a file with several names: a new one takes only one of them.
	ErrHardLinks = errors.New("has several names (hard links), and a new file would take only one")
)

// original is a file about to be replaced, as it was found.
type original struct {
	path    string // as named
	real    string // behind links
	content []byte // nil: there is no such file
	info    os.FileInfo

	refused error // why it is not written, although it can be read
}

// openOriginal reads a file in order to replace it later. To be written it must belong
// to owner, the one who will write it. Within is the directory that a link may not lead
// out of; where it is empty, the file may be no link.
func openOriginal(path, within string, owner int) (*original, error) {
	if err := sshconf.Answers(path); err != nil {
		return nil, err
	}
	o := &original{path: path, real: path}
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		// Its directory may be missing, too. What is there of it may have links.
		dir, rest := filepath.Dir(path), filepath.Base(path)
		real, err := filepath.EvalSymlinks(dir)
		for errors.Is(err, fs.ErrNotExist) && dir != "/" {
			dir, rest = filepath.Dir(dir), filepath.Join(filepath.Base(dir), rest)
			real, err = filepath.EvalSymlinks(dir)
		}
		if err != nil {
			return nil, err
		}
		o.real = filepath.Join(real, rest)
		return o, o.inside(within)
	}
	if err != nil {
		return nil, err
	}
	if info.Mode()&fs.ModeSymlink != 0 && within == "" {
		return nil, fmt.Errorf("%s: it is a symbolic link, and %w: name the file itself", path, ErrOutside)
	}
	if o.real, err = filepath.EvalSymlinks(path); err != nil {
		return nil, err
	}
	if err := o.inside(within); err != nil {
		return nil, err
	}
	if o.content, o.info, err = sshconf.OpenAndRead(o.real, syscall.O_NOFOLLOW, sshconf.MaxFile); err != nil {
		return nil, err
	}
	stat := o.info.Sys().(*syscall.Stat_t)
	switch {
	case int(stat.Uid) != owner:
		o.refused = fmt.Errorf("%s: it %w: number %d, not %d", path, ErrNotOwner, stat.Uid, owner)
	case stat.Nlink > 1:
		o.refused = fmt.Errorf("%s: it %w", path, ErrHardLinks)
	}
	return o, nil
}

// writable looks whether replace can work, without trying.
func (o *original) writable() error {
	if o.refused != nil {
		return o.refused
	}
	dir := filepath.Dir(o.real)
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		dir = filepath.Dir(dir)
	}
	if err := unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK|unix.X_OK, unix.AT_EACCESS); err != nil {
		return &fs.PathError{Op: "write to", Path: dir, Err: err}
	}
	return nil
}

func (o *original) inside(within string) error {
	if within == "" {
		return nil
	}
	real, err := filepath.EvalSymlinks(within)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(o.real, strings.TrimSuffix(real, "/")+"/") {
		return fmt.Errorf("%s: it %w: to %s, which is not below %s", o.path, ErrOutside, o.real, within)
	}
	return nil
}

// replace puts updated in the place of the file as it was read; nil is no file. A
// reader, or a crash, sees the old one or the new one, never a part; both the file
// and its directory are on the disk when replace returns. Where the file is not as
// it was read any more, it stays as it is, and the error is [ErrChanged]. After another
// error either may be there.
//
// The new file has the owner, the mode and all extended attributes (access lists and
// the label of SELinux are among them) of the old one, and mode where there was none.
// Times and hard links are not kept. Links that lead to the file are, too.
//
// A writer that opened the old file before, and writes to it later, is not noticed.
func (o *original) replace(updated []byte, mode fs.FileMode) (err error) {
	defer func() {
		if err != nil {
			if err != o.refused {
				err = fmt.Errorf("write %s: %w", o.path, err)
			}
		}
	}()
	if o.refused != nil {
		return o.refused
	}
	if o.content == nil && updated == nil {
		return nil
	}
	dir := filepath.Dir(o.real)
	if o.content == nil {
		// That is ~/.ssh; those of the system are there.
		if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	self, err := root.Open(".")
	if err != nil {
		return err
	}
	defer self.Close()
	d := directory{root, self, filepath.Base(o.real)}
	d.sweep()
	switch {
	case o.content == nil:
		err = d.create(updated, mode)
	case updated == nil:
		err = d.remove(o)
	default:
		err = d.exchange(o, updated)
	}
	if err != nil {
		return err
	}
	return self.Sync()
}

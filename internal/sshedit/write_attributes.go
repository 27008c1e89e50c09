package sshedit

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// dress gives a new file what the old one has around its content.
func (o *original) dress(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	now, want := info.Sys().(*syscall.Stat_t), o.info.Sys().(*syscall.Stat_t)
	if now.Uid != want.Uid || now.Gid != want.Gid {
		if err := f.Chown(int(want.Uid), int(want.Gid)); err != nil {
			return fmt.Errorf("keep owner and group: %w", err)
		}
	}
	old, err := os.OpenFile(o.real, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer old.Close()
	if err := copyAttributes(old, f); err != nil {
		return fmt.Errorf("keep extended attributes: %w", err)
	}
	// The last, as an access list and a change of owner change it.
	return f.Chmod(o.info.Mode() & (fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky))
}

// copyAttributes copies the extended attributes that differ, but for what vouches for
// the old content. See xattr(7).
func copyAttributes(from, to *os.File) error {
	names := make([]byte, 64<<10) // the most there can be
	n, err := unix.Flistxattr(int(from.Fd()), names)
	if errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.ENOSYS) {
		return nil
	}
	if err != nil {
		return err
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(names[:n]), "\x00"), "\x00") {
		switch name {
		case "", "security.ima", "security.evm": // of the content, and made by the kernel
			continue
		}
		value, err := attribute(from, name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if now, err := attribute(to, name); err == nil && bytes.Equal(now, value) {
			continue
		}
		if err := unix.Fsetxattr(int(to.Fd()), name, value, 0); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func attribute(f *os.File, name string) ([]byte, error) {
	value := make([]byte, 64<<10)
	n, err := unix.Fgetxattr(int(f.Fd()), name, value)
	return value[:max(n, 0)], err
}

package sysctld

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/tcpka/tcpka/internal/rootfs"
)

// DropIn is the one file tcpka writes to make a setting last. Its name sorts
// after 99-sysctl.conf, the link by which some distributions have systemd read
// /etc/sysctl.conf.
const DropIn = "/etc/sysctl.d/99-tcpka.conf"

// What keeps tcpka from touching [DropIn]. Test with [errors.Is].
var (
	// ErrForeign is a file at its path that tcpka did not write: one without our
	// header as its first line, or with characters that we never write.
	ErrForeign = errors.New("not written by tcpka")

	// ErrNotFile is something other than a regular file at its path, a symbolic
	// link included, wherever it leads.
	ErrNotFile = errors.New("not a regular file")

	// ErrNotDirectory is something other than a directory in place of
	// /etc/sysctl.d. A symbolic link is refused: its target belongs to whoever
	// made the link, a package store for example.
	ErrNotDirectory = errors.New("not a directory of its own")

	// ErrChanged is a drop-in that differs from what the caller last saw.
	ErrChanged = errors.New("changed in the meantime")
)

// ReadDropIn returns the content of [DropIn], nil where there is no such file.
// It fails with [ErrForeign], [ErrNotFile] or [ErrNotDirectory] where
// [ReplaceDropIn] would.
func ReadDropIn(root rootfs.FS) ([]byte, error) {
	dir := path.Dir(DropIn)
	info, err := root.Lstat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s: %w", root.Path(dir), ErrNotDirectory)
	}
	info, err = root.Lstat(DropIn)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: %w", root.Path(DropIn), ErrNotFile)
	}
	content, err := root.ReadFile(DropIn)
	if err != nil {
		return nil, err
	}
	if !ours(content) {
		return nil, fmt.Errorf("%s: %w", root.Path(DropIn), ErrForeign)
	}
	return content, nil
}

// ReplaceDropIn puts updated in place of old, as [ReadDropIn] returned it; nil
// is no file, for either. To undo, swap the two. Where the file is not old any
// more it fails with [ErrChanged].
//
// The file is replaced whole or not at all, with mode 0644, and is on disk when
// ReplaceDropIn returns; a missing /etc/sysctl.d is made. After an error it is as before,
// or where that could not be written either, as updated. Another writer between
// the comparison and the replacement is not noticed. Nothing is written to
// /proc/sys.
func ReplaceDropIn(root rootfs.FS, old, updated []byte) error {
	now, err := ReadDropIn(root)
	if err != nil {
		return err
	}
	if !same(now, old) {
		return fmt.Errorf("%s: %w", root.Path(DropIn), ErrChanged)
	}
	if same(old, updated) {
		return nil
	}
	if updated != nil && !ours(updated) {
		return fmt.Errorf("write %s: the new content is %w", root.Path(DropIn), ErrForeign)
	}
	err = write(root, updated)
	if err == nil {
		return nil
	}
	// It may have its name already, and its directory not be on the disk: see fsync(2).
	if now, rerr := ReadDropIn(root); rerr == nil && same(now, updated) {
		if write(root, old) != nil {
			now, rerr = ReadDropIn(root)
			if rerr != nil || !same(now, old) {
				return fmt.Errorf("%w: it is in place, and could not be taken back", err)
			}
		}
	}
	return err
}

// write puts the file in place, or removes it.
func write(root rootfs.FS, content []byte) error {
	if content == nil {
		return root.Remove(DropIn)
	}
	if err := root.MkdirAll(path.Dir(DropIn), 0o755); err != nil {
		return err
	}
	if err := root.WriteFile(DropIn, content, 0o644); err != nil {
		return fmt.Errorf("write %s: %w", root.Path(DropIn), err)
	}
	return nil
}

// same reports whether two contents are equal. No file is not an empty file.
func same(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

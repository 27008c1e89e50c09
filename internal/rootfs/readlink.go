package rootfs

import (
	"io/fs"

	"golang.org/x/sys/unix"
)

// Readlink returns the text of the symbolic link name, as it is written there.
// What is not a symbolic link is an error, as with [os.Readlink].
func (f FS) Readlink(name string) (string, error) {
	link, err := f.open(name, unix.O_PATH|unix.O_NOFOLLOW, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(link)
	text := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(link, "", text)
	if err != nil {
		return "", &fs.PathError{Op: "readlink", Path: f.Path(name), Err: err}
	}
	return string(text[:n]), nil
}

// Package rootfs opens files under a root directory that stands in for "/".
//
// With the root "/" it is the plain file system. With any other directory every
// path resolves inside it, absolute symbolic links and ".." included, as it
// would after a chroot: an offline image can be read, and written, without a
// link in it leading out. See openat2(2), RESOLVE_IN_ROOT (Linux 5.6).
package rootfs

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrLiveProc is returned for what belongs to the procfs of the running kernel,
// found under a root: what looks like an image would change this machine.
var ErrLiveProc = errors.New("its proc is the live /proc of this machine, not an image")

// MaxFile is the largest file [FS.ReadFile] reads. Every file tcpka reads this
// way is a few kilobytes long.
const MaxFile = 4 << 20

// FS is a file system tree. The zero value is the live "/".
type FS struct {
	dir string // "" is the live root
}

// Open returns the tree under dir. It refuses what is not a directory, and
// answers [ErrLiveProc] where dir/proc is a mounted procfs (so "/" is refused:
// the live tree is the zero FS).
func Open(dir string) (FS, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return FS{}, fmt.Errorf("root %s: %w", dir, err)
	}
	info, err := os.Stat(abs)
	if err != nil {
		return FS{}, fmt.Errorf("root: %w", err)
	}
	if !info.IsDir() {
		return FS{}, fmt.Errorf("root %s: %w", dir, unix.ENOTDIR)
	}
	r := FS{dir: abs}
	fd, err := r.open("/proc", unix.O_PATH, 0)
	switch {
	case err == nil:
		unix.Close(fd)
	case errors.Is(err, ErrLiveProc):
		return FS{}, fmt.Errorf("root %s: %w", dir, ErrLiveProc)
	case !errors.Is(err, fs.ErrNotExist):
		return FS{}, fmt.Errorf("root: %w", err)
	}
	return r, nil
}

// Live reports whether f is the running machine's own tree.
func (f FS) Live() bool { return f.dir == "" }

// Path is where name lies on this machine, for messages. Opening it by this
// string would follow links out of the root: use the methods.
func (f FS) Path(name string) string { return filepath.Join(f.dir, clean(name)) }

// clean makes name an absolute path without "..", seen from inside the root.
func clean(name string) string { return path.Clean("/" + name) }

// open returns a descriptor. Most of this package works on descriptors and not
// on an [os.File], which would join the poller at some cost.
func (f FS) open(name string, flags int, mode uint32) (int, error) {
	name = clean(name)
	flags |= unix.O_CLOEXEC
	var fd int
	var err error
	if f.dir == "" {
		fd, err = retry(func() (int, error) { return unix.Open(name, flags, mode) })
	} else {
		fd, err = f.openInRoot(name, flags, mode)
	}
	if err != nil {
		return -1, &fs.PathError{Op: "open", Path: f.Path(name), Err: err}
	}
	return fd, nil
}

func (f FS) openInRoot(name string, flags int, mode uint32) (int, error) {
	dir, err := retry(func() (int, error) { return unix.Open(f.dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0) })
	if err != nil {
		return -1, err
	}
	defer unix.Close(dir)
	how := unix.OpenHow{
		Flags:   uint64(flags),
		Mode:    uint64(mode),
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	}
	fd, err := retry(func() (int, error) { return unix.Openat2(dir, name, &how) })
	if err == unix.ENOSYS {
		return -1, fmt.Errorf("openat2: %w: a root needs Linux 5.6 or later", err)
	}
	if err != nil {
		return -1, err
	}
	// The procfs of this machine may be mounted anywhere in an image.
	var st unix.Statfs_t
	if err := unix.Fstatfs(fd, &st); err != nil || st.Type == unix.PROC_SUPER_MAGIC {
		unix.Close(fd)
		return -1, cmp.Or(err, ErrLiveProc)
	}
	return fd, nil
}

// retry repeats a call that a signal interrupted, or that openat2 gave up on
// because a rename elsewhere raced with it.
func retry(call func() (int, error)) (int, error) {
	for range 100 {
		n, err := call()
		if err != unix.EINTR && err != unix.EAGAIN {
			return n, err
		}
	}
	return call()
}

// OpenFile opens name like [os.OpenFile], inside the root.
func (f FS) OpenFile(name string, flags int, mode fs.FileMode) (*os.File, error) {
	fd, err := f.open(name, flags, uint32(mode.Perm()))
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), f.Path(name)), nil
}

// ReadFile reads a file whole. It never blocks on a fifo or a terminal, and
// refuses what is not a regular file or is larger than [MaxFile].
func (f FS) ReadFile(name string) ([]byte, error) {
	fd, err := f.open(name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	data, err := readAll(fd)
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: f.Path(name), Err: err}
	}
	return data, nil
}

func readAll(fd int) ([]byte, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, errors.New("not a regular file")
	}
	data := make([]byte, 0, min(max(st.Size+1, 4096), MaxFile+1)) // files in /proc have size 0
	for {
		n, err := retry(func() (int, error) { return unix.Read(fd, data[len(data):cap(data)]) })
		if err != nil {
			return nil, err
		}
		data = data[:len(data)+n]
		switch {
		case n == 0:
			return data, nil
		case len(data) > MaxFile:
			return nil, fmt.Errorf("larger than %d bytes", MaxFile)
		case len(data) == cap(data):
			data = slices.Grow(data, 4096)
		}
	}
}

// ReadDir lists a directory, sorted by name.
func (f FS) ReadDir(name string) ([]fs.DirEntry, error) {
	dir, err := f.OpenFile(name, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	entries, err := dir.ReadDir(-1)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

// Stat describes what name leads to, links followed inside the root.
func (f FS) Stat(name string) (fs.FileInfo, error) { return f.stat(name, 0) }

// Lstat describes name itself: its directory is resolved inside the root, a
// link at its end is not followed.
func (f FS) Lstat(name string) (fs.FileInfo, error) { return f.stat(name, unix.O_NOFOLLOW) }

func (f FS) stat(name string, flags int) (fs.FileInfo, error) {
	file, err := f.OpenFile(name, unix.O_PATH|flags, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return file.Stat()
}

// Package rootfs opens files under a root directory that stands in for "/".
//
// With the root "/" it is the plain file system. With any other directory every
// path resolves inside it, absolute symbolic links and ".." included, as it
// would after a chroot: an offline image can be read, and written, without a
// link in it leading out. See openat2(2), RESOLVE_IN_ROOT (Linux 5.6).
package rootfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrLiveProc is returned by [Open] for a directory whose proc is the procfs of
// the running kernel: what looks like an image would change this machine.
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
	f, err := r.open("/proc", unix.O_PATH, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return FS{}, fmt.Errorf("root: %w", err)
	}
	defer f.Close()
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &st); err != nil {
		return FS{}, fmt.Errorf("root: %s: %w", f.Name(), err)
	}
	if st.Type == unix.PROC_SUPER_MAGIC {
		return FS{}, fmt.Errorf("root %s: %w", dir, ErrLiveProc)
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

func (f FS) open(name string, flags int, mode uint32) (*os.File, error) {
	name = clean(name)
	if f.dir == "" {
		fd, err := retry(func() (int, error) { return unix.Open(name, flags|unix.O_CLOEXEC, mode) })
		if err != nil {
			return nil, &fs.PathError{Op: "open", Path: name, Err: err}
		}
		return os.NewFile(uintptr(fd), name), nil
	}
	dir, err := os.Open(f.dir)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	how := unix.OpenHow{
		Flags:   uint64(flags | unix.O_CLOEXEC),
		Mode:    uint64(mode),
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	}
	fd, err := retry(func() (int, error) { return unix.Openat2(int(dir.Fd()), strings.TrimPrefix(name, "/"), &how) })
	if errors.Is(err, unix.ENOSYS) {
		err = fmt.Errorf("openat2: %w: a root needs Linux 5.6 or later", err)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: f.Path(name), Err: err}
	}
	return os.NewFile(uintptr(fd), f.Path(name)), nil
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
	return f.open(name, flags, uint32(mode.Perm()))
}

// ReadFile reads a file whole. It never blocks on a fifo or a terminal, and
// refuses what is not a regular file or is larger than [MaxFile].
func (f FS) ReadFile(name string) ([]byte, error) {
	file, err := f.open(name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: file.Name(), Err: errors.New("not a regular file")}
	}
	data, err := io.ReadAll(io.LimitReader(file, MaxFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > MaxFile {
		return nil, &fs.PathError{Op: "read", Path: file.Name(), Err: fmt.Errorf("larger than %d bytes", MaxFile)}
	}
	return data, nil
}

// ReadDir lists a directory, sorted by name.
func (f FS) ReadDir(name string) ([]fs.DirEntry, error) {
	dir, err := f.open(name, unix.O_RDONLY|unix.O_DIRECTORY, 0)
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
func (f FS) Stat(name string) (fs.FileInfo, error) {
	file, err := f.open(name, unix.O_PATH, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return file.Stat()
}

// Lstat describes name itself: its directory is resolved inside the root, a
// link at its end is not followed.
func (f FS) Lstat(name string) (fs.FileInfo, error) {
	file, err := f.open(name, unix.O_PATH|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return file.Stat()
}

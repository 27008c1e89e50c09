package netns

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// ErrNotNetwork is a file that is no network namespace: not a namespace at all,
// or one of another type.
var ErrNotNetwork = errors.New("not a network namespace")

// Handle is a network namespace held open. It stays the same namespace, and the
// namespace stays, whatever becomes of its processes and mounts.
//
// It holds the namespace itself and not a process in it (a pidfd): a process can
// move to another.
type Handle struct {
	Namespace
	file *os.File
}

// GoneError is a namespace that is no longer there, or where something else has taken its
// place since it was looked at. It answers [os.ErrNotExist].
type GoneError struct{ err error }

func (e *GoneError) Error() string { return e.err.Error() }
func (e *GoneError) Unwrap() error { return e.err }

// Open opens n. When it has gone since n was looked at, the error is a [*GoneError].
func (n Namespace) Open() (*Handle, error) {
	file, ns, err := open(n.Path)
	if err == nil && ns != n.id() {
		file.Close()
		err = &os.PathError{Op: "open", Path: n.Path, Err: os.ErrNotExist}
	}
	if err != nil {
		err = fmt.Errorf("network namespace %q: %w", n.Name, err)
		if errors.Is(err, os.ErrNotExist) {
			err = &GoneError{err}
		}
		return nil, err
	}
	return &Handle{n, file}, nil
}

// open opens the network namespace at path. What lies there is looked at first,
// by a descriptor that does not open it: to open a device can set it going.
func open(path string) (*os.File, id, error) {
	fail := func(err error) (*os.File, id, error) {
		return nil, id{}, &os.PathError{Op: "open", Path: path, Err: err}
	}
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return fail(err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fail(err)
	}
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		return fail(err)
	}
	switch {
	case fs.Type == unix.NSFS_MAGIC:
		fd, err = unix.Open(fmt.Sprintf("/proc/self/fd/%d", fd), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	case st.Mode&unix.S_IFMT == unix.S_IFSOCK:
		if fd, err = openSocket(path, st.Ino); err == nil {
			err = unix.Fstat(fd, &st)
		}
	default:
		err = ErrNotNetwork
	}
	if err != nil {
		return fail(err)
	}
	file := os.NewFile(uintptr(fd), path)
	kind, err := unix.IoctlRetInt(fd, unix.NS_GET_NSTYPE) // ioctl_ns(2)
	if err == nil && kind != unix.CLONE_NEWNET {
		err = ErrNotNetwork
	}
	if err != nil {
		file.Close()
		return fail(err)
	}
	return file, idOf(&st), nil
}

// Close releases the namespace.
func (h *Handle) Close() error { return h.file.Close() }

// Do opens n, runs fn in it, and closes it: see [Namespace.Open] and [Handle.Do].
func (n Namespace) Do(fn func() error) error {
	h, err := n.Open()
	if err != nil {
		return err
	}
	defer h.Close()
	return h.Do(fn)
}

// Do runs fn on a thread that is in the namespace, waits for it, and returns its
// error.
//
// If the calling thread is there already, fn runs on it and no privilege is
// needed. Otherwise fn runs in a goroutine of its own, on a thread that enters
// the namespace and ends with fn. To enter takes CAP_SYS_ADMIN, in the caller's
// user namespace and in the one that owns the namespace: test for
// [os.ErrPermission]. No other thread is affected, so these are different inside
// fn and outside:
//
//   - /proc/sys/net is the namespace's. /proc/net is not, because it is
//     /proc/self/net, which is that of the process: use /proc/thread-self/net.
//   - A socket stays in the namespace that it was made in, also outside fn.
//   - A goroutine started in fn runs elsewhere. A process started in fn, as by
//     os/exec, starts in the namespace.
//
// A panic in fn cannot be recovered outside it.
//
// Equivalent to: nsenter --net=PATH
func (h *Handle) Do(fn func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	here, err := statID(selfPath)
	if err != nil {
		return fmt.Errorf("current network namespace: %w", err)
	}
	if here == h.id() {
		return fn()
	}
	return onOwnThread(func() error {
		if err := unix.Setns(int(h.file.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter network namespace %q: %w", h.Name, err)
		}
		return fn()
	})
}

// onOwnThread runs fn on a thread that ends with it. That is never the first
// thread of the process: it cannot end, and /proc/self is what it is.
//
// The caller is locked to its thread and waits, so fn is not given that one.
func onOwnThread(fn func() error) error {
	done := make(chan error, 1)
	go func() {
		err := errors.New("the function in the network namespace did not return") // runtime.Goexit
		defer func() { done <- err }()
		runtime.LockOSThread() // and never unlocked: so the thread ends
		if unix.Gettid() != unix.Getpid() {
			err = fn()
			return
		}
		err = onOwnThread(fn)
		runtime.UnlockOSThread()
	}()
	return <-done
}

package nstest

import (
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// KeepLock lets this process keep the lock of a connected socket: it sends from memory
// whose page fault nobody answers, see userfaultfd(2). That ends with release, with the
// test, and after 30 s, so that what hangs by it ends, too. It needs real root.
func KeepLock(t testing.TB, socket int) (release func()) {
	t.Helper()
	const size = 4096
	fd, _, errno := unix.Syscall(unix.SYS_USERFAULTFD, unix.O_CLOEXEC, 0, 0)
	if errno != 0 {
		Missing(t, "no userfaultfd: "+errno.Error())
	}
	memory, err := unix.MmapPtr(-1, 0, nil, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		t.Fatal(err)
	}
	// include/uapi/linux/userfaultfd.h: UFFDIO_API and UFFDIO_REGISTER
	api := struct{ api, features, ioctls uint64 }{api: 0xaa}
	register := struct{ start, size, mode, ioctls uint64 }{uint64(uintptr(memory)), size, 1, 0}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, 0xc018aa3f, uintptr(unsafe.Pointer(&api))); errno != 0 {
		t.Fatalf("UFFDIO_API: %v", errno)
	}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, 0xc020aa00, uintptr(unsafe.Pointer(&register))); errno != 0 {
		t.Fatalf("UFFDIO_REGISTER: %v", errno)
	}
	end := make(chan struct{})
	sent := make(chan struct{})
	go func() {
		unix.Syscall(unix.SYS_WRITE, uintptr(socket), uintptr(memory), size)
		close(sent)
	}()
	go func() {
		select {
		case <-end:
		case <-time.After(30 * time.Second):
		}
		unix.Close(int(fd)) // which answers
	}()
	released := false
	release = func() {
		if !released {
			released = true
			close(end)
			<-sent
		}
	}
	t.Cleanup(release)
	select {
	case <-sent:
		t.Fatal("nothing hangs")
	case <-time.After(100 * time.Millisecond):
	}
	return release
}

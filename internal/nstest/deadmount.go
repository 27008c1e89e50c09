package nstest

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// DeadMount mounts a file system, until the test ends, whose server is there and does not
// answer: it has a file f that can be opened and is never read, and every other name is
// looked up for ever. Inside [Run]. Source: include/uapi/linux/fuse.h, with the layout of
// its structures.
func DeadMount(t testing.TB) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "dead")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		Missing(t, "/dev/fuse: "+err.Error())
	}
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=%d,group_id=%d,allow_other", fd, os.Getuid(), os.Getgid())
	if err := unix.Mount("dead", dir, "fuse", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		unix.Close(fd)
		Missing(t, "mount a fuse file system: "+err.Error())
	}
	done := make(chan struct{})
	go func() { defer close(done); serveDead(fd) }()
	t.Cleanup(func() {
		unix.Unmount(dir, unix.MNT_FORCE|unix.MNT_DETACH) // ends what waits, and the server
		<-done
		unix.Close(fd)
	})
	return dir
}

func serveDead(fd int) {
	const lookup, getattr, open, initialise, opendir = 1, 3, 14, 26, 27
	order := binary.NativeEndian
	attr := func(inode uint64) []byte {
		a := make([]byte, 88)
		order.PutUint64(a, inode)
		order.PutUint64(a[8:], 4096)
		mode := uint32(unix.S_IFREG | 0o644)
		if inode == 1 {
			mode = unix.S_IFDIR | 0o755
		}
		order.PutUint32(a[60:], mode)
		order.PutUint32(a[64:], 1)
		return a
	}
	in := make([]byte, 1<<20)
	for {
		n, err := unix.Read(fd, in)
		if err == unix.EINTR || err == unix.ENOENT { // given up before we saw it
			continue
		}
		if err != nil || n < 40 {
			return
		}
		var out []byte
		switch order.Uint32(in[4:]) {
		case initialise:
			out = make([]byte, 64)
			order.PutUint32(out, 7)
			order.PutUint32(out[4:], 31)
			order.PutUint32(out[20:], 4096)
		case getattr:
			out = append(make([]byte, 16), attr(order.Uint64(in[16:]))...)
		case lookup:
			if string(in[40:n]) != "f\x00" {
				continue
			}
			out = append(make([]byte, 40), attr(2)...)
			order.PutUint64(out, 2)
		case open, opendir:
			out = make([]byte, 16)
		default: // to read, among others
			continue
		}
		header := make([]byte, 16)
		order.PutUint32(header, uint32(16+len(out)))
		copy(header[8:], in[8:16])
		unix.Write(fd, append(header, out...))
	}
}

package netns

import "golang.org/x/sys/unix"

// Cookie returns a number for the calling thread's network namespace that no
// other has, before or after, until the next boot. It is false on kernels before
// Linux 5.14. To ask for another namespace, call it in [Handle.Do].
//
// See SO_NETNS_COOKIE; net/core/sock.c, sk_getsockopt.
func Cookie() (cookie uint64, ok bool) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, false
	}
	defer unix.Close(fd)
	cookie, err = unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
	return cookie, err == nil
}

package holders

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Descriptor is one of a process that is a TCP socket, of whatever namespace.
type Descriptor struct {
	PID, FD int
	Inode   uint32 // of the socket's file
}

// TCP calls visit for the descriptors of processes that are sockets of TCP or
// MPTCP, without touching them, until it returns false. Processes that the caller may not
// look into are passed over, and sockets in skip. No PID is all processes. The name of
// the protocol is an attribute of the file: net/socket.c, sockfs_xattr_get.
func TCP(pids []int, skip map[uint32]bool, visit func(Descriptor) bool) {
	if len(pids) == 0 {
		entries, _ := os.ReadDir("/proc")
		for _, e := range entries {
			if pid, err := strconv.Atoi(e.Name()); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	protocol := make([]byte, 32)
	for _, pid := range pids {
		dir := filepath.Join("/proc", strconv.Itoa(pid), "fd")
		fds, _ := os.ReadDir(dir)
		for _, e := range fds {
			path := filepath.Join(dir, e.Name())
			link, err := os.Readlink(path)
			if err != nil {
				continue
			}
			inode, ok := parseSocketLink([]byte(link))
			if !ok || skip[inode] {
				continue
			}
			n, err := unix.Getxattr(path, "system.sockprotoname", protocol)
			if name := string(protocol[:max(n, 0)]); err != nil || !strings.HasPrefix(name, "TCP") && !strings.HasPrefix(name, "MPTCP") {
				continue
			}
			fd, err := strconv.Atoi(e.Name())
			if err == nil && !visit(Descriptor{pid, fd, inode}) {
				return
			}
		}
	}
}

package holders

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// An io_uring can have sockets as registered files that no descriptor is: the program
// registered them and closed its own, or accepted them so. The file in fdinfo of the ring
// names them, unless the ring is busy at that moment; kernels that name them by protocol
// alone do not say which. Source: io_uring/fdinfo.c, io_uring_show_fdinfo.

// Rings adds such sockets with the descriptors of their rings, as far as the caller may
// look.
func Rings(proc string, add Add) {
	processes, _ := os.ReadDir(proc)
	for _, p := range processes {
		pid, err := strconv.Atoi(p.Name())
		if err != nil {
			continue
		}
		dir := filepath.Join(proc, p.Name())
		fds, _ := os.ReadDir(filepath.Join(dir, "fd"))
		for _, e := range fds {
			link, err := os.Readlink(filepath.Join(dir, "fd", e.Name()))
			if err != nil || !strings.HasPrefix(link, "anon_inode:[io_uring]") {
				continue
			}
			info, err := os.ReadFile(filepath.Join(dir, "fdinfo", e.Name()))
			fd, ok := parseDigits([]byte(e.Name()))
			if err != nil || !ok {
				continue
			}
			comm, _ := os.ReadFile(filepath.Join(dir, "comm"))
			for _, inode := range parseRing(info) {
				add(pid, bytes.TrimSuffix(comm, []byte("\n")), inode, fd)
			}
		}
	}
}

// parseRing finds the sockets among the registered files:
//
//	UserFiles:	2
//	    0: socket:[5482194]
//	UserBufs:	0
func parseRing(info []byte) (inodes []uint32) {
	files := false
	for line := range bytes.Lines(info) {
		line = bytes.TrimSpace(line)
		number, link, ok := bytes.Cut(line, []byte(": "))
		_, isNumber := parseDigits(number)
		switch {
		case bytes.HasPrefix(line, []byte("UserFiles:")):
			files = true
		case !files:
		case !ok || !isNumber:
			return inodes
		default:
			if inode, ok := parseSocketLink(link); ok {
				inodes = append(inodes, inode)
			}
		}
	}
	return inodes
}

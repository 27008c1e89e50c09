// Package holders finds who holds a socket: a descriptor of a process, or an io_uring of
// one. It reads /proc, and knows sockets by the inode of their file.
package holders

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Add takes a descriptor of a process that is, or holds, the socket of an inode.
type Add func(pid int, comm []byte, inode, fd uint32)

// Descriptors reads the owners of all sockets from /proc/PID/fd. Hidden are the
// PIDs of processes that may not be looked into: that needs to be the same user, or
// CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH. A process that ends meanwhile has no
// descriptors. Threads with a file table of their own are not looked for.
func Descriptors(root string, add Add) (hidden []int, err error) {
	dir, err := os.Open(root)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	w := procWalk{proc: int(dir.Fd()), add: add, dirents: make([]byte, 32<<10), link: make([]byte, 64)}
	for {
		names, err := dir.Readdirnames(256)
		for _, name := range names {
			pid, err := strconv.Atoi(name)
			if err != nil || pid <= 0 {
				continue
			}
			if err := w.process(pid, name); errors.Is(err, os.ErrPermission) {
				hidden = append(hidden, pid)
			}
		}
		if err != nil || len(names) == 0 {
			break
		}
	}
	return hidden, nil
}

type procWalk struct {
	proc          int // descriptor of /proc
	add           Add
	dirents, link []byte
}

func (w *procWalk) process(pid int, name string) error {
	fd, err := unix.Openat(w.proc, name+"/fd", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var comm []byte
	for {
		n, err := unix.Getdents(fd, w.dirents)
		if err != nil || n <= 0 {
			return err
		}
		for b := w.dirents[:n]; len(b) > 0; {
			var entry []byte
			if entry, b = nextDirent(b); entry == nil {
				break
			}
			number, ok := parseDigits(bytes.TrimSuffix(entry, []byte{0}))
			if !ok {
				continue // . and ..
			}
			inode, ok, err := w.socket(fd, entry)
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
			if comm == nil {
				comm = w.comm(name)
			}
			w.add(pid, comm, inode, number)
		}
	}
}

// socket returns the inode of the socket that a descriptor is. name ends in NUL.
// The error is for a process whose descriptors may be listed and not be read:
// CAP_DAC_READ_SEARCH is enough to list them.
func (w *procWalk) socket(dir int, name []byte) (inode uint32, ok bool, err error) {
	n, _, errno := unix.Syscall6(unix.SYS_READLINKAT, uintptr(dir), uintptr(unsafe.Pointer(&name[0])),
		uintptr(unsafe.Pointer(&w.link[0])), uintptr(len(w.link)), 0, 0)
	if errno != 0 {
		if errors.Is(errno, os.ErrPermission) {
			err = errno
		}
		return 0, false, err
	}
	inode, ok = parseSocketLink(w.link[:n])
	return inode, ok, nil
}

// parseSocketLink reads socket:[1234].
func parseSocketLink(link []byte) (inode uint32, ok bool) {
	link, ok = bytes.CutPrefix(link, []byte("socket:["))
	link, end := bytes.CutSuffix(link, []byte("]"))
	if !ok || !end {
		return 0, false
	}
	return parseDigits(link)
}

func parseDigits(b []byte) (uint32, bool) {
	n := uint64(0)
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		if n = n*10 + uint64(c-'0'); n > 1<<32-1 {
			return 0, false
		}
	}
	return uint32(n), len(b) > 0
}

// nextDirent cuts the first entry off what getdents64(2) gave. The name keeps
// its NUL; it is nil where the entry is malformed.
func nextDirent(b []byte) (name, rest []byte) {
	const nameAt = int(unsafe.Offsetof(unix.Dirent{}.Name))
	if len(b) <= nameAt {
		return nil, nil
	}
	size := int(*(*uint16)(unsafe.Pointer(&b[unsafe.Offsetof(unix.Dirent{}.Reclen)])))
	if size <= nameAt || size > len(b) {
		return nil, nil
	}
	end := bytes.IndexByte(b[nameAt:size], 0)
	if end < 0 {
		return nil, nil
	}
	return b[nameAt:][:end+1], b[size:]
}

func (w *procWalk) comm(name string) []byte {
	comm := make([]byte, 0, 64)
	fd, err := unix.Openat(w.proc, name+"/comm", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return comm
	}
	defer unix.Close(fd)
	n, err := unix.Read(fd, comm[:cap(comm)])
	if err != nil {
		return comm
	}
	return bytes.TrimSuffix(comm[:n], []byte("\n"))
}

package netns

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// addHidden adds the namespaces that no process is in: those of threads that left their
// process's, and those that a descriptor keeps, as far as the caller may look at the
// process. A thread stands for a process then, and the file /proc/PID/fd/N opens what a
// descriptor keeps. Source: fs/proc/base.c, proc_task_getattr; setns(2).
func (s *survey) addHidden() {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		s.addThreads(pid)
		if pid != os.Getpid() { // what we hold ourselves others have, too
			s.addDescriptors(pid)
		}
	}
}

func (s *survey) addThreads(pid int) {
	dir := fmt.Sprintf("/proc/%d/task", pid)
	var st unix.Stat_t
	const alone = 3 // . and .. and the thread
	if unix.Stat(dir, &st) != nil || st.Nlink <= alone {
		return
	}
	threads, _ := os.ReadDir(dir)
	for _, t := range threads {
		tid, err := strconv.Atoi(t.Name())
		if err != nil {
			continue
		}
		if ns, err := statID(dir + "/" + t.Name() + "/ns/net"); err == nil && s.at(ns).pid == 0 {
			s.addProcess(tid, ns)
		}
	}
}

func (s *survey) addDescriptors(pid int) {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	fds, _ := os.ReadDir(dir)
	for _, fd := range fds {
		path := filepath.Join(dir, fd.Name())
		if link, err := os.Readlink(path); err != nil || !strings.HasPrefix(link, "net:[") {
			continue
		}
		if ns, err := statID(path); err == nil && ns.dev == s.current.dev {
			if e := s.at(ns); e.pid == 0 && e.asked == "" && len(e.mounts) == 0 {
				e.asked = path
			}
		}
	}
}

// openSocket opens the namespace that a socket of a process was made in, by way of a
// duplicate of its descriptor; want is its inode. It takes CAP_NET_ADMIN over the
// namespace. Source: net/socket.c, sock_ioctl (SIOCGSKNS); pidfd_getfd(2).
func openSocket(path string, want uint64) (int, error) {
	const siocgskns = 0x894c // include/uapi/linux/sockios.h
	pid, fd, ok := descriptorOf(path)
	if !ok {
		return -1, ErrNotNetwork
	}
	ns := -1
	err := borrow(pid, fd, want, func(socket int) (err error) {
		ns, err = unix.IoctlRetInt(socket, siocgskns)
		return err
	})
	return ns, err
}

// SocketCookie is [Cookie] for the namespace that a socket of a process was made in: its
// descriptor, and the inode of that. It needs no privilege over the namespace.
func SocketCookie(pid, fd int, inode uint32) (cookie uint64, err error) {
	err = borrow(pid, fd, uint64(inode), func(socket int) (err error) {
		cookie, err = unix.GetsockoptUint64(socket, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
		return err
	})
	return cookie, err
}

// borrow calls f with a duplicate of a descriptor, if it is still the one with the inode.
func borrow(pid, fd int, want uint64, f func(fd int) error) error {
	process, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return fmt.Errorf("pidfd_open: %w", err)
	}
	defer unix.Close(process)
	own, err := unix.PidfdGetfd(process, fd, 0)
	if err != nil {
		return fmt.Errorf("pidfd_getfd: %w", err)
	}
	defer unix.Close(own)
	var st unix.Stat_t
	if err := unix.Fstat(own, &st); err != nil {
		return err
	}
	if st.Ino != want || st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return os.ErrNotExist
	}
	return f(own)
}

// descriptorOf reads /proc/PID/fd/N.
func descriptorOf(path string) (pid, fd int, ok bool) {
	words := strings.Split(filepath.Clean(path), "/")
	if len(words) != 5 || words[0] != "" || words[1] != "proc" || words[3] != "fd" || !isPID(words[2]) || !isPID(words[4]) {
		return 0, 0, false
	}
	pid, err := strconv.Atoi(words[2])
	fd, err2 := strconv.Atoi(words[4])
	return pid, fd, err == nil && err2 == nil
}

package bpf

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// walkers begins the name that who walks a network namespace has in its abstract
// namespace of unix(7), and the PID ends it. It goes with the process, and so stays while
// one cannot end.
const walkers = "@tcpka/walk/"

// Enter notes that this process walks the network namespace of the calling thread, until
// leave. If waiting is not 0 it is the process of a walk before that waits for the lock of
// a socket, and this one would stay behind like it. Others' names do no harm: what counts
// is that the process waits. A process of another PID namespace is not found.
func Enter() (leave func(), waiting int) {
	leave = func() {}
	for _, pid := range walking() {
		for begun := time.Now(); waitsForLock(pid); time.Sleep(50 * time.Millisecond) {
			if time.Since(begun) > time.Second {
				return leave, pid
			}
		}
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return leave, 0 // what the note is for is a rare thing
	}
	unix.Bind(fd, &unix.SockaddrUnix{Name: walkers + strconv.Itoa(os.Getpid())})
	return func() { unix.Close(fd) }, 0
}

// walking are the processes that noted so, but for this one.
func walking() (pids []int) {
	table, _ := os.ReadFile("/proc/thread-self/net/unix")
	for line := range bytes.Lines(table) {
		_, number, ok := bytes.Cut(line, []byte(" "+walkers))
		if pid, err := strconv.Atoi(string(bytes.TrimSpace(number))); ok && err == nil && pid != os.Getpid() {
			pids = append(pids, pid)
		}
	}
	return pids
}

// waitsForLock reports whether a thread of a process waits for the lock of a socket.
func waitsForLock(pid int) bool {
	threads, _ := filepath.Glob(filepath.Join("/proc", strconv.Itoa(pid), "task/*/wchan"))
	for _, t := range threads {
		if b, err := os.ReadFile(t); err == nil && string(b) == "__lock_sock" {
			return true
		}
	}
	return false
}

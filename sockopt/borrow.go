package sockopt

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Borrow runs do with a duplicate of descriptor fd of process pid, for [GetFD],
// [SetFD] and [Cookie]. The duplicate is the same socket, so what is set on it
// is set for its owner; it is closed when do returns.
//
// Let do be a few system calls and nothing that waits. While the duplicate
// lives the owner's close does not end the connection; ours does instead, and
// then waits in the owner's place if SO_LINGER says so.
//
// pid is a process, not a thread, as numbered in the caller's PID namespace; fd
// is a name in its /proc/PID/fd. Both may mean something else by the time this
// is called: let do compare the cookie where that matters.
//
// It needs Linux 5.6 and the right to attach to the process as a debugger, see
// ptrace(2), PTRACE_MODE_ATTACH_REALCREDS: CAP_SYS_PTRACE, or the same user
// where Yama and the process's dumpable flag allow it. Errors to test for:
// [os.ErrPermission]; [os.ErrProcessDone], the same as ESRCH; EBADF where the
// process has no such descriptor; EINVAL for a pid below 1. A thread is EINVAL,
// on newer kernels ENOENT. See pidfd_open(2), pidfd_getfd(2).
//
// One trace stays: on a kernel with cgroup v1 the socket moves to the net_cls
// and net_prio group of the caller (net/core/sock.c, __receive_sock).
func Borrow(pid, fd int, do func(fd int) error) error {
	dup, err := duplicate(pid, fd)
	if errors.Is(err, unix.ESRCH) {
		err = fmt.Errorf("%w: %w", err, os.ErrProcessDone)
	}
	if err != nil {
		return fmt.Errorf("descriptor %d of process %d: %w", fd, pid, err)
	}
	defer unix.Close(dup)
	return do(dup)
}

func duplicate(pid, fd int) (int, error) {
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return -1, fmt.Errorf("pidfd_open: %w", err)
	}
	defer unix.Close(pidfd)
	dup, err := unix.PidfdGetfd(pidfd, fd, 0) // close-on-exec
	if err != nil {
		return -1, fmt.Errorf("pidfd_getfd: %w", err)
	}
	return dup, nil
}

//go:build linux

package main

import "golang.org/x/sys/unix"

// callOf is the system call that a thread is stopped before: its number, its first
// argument, and what has it fail in place of being made. See ptrace(2) and seccomp(2),
// SECCOMP_RET_TRACE: the tracer skips a call by the number -1.
func callOf(tid int) (nr, first uint64, fail func(unix.Errno) error, err error) {
	var regs unix.PtraceRegs
	if err := unix.PtraceGetRegs(tid, &regs); err != nil {
		return 0, 0, nil, err
	}
	return regs.Orig_rax, regs.Rdi, func(errno unix.Errno) error {
		regs.Orig_rax, regs.Rax = ^uint64(0), -uint64(errno)
		return unix.PtraceSetRegs(tid, &regs)
	}, nil
}

//go:build linux

package main

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// callOf is the system call that a thread is stopped before: its number, its first
// argument, and what has it fail in place of being made. See ptrace(2) and seccomp(2),
// SECCOMP_RET_TRACE: the tracer skips a call by the number -1.
func callOf(tid int) (nr, first uint64, fail func(unix.Errno) error, err error) {
	var regs unix.PtraceRegs
	if err := unix.PtraceGetRegs(tid, &regs); err != nil {
		return 0, 0, nil, err
	}
	return regs.Regs[8], regs.Regs[0], func(errno unix.Errno) error {
		regs.Regs[0] = -uint64(errno)
		if err := unix.PtraceSetRegs(tid, &regs); err != nil {
			return err
		}
		const systemCall = 0x404 // NT_ARM_SYSTEM_CALL, uapi/linux/elf.h
		skip := int32(-1)
		set := unix.Iovec{Base: (*byte)(unsafe.Pointer(&skip)), Len: 4}
		if _, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_SETREGSET, uintptr(tid), systemCall, uintptr(unsafe.Pointer(&set)), 0, 0); errno != 0 {
			return errno
		}
		return nil
	}, nil
}

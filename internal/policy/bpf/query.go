package bpf

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// query is bpf(2), BPF_PROG_QUERY: the library does not tell how programs are attached.
func query[T any](attr *T) error {
	if _, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_PROG_QUERY, uintptr(unsafe.Pointer(attr)), unsafe.Sizeof(*attr)); errno != 0 {
		return errno
	}
	return nil
}

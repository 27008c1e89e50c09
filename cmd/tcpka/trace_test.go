//go:build linux && (amd64 || arm64)

package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
)

// steps are the system calls that can change what is on the disk or in the
// kernel, of those that open a file the ones that open it for writing, and the
// last one of all.
var steps = []uint64{
	unix.SYS_OPENAT, unix.SYS_OPENAT2, unix.SYS_WRITE, unix.SYS_PWRITE64,
	unix.SYS_FSYNC, unix.SYS_FDATASYNC, unix.SYS_FTRUNCATE, unix.SYS_FLOCK,
	unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2, unix.SYS_LINKAT, unix.SYS_UNLINKAT, unix.SYS_MKDIRAT,
	unix.SYS_FCHMOD, unix.SYS_FCHMODAT, unix.SYS_SETSOCKOPT, unix.SYS_EXIT_GROUP,
}

// writing are the flags of what is opened for more than to be read.
const writing = unix.O_WRONLY | unix.O_RDWR | unix.O_CREAT | unix.O_TRUNC

// steppedMain is tcpka that stops for its tracer before each step, and for nothing
// else: a filter in the kernel looks for them. A tracer that is told of all system
// calls makes each of them a hundred times as slow.
func steppedMain() {
	const number, flags = 0, 16 + 2*8 // in struct seccomp_data: nr, args[2] of a little endian machine
	load := func(offset uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
	}
	give := func(action uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: action}
	}
	filter := []unix.SockFilter{load(number)}
	for _, nr := range steps {
		filter = append(filter, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: uint32(nr), Jf: 1})
		if nr == unix.SYS_OPENAT {
			filter[len(filter)-1].Jf = 3
			filter = append(filter, load(flags), unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, K: writing, Jt: 0, Jf: 1})
		}
		filter = append(filter, give(unix.SECCOMP_RET_TRACE))
		if nr == unix.SYS_OPENAT {
			filter = append(filter, load(number))
		}
	}
	filter = append(filter, give(unix.SECCOMP_RET_ALLOW))
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	const allThreads = unix.SECCOMP_FILTER_FLAG_TSYNC
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, allThreads, uintptr(unsafe.Pointer(&program))); errno != 0 {
		panic(errno)
	}
	os.Args[0] = "tcpka"
	main()
}

// stopAt runs tcpka and stops it just before its n-th step (from 1), counted over
// all its threads, to do something: with the thread that makes it, so that nothing
// else happens in between. It returns whether tcpka got that far, and how it ended.
//
// strace(1) with -e inject=…:when=n counts in every thread for itself, and Go
// moves a goroutine from one to another: it would leave steps out.
func stopAt(t *testing.T, n int, do func(pid, tid int) error, args ...string) (reached bool, end unix.WaitStatus) {
	t.Helper()
	runtime.LockOSThread() // a tracer is a thread
	defer runtime.UnlockOSThread()
	cmd := exec.Command("tcpka-stepped", args...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); errors.Is(err, unix.EPERM) {
		nstest.Missing(t, "ptrace is not permitted")
	} else if err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Release()
	pid := cmd.Process.Pid
	if _, err := unix.Wait4(pid, &end, unix.WALL, nil); err != nil || !end.Stopped() {
		t.Fatalf("it did not stop at its start: %v, %v", end, err)
	}
	// What it starts has the filter, too, and needs somebody to stop for.
	const options = unix.PTRACE_O_EXITKILL | unix.PTRACE_O_TRACESECCOMP |
		unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEFORK | unix.PTRACE_O_TRACEVFORK
	if err := unix.PtraceSetOptions(pid, options); err != nil {
		t.Fatal(err)
	}
	if err := unix.PtraceCont(pid, 0); err != nil {
		t.Fatal(err)
	}
	known := map[int]bool{pid: true}
	ended := false
	for {
		var ws unix.WaitStatus
		tid, err := unix.Wait4(-1, &ws, unix.WALL|unix.WNOTHREAD, nil)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.ECHILD && ended:
			return reached, end
		case err != nil:
			t.Fatal(err)
		case !ws.Stopped():
			delete(known, tid)
			if tid == pid {
				ended, end = true, ws
				for other := range known { // what it started
					unix.Kill(other, unix.SIGKILL)
				}
			}
			continue
		case ended:
			unix.Kill(tid, unix.SIGKILL)
		}
		pass := 0 // the signal to let through
		switch sig := ws.StopSignal(); {
		case sig == unix.SIGTRAP && ws.TrapCause() == unix.PTRACE_EVENT_SECCOMP:
			if !ended && isThread(pid, tid) && beforeStep(tid) {
				if n--; n == 0 {
					reached = true
					if err := do(pid, tid); err != nil {
						t.Fatal(err)
					}
				}
			}
		case sig == unix.SIGTRAP: // a new thread or process, or another program in it
		case sig == unix.SIGSTOP && !known[tid]: // how it begins
			known[tid] = true
		default:
			pass = int(sig)
		}
		if err := unix.PtraceCont(tid, pass); err != nil && err != unix.ESRCH {
			t.Fatal(err)
		}
	}
}

func isThread(pid, tid int) bool {
	return unix.Access(fmt.Sprintf("/proc/%d/task/%d", pid, tid), unix.F_OK) == nil
}

// sends returns what sends a signal.
func sends(signal unix.Signal) func(pid, tid int) error {
	return func(pid, tid int) error { return unix.Tgkill(pid, tid, signal) }
}

// beforeStep reports whether a stopped thread is about to make one of the steps.
// See ptrace(2), PTRACE_GET_SYSCALL_INFO (Linux 5.3).
func beforeStep(tid int) bool {
	const getSyscallInfo, atFilter = 0x420e, 3
	var info struct {
		op   uint8
		arch uint32
		_    [2]uint64
		nr   uint64
		args [6]uint64
		_    uint64
	}
	size, _, errno := unix.Syscall6(unix.SYS_PTRACE, getSyscallInfo, uintptr(tid), unsafe.Sizeof(info), uintptr(unsafe.Pointer(&info)), 0, 0)
	if errno != 0 || size < unsafe.Offsetof(info.args) || info.op != atFilter || !slices.Contains(steps, info.nr) {
		return false
	}
	switch info.nr {
	case unix.SYS_OPENAT:
		return info.args[2]&writing != 0
	case unix.SYS_OPENAT2:
		flags := make([]byte, 8) // the first field of struct open_how
		_, err := unix.PtracePeekData(tid, uintptr(info.args[2]), flags)
		return err != nil || binary.NativeEndian.Uint64(flags)&writing != 0
	}
	return true
}

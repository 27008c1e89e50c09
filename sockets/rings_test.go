package sockets_test

import (
	"os"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/sockets"
)

// registered gives sockets to an io_uring, and closes them: no descriptor is them then.
func registered(t *testing.T, fds ...int32) (ring int) {
	t.Helper()
	var params [120]byte
	const setup, register, registerFiles = unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_REGISTER, 2
	r, _, errno := unix.Syscall(setup, 4, uintptr(unsafe.Pointer(&params)), 0)
	if errno != 0 {
		t.Skipf("no io_uring here: %v", errno)
	}
	t.Cleanup(func() { unix.Close(int(r)) })
	if _, _, errno := unix.Syscall6(register, r, registerFiles, uintptr(unsafe.Pointer(&fds[0])), uintptr(len(fds)), 0, 0); errno != 0 {
		t.Fatalf("register: %v", errno)
	}
	for _, fd := range fds {
		unix.Close(int(fd))
	}
	return int(r)
}

func TestRootSocketsOfAnIOUring(t *testing.T) {
	nstest.RunRoot(t, func(t *testing.T) { ofAnIOUring(t, byKernel, byLibrary, sockets.Query{Source: sockets.Diag}) })
}

func TestSocketsOfAnIOUring(t *testing.T) {
	nstest.Run(t, func(t *testing.T) { ofAnIOUring(t, sockets.Query{Source: sockets.Diag}) })
}

// What only an io_uring holds has the process of the ring for its owner, and is changed
// by its cookie.
func ofAnIOUring(t *testing.T, queries ...sockets.Query) {
	l, at := listener(t, unix.AF_INET, unix.IPPROTO_TCP)
	client, server := pair(t, unix.AF_INET, unix.IPPROTO_TCP, l, at)
	was := look(t, client, sockets.Established, [3]bool{})
	ring := registered(t, int32(client), int32(server))
	for _, q := range queries {
		q.Filter.PIDs = []int{os.Getpid()}
		q.Filter.States = sockets.StatesOf(sockets.Established)
		got := list(t, q)
		s, listed := got.sockets[was.cookie]
		if !listed {
			t.Skipf("%v: the kernel does not name a ring's sockets: %+v", q.Source, got.report)
		}
		if len(got.sockets) != 2 || len(s.Owners) != 1 || s.Owners[0].PID != os.Getpid() || s.Owners[0].FD != ring || !s.Owners[0].Ring {
			t.Errorf("%v: %d sockets, owners %+v, want ring %d of %d", q.Source, len(got.sockets), s.Owners, ring, os.Getpid())
		}
		for _, g := range got.report.Incomplete {
			if g.What == "the owners" || g.What == sockets.Undecided {
				t.Errorf("%v: %v", q.Source, g)
			}
		}
		x := sockets.Target{Cookie: s.Cookie, Inode: s.Inode, Owners: s.Owners, Change: keepalive.Change{Time: new(77 * time.Second)}}
		if q.Source == sockets.BPF {
			if o := retuneOne(t, sockets.RetuneQuery{}, x); o.Result != sockets.Done || o.Way != sockets.ByBPF || o.After.Time != 77*time.Second {
				t.Errorf("%+v", o)
			}
		} else if o := retuneOne(t, tuneByDescriptor, x); o.Result != sockets.Failed || o.Err.Error() != "only an io_uring holds it, which BPF alone gets past" {
			t.Errorf("%+v", o)
		}
	}
}

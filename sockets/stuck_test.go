package sockets_test

import (
	"errors"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/sockets"
	"github.com/tcpka/tcpka/sockets/bpf"
)

// Any user can keep the lock of a socket, and who asks for it waits beyond SIGKILL.
func TestRootStuckLock(t *testing.T) {
	t.Parallel()
	for name, protocol := range map[string]int{"TCP": 0, "MPTCP": unix.IPPROTO_MPTCP} {
		t.Run(name, func(t *testing.T) {
			nstest.RunRoot(t, func(t *testing.T) { stuckLock(t, protocol) })
		})
	}
}

func stuckLock(t *testing.T, protocol int) {
	l, at := listener(t, unix.AF_INET, protocol)
	client, server := pair(t, unix.AF_INET, protocol, l, at)
	l2, at2 := listener(t, unix.AF_INET, 0)
	healthy, _ := pair(t, unix.AF_INET, 0, l2, at2)
	put(t, healthy, unix.TCP_KEEPIDLE, 4321)
	stuck := look(t, client, sockets.Established, [3]bool{})
	before := look(t, healthy, sockets.Established, [3]bool{true})
	release := nstest.KeepLock(t, client)

	began := time.Now()
	found := list(t, sockets.Query{Sysctl: keepalive.Defaults()})
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("the list took %v: it hung until the lock was released", took)
	}
	r := found.report
	if r.Source != sockets.Diag || r.Stuck == nil || r.WhyNotBPF != error(r.Stuck) || len(r.Stuck.Sockets) != 1 ||
		r.Stuck.Sockets[0].FD != client || r.Stuck.Sockets[0].Inode != stuck.inode {
		t.Fatalf("the report is %+v, stuck %+v; want descriptor %d", r, r.Stuck, client)
	}
	if !slices.ContainsFunc(r.Incomplete, func(g sockets.Gap) bool { return g.Owner != nil && g.Owner.FD == client }) {
		t.Errorf("descriptor %d is not named in %v", client, r.Incomplete)
	}
	if s := found.sockets[before.cookie]; s.Time != 4321*time.Second || s.TimeFrom != sockets.FromSocket || !s.IdleKnown || len(s.Owners) != 1 {
		t.Errorf("of the other socket is known %+v", s)
	}
	seen := 0
	for _, s := range found.sockets {
		if s.Inode == stuck.inode {
			seen++
			if s.ValuesKnown || len(s.Owners) != 1 || s.Owners[0].FD != client {
				t.Errorf("of the one that is stuck is known %+v", s)
			}
		}
	}
	if seen != 1 {
		t.Errorf("the one that is stuck is listed %d times", seen)
	}

	if _, err := sockets.List(sockets.Query{Source: sockets.BPF}, func(*sockets.Socket) error { return nil }); !isStuck(err) {
		t.Errorf("BPF and nothing else: %v", err)
	}
	for _, way := range []sockets.Way{sockets.AnyWay, sockets.ByBPF, sockets.ByDescriptor} {
		target := sockets.Target{Cookie: before.cookie, Inode: before.inode, Change: keepalive.Change{Time: new(time.Hour)}}
		_, err := sockets.Retune(sockets.RetuneQuery{Way: way}, []sockets.Target{target}, func(o *sockets.Outcome) error {
			t.Errorf("%v: an outcome, %v", way, o.Result)
			return nil
		})
		if !isStuck(err) {
			t.Errorf("%v: %v", way, err)
		}
	}
	if after := look(t, healthy, sockets.Established, [3]bool{true}); after != before {
		t.Errorf("the other socket was changed: %+v, was %+v", after, before)
	}

	elsewhere(t, func() {
		q := sockets.Query{Sysctl: keepalive.Defaults()}
		if r, err := sockets.List(q, func(*sockets.Socket) error { return nil }); err != nil || r.Source != sockets.BPF || r.Stuck != nil {
			t.Errorf("in another namespace: %v, %+v", err, r)
		}
	})

	release()
	if r := list(t, sockets.Query{Sysctl: keepalive.Defaults()}).report; r.Source != sockets.BPF || r.Stuck != nil {
		t.Errorf("after the release: %+v", r)
	}
	runtime.KeepAlive(server)
}

func isStuck(err error) bool {
	_, ok := errors.AsType[*sockets.StuckError](err)
	return ok
}

func put(t *testing.T, fd, option, value int) {
	t.Helper()
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, option, value); err != nil {
		t.Fatal(err)
	}
}

// elsewhere calls f in a network namespace of its own.
func elsewhere(t *testing.T, f func()) {
	t.Helper()
	var done sync.WaitGroup
	done.Go(func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Error(err)
			return
		}
		f()
	})
	done.Wait()
}

// A connection that is only busy has its lock taken now and then, on a small machine
// mostly.
func TestRootBusyIsNotStuck(t *testing.T) {
	for name, protocol := range map[string]int{"TCP": 0, "MPTCP": unix.IPPROTO_MPTCP} {
		t.Run(name, func(t *testing.T) {
			nstest.RunRoot(t, func(t *testing.T) { busy(t, protocol) })
		})
	}
}

func busy(t *testing.T, protocol int) {
	l, at := listener(t, unix.AF_INET, protocol)
	for range 4 {
		client, server := pair(t, unix.AF_INET, protocol, l, at)
		chunk := make([]byte, 1<<20)
		go func() {
			for {
				if _, err := unix.Write(client, chunk); err != nil {
					return
				}
			}
		}()
		go func() {
			b := make([]byte, 1<<18)
			for {
				if n, err := unix.Read(server, b); err != nil || n == 0 {
					return
				}
			}
		}()
		t.Cleanup(func() { unix.Shutdown(client, unix.SHUT_RDWR); unix.Shutdown(server, unix.SHUT_RDWR) })
	}
	it, err := bpf.Load(bpf.Query{}, bpf.Auto)
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	lists, suspects := 0, 0
	for begun := time.Now(); time.Since(begun) < 5*time.Second; lists++ {
		r := list(t, sockets.Query{Sysctl: keepalive.Defaults()}).report
		if r.Stuck != nil || r.Source != sockets.BPF {
			t.Fatalf("list %d: %+v, %v", lists, r, r.Stuck)
		}
		suspects += locked(t, it)
	}
	t.Logf("%d lists, %d locks seen between them", lists, suspects)
	if suspects == 0 {
		t.Error("none was ever locked: the test is void")
	}
}

// locked counts descriptors whose lock is taken.
func locked(t *testing.T, it *bpf.Iterators) (n int) {
	t.Helper()
	err := it.EachOwner(uint32(os.Getpid()), func(o *bpf.Owner) {
		if o.PID != uint32(os.Getpid()) {
			t.Errorf("of process %d: %+v", os.Getpid(), o)
		}
		if o.Locked != 0 {
			n++
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

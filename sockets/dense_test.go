package sockets_test

import (
	"os"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/sockets"
)

// dense calls f in a namespace where all connections are in one bucket of the
// kernel's hash table: what happens rarely in one of its own happens all the time
// there. See ip-sysctl.rst, tcp_child_ehash_entries (Linux 6.1).
func dense(t *testing.T, f func()) {
	t.Helper()
	const key = "net.ipv4.tcp_child_ehash_entries"
	if _, err := os.Stat("/proc/sys/net/ipv4/tcp_child_ehash_entries"); err != nil {
		nstest.Missing(t, "the kernel has no "+key)
	}
	nstest.Sysctl(t, key, "1")
	if err := nstest.Apart(f); err != nil {
		t.Fatal(err)
	}
}

// churn makes connections and ends them, until stop is called. New ones are the
// first of the bucket, where the kernel counts from.
func churn(t *testing.T) (stop func()) {
	fd, at := listener(t, unix.AF_INET, unix.IPPROTO_TCP)
	here, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	quit := make(chan struct{})
	var all sync.WaitGroup
	for range 2 {
		at := *at.(*unix.SockaddrInet4) // Connect writes in it
		all.Go(func() {
			err := nstest.OnThread(func() error {
				if err := unix.Setns(int(here.Fd()), unix.CLONE_NEWNET); err != nil {
					return err
				}
				for {
					select {
					case <-quit:
						return nil
					default:
						connectOnce(fd, &at)
					}
				}
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	return func() {
		close(quit)
		all.Wait()
		here.Close()
	}
}

func connectOnce(listener int, at unix.Sockaddr) {
	c, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(c)
	// With a RST at the end, for more of them than there are ports.
	unix.SetsockoptLinger(c, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	if unix.Connect(c, at) != nil {
		return
	}
	if s, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC); err == nil {
		unix.Close(s)
	}
}

func TestRootNoneIsMissedInOneBucket(t *testing.T) {
	t.Parallel()
	nstest.RunRoot(t, func(t *testing.T) {
		older, err := sockets.AsBeforeLinux617()
		if err != nil {
			t.Fatal(err)
		}
		defer older.Close()
		before617 := byKernel
		before617.Shared = older
		inOneBucket(t, byKernel, before617, byDiag)
	})
}

func TestNoneIsMissedInOneBucket(t *testing.T) {
	t.Parallel()
	nstest.Run(t, func(t *testing.T) { inOneBucket(t, byDiag) })
}

// One dump of sock_diag in such a namespace leaves out several of a thousand.
func inOneBucket(t *testing.T, readers ...sockets.Query) {
	dense(t, func() {
		all := furnish(t, 500)
		stop := churn(t)
		defer stop()
		for _, q := range readers {
			q.Filter.States = sockets.AllStates
			for range 5 {
				list(t, q).compare(t, all)
			}
		}
	})
}

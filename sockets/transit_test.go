package sockets_test

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/sockets"
)

// A connection that one process passes to another has no owner until it is received.
// A filter by owner cannot tell whether it is meant, and that is reported; one that
// it does not meet anyway can.
func TestRootSocketInTransit(t *testing.T) {
	nstest.RunRoot(t, func(t *testing.T) {
		l, at := listener(t, unix.AF_INET, unix.IPPROTO_TCP)
		client, server := pair(t, unix.AF_INET, unix.IPPROTO_TCP, l, at)
		ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.Sendmsg(ends[0], []byte("x"), unix.UnixRights(client), nil, 0); err != nil {
			t.Fatal(err)
		}
		passed := look(t, client, sockets.Established, [3]bool{})
		unix.Close(client)
		// By sock_diag it depends on whether there are processes that root may not look
		// into, as in a container.
		queries := []sockets.Query{byKernel, byLibrary}
		pids := []int{os.Getpid()}
		for _, q := range queries {
			for _, row := range []struct {
				name   string
				filter sockets.Filter
				want   int
			}{
				{"by process", sockets.Filter{PIDs: pids}, 1},
				{"by name", sockets.Filter{Comms: []string{"nobody's"}}, 1},
				{"by what it is not", sockets.Filter{PIDs: pids, Keepalive: sockets.On}, 0},
				{"at the port that both have", sockets.Filter{PIDs: pids, Ports: []uint16{passed.local.Port()}}, 1},
				{"elsewhere", sockets.Filter{PIDs: pids, Ports: []uint16{1}}, 0},
			} {
				q.Filter = row.filter
				got := 0
				for _, g := range list(t, q).report.Incomplete {
					if g.What == sockets.Undecided && g.Remedy == "" {
						got += g.Sockets
					}
				}
				if got != row.want {
					t.Errorf("%v, %s: %d undecided, want %d", q.Source, row.name, got, row.want)
				}
			}
		}
		rights := make([]byte, unix.CmsgSpace(4))
		if _, _, _, _, err := unix.Recvmsg(ends[1], make([]byte, 1), rights, unix.MSG_CMSG_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		for _, q := range queries {
			q.Filter = sockets.Filter{PIDs: pids}
			l := list(t, q)
			if _, listed := l.sockets[passed.cookie]; !listed || len(l.sockets) != 2 {
				t.Errorf("%v: received, it is listed %t, with %d sockets in all", q.Source, listed, len(l.sockets))
			}
			for _, g := range l.report.Incomplete {
				if g.What == sockets.Undecided {
					t.Errorf("%v: %v", q.Source, g)
				}
			}
		}
		unix.Close(server)
	})
}

package sockets_test

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/sockets"
)

func TestRootListsOfTwoNamespacesThatShare(t *testing.T) {
	nstest.RunRoot(t, func(t *testing.T) { listsThatShare(t, byKernel, byLibrary, byDiag) })
}

func TestListsOfTwoNamespacesThatShare(t *testing.T) {
	nstest.Run(t, func(t *testing.T) { listsThatShare(t, byDiag) })
}

// The second list finds the owners that the first one has looked for, in whatever
// namespace; a socket that was made since has none, and the report says so.
func listsThatShare(t *testing.T, readers ...sockets.Query) {
	here := furnish(t, 20)
	for _, q := range readers {
		shared := new(sockets.Shared)
		q.Shared, q.Filter.States = shared, sockets.AllStates
		err := nstest.Apart(func() {
			there := furnish(t, 20)
			list(t, q).compare(t, there)
			late, _ := listener(t, unix.AF_INET, unix.IPPROTO_TCP)
			h := look(t, late, sockets.Listen, [3]bool{})
			l := list(t, q)
			l.compare(t, there)
			if s, ok := l.sockets[h.cookie]; !ok || len(s.Owners) != 0 {
				t.Errorf("%v: newer than the table: listed %t, %+v", q.Source, ok, s)
			}
			if gaps := l.report.Incomplete; len(gaps) == 0 || gaps[0].What != "the owners" || gaps[0].Sockets != 1 {
				t.Errorf("%v: %v", q.Source, l.report.Incomplete)
			}
			unix.Close(late)
			for _, h := range there {
				unix.Close(h.fd)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		l := list(t, q)
		l.compare(t, here)
		if len(l.sockets) != len(here) {
			t.Errorf("%v: %d sockets, want %d", q.Source, len(l.sockets), len(here))
		}
		if err := shared.Close(); err != nil {
			t.Error(err)
		}
	}
}

package sockets_test

import (
	"testing"

	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/sockets"
	"github.com/tcpka/tcpka/sockets/bpf"
)

var everyReader = []struct {
	name  string
	query sockets.Query
}{
	{"BPF, relocated by the kernel", sockets.Query{Source: sockets.BPF, Loader: bpf.ByKernel}},
	{"BPF, relocated by the library", sockets.Query{Source: sockets.BPF, Loader: bpf.ByLibrary}},
	{"sock_diag", sockets.Query{Source: sockets.Diag}},
}

func TestRootReadersAgreeWithTheOwner(t *testing.T) {
	nstest.RunRoot(t, func(t *testing.T) {
		all := furnish(t, 2000)
		for _, row := range everyReader {
			q := row.query
			q.Filter.States = sockets.AllStates
			l := list(t, q)
			l.compare(t, all)
			if len(l.sockets) != len(all) {
				t.Errorf("%s: %d sockets, want %d", row.name, len(l.sockets), len(all))
			}
		}
	})
}

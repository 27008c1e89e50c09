//go:build linux

package main

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A connection that its program has closed on one side is there and cannot be changed:
// that it keeps the values is told. It is not one that was closed.
func TestUndoTellsOfWhatIsClosedOnOneSide(t *testing.T) {
	bothRooms(t, func(t *testing.T) {
		p := listenHere(t)
		fd, _ := p.connect(t, options{1, 300, 30, 3, 0})
		tcpkaProcess(t, 0, "set", "sockets", "--remote", ":"+p.number, "--time", "600", "--yes")
		if err := unix.Shutdown(fd, unix.SHUT_WR); err != nil {
			t.Fatal(err)
		}
		text, stderr := tcpkaProcess(t, 3, "undo", "--json")
		a := decode(t, text)
		if !slices.Equal(a.Left, []string{"1 socket, which was closed on this side: such a connection is not changed any more, and keeps the values until it ends"}) || len(a.Notes) > 0 || len(a.Changes) > 0 {
			t.Errorf("undo: %+v", a)
		}
		if strings.Contains(stderr, "hint") {
			t.Errorf("there is nothing to go on with: %s", stderr)
		}
		want(t, "closed on one side", fd, options{1, 600, 30, 3, 0})
		_, stderr = tcpkaProcess(t, 1, "undo")
		if !strings.Contains(stderr, "nothing to undo") {
			t.Errorf("again: %s", stderr)
		}
	})
}

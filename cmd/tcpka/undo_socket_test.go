//go:build linux

package main

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A connection that its program has closed on one side, and holds, is changed and goes
// back as any other: nobody but its program will end it.
func TestUndoReachesWhatIsClosedOnOneSide(t *testing.T) {
	bothRooms(t, func(t *testing.T) {
		p := listenHere(t)
		fd, _ := p.connect(t, options{1, 300, 30, 3, 0})
		tcpkaProcess(t, 0, "set", "sockets", "--remote", ":"+p.number, "--time", "600", "--yes")
		if err := unix.Shutdown(fd, unix.SHUT_WR); err != nil {
			t.Fatal(err)
		}
		text, _ := tcpkaProcess(t, 0, "undo", "--json")
		if a := decode(t, text); len(a.Left) > 0 || len(a.Changes) != 1 {
			t.Errorf("undo: %+v", a)
		}
		want(t, "closed on one side", fd, options{1, 300, 30, 3, 0})
		_, stderr := tcpkaProcess(t, 1, "undo")
		if !strings.Contains(stderr, "nothing to undo") {
			t.Errorf("again: %s", stderr)
		}
	})
}

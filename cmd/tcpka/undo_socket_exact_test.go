//go:build linux

package main

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The switch and the user timeout have no sysctl behind them: they come back
// exactly, and own values do. Sockets that ended meanwhile are only told of.
func TestUndoIsExactForWhatWasTheSocketsOwn(t *testing.T) {
	bothRooms(t, func(t *testing.T) {
		p := listenHere(t)
		own := options{0, 300, 30, 3, 4000}
		fd, _ := p.connect(t, own)
		gone, goneServer := p.connect(t, own)
		tcpkaProcess(t, 0, "set", "sockets", "--remote", ":"+p.number, "--on", "--time", "600", "--intvl", "10", "--probes", "5", "--user-timeout", "0", "--yes")
		want(t, "set", fd, options{1, 600, 10, 5, 0})
		unix.Close(gone)
		unix.Close(goneServer)
		text, stderr := tcpkaProcess(t, 0, "undo", "--json")
		if a := decode(t, text); len(a.Left) > 0 || !slices.Equal(a.Notes, []string{"1 socket was closed since"}) || len(a.Changes) != 5 || stderr != "" {
			t.Errorf("undo: %+v\n%s", a, stderr)
		}
		want(t, "undo", fd, own)
	})
}

// A socket that someone has changed since is refused, and only that one: it stays to
// be undone, and the others, which were taken back, do not.
func TestUndoRefusesASocketThatWasChangedSince(t *testing.T) {
	bothRooms(t, func(t *testing.T) {
		p := listenHere(t)
		one, _ := p.connect(t, options{1, 300, 30, 3, 0})
		two, _ := p.connect(t, options{1, 300, 30, 3, 0})
		tcpkaProcess(t, 0, "set", "sockets", "--port", p.number, "--keepalive", "on", "--time", "600", "--yes")
		options{0, 77, 0, 0, 0}.give(t, one)
		text, _ := tcpkaProcess(t, 3, "undo", "--json")
		const why = ": TCP_KEEPIDLE is 77: someone has changed it since, from the 600 it was set to"
		if a := decode(t, text); !a.Partly || len(a.Left) != 1 || !strings.HasSuffix(a.Left[0], why) || !strings.HasPrefix(a.Left[0], "1 socket of ") {
			t.Errorf("undo leaves %q", a.Left)
		}
		want(t, "changed since", one, options{1, 77, 30, 3, 0})
		want(t, "as it was left", two, options{1, 300, 30, 3, 0})

		// What was taken back is whoever's it is now, also where he wants what the
		// command had set.
		options{0, 600, 0, 0, 0}.give(t, two)
		_, stderr := tcpkaProcess(t, 1, "undo")
		if !strings.Contains(stderr, "hint: what is left stays to be undone: tcpka undo ") || !strings.Contains(stderr, "tries again, and tcpka undo --forget ") {
			t.Errorf("undo again: %s", stderr)
		}
		if list, _ := tcpkaProcess(t, 0, "undo", "--list"); !strings.Contains(list, "partly undone") {
			t.Errorf("the list:\n%s", list)
		}
		options{0, 600, 0, 0, 0}.give(t, one)
		tcpkaProcess(t, 0, "undo")
		want(t, "as the command had left it", one, options{1, 300, 30, 3, 0})
		want(t, "changed after it was taken back", two, options{1, 600, 30, 3, 0})
		_, stderr = tcpkaProcess(t, 1, "undo")
		if !strings.Contains(stderr, "nothing to undo") {
			t.Errorf("undo of nothing: %s", stderr)
		}

		options{0, 300, 0, 0, 0}.give(t, two)
		tcpkaProcess(t, 0, "set", "sockets", "--port", p.number, "--keepalive", "on", "--time", "600", "--yes")
		options{0, 78, 0, 0, 0}.give(t, one)
		options{0, 78, 0, 0, 0}.give(t, two)
		for range 2 {
			_, stderr := tcpkaProcess(t, 1, "undo")
			if !strings.Contains(stderr, "nothing could be taken back") || !strings.Contains(stderr, "undo --forget") {
				t.Errorf("undo: %s", stderr)
			}
		}
	})
}

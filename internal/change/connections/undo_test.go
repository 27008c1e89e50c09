package connections

import (
	"testing"
	"time"

	"github.com/tcpka/tcpka/internal/change"
	"github.com/tcpka/tcpka/internal/journal"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/sockets"
)

// What becomes of a time that was 7200 and was set to 600, as the socket is now.
func TestHowASocketGoesBack(t *testing.T) {
	type left struct{ refused, pinned, perhaps int }
	for _, tt := range []struct {
		name   string
		change journal.Change // that is recorded
		sysctl int            // what it says now
		now    int
		from   sockets.Origin
		want   int // 0 is nothing to write
		left   left
	}{
		{"its own", journal.Change{}, 7200, 600, sockets.FromSocket, 7200, left{}},
		{"its own, and the sysctl has changed", journal.Change{}, 1000, 600, sockets.FromSocket, 7200, left{}},
		{"the sysctl's", journal.Change{Inherited: true}, 7200, 600, sockets.FromSocket, 7200, left{pinned: 1}},
		{"the sysctl's, which says something else now", journal.Change{Inherited: true}, 1000, 600, sockets.FromSocket, 1000, left{pinned: 1}},
		{"the sysctl's, which says the same now", journal.Change{Inherited: true}, 600, 600, sockets.FromSocket, 0, left{pinned: 1}},
		{"perhaps the sysctl's", journal.Change{Inherited: true, Unsure: true}, 1000, 600, sockets.FromSocket, 1000, left{perhaps: 1}},
		{"someone else's since", journal.Change{}, 7200, 77, sockets.FromSocket, 0, left{refused: 1}},
		{"it was set back by hand", journal.Change{}, 7200, 7200, sockets.FromUnknown, 0, left{}},
		{"it was never set, as the command was cut short", journal.Change{Inherited: true}, 7200, 7200, sockets.FromSysctl, 0, left{}},
		{"never set, and the sysctl has changed", journal.Change{Inherited: true}, 1000, 1000, sockets.FromSysctl, 0, left{}},
		{"never set, and the sysctl says what was to be set", journal.Change{Inherited: true}, 600, 600, sockets.FromSysctl, 0, left{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := tt.change
			c.Kind, c.Key, c.Old, c.New = journal.Socket, "TCP_KEEPIDLE", new("7200"), new("600")
			r := &socketReversal{Undoing: &change.Undoing{Open: map[*journal.Change]bool{}}}
			b := &socketComeback{sysctl: keepalive.Settings{Time: time.Duration(tt.sysctl) * time.Second}, refused: tally{}}
			s := &sockets.Socket{ValuesKnown: true, Keepalive: sockets.On, Settings: keepalive.Settings{Time: time.Duration(tt.now) * time.Second}, TimeFrom: tt.from}
			if err := r.add(b, s, []*journal.Change{&c}); err != nil {
				t.Fatal(err)
			}
			got := 0
			for _, t := range b.tunings {
				got = *socketOptions[1].wanted(t.change)
			}
			if got != tt.want {
				t.Errorf("it gets %d, want %d", got, tt.want)
			}
			if l := (left{len(b.refused), b.pinned, b.perhaps}); l != tt.left || r.Open[&c] != (tt.left.refused > 0) {
				t.Errorf("left is %+v, want %+v; open %t", l, tt.left, r.Open[&c])
			}
		})
	}
}

package probe

import (
	"testing"
	"time"

	"github.com/tcpka/tcpka/internal/middlebox"
)

// A line that has no room is said in fewer words, not cut.
func TestProgressFitsTheTerminal(t *testing.T) {
	p := progress{refines: true}
	lines := p.lines(middlebox.Progress{
		Bounds: middlebox.Bounds{Survived: 7048 * time.Second, Failed: 7199 * time.Second},
		Silent: 8, Left: 7199 * time.Second,
	})
	for columns, want := range map[int]string{
		200: "tcpka: survived 1h57m28s, not 1h59m59s, 8 connections silent, at most 1h59m59s left in this round (Ctrl-C ends it with this)",
		99:  "tcpka: survived 1h57m28s, not 1h59m59s, 8 connections silent, at most 1h59m59s left in this round",
		96:  "tcpka: survived 1h57m28s, not 1h59m59s, 8 silent, at most 1h59m59s left in this round",
		79:  "tcpka: survived 1h57m28s, not 1h59m59s, 1h59m59s left",
		50:  "survived 1h57m28s, not 1h59m59s, 1h59m59s left",
		40:  "1h59m59s left",
		5:   "1h59m",
	} {
		if got := fitting(lines, columns); got != want {
			t.Errorf("%d columns: %q, want %q", columns, got, want)
		}
	}
}

package report

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// TestJournalFitsTheTerminal has a command without a place to break it: other columns
// give way, but a date stays with its time.
func TestJournalFitsTheTerminal(t *testing.T) {
	when := time.Date(2026, 1, 2, 3, 4, 5, 0, time.Local)
	d := Journal{Entries: []JournalEntry{
		{ID: "1mnedd50", Time: when, State: "partly undone", Command: "set sockets --remote 2001:db8:1111:2222:3333:4444:5555:6666/128 --on"},
		{ID: "1mnedd40", Time: when, State: "done", Command: "set ssh --file /home/somebody/configurations/of/ssh/for/the/other/office/config --interval 60"},
		{ID: "1mnedd30", Time: when, State: "undone", Command: "set --time 600"},
	}}
	for _, width := range []int{40, 50, 60, 70, 80, 100} {
		var b bytes.Buffer
		if err := Table(&b, d, Style{Terminal: true, Width: width}); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(b.String(), when.Format(time.DateTime)); n != len(d.Entries) {
			t.Errorf("%d columns: %d times are whole:\n%s", width, n, &b)
		}
	}
}

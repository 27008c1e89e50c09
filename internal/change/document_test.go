package change

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/answertest"
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
		if err := answer.Table(&b, d, answer.Style{Terminal: true, Width: width}); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(b.String(), when.Format(time.DateTime)); n != len(d.Entries) {
			t.Errorf("%d columns: %d times are whole:\n%s", width, n, &b)
		}
	}
}

func TestSetAndUndo(t *testing.T) {
	old, now := answer.Seconds(answertest.S(7875)), answer.Seconds(answertest.S(1275))
	changes := []Change{
		{Target: TargetSysctl, Netns: new("host"), Key: "net.ipv4.tcp_keepalive_time", Old: new("7200"), New: new("600"), Applied: true, Detection: &OldNew{&old, &now}},
		{Target: TargetSysctl, Netns: new("host"), Key: "net.ipv4.tcp_keepalive_probes", Old: new("9"), New: new("9"), Detection: &OldNew{&old, &now}},
		{Target: TargetBootfile, Path: new("/etc/sysctl.d/99-tcpka.conf"), Key: "net.ipv4.tcp_keepalive_time", New: new("600"), Applied: true, Detection: &OldNew{&old, &now}},
	}
	for name, d := range map[string]answer.Document{
		"set": Set{
			Schema: "tcpka/set/v1", Changed: true, Changes: changes, Detection: &OldNew{&old, &now}, Undo: new("1ng1a6t0"), UndoCommand: "sudo tcpka undo 1ng1a6t0",
			Warnings: []calc.Warning{{ID: "x", Text: "mind this"}}, Unaffected: []string{"sockets with keepalive off"},
		},
		"set_nothing": Set{Schema: "tcpka/set/v1", Changes: changes[1:2], Detection: &OldNew{&old, &old}, Warnings: []calc.Warning{}, Unaffected: []string{}},
		"set_never":   Set{Schema: "tcpka/set/v1", Changed: true, DryRun: true, Changes: changes[:1], Detection: &OldNew{nil, &now}, Warnings: []calc.Warning{}, Unaffected: []string{}},
		"undo": Undo{
			Schema: "tcpka/undo/v1", ID: "1ng1a6t0", Command: "set --time 600", Changes: changes, Left: []string{"namespace web is gone"}, Notes: []string{"2 sockets\x1b were closed since"},
		},
		"undo_partly": Undo{
			Schema: "tcpka/undo/v1", ID: "1ng1a6t0", Command: "set --time 600", Changes: changes[:1], Left: []string{"namespace web is not found from here"}, Partly: true, Notes: []string{},
		},
		"journal": Journal{Schema: "tcpka/undo-list/v1", Entries: []JournalEntry{
			{ID: "1ng1a6t0", Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Command: "set --time '6\x1b'", State: "done", Changes: changes},
		}},
	} {
		var table, doc bytes.Buffer
		t.Setenv("TZ", "UTC")
		if err := answer.Table(&table, d, answer.Style{Width: 100}); err != nil {
			t.Fatal(err)
		}
		if name != "journal" { // in local time
			answertest.Golden(t, name+".txt", table.String())
		}
		if err := answer.JSON(&doc, d); err != nil {
			t.Fatal(err)
		}
		answertest.Golden(t, name+".json", doc.String())
		if strings.ContainsRune(table.String(), '\x1b') {
			t.Errorf("%s: an escape character reaches the terminal:\n%q", name, table.String())
		}
	}
}

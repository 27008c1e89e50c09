package journal

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const (
	beginA  = `{"op":"begin","id":"a","command":"set --time 600","changes":[]}` + "\n"
	beginB  = `{"op":"begin","id":"b","command":"set --time 700","changes":[]}` + "\n"
	doneA   = `{"op":"done","id":"a"}` + "\n"
	undoneA = `{"op":"undone","id":"a"}` + "\n"
)

func TestWhatTheReaderPassesOver(t *testing.T) {
	a := Entry{ID: "a", Command: "set --time 600", Changes: []Change{}}
	b := Entry{ID: "b", Command: "set --time 700", Changes: []Change{}}
	doneA_, undoneA_ := a, a
	doneA_.Done = true
	undoneA_.Undone = true

	for _, row := range []struct {
		name, text string
		want       Log
	}{
		{"nothing", "", Log{}},
		{"the newest comes first", beginA + beginB, Log{Entries: []Entry{b, a}}},
		{"a mark belongs to its command", beginA + beginB + doneA, Log{Entries: []Entry{b, doneA_}}},
		{"undone, and never done", beginA + undoneA, Log{Entries: []Entry{undoneA_}}},
		{"a mark for a command that is no longer there", doneA + beginB, Log{Entries: []Entry{b}}},
		{"empty lines", "\n" + beginA + "\n \r\n", Log{Entries: []Entry{a}}},
		{"a last line that breaks off", beginA + beginB[:40], Log{Entries: []Entry{a}}},
		{"a last line that lacks only its newline", beginA + beginB[:len(beginB)-1], Log{Entries: []Entry{b, a}}},
		{"a broken line that was ended later", beginA[:40] + "\n" + beginB, Log{Entries: []Entry{b}, Skipped: 1}},
		{"zeros in place of a line, as a power failure leaves them", beginA + "\x00\x00\x00\n" + beginB, Log{Entries: []Entry{b, a}, Skipped: 1}},
		{"an operation of a newer version", beginA + `{"op":"redone","id":"a","by":"x"}` + "\n", Log{Entries: []Entry{a}}},
		{"a field of a newer version", `{"op":"begin","id":"a","uid":0,"command":"set --time 600","changes":[]}` + "\n", Log{Entries: []Entry{a}}},
		{"a kind of a newer version", `{"op":"begin","id":"a","changes":[{"kind":"route","via":"x","old":null,"new":"1"}]}` + "\n",
			Log{Entries: []Entry{{ID: "a", Changes: []Change{{Kind: "route", New: new("1")}}}}}},
		{"a second command of the same ID", beginA + beginA, Log{Entries: []Entry{a}, Skipped: 1}},
		{"a second done does not pick again", `{"op":"begin","id":"a","changes":[{"kind":"sysctl","key":"x"},{"kind":"sysctl","key":"y"}]}` + "\n" +
			`{"op":"done","id":"a","applied":[1]}` + "\n" + `{"op":"done","id":"a","applied":[1]}` + "\n",
			Log{Entries: []Entry{{ID: "a", Done: true, Changes: []Change{{Kind: Sysctl, Key: "y"}}}}}},
		{"partly undone, and partly again: the second counts in what the first has left",
			`{"op":"begin","id":"a","changes":[{"kind":"sysctl","key":"w"},{"kind":"sysctl","key":"x"},{"kind":"sysctl","key":"y"},{"kind":"sysctl","key":"z"}]}` + "\n" +
				`{"op":"done","id":"a","applied":[1,2,3]}` + "\n" + `{"op":"partly","id":"a","left":[0,2]}` + "\n" + `{"op":"partly","id":"a","left":[1]}` + "\n",
			Log{Entries: []Entry{{ID: "a", Done: true, Partly: true, Changes: []Change{{Kind: Sysctl, Key: "z"}}}}}},
		{"partly undone, then whole", beginA + doneA + `{"op":"partly","id":"a","left":[]}` + "\n" + undoneA,
			Log{Entries: []Entry{{ID: "a", Command: "set --time 600", Done: true, Partly: true, Undone: true}}}},
		{"lines that say nothing", beginA + "{}\nnull\n[]\n5\n" + `{"op":"begin"}` + "\n" + `{"id":"a"}` + "\n", Log{Entries: []Entry{a}, Skipped: 6}},
		{"a field of the wrong type", `{"op":"begin","id":"b","time":5}` + "\n" + `{"op":"begin","id":"c","changes":[{"old":5}]}` + "\n" + beginA,
			Log{Entries: []Entry{a}, Skipped: 2}},
	} {
		t.Run(row.name, func(t *testing.T) {
			if diff := cmp.Diff(row.want, parse([]byte(row.text))); diff != "" {
				t.Errorf("log (-want +got):\n%s", diff)
			}
		})
	}
}

// The write of a line may stop anywhere. Whatever is left is read without
// complaint, no command before it is lost, and the next one is not glued to it.
func TestACrashAtEveryByte(t *testing.T) {
	d := tempDir(t)
	j := open(t, d)
	var ids []string
	for i := range 3 {
		id := begin(t, j, fmt.Sprint(600+i))
		if err := j.Done(id, nil); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	if err := j.Undone(ids[2]); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(d.String(), fileName)
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	complete := parse(whole)

	for n := range len(whole) + 1 {
		cut := whole[:n]
		// The commands and marks whose lines are there in full.
		want := parse(cut[:bytes.LastIndexByte(cut, '\n')+1])
		if n == len(whole) && len(want.Entries) != len(complete.Entries) {
			t.Fatal("the whole journal is not whole")
		}
		if err := os.WriteFile(name, cut, 0o600); err != nil {
			t.Fatal(err)
		}
		log, err := d.Read()
		if err != nil || log.Skipped != 0 {
			t.Fatalf("cut at %d: %d lines skipped, %v", n, log.Skipped, err)
		}
		atLeast(t, n, want, log)

		id := begin(t, j, "900")
		after, err := d.Read()
		if err != nil {
			t.Fatal(err)
		}
		if after.Skipped > 1 || after.Entries[0].ID != id {
			t.Fatalf("cut at %d: %d lines skipped, the newest is %q, want %q", n, after.Skipped, after.Entries[0].ID, id)
		}
		after.Entries = after.Entries[1:]
		if diff := cmp.Diff(log.Entries, after.Entries, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("cut at %d: another command changed what was there (-before +after):\n%s", n, diff)
		}
	}
}

// atLeast checks that got has the commands of want, and at most what one more
// line says.
func atLeast(t *testing.T, cut int, want, got Log) {
	t.Helper()
	if len(got.Entries) != len(want.Entries) && len(got.Entries) != len(want.Entries)+1 {
		t.Fatalf("cut at %d: %d commands, want %d", cut, len(got.Entries), len(want.Entries))
	}
	for _, w := range want.Entries {
		g, ok := got.Find(w.ID)
		if !ok || w.Done && !g.Done || w.Undone && !g.Undone || !cmp.Equal(w.Changes, g.Changes) {
			t.Fatalf("cut at %d: %+v became %+v", cut, w, g)
		}
	}
}

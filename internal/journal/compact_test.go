package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestShorten(t *testing.T) {
	const here = "now"
	entry := func(id, boot, kind string, marks ...string) string {
		text := fmt.Sprintf(`{"op":"begin","id":%q,"boot_id":%q,"changes":[{"kind":%q,"old":"1","new":"2"}]}`+"\n", id, boot, kind)
		for _, m := range marks {
			text += fmt.Sprintf(`{"op":%q,"id":%q}`+"\n", m, id)
		}
		return text
	}
	const future = `{"op":"redone","id":"x"}` + "\n"
	var (
		open    = entry("a", here, "socket", "done")
		undone  = entry("b", here, "socket", "done", "undone")
		gone    = entry("c", "before", "socket", "done")
		file    = entry("d", "before", "ssh", "done")
		reverse = entry("e", "before", "bootfile", "done", "undone")
		unknown = entry("f", "before", "something new", "done")
		newest  = entry("g", here, "socket", "done", "undone")
	)
	whole := open + undone + gone + file + future + reverse + unknown + newest
	for _, row := range []struct {
		name string
		text string
		size int
		want string
	}{
		{"everything fits", whole, len(whole), whole},
		{"the oldest of an earlier boot goes first", whole, len(whole) - 1, open + undone + file + future + reverse + unknown + newest},
		{"then the next one of that boot", whole, len(whole) - len(gone) - 1, open + undone + file + future + unknown + newest},
		{"what can be undone stays, whatever its boot, and what a newer version wrote, and the newest", whole, 0, open + file + future + unknown + newest},
		{"what cannot be read goes, even if it fits", "x\n" + open + "\x00\x00\n" + open[:30], 1000, open},
		{"marks of nothing go", `{"op":"done","id":"z"}` + "\n" + open, 1000, open},
		{"nothing", "", 0, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			if diff := cmp.Diff(row.want, string(shorten([]byte(row.text), row.size, here))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestAJournalOfWhatCanBeUndoneIsFull has no command that may go: the next one is refused,
// until one is taken back.
func TestAJournalOfWhatCanBeUndoneIsFull(t *testing.T) {
	d := tempDir(t)
	j := open(t, d)
	j.max = 4000
	var ids []string
	var err error
	for range 50 {
		var id string
		if id, err = j.Begin("set", timeTo("600")); err != nil {
			break
		}
		ids = append(ids, id)
		if err := j.Done(id, nil); err != nil {
			t.Fatal(err)
		}
	}
	if !errors.Is(err, ErrFull) {
		t.Fatalf("after %d commands: %v, want ErrFull", len(ids), err)
	}
	log, err := d.Read()
	if err != nil || len(log.Entries) != len(ids) {
		t.Fatalf("%d commands are left of %d, %v", len(log.Entries), len(ids), err)
	}
	for _, id := range ids[:2] {
		if err := j.Undone(id); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := j.Begin("set", timeTo("600")); err != nil {
		t.Errorf("after two were taken back: %v", err)
	}
}

func TestALongJournalLosesItsOldestCommands(t *testing.T) {
	d := tempDir(t)
	j := open(t, d)
	j.max = 4000
	// A crash while the file was being replaced left this.
	left := filepath.Join(d.String(), fileName+".new")
	if err := os.WriteFile(left, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for range 50 {
		id := begin(t, j, "600")
		if err := errors.Join(j.Done(id, nil), j.Undone(id)); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)

		log, err := d.Read()
		if err != nil || log.Skipped != 0 {
			t.Fatalf("%d lines skipped, %v", log.Skipped, err)
		}
		if info, err := j.file.Stat(); err != nil || int(info.Size()) > j.max+200 {
			t.Fatalf("the journal is %d bytes long, %v", info.Size(), err)
		}
		if len(log.Entries) < min(len(ids), 5) {
			t.Fatalf("%d commands are left of %d", len(log.Entries), len(ids))
		}
		for i, e := range log.Entries {
			if want := ids[len(ids)-1-i]; e.ID != want || !e.Done || !e.Undone {
				t.Fatalf("command %d from the end is %+v, want %s", i, e, want)
			}
		}
	}
	if log, err := d.Read(); err != nil || len(log.Entries) == len(ids) {
		t.Errorf("all %d commands are left, %v", len(ids), err)
	}
	if _, err := os.Lstat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is there: %v", left, err)
	}
	if _, err := d.openWrite(0); !errors.Is(err, ErrLocked) {
		t.Errorf("the new file can be opened by others: %v, want ErrLocked", err)
	}
}

func TestACommandMayBeTooLarge(t *testing.T) {
	d := tempDir(t)
	j := open(t, d)
	j.max = 4000
	first := begin(t, j, "600")
	if _, err := j.Begin("set ssh", []Change{{Kind: SSH, New: new(strings.Repeat("x", 2000))}}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v, want ErrTooLarge", err)
	}
	if e, ok := newest(t, j); !ok || e.ID != first {
		t.Errorf("the newest is %+v, want %s", e, first)
	}
}

package journal

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTail(t *testing.T) {
	const future = `{"op":"redone","id":"b"}` + "\n"
	text := beginA + doneA + beginB + future + undoneA
	for _, row := range []struct {
		name string
		text string
		size int
		want string
	}{
		{"everything fits", text, len(text), text},
		{"the oldest does not fit", text, len(text) - 1, beginB + future + undoneA},
		{"the newest is kept even if it does not fit", text, 0, beginB + future + undoneA},
		{"with what was not understood", text + "x\n", 0, beginB + future + undoneA + "x\n"},
		{"a line that breaks off stays", text + beginA[:30], 0, beginB + future + undoneA + beginA[:30]},
		{"nothing begins a command", doneA + "x", 100, ""},
		{"nothing", "", 100, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			if diff := cmp.Diff(row.want, string(tail([]byte(row.text), row.size))); diff != "" {
				t.Errorf("tail (-want +got):\n%s", diff)
			}
		})
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

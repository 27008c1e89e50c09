package journal

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/tcpka/tcpka/internal/nstest"
)

func TestACommandFromBeginToUndone(t *testing.T) {
	d := tempDir(t)
	j := open(t, d)
	before := time.Now().Truncate(time.Second)
	id, err := j.Begin("set --time 600", timeTo("600"))
	if err != nil {
		t.Fatal(err)
	}
	boot, err := BootID()
	if err != nil {
		t.Fatal(err)
	}
	want := Entry{ID: id, BootID: boot, Command: "set --time 600", Changes: timeTo("600")}
	check := func(step string) {
		t.Helper()
		for name, read := range map[string]func() (Log, error){"Dir.Read": d.Read, "Journal.Log": j.Log} {
			log, err := read()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(Log{Entries: []Entry{want}}, log, cmpopts.IgnoreFields(Entry{}, "Time")); diff != "" {
				t.Errorf("%s, after %s (-want +got):\n%s", name, step, diff)
			}
			if got := log.Entries[0].Time; got.Before(before) || got.After(time.Now()) || got.Location() != time.UTC {
				t.Errorf("%s, after %s: it began at %v", name, step, got)
			}
		}
	}
	check("Begin")
	if err := j.Done(id, nil); err != nil {
		t.Fatal(err)
	}
	want.Done = true
	check("Done")
	if err := j.Undone(id); err != nil {
		t.Fatal(err)
	}
	want.Undone = true
	check("Undone")
}

func TestUndoGoesBackOneCommandAtATime(t *testing.T) {
	j := open(t, tempDir(t))
	var ids []string
	for _, v := range []string{"600", "700", "800"} {
		ids = append(ids, begin(t, j, v))
		if err := j.Done(ids[len(ids)-1], nil); err != nil {
			t.Fatal(err)
		}
	}
	for i := len(ids) - 1; i >= 0; i-- {
		e, ok := newest(t, j)
		if !ok || e.ID != ids[i] {
			t.Fatalf("the newest not undone is %q, want %q", e.ID, ids[i])
		}
		if err := j.Undone(e.ID); err != nil {
			t.Fatal(err)
		}
	}
	if e, ok := newest(t, j); ok {
		t.Errorf("all is undone, and yet there is %q", e.ID)
	}
}

func TestACommandThatWasCutShortCanBeUndone(t *testing.T) {
	j := open(t, tempDir(t))
	id := begin(t, j, "600")
	if e, ok := newest(t, j); !ok || e.ID != id || e.Done {
		t.Errorf("newest is %+v", e)
	}
}

// What an undo leaves is what the next one finds.
func TestPartlyUndone(t *testing.T) {
	changes := append(append(timeTo("600"), timeTo("700")...), timeTo("800")...)
	j := open(t, tempDir(t))
	id, err := j.Begin("set sockets", changes)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Done(id, []int{1, 2}); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name string
		left []int
		want []Change
	}{
		{"all", nil, changes[1:]},
		{"the second of those that were made", []int{1}, changes[2:]},
		{"the one that was left", []int{0}, changes[2:]},
	} {
		if err := j.Partly(id, step.left); err != nil {
			t.Fatal(err)
		}
		e, ok := newest(t, j)
		if diff := cmp.Diff(step.want, e.Changes); !ok || !e.Partly || diff != "" {
			t.Errorf("%s: still to be undone is %+v (-want +got):\n%s", step.name, e, diff)
		}
	}
}

func TestPartlyDoneKeepsWhatWasMade(t *testing.T) {
	changes := append(append(timeTo("600"), timeTo("700")...), timeTo("800")...)
	for _, row := range []struct {
		name    string
		applied []int
		want    []Change
	}{
		{"all", nil, changes},
		{"none", []int{}, nil},
		{"the first and the last", []int{0, 2}, []Change{changes[0], changes[2]}},
		{"indices that there are not", []int{-1, 1, 3}, []Change{changes[1]}},
	} {
		t.Run(row.name, func(t *testing.T) {
			j := open(t, tempDir(t))
			id, err := j.Begin("set sockets", changes)
			if err != nil {
				t.Fatal(err)
			}
			if err := j.Done(id, row.applied); err != nil {
				t.Fatal(err)
			}
			log, err := j.Log()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(row.want, log.Entries[0].Changes); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEveryFieldAndByteComesBack(t *testing.T) {
	changes := []Change{
		{Kind: Sysctl, Netns: &Netns{Name: "host", Inode: 4026531840, Cookie: 1}, Key: "net.ipv4.tcp_keepalive_time", Old: new("7200"), New: new("600")},
		{Kind: Bootfile, Path: "/etc/sysctl.d/99-tcpka.conf", Old: nil, New: new("net.ipv4.tcp_keepalive_time = 600\n")},
		{Kind: Bootfile, Path: "/etc/sysctl.d/99-tcpka.conf", Old: new(""), New: nil},
		{Kind: SSH, Path: "/home/a/.ssh/config", Old: new("# caf\xe9, in Latin-1\x00\x1b[31m\n"), New: new("<&> \u2028 \ufffd \x7f\r\n")},
		{Kind: Socket, Netns: &Netns{Name: "web", Inode: 4026532001}, Key: "TCP_KEEPIDLE", Old: new("7200"), New: new("600"), Inherited: true,
			Endpoint: &Endpoint{Cookie: 1<<64 - 1, PID: 812, FD: 0, Local: "[::1]:22", Remote: "[::1]:51514"}},
	}
	j := open(t, tempDir(t))
	id, err := j.Begin("set \x1b[2J", changes)
	if err != nil {
		t.Fatal(err)
	}
	log, err := j.Log()
	if err != nil {
		t.Fatal(err)
	}
	e, ok := log.Find(id)
	if !ok {
		t.Fatalf("%s is not to be found", id)
	}
	if diff := cmp.Diff(changes, e.Changes); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if e.Command != "set \x1b[2J" {
		t.Errorf("command %q", e.Command)
	}
}

func TestAPathThatJSONCannotHoldIsRefused(t *testing.T) {
	j := open(t, tempDir(t))
	if id, err := j.Begin("set ssh", []Change{{Kind: SSH, Path: "/home/caf\xe9/.ssh/config", New: new("")}}); err == nil {
		t.Errorf("begun as %s", id)
	}
	if log, err := j.Log(); err != nil || len(log.Entries) != 0 {
		t.Errorf("the journal holds %+v, %v", log, err)
	}
}

// The package comment shows the format; other programs may read it.
func TestTheFormatIsTheDocumentedOne(t *testing.T) {
	d := tempDir(t)
	j := open(t, d)
	id := begin(t, j, "600")
	if err := errors.Join(j.Done(id, nil), j.Done(id, []int{0}), j.Undone(id)); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(d.String(), "journal.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var got []map[string]any
	for line := range strings.Lines(string(text)) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		got = append(got, m)
	}
	if stamp, err := time.Parse(time.RFC3339, got[0]["time"].(string)); err != nil || stamp.Nanosecond() != 0 {
		t.Errorf("time %v: %v", got[0]["time"], err)
	}
	boot, err := BootID()
	if err != nil {
		t.Fatal(err)
	}
	delete(got[0], "time")
	want := []map[string]any{
		{"op": "begin", "id": id, "boot_id": boot, "command": "set --time 600", "changes": []any{map[string]any{
			"kind": "sysctl", "netns": map[string]any{"name": "host", "inode": 4026531840.0, "cookie": 1.0},
			"key": "net.ipv4.tcp_keepalive_time", "old": "7200", "new": "600",
		}}},
		{"op": "done", "id": id},
		{"op": "done", "id": id, "applied": []any{0.0}},
		{"op": "undone", "id": id},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

func TestReadingAMissingJournalMakesNothing(t *testing.T) {
	d := tempDir(t)
	log, err := d.Read()
	if err != nil || len(log.Entries) != 0 {
		t.Errorf("got %+v, %v", log, err)
	}
	if _, err := os.Lstat(d.String()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory is there: %v", err)
	}
	if err := os.Mkdir(d.String(), 0o700); err != nil {
		t.Fatal(err)
	}
	if log, err := d.Read(); err != nil || len(log.Entries) != 0 {
		t.Errorf("of an empty directory: got %+v, %v", log, err)
	}
}

func TestOnlyTheOwnerHasAccess(t *testing.T) {
	d := At(filepath.Join(t.TempDir(), "state", "more", "tcpka"))
	open(t, d)
	for name, want := range map[string]os.FileMode{
		"":              0o700 | os.ModeDir,
		"journal.jsonl": 0o600,
		"..":            0o700 | os.ModeDir,
		"../..":         0o700 | os.ModeDir,
	} {
		info, err := os.Lstat(filepath.Join(d.String(), name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != want {
			t.Errorf("mode of %q is %v, want %v", name, info.Mode(), want)
		}
	}
}

// A file that no tcpka wrote may be longer than a journal becomes. What can be undone is
// found in it, and the next command makes it shorter.
func TestALongFileIsReadAndShortened(t *testing.T) {
	d := tempDir(t)
	j := open(t, d)
	id := begin(t, j, "600")
	if err := j.file.Truncate(2*maxSize + 1); err != nil { // sparse
		t.Fatal(err)
	}
	if log, err := d.Read(); err != nil || len(log.Entries) != 1 || log.Entries[0].ID != id {
		t.Errorf("Read: %+v, %v", log, err)
	}
	second, err := j.Begin("set", timeTo("700"))
	if err != nil {
		t.Fatal(err)
	}
	log, err := d.Read()
	if err != nil || len(log.Entries) != 2 || log.Entries[0].ID != second || log.Entries[1].ID != id {
		t.Errorf("afterwards: %+v, %v", log, err)
	}
	if info, err := j.file.Stat(); err != nil || info.Size() > 4096 {
		t.Errorf("it is %d bytes long, %v", info.Size(), err)
	}
}

// What can be done is known before, and nothing is made to learn it.
func TestWritableTellsWhetherOpenWorks(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		for _, row := range []struct {
			name string
			make func(dir string) error
			want error
		}{
			{"nothing is there", func(string) error { return nil }, nil},
			{"an empty directory", func(dir string) error { return os.MkdirAll(dir, 0o700) }, nil},
			{"a read-only file system above", func(dir string) error {
				above := filepath.Dir(dir)
				return errors.Join(os.MkdirAll(above, 0o700), unix.Mount("none", above, "tmpfs", unix.MS_RDONLY, ""))
			}, unix.EROFS},
			{"a journal on one", func(dir string) error {
				return errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(dir+"/journal.jsonl", nil, 0o600),
					unix.Mount(dir, dir, "", unix.MS_BIND, ""), unix.Mount("", dir, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""))
			}, unix.EROFS},
			{"a file where the directory belongs", func(dir string) error {
				return errors.Join(os.MkdirAll(filepath.Dir(dir), 0o700), os.WriteFile(dir, nil, 0o600))
			}, &UntrustedError{}},
			{"a directory that lets others in", func(dir string) error {
				return errors.Join(os.MkdirAll(dir, 0o700), os.Chmod(dir, 0o755))
			}, &UntrustedError{}},
		} {
			t.Run(row.name, func(t *testing.T) {
				top := t.TempDir()
				dir := filepath.Join(top, "state", "tcpka")
				if err := row.make(dir); err != nil {
					t.Fatal(err)
				}
				before, _ := filepath.Glob(top + "/*/*/*")
				d := At(dir)
				same := func(err error) bool {
					_, untrusted := errors.AsType[*UntrustedError](err)
					_, wanted := row.want.(*UntrustedError)
					return wanted && untrusted || !wanted && errors.Is(err, row.want)
				}
				if err := d.Writable(); !same(err) {
					t.Errorf("Writable: %v, want %v", err, row.want)
				}
				if after, _ := filepath.Glob(top + "/*/*/*"); len(after) != len(before) {
					t.Errorf("it has made %q", after)
				}
				j, err := d.Open()
				if err == nil {
					j.Close()
				}
				if !same(err) {
					t.Errorf("Open: %v, want %v", err, row.want)
				}
				unix.Unmount(dir, 0)
				unix.Unmount(filepath.Dir(dir), 0)
			})
		}
	})
}

// tempDir is where a journal may come to be.
func tempDir(t testing.TB) Dir {
	return At(filepath.Join(t.TempDir(), "tcpka"))
}

func open(t testing.TB, d Dir) *Journal {
	t.Helper()
	j, err := d.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

func begin(t testing.TB, j *Journal, value string) (id string) {
	t.Helper()
	id, err := j.Begin("set --time "+value, timeTo(value))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func newest(t testing.TB, j *Journal) (Entry, bool) {
	t.Helper()
	log, err := j.Log()
	if err != nil {
		t.Fatal(err)
	}
	return log.Newest()
}

// timeTo is the change of one sysctl.
func timeTo(value string) []Change {
	return []Change{{
		Kind:  Sysctl,
		Netns: &Netns{Name: "host", Inode: 4026531840, Cookie: 1},
		Key:   "net.ipv4.tcp_keepalive_time",
		Old:   new("7200"),
		New:   new(value),
	}}
}

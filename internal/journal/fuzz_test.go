package journal

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Whatever is in the file, reading it does no harm, cutting it short loses no
// command before the cut, and a command that is added is the newest.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", beginA + doneA + beginB + undoneA, beginA + beginB[:30], beginA[:30] + "\n" + beginB,
		`{"op":"begin","id":"a","time":"2026-01-02T03:04:05Z","boot_id":"x","command":"set","changes":[{"kind":"ssh","path":"/x","old":null,"new":{"base64":"6Q=="}}]}` + "\n",
		`{"op":"begin","id":"a","changes":[{"kind":"socket","socket":{"cookie":31,"pid":1,"fd":0},"old":"1","new":"2","inherited":true},null]}` + "\n" + `{"op":"done","id":"a","applied":[1,7,-1]}`,
		`{"op":"begin","id":"a","changes":[{"key":"x"},{"key":"y"}]}` + "\n" + `{"op":"partly","id":"a","left":[1,7,-1]}`,
		"\x00\x00\n", `{"op":"begin","id":"zzzzzzzz"}` + "\n",
	} {
		f.Add([]byte(seed), len(seed)/2)
	}
	f.Fuzz(func(t *testing.T, data []byte, at int) {
		log := parse(data)

		at = min(max(at, 0), len(data))
		before := parse(data[:bytes.LastIndexByte(data[:at], '\n')+1])
		for i := range before.Entries {
			b := before.Entries[len(before.Entries)-1-i]
			w := log.Entries[len(log.Entries)-1-i]
			if b.ID != w.ID || b.Done && !w.Done || b.Partly && !w.Partly || b.Undone && !w.Undone {
				t.Fatalf("command %d is %+v before the cut and %+v in the whole", i, b, w)
			}
		}

		kept := parse(shorten(data, len(data)/2, "now"))
		for i, e := range log.Entries {
			if k, ok := kept.Find(e.ID); !ok && (i == 0 || !e.Undone && !e.Gone("now")) || ok && !reflect.DeepEqual(k, e) {
				t.Fatalf("the shortened one has %+v where the whole has %+v", k, e)
			}
		}

		id := nextID(lastID(data), time.Unix(1767323045, 0))
		if _, known := log.Find(id); known {
			return // an ID that no tcpka gave
		}
		line, err := encode(record{Op: opBegin, ID: id})
		if err != nil {
			t.Fatal(err)
		}
		after := parse(append(append(bytes.Clone(data), '\n'), line...))
		if len(after.Entries) != len(log.Entries)+1 || after.Entries[0].ID != id {
			t.Fatalf("%d commands became %d when one was added", len(log.Entries), len(after.Entries))
		}
	})
}

// A change comes back as it was, and stays on its line.
func FuzzChange(f *testing.F) {
	f.Add("/etc/x", "net.ipv4.tcp_keepalive_time", "7200", "600", true)
	f.Add("", "", "# caf\xe9\r\n", "\x00\x1b\u2028\ufffd", false)
	f.Add("<&>", "\"\\", "{\"base64\":\"6Q==\"}", "null", false)
	f.Fuzz(func(t *testing.T, path, key, old, new_ string, absent bool) {
		want := Change{Kind: Bootfile, Path: strings.ToValidUTF8(path, ""), Key: strings.ToValidUTF8(key, ""), Old: &old, New: &new_}
		if absent {
			want.Old = nil
		}
		line, _, err := encodeBegin(record{Op: opBegin, ID: "a"}, slices.Values([]Change{want}))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Count(line, []byte{'\n'}) != 1 {
			t.Fatalf("more than one line: %q", line)
		}
		log := parse(line)
		if len(log.Entries) != 1 {
			t.Fatalf("%q was not understood", line)
		}
		if diff := cmp.Diff([]Change{want}, log.Entries[0].Changes); diff != "" {
			t.Fatalf("changes (-want +got):\n%s", diff)
		}
	})
}

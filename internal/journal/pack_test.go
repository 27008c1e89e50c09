package journal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tuned are the changes of n sockets to which three options were set.
func tuned(n int) []Change {
	var changes []Change
	ns := Netns{Name: "host", Inode: 4026531833, Cookie: 1}
	for i := range n {
		e := Endpoint{Cookie: 10000 + uint64(i), PID: 43210, FD: i, Local: "10.20.30.40:5432", Remote: fmt.Sprintf("10.20.%d.%d:50000", i/250, i%250)}
		changes = append(changes,
			Change{Kind: Socket, Netns: &ns, Endpoint: &e, Key: "SO_KEEPALIVE", Old: new("0"), New: new("1")},
			Change{Kind: Socket, Netns: &ns, Endpoint: &e, Key: "TCP_KEEPIDLE", Old: new("7200"), New: new("600"), Inherited: true},
			Change{Kind: Socket, Netns: &ns, Endpoint: &e, Key: "TCP_KEEPINTVL", Old: new("75"), New: new("10"), Inherited: true})
	}
	return changes
}

// Whatever is packed comes back as it was and in its order, because Done names
// changes by their index.
func TestPackedChangesComeBack(t *testing.T) {
	many := tuned(3)
	otherValue := tuned(3)
	otherValue[4].Old = new("300")
	otherOrigin := tuned(3)
	otherOrigin[4].Inherited = false
	unsure := tuned(3)
	unsure[4].Unsure = true
	otherNamespace := tuned(3)
	otherNamespace[6].Netns, otherNamespace[7].Netns, otherNamespace[8].Netns = &Netns{Name: "web", Inode: 7}, &Netns{Name: "web", Inode: 7}, &Netns{Name: "web", Inode: 7}
	torn := tuned(2)
	torn[1], torn[4] = torn[4], torn[1] // the options of two sockets take turns
	sysctl := Change{Kind: Sysctl, Key: "net.ipv4.tcp_keepalive_time", Netns: &Netns{Name: "host"}, Old: new("1"), New: new("2")}
	between := append(append(tuned(2), sysctl), tuned(2)...)
	file := Change{Kind: SSH, Path: "/x", Old: nil, New: new("\xe9")}
	for _, tt := range []struct {
		name     string
		changes  []Change
		elements int // in the file
	}{
		{"no change", []Change{}, 0},
		{"no socket", []Change{sysctl, file}, 2},
		{"one socket", tuned(1), 1},
		{"sockets that change alike", many, 1},
		{"another value in the middle", otherValue, 3},
		{"a value that was inherited in one and not in the others", otherOrigin, 3},
		{"a value of which that is not known in one", unsure, 3},
		{"another namespace at the end", otherNamespace, 2},
		{"options in another order", torn, 6},
		{"another kind in between", between, 3},
		{"a socket without an option", []Change{{Kind: Socket, Endpoint: &Endpoint{Cookie: 1}}}, 1},
		{"a socket without an endpoint", []Change{{Kind: Socket, Key: "TCP_KEEPIDLE"}}, 1},
		{"bytes that are not UTF-8", []Change{{Kind: Socket, Endpoint: &Endpoint{Cookie: 1}, Key: "k", Old: new("\xff"), New: nil}}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b bytes.Buffer
			if n, err := writePacked(&b, slices.Values(tt.changes)); err != nil || n != len(tt.changes) {
				t.Fatalf("%d of %d changes: %v", n, len(tt.changes), err)
			}
			data := b.Bytes()
			var elements []json.RawMessage
			if err := json.Unmarshal(data, &elements); err != nil || len(elements) != tt.elements {
				t.Errorf("%d elements, want %d: %v\n%s", len(elements), tt.elements, err, data)
			}
			var back packed
			if err := json.Unmarshal(data, &back); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.changes, []Change(back)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// What 20,000 sockets take in the journal: about a hundred bytes each, so that a
// journal of 64 MiB takes hundreds of such commands.
func TestManySocketsAreSmall(t *testing.T) {
	changes := tuned(20000)
	line, _, err := encodeBegin(record{Op: opBegin, ID: "a"}, slices.Values(changes))
	if err != nil {
		t.Fatal(err)
	}
	if len(line) > 20000*128 || strings.Count(string(line), "inherited") != 2 {
		t.Errorf("%d bytes", len(line))
	}
	if log := parse(line); log.Skipped > 0 || len(log.Entries[0].Changes) != len(changes) {
		t.Errorf("%d changes came back", len(log.Entries[0].Changes))
	}
}

func BenchmarkManySockets(b *testing.B) {
	changes := tuned(20000)
	for b.Loop() {
		line, _, err := encodeBegin(record{Op: opBegin, ID: "a"}, slices.Values(changes))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(line)), "bytes")
		parse(line)
	}
}

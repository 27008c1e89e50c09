package sockets

import (
	"bytes"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/connection"
	"github.com/tcpka/tcpka/sockets"
)

// What stands above a column can be typed to sort by it, in any letters.
func TestSortTakesTheHeadings(t *testing.T) {
	seen := 0
	for _, o := range []Options{{Netns: true}, {Wide: true}, {Ends: true}} {
		var b bytes.Buffer
		table := NewTable(&b, answer.Style{}, o)
		if err := table.Socket(&connection.Socket{}); err != nil {
			t.Fatal(err)
		}
		if err := table.End(End{Summary: Summary{Total: 1}}); err != nil {
			t.Fatal(err)
		}
		first, _, _ := strings.Cut(b.String(), "\n")
		for _, heading := range regexp.MustCompile(" {2,}").Split(first, -1) {
			if heading == "NOTE" {
				continue
			}
			seen++
			for _, text := range []string{heading, strings.ToLower(heading), "-" + heading} {
				if o, err := orderBy(text); err != nil || o.by == nil {
					t.Errorf("--sort %q: %v", text, err)
				}
			}
		}
	}
	if seen != 8+21+8 {
		t.Errorf("%d headings", seen)
	}
	for _, key := range headings {
		if !slices.Contains(SortKeys(), key) {
			t.Errorf("a heading stands for %q, which is no key", key)
		}
	}
}

func TestSortByPort(t *testing.T) {
	row := func(local, remote string) connection.Socket {
		return connection.Socket{State: sockets.Established.String(), Local: netip.MustParseAddrPort(local), Remote: netip.MustParseAddrPort(remote)}
	}
	rows := []connection.Socket{row("10.0.0.1:443", "10.0.0.9:1"), row("10.0.0.9:22", "10.0.0.1:7"), row("10.0.0.8:22", "10.0.0.1:9")}
	o, err := orderBy("-port")
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(rows, func(a, b connection.Socket) int { return o.compare(&a, &b) })
	var got []string
	for _, r := range rows {
		got = append(got, r.Local.String())
	}
	if want := []string{"10.0.0.1:443", "10.0.0.8:22", "10.0.0.9:22"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

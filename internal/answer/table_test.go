package answer

import (
	"bufio"
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/olekukonko/tablewriter"
)

func tableOf(s Style, header []string, rows ...[]string) string {
	var b bytes.Buffer
	w := bufio.NewWriter(&b)
	WriteTable(w, s, header, rows)
	w.Flush()
	return b.String()
}

func TestTable(t *testing.T) {
	header := []string{"SETTING", "NOW", "LAST HEARD OF", "NOTE"}
	rows := [][]string{
		{"time", "7200  2h", "an hour ago", "of the host alone"},
		{"  of one socket", "75  1m15s", "", "7200 .. 7201"},
	}
	for _, tt := range []struct {
		name  string
		style Style
		want  string
	}{
		{"no terminal: a row is a line", Style{Width: 40}, `
SETTING          NOW        LAST HEARD OF  NOTE
time             7200  2h   an hour ago    of the host alone
  of one socket  75  1m15s                 7200 .. 7201
`},
		{"it fits", Style{Width: 60, Terminal: true}, `
SETTING          NOW        LAST HEARD OF  NOTE
time             7200  2h   an hour ago    of the host alone
  of one socket  75  1m15s                 7200 .. 7201
`},
		{"what costs the fewest lines is broken", Style{Width: 52, Terminal: true}, `
SETTING   NOW       LAST HEARD OF  NOTE
time      7200  2h  an hour ago    of the host alone
  of one  75                       7200 .. 7201
  socket  1m15s
`},
		{"no narrower than 40", Style{Width: 10, Terminal: true}, `
SETTING   NOW    LAST      NOTE
                 HEARD OF
time      7200   an hour   of the host
          2h     ago       alone
  of one  75               7200 .. 7201
  socket  1m15s
`},
	} {
		if diff := cmp.Diff(tt.want[1:], tableOf(tt.style, header, rows...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestTableStacksWhatNothingCanBeBrokenOf(t *testing.T) {
	long := strings.Repeat("x", 25)
	got := tableOf(Style{Width: 40, Terminal: true}, []string{"NAME", "FILE", "NOTE"},
		[]string{long, "y", "the first of those that " + long}, []string{"b", "z", ""})
	want := `NAME                       FILE
  NOTE
` + long + `  y
  the first of those that
  ` + long + `
b                          z
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestTablesLoseNothing breaks tables at every width: the words stay, and no line is
// wider than the terminal but where a word is.
func TestTablesLoseNothing(t *testing.T) {
	header := []string{"NAME", "AS LONG AS IT TAKES", "日本 WIDE", ""}
	rows := [][]string{
		{"one two", "7200  2h", "日本 日本 日本 日本", "ok"},
		{"  three", "", "\x1b[31m red", "not measured: socket: too many open files"},
		{"short"},
	}
	words := func(text string) map[string]int {
		n := map[string]int{}
		for _, word := range strings.Fields(text) {
			n[word]++
		}
		return n
	}
	want := words(tableOf(Style{}, header, rows...))
	for width := 40; width < 120; width++ {
		got := tableOf(Style{Width: width, Terminal: true}, header, rows...)
		if diff := cmp.Diff(want, words(got)); diff != "" {
			t.Errorf("width %d (-want +got):\n%s", width, diff)
		}
		for line := range strings.Lines(got) {
			if n := tablewriter.DisplayWidth(strings.TrimSuffix(line, "\n")); n > width {
				t.Errorf("width %d: a line of %d: %s", width, n, line)
			}
		}
	}
}

func BenchmarkTableThatDoesNotFit(b *testing.B) {
	header := []string{"NAMESPACE", "TIME", "INTVL", "PROBES", "DEAD PEER AFTER", "REFRESHED EVERY", "PROBES SENT", "DROPPED", "NOTE"}
	var rows [][]string
	for i := range 5000 {
		rows = append(rows, []string{fmt.Sprint("netns-", i), "7200  2h", "75  1m15s", "9", "7875 s (2h11m15s)", "7200 s (2h)", "0", "0", "probes_zero; time_zero"})
	}
	for b.Loop() {
		tableOf(Style{Width: 80, Terminal: true}, header, rows...)
	}
}

package connections

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/tcpka/tcpka/internal/answer"
)

// tally counts sockets that met with the same, program by program.
type tally map[tallied]int

type tallied struct{ of, text string }

func (n tally) add(t *tuning, text string) {
	of := ""
	if comm := t.comm(); comm != nil {
		of = " of " + *comm
	}
	n[tallied{of, text}]++
}

// lines words it, what happened most often first, and the end of a long list in
// one.
func (n tally) lines() []string {
	type row struct {
		tallied
		n int
	}
	var rows []row
	for t, count := range n {
		rows = append(rows, row{t, count})
	}
	slices.SortFunc(rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(b.n, a.n), cmp.Compare(a.of, b.of), cmp.Compare(a.text, b.text))
	})
	const most = 8
	var lines []string
	for i, r := range rows {
		if i == most {
			rest := 0
			for _, r := range rows[i:] {
				rest += r.n
			}
			return append(lines, answer.Some(rest, "1 socket for another reason", "%d sockets for other reasons"))
		}
		lines = append(lines, fmt.Sprintf("%s%s: %s", answer.Some(r.n, "1 socket", "%d sockets"), r.of, r.text))
	}
	return lines
}

// Package diff shows how two versions of a small text differ, in the unified
// format that diff -u prints and patch reads.
package diff

import (
	"fmt"
	"slices"
	"strings"
)

// context is how many lines are shown around a change.
const context = 3

// Unified returns the difference between old and new under their names, which may
// be /dev/null. It is empty where there is none.
//
// The fewest lines are shown as changed, unless more than 300 are: then all
// between the first and the last.
func Unified(oldName, newName string, old, new []byte) string {
	a, b := slices.Collect(strings.Lines(string(old))), slices.Collect(strings.Lines(string(new)))
	edits := compare(a, b)
	if len(edits) == 0 {
		return ""
	}
	var out strings.Builder
	fmt.Fprintf(&out, "--- %s\n+++ %s\n", oldName, newName)
	for len(edits) > 0 {
		n := 1
		for n < len(edits) && edits[n].a-(edits[n-1].a+edits[n-1].deleted) <= 2*context {
			n++
		}
		hunk(&out, a, b, edits[:n])
		edits = edits[n:]
	}
	return out.String()
}

// edit says that the lines a[a:a+deleted] became b[b:b+inserted].
type edit struct{ a, b, deleted, inserted int }

// hunk prints changes that are near each other, with what is around them.
func hunk(out *strings.Builder, a, b []string, edits []edit) {
	first, last := edits[0], edits[len(edits)-1]
	before := min(context, first.a)
	from, to := first.a-before, min(last.a+last.deleted+context, len(a))
	lines := to - from
	for _, e := range edits {
		lines += e.inserted - e.deleted
	}
	fmt.Fprintf(out, "@@ -%s +%s @@\n", span(from, to-from), span(first.b-before, lines))
	at := from
	for _, e := range edits {
		print(out, " ", a[at:e.a])
		print(out, "-", a[e.a:e.a+e.deleted])
		print(out, "+", b[e.b:e.b+e.inserted])
		at = e.a + e.deleted
	}
	print(out, " ", a[at:to])
}

// span is where a hunk lies: the first line, from 1, and their number. One without
// lines lies behind the line named.
func span(from, n int) string {
	switch n {
	case 0:
		return fmt.Sprintf("%d,0", from)
	case 1:
		return fmt.Sprint(from + 1)
	}
	return fmt.Sprintf("%d,%d", from+1, n)
}

func print(out *strings.Builder, mark string, lines []string) {
	for _, line := range lines {
		out.WriteString(mark + line)
		if !strings.HasSuffix(line, "\n") {
			out.WriteString("\n\\ No newline at end of file\n")
		}
	}
}

// maxChanged bounds the work on texts that have little in common.
const maxChanged = 300

// compare finds the edits that lead from a to b.
func compare(a, b []string) []edit {
	start := 0
	for start < len(a) && start < len(b) && a[start] == b[start] {
		start++
	}
	endA, endB := len(a), len(b)
	for endA > start && endB > start && a[endA-1] == b[endB-1] {
		endA, endB = endA-1, endB-1
	}
	if start == endA && start == endB {
		return nil
	}
	edits, ok := shortest(a[start:endA], b[start:endB])
	if !ok {
		edits = []edit{{0, 0, endA - start, endB - start}}
	}
	for i := range edits {
		edits[i].a += start
		edits[i].b += start
	}
	return edits
}

// shortest finds the fewest edits. ok is false where they are too many. Source:
// E. Myers, An O(ND) Difference Algorithm and Its Variations, 1986, figure 2.
func shortest(a, b []string) (edits []edit, ok bool) {
	// reach[k] is how far in a one gets on the diagonal k = x - y.
	reach := map[int]int{1: 0}
	var history []map[int]int
	for d := 0; ; d++ {
		if d > maxChanged {
			return nil, false
		}
		next := make(map[int]int, d+1)
		for k := -d; k <= d; k += 2 {
			x := step(reach, k, d)
			for x < len(a) && x-k < len(b) && a[x] == b[x-k] {
				x++
			}
			next[k] = x
			if x >= len(a) && x-k >= len(b) {
				return retrace(history, a, b), true
			}
		}
		history = append(history, next)
		reach = next
	}
}

// step is where the d-th change on the diagonal k leads from what was reached
// before.
func step(reach map[int]int, k, d int) int {
	switch {
	case d == 0:
		return 0
	case k == -d, k != d && reach[k-1] < reach[k+1]:
		return reach[k+1] // a line of b inserted
	}
	return reach[k-1] + 1 // a line of a deleted
}

// retrace walks the changes from the end to the beginning.
func retrace(history []map[int]int, a, b []string) []edit {
	var edits []edit
	x, y := len(a), len(b)
	for d := len(history); d > 0; d-- {
		reach, k := history[d-1], x-y
		from := k - 1
		if k == -d || k != d && reach[k-1] < reach[k+1] {
			from = k + 1
		}
		px := reach[from]
		py := px - from
		e := edit{a: px, b: py}
		if from < k {
			e.deleted = 1
		} else {
			e.inserted = 1
		}
		edits = append(edits, e)
		x, y = px, py
	}
	slices.Reverse(edits)
	return join(edits)
}

// join makes one of edits that touch.
func join(edits []edit) []edit {
	var all []edit
	for _, e := range edits {
		if n := len(all) - 1; n >= 0 && all[n].a+all[n].deleted == e.a && all[n].b+all[n].inserted == e.b {
			all[n].deleted += e.deleted
			all[n].inserted += e.inserted
			continue
		}
		all = append(all, e)
	}
	return all
}

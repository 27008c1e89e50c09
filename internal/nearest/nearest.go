// Package nearest finds the names that somebody who mistyped one may have
// meant.
package nearest

import (
	"cmp"
	"slices"
	"strings"
)

// most is how many names are worth reading.
const most = 5

// Names returns those of names that are like name, the likeliest first, at most
// five: names that contain it, or one of its words, and names a few slips of the
// finger away. It looks at neither case nor the difference between -, _ and a
// space. It may find none.
func Names(name string, names []string) []string {
	type candidate struct {
		name  string
		score int
	}
	var found []candidate
	typed := fold(name)
	for _, n := range names {
		if score, ok := distance(typed, fold(n)); ok {
			found = append(found, candidate{n, score})
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return cmp.Compare(a.score, b.score) })
	var near []string
	for _, c := range found[:min(most, len(found))] {
		near = append(near, c.name)
	}
	return near
}

func fold(s string) string {
	return strings.NewReplacer("_", "-", " ", "-").Replace(strings.ToLower(s))
}

// distance scores how far name is from what was typed; ok is false where they
// have nothing in common.
func distance(typed, name string) (score int, ok bool) {
	slips := edits(typed, name)
	switch {
	case slips <= 1+len(typed)/4 && slips < max(len(typed), 1):
		return slips, true
	case typed != "" && strings.Contains(name, typed):
		return 10 + slips, true
	}
	for word := range strings.SplitSeq(typed, "-") {
		if len(word) > 1 && slices.Contains(strings.Split(name, "-"), word) {
			return 100 + slips, true
		}
	}
	return 0, false
}

// Programs is like [Names] for names of programs and products, where a name that is like
// another is seldom meant for it: mssql is not mysql, and rds-proxy not kube-proxy. A name
// is near if one of its words begins with what was typed, if it is one of several that
// begin with the same word, or if it is a slip or two away, with the same first letter.
func Programs(name string, names []string) []string {
	const short = 5 // shorter ones that are one slip apart are two programs
	typed := fold(name)
	first, _, words := strings.Cut(typed, "-")
	var near, family []string
	shared := 0
	for _, n := range names {
		folded := fold(n)
		related := words && first != "" && strings.HasPrefix(folded+"-", first+"-")
		if related {
			shared++
		}
		switch {
		case len(typed) >= short && edits(typed, folded) <= 1+len(typed)/8 && typed[0] == folded[0],
			len(typed) > 2 && strings.Contains("-"+folded, "-"+typed):
			near = append(near, n)
		case related:
			family = append(family, n)
		}
	}
	if shared > 1 {
		near = append(near, family...)
	}
	return Names(name, near)
}

// Slips counts what makes one of the other, as [Names] does.
func Slips(typed, name string) int { return edits(fold(typed), fold(name)) }

// edits counts the characters to insert, delete, replace or swap with their
// neighbour to make b of a.
func edits(a, b string) int {
	s, t := []rune(a), []rune(b)
	var before []int // the row before the last, for swaps
	last := make([]int, len(t)+1)
	for j := range last {
		last[j] = j
	}
	for i := range s {
		row := make([]int, len(t)+1)
		row[0] = i + 1
		for j := range t {
			change := 1
			if s[i] == t[j] {
				change = 0
			}
			row[j+1] = min(last[j]+change, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && s[i] == t[j-1] && s[i-1] == t[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(t)]
}

package sshedit

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tcpka/tcpka/internal/sshconf"
)

// The most that is said about other lines.
const maxKept = 10

// kept looks for lines that go on deciding for some, in the files that are at hand.
func (v *Revision) kept() []string {
	r := v.request
	pattern := r.pattern()
	if pattern != "" && !strings.ContainsAny(pattern, "*?") {
		return nil
	}
	after, err := r.scan(&sshconf.Overlay{Path: v.Path, Content: v.New})
	if err != nil {
		return nil
	}
	k := keptLines{
		server: r.Server, wanted: sshconf.NamesOf(r.Server), deciding: map[sshconf.Position]bool{},
		ours: func(name string) bool { return pattern == "" || sshconf.MatchPattern(name, pattern) },
	}
	maps.DeleteFunc(k.wanted, func(_ string, k sshconf.Keyword) bool {
		return !slices.ContainsFunc(r.Values, func(w sshconf.Value) bool { return w.Keyword == k })
	})
	for _, s := range after {
		k.deciding[sshconf.Position{File: s.File, Line: s.Line}] = true
	}
	for _, path := range v.files() {
		content := v.New
		if path != v.Path {
			if content, err = sshconf.ReadConfig(path); err != nil {
				continue
			}
		}
		k.look(path, parseDocument(content, !r.Server))
	}
	if more := len(k.found) - maxKept; more > 0 {
		k.found = append(k.found[:maxKept], fmt.Sprintf("and %d more", more))
	}
	return k.found
}

// keptLines are found in one file after the other.
type keptLines struct {
	server   bool
	wanted   map[string]sshconf.Keyword
	deciding map[sshconf.Position]bool // after the change
	ours     func(name string) bool    // whether the change is for a host
	found    []string
}

func (k *keptLines) look(path string, d document) {
	for i, l := range d.lines {
		switch keyword := k.wanted[l.keyword]; {
		case keyword == "" || len(l.args) == 0:
		case k.deciding[sshconf.Position{File: path, Line: i + 1}]:
			if !k.server { // the first line counts: what is below has no effect
				maps.DeleteFunc(k.wanted, func(_ string, other sshconf.Keyword) bool { return other == keyword })
			}
		case l.block >= 0 && !d.isForAll(l.block) && slices.ContainsFunc(d.lines[l.block].args, k.ours):
			k.found = append(k.found, fmt.Sprintf("%s: %s %s (%s line %d)", strings.TrimSpace(d.lines[l.block].raw), keyword, l.args[0], path, i+1))
		}
	}
}

// files are those that may have more to say, in the order in which they are read.
func (v *Revision) files() []string {
	r := v.request
	files := []string{r.main()}
	if v.Path == r.main() {
		return files
	}
	others, _ := filepath.Glob(filepath.Join(filepath.Dir(v.Path), "*.conf"))
	if !slices.Contains(others, v.Path) {
		others = append(others, v.Path)
	}
	slices.Sort(others)
	return append(others, files...)
}

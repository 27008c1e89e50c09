package sshedit

import (
	"maps"
	"strings"

	"github.com/tcpka/tcpka/internal/sshconf"
)

// document is a file of ssh or sshd as its lines. Nothing is lost: the lines put
// together are the file.
type document struct {
	lines []line
	end   string // of new lines: as the first one ends
}

// line is one line, with its end.
type line struct {
	raw     string
	keyword string // in lower case; empty on a line without one
	args    []string
	// block is the line, from 0, with the Host or Match that this one is below, or
	// that it is. -1 is none: it holds for everything.
	block int
}

func (l line) blank() bool { return strings.Trim(l.raw, sshconf.Whitespace+"\f") == "" }

func (l line) comment() bool {
	return strings.HasPrefix(strings.TrimLeft(l.raw, sshconf.Whitespace), "#")
}

// parseDocument takes a file apart. Lines with quotes that do not close, which ssh
// and sshd refuse, are kept as they are.
func parseDocument(content []byte, client bool) document {
	d := document{end: "\n"}
	block := -1
	for raw := range strings.Lines(string(content)) {
		l := line{raw: raw}
		l.keyword, l.args, _ = sshconf.SplitLine(raw)
		if l.keyword == "match" || client && l.keyword == "host" {
			block = len(d.lines)
		}
		l.block = block
		d.lines = append(d.lines, l)
	}
	if len(d.lines) > 0 && strings.HasSuffix(d.lines[0].raw, "\r\n") {
		d.end = "\r\n"
	}
	return d
}

// revision is what becomes of a document: lines replaced, and others put in before
// a line; len(lines) is the end.
type revision struct {
	replace map[int]string
	insert  map[int][]string // without their ends
}

func newRevision() revision { return revision{map[int]string{}, map[int][]string{}} }

// put adds lines before line i, behind those that are to go there already.
func (r revision) put(i int, lines ...string) { r.insert[i] = append(r.insert[i], lines...) }

// clone returns a copy that can be added to.
func (r revision) clone() revision {
	all := revision{maps.Clone(r.replace), map[int][]string{}}
	for at, lines := range r.insert {
		all.put(at, lines...)
	}
	return all
}

// with returns a copy with more lines.
func (r revision) with(i int, lines ...string) revision {
	all := r.clone()
	all.put(i, lines...)
	return all
}

// apply returns the new file. A last line without an end gets one where something
// comes behind it.
func (d document) apply(r revision) []byte {
	var b strings.Builder
	for i := range len(d.lines) + 1 {
		for _, s := range r.insert[i] {
			if n := b.Len(); n > 0 && b.String()[n-1] != '\n' {
				b.WriteString(d.end)
			}
			b.WriteString(s + d.end)
		}
		if i == len(d.lines) {
			break
		}
		if s, ok := r.replace[i]; ok {
			b.WriteString(s)
		} else {
			b.WriteString(d.lines[i].raw)
		}
	}
	return []byte(b.String())
}

// valueSpan is where the first argument of a line lies, with its quotes. ok is
// false where there is none.
func valueSpan(raw string) (from, to int, ok bool) {
	_, rest, ok := sshconf.CutKeyword(raw)
	if !ok || rest == "" || rest[0] == '#' {
		return 0, 0, false
	}
	from = len(strings.TrimRight(raw, sshconf.Whitespace+"\f")) - len(rest)
	_, size, closed := sshconf.CutWord(rest)
	return from, from + size, closed
}

// setValue returns a line with another value. Keyword, separator, quotes, comment
// and end stay. ok is false where the line has no value.
func setValue(raw, value string) (changed string, ok bool) {
	from, to, ok := valueSpan(raw)
	if !ok {
		return raw, false
	}
	old := raw[from:to]
	for _, q := range []string{`"`, `'`} {
		if len(old) >= 2 && strings.HasPrefix(old, q) && strings.HasSuffix(old, q) {
			value = q + value + q
		}
	}
	return raw[:from] + value + raw[to:], true
}

// change gives values to the lines of the file that decide now, where these may be
// changed, and returns those that have to be written elsewhere. What holds already is
// left alone. Path is the file's, as Setting.File has it.
func (d document) change(now []sshconf.Setting, path string, values []sshconf.Value, may func(s sshconf.Setting, line int) bool) (r revision, rest []sshconf.Value) {
	r = newRevision()
	for _, v := range values {
		s := sshconf.Of(now, v.Keyword)
		if s.Unsure == "" && v.Holds(s.Effective()) {
			continue
		}
		if i := s.Line - 1; s.File == path && i >= 0 && i < len(d.lines) && may(s, i) {
			if changed, ok := setValue(d.lines[i].raw, v.Text); ok {
				r.replace[i] = changed
				continue
			}
		}
		rest = append(rest, v)
	}
	return r, rest
}

// indent is the white space that the lines of a block begin with, or those of any
// other block; the first that is there.
func (d document) indent(block int) string {
	for _, mine := range []bool{true, false} {
		for i, l := range d.lines {
			if l.keyword == "" || l.block < 0 || l.block == i || mine != (l.block == block) {
				continue
			}
			if space := l.raw[:len(l.raw)-len(strings.TrimLeft(l.raw, " \t"))]; space != "" || mine {
				return space
			}
		}
	}
	return "  "
}

// endOf is the line behind the last one of a block that says something.
func (d document) endOf(block int) int {
	end := block + 1
	for i, l := range d.lines {
		if l.block == block && l.keyword != "" {
			end = i + 1
		}
	}
	return end
}

// above is line i, or the first of the comments that stand right above it.
func (d document) above(i int) int {
	for i > 0 && d.lines[i-1].comment() {
		i--
	}
	return i
}

// Statements are the lines of a file that set something, or include, by their
// keyword, as it is spelt there, and their first argument. Of other programs' files they are what
// stands before and behind the equals sign.
func Statements(content []byte) []sshconf.Value {
	var all []sshconf.Value
	for _, l := range parseDocument(content, true).lines {
		if l.keyword == "" || l.keyword == "host" || l.keyword == "match" || len(l.args) == 0 {
			continue
		}
		body := strings.Trim(l.raw, sshconf.Whitespace+`"`)
		all = append(all, sshconf.Value{Keyword: sshconf.Keyword(body[:min(len(l.keyword), len(body))]), Text: l.args[0]})
	}
	return all
}

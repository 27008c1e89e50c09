package sshedit

import (
	"slices"
	"sort"

	"github.com/tcpka/tcpka/internal/sshconf"
)

// scanner looks up what is in force with another content of the file that is
// edited.
type scanner func(content []byte) ([]sshconf.Setting, error)

// reviseClient works out what a file of ssh has to become so that values hold for
// the hosts of a pattern, or where it is empty for every host that has no value of
// its own. Path is the file's, as Setting.File has it. What holds already is left
// alone.
//
// The first line that applies decides, so:
//   - a line of this file that decides is changed where it stands, if it is there
//     for just these hosts;
//   - for a pattern the rest goes into the block Host PATTERN, or else into a new
//     one, as far down as it takes effect, so that little is before other lines;
//   - for every host it goes into a Host * that ends the file, or into a new one
//     there: hosts with a value of their own keep it.
//
// It may not take effect: then another line comes first, in a block that is not for
// just these hosts or in another file, which is not for us to overrule.
func reviseClient(content []byte, path, pattern string, values []sshconf.Value, scan scanner) ([]byte, error) {
	d := parseDocument(content, true)
	now, err := scan(content)
	if err != nil {
		return nil, err
	}
	base, rest := d.change(now, path, values, func(s sshconf.Setting, i int) bool { return s.Unsure == "" && d.isFor(i, pattern) })
	if len(rest) == 0 {
		return d.apply(base), nil
	}
	if pattern == "" {
		return d.apply(d.addForAll(base, rest)), nil
	}
	if block := d.exactBlock(pattern); block >= 0 {
		return d.apply(d.addToBlock(base, block, rest)), nil
	}
	// The further up the more it decides: find the last place where it does.
	places := d.places()
	var scanErr error
	n := sort.Search(len(places), func(i int) bool {
		settings, err := scan(d.apply(d.addBlock(base, places[i], pattern, rest)))
		if err != nil {
			scanErr = err
			return true
		}
		return slices.ContainsFunc(rest, func(v sshconf.Value) bool {
			s := sshconf.Of(settings, v.Keyword)
			return s.Unsure != "" || !v.Holds(s.Effective())
		})
	})
	if scanErr != nil {
		return nil, scanErr
	}
	return d.apply(d.addBlock(base, places[max(n-1, 0)], pattern, rest)), nil
}

// isFor reports whether a line is there for just the hosts of a pattern, or where
// it is empty for all that are not excepted.
func (d document) isFor(i int, pattern string) bool {
	block := d.lines[i].block
	if pattern != "" {
		return block >= 0 && d.isExact(block, pattern)
	}
	return block < 0 || d.isForAll(block)
}

func (d document) isForAll(block int) bool {
	l := d.lines[block]
	if l.keyword == "match" {
		return sshconf.IsAll(l.args)
	}
	return slices.Contains(l.args, "*")
}

func (d document) isExact(block int, pattern string) bool {
	l := d.lines[block]
	return l.keyword == "host" && len(l.args) == 1 && l.args[0] == pattern
}

// exactBlock is the first block for just this pattern, -1 is none.
func (d document) exactBlock(pattern string) int {
	for i, l := range d.lines {
		if l.block == i && d.isExact(i, pattern) {
			return i
		}
	}
	return -1
}

func (d document) addToBlock(base revision, block int, values []sshconf.Value) revision {
	var lines []string
	for _, v := range values {
		lines = append(lines, v.Option(d.indent(block)))
	}
	return base.with(d.endOf(block), lines...)
}

// addForAll adds values for every host behind everything else: bare lines there
// would belong to the last block.
func (d document) addForAll(base revision, values []sshconf.Value) revision {
	n := len(d.lines)
	if n > 0 {
		if last := d.lines[n-1].block; last >= 0 && d.isForAll(last) && len(d.lines[last].args) == 1 {
			return d.addToBlock(base, last, values)
		}
	}
	return d.addBlock(base, n, "*", values)
}

// places are where a new block can go, from the top to the end.
func (d document) places() []int {
	var places []int
	for i, l := range d.lines {
		// The first line that says something, if it is below no block; or the
		// beginning of a block.
		if l.keyword != "" && (len(places) == 0 || l.block == i) {
			places = append(places, d.above(i))
		}
	}
	return append(places, len(d.lines))
}

// addBlock adds a block Host before line i. Where lines below no block follow, they
// are put below a Host *, which means the same.
func (d document) addBlock(base revision, i int, pattern string, values []sshconf.Value) revision {
	var lines []string
	if i > 0 && !d.lines[i-1].blank() {
		lines = append(lines, "")
	}
	lines = append(lines, "Host "+pattern)
	for _, v := range values {
		lines = append(lines, v.Option(d.indent(-2)))
	}
	if i == len(d.lines) {
		return base.with(i, lines...)
	}
	lines = append(lines, "")
	if j := slices.IndexFunc(d.lines[i:], func(l line) bool { return l.keyword != "" }); j >= 0 && d.lines[i+j].block < 0 {
		lines = append(lines, "Host *")
	}
	return base.with(i, lines...)
}

package sshedit

import (
	"path"
	"slices"
	"strings"

	"github.com/tcpka/tcpka/internal/sshconf"
)

// reviseServer works out what a file of sshd has to become so that values hold for
// every connection that no Match block has others for. Path is the file's, as
// Setting.File has it. What holds already is left alone.
//
// The first line decides. Where it is one of this file, it is changed where it
// stands. The rest goes behind the line that has the same keyword as a comment, as
// in the file that OpenSSH comes with, or else before the first Match; and where
// that is too late, because an Include above has a value, before everything else.
func reviseServer(content []byte, path string, values []sshconf.Value, scan scanner) ([]byte, error) {
	d := parseDocument(content, false)
	now, err := scan(content)
	if err != nil {
		return nil, err
	}
	base, rest := d.change(now, path, values, func(_ sshconf.Setting, i int) bool { return d.lines[i].block < 0 })
	if len(rest) == 0 {
		return d.apply(base), nil
	}
	late := base.clone()
	top, firstMatch := d.bounds()
	for _, v := range rest {
		at := firstMatch
		if i := d.commentedOut(v.Keyword, firstMatch); i >= 0 {
			at = i + 1
		}
		late.put(at, v.Option(""))
	}
	updated := d.apply(late)
	settings, err := scan(updated)
	if err != nil {
		return nil, err
	}
	beaten := func(v sshconf.Value) bool {
		s := sshconf.Of(settings, v.Keyword)
		return s.Line > 0 && !v.Holds(s.Value)
	}
	if !slices.ContainsFunc(rest, beaten) {
		return updated, nil
	}
	early := base.clone()
	for _, v := range rest {
		early.put(top, v.Option(""))
	}
	return d.apply(early), nil
}

// bounds are the line before which something is the first that is said, and the one
// before which it is in no Match block, yet below everything else.
func (d document) bounds() (top, firstMatch int) {
	top, firstMatch = len(d.lines), len(d.lines)
	for i, l := range d.lines {
		if l.keyword == "" {
			continue
		}
		top = min(top, i)
		if l.block == i {
			firstMatch = d.above(i)
			// The blank lines between stay between.
			for firstMatch > 0 && d.lines[firstMatch-1].blank() {
				firstMatch--
			}
			break
		}
	}
	return d.above(min(top, firstMatch)), firstMatch
}

// commentedOut is the last line before the given one that has a keyword as a
// comment: "#ClientAliveInterval 0". -1 is none.
func (d document) commentedOut(k sshconf.Keyword, before int) int {
	for i := before - 1; i >= 0; i-- {
		l := d.lines[i]
		if !l.comment() {
			continue
		}
		keyword, args, err := sshconf.SplitLine(strings.TrimLeft(l.raw, "# \t"))
		if err == nil && keyword == strings.ToLower(string(k)) && len(args) == 1 {
			return i
		}
	}
	return -1
}

// dropInNames are the names that a drop-in of ours may have. The first of them that
// is read before every other file with such a value is taken: unlike in sysctl.d the
// lowest name wins.
var dropInNames = []string{"10-tcpka.conf", "01-tcpka.conf", "00-tcpka.conf", "00-00-tcpka.conf"}

// dropInDir is the directory from which a main file reads drop-ins, as it says itself
// before any block, and the line, from 0, that says so; empty is none. Of the Includes it
// is the first whose pattern takes our names. preset is what a relative one is below.
func (d document) dropInDir(preset string) (dir string, include int) {
	for i, l := range d.lines {
		if l.block >= 0 {
			break
		}
		if l.keyword != "include" {
			continue
		}
		for _, arg := range l.args {
			if !path.IsAbs(arg) {
				arg = path.Join(preset, arg)
			}
			dir, base := path.Split(path.Clean(arg))
			if strings.ContainsAny(dir, `*?[\%$~`) || !strings.ContainsAny(base, "*?") || strings.ContainsAny(base, `[\%$`) {
				continue
			}
			if !slices.ContainsFunc(dropInNames, func(n string) bool { return !sshconf.MatchPattern(n, base) }) {
				return path.Clean(dir), i
			}
		}
	}
	return "", 0
}

// dropInHeader is the first line of a drop-in that is new.
const dropInHeader = "# Written by tcpka set ssh; tcpka undo takes it back.\n"

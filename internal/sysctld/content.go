package sysctld

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// header is the first line of every drop-in.
const header = "# Written by tcpka. Undo with: tcpka undo"

// mark is the part of the header by which a drop-in is known as ours.
const mark = "# Written by tcpka."

// ErrInvalid is a key or a value that the two readers could understand
// differently, or not at all.
var ErrInvalid = errors.New("cannot be written to a sysctl.d file")

// ours reports whether content is a drop-in of ours. It may have been edited
// since, but it is plain text: the readers agree on where its lines end.
func ours(content []byte) bool {
	return bytes.HasPrefix(content, []byte(mark)) && !bytes.ContainsFunc(content, func(r rune) bool {
		return r < ' ' && r != '\n' && r != '\t' || r == 0x7f
	})
}

// Values returns what the content of a drop-in assigns, by key; of two
// assignments to a key the last. Patterns and exclusions, which tcpka does not
// write, are left out.
func Values(content []byte) map[string]string {
	values := make(map[string]string)
	for line := range strings.Lines(string(content)) {
		if s, ok := parseSystemd(line); ok && !s.exclude && !isPattern(s.key) {
			values[dotted(s.key)] = s.value
		}
	}
	return values
}

// Merge returns the content of a drop-in with the keys of set assigned, once
// each, and the keys of unset gone; a key in both is set. Every other line stays
// as it is. Nil content starts a new file. A nil result says that nothing is
// left and the file should go.
//
// It fails with [ErrForeign] for content that is not ours, and with [ErrInvalid]
// for a key that is not words joined by dots or a value that is not one line of
// printable ASCII.
func Merge(content []byte, set map[string]string, unset ...string) ([]byte, error) {
	if content == nil {
		content = []byte(header + "\n")
	} else if !ours(content) {
		return nil, fmt.Errorf("the drop-in is %w", ErrForeign)
	}
	if err := validate(set, unset); err != nil {
		return nil, err
	}
	var lines []string
	missing := maps.Clone(set)
	for line := range strings.Lines(string(content)) {
		line = strings.TrimSuffix(line, "\n")
		key := lineKey(line)
		if value, ok := missing[key]; ok {
			line = key + " = " + value
			delete(missing, key)
		} else if _, again := set[key]; again || slices.Contains(unset, key) {
			continue
		}
		lines = append(lines, line)
	}
	for _, key := range slices.Sorted(maps.Keys(missing)) {
		lines = append(lines, key+" = "+missing[key])
	}
	blank := func(line string) bool { return strings.TrimSpace(line) == "" }
	if len(slices.DeleteFunc(slices.Clone(lines), blank)) == 1 { // the header
		return nil, nil
	}
	return []byte(strings.Join(lines, "\n") + "\n"), nil
}

// lineKey is the key a line is about in the eyes of either reader, whether it
// sets or excludes it; empty for other lines.
func lineKey(line string) string {
	line = strings.TrimLeft(line, " \t-")
	if line == "" || line[0] == '#' || line[0] == ';' {
		return ""
	}
	const sys = "/proc/sys/"
	key, _, _ := strings.Cut(line, "=")
	return dotted(strings.TrimPrefix(path.Clean(sys+procPath(strings.TrimSpace(key))), sys))
}

// validate refuses with [ErrInvalid] what [Merge] must not write.
func validate(set map[string]string, unset []string) error {
	for _, key := range slices.Concat(slices.Sorted(maps.Keys(set)), unset) {
		if !validKey(key) {
			return fmt.Errorf("key %q: %w", key, ErrInvalid)
		}
		if value, ok := set[key]; ok && !validValue(value) {
			return fmt.Errorf("value %q of %s: %w", value, key, ErrInvalid)
		}
	}
	return nil
}

func validKey(key string) bool {
	for word := range strings.SplitSeq(key, ".") {
		if word == "" || strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
			return false
		}
	}
	return key[0] != '-'
}

func validValue(value string) bool {
	printable := !strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' })
	return value != "" && printable && strings.TrimSpace(value) == value
}

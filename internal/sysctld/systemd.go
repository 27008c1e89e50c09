package sysctld

import (
	"iter"
	"slices"
	"strings"
)

// systemdLineMax is the longest line systemd reads, in bytes. At a longer one
// it gives up the file, and keeps what it read before. Source: LONG_LINE_MAX,
// read_line_full.
const systemdLineMax = 1<<20 - 1

// systemd returns the settings as systemd-sysctl collects them: by path, a later
// one in place of an earlier. Source: src/sysctl/sysctl.c, parse_file,
// apply_all.
func (f *Files) systemd() []setting {
	var list []setting
	at := make(map[string]int) // key to its place in list
	for _, file := range f.dropIns {
		if strings.HasPrefix(file.name, ".") {
			continue
		}
		for line, text := range systemdLines(file.text) {
			s, ok := parseSystemd(text)
			if !ok {
				continue
			}
			s.path, s.line = file.path, line
			if i, ok := at[s.key]; ok {
				if list[i].value == s.value && list[i].exclude == s.exclude {
					// The same again keeps its turn, which matters to a pattern;
					// but to change the value one must change the last line.
					list[i].path, list[i].line = s.path, s.line
					continue
				}
				list[i] = setting{exclude: true}
			}
			at[s.key] = len(list)
			list = append(list, s)
		}
	}
	return list
}

// systemdLines yields the lines of text with their numbers. A line ends at a
// line feed, a carriage return or a NUL.
func systemdLines(text string) iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		for n := 1; text != ""; {
			end := strings.IndexAny(text, "\n\r\x00")
			if end < 0 {
				end = len(text)
			}
			if end > systemdLineMax || !yield(n, text[:end]) || end == len(text) {
				return
			}
			if text[end] == '\n' {
				n++
			}
			text = text[end+1:]
		}
	}
}

// parseSystemd understands one line. It reports false for an empty line, a
// comment, and what is neither an assignment nor an exclusion.
func parseSystemd(line string) (setting, bool) {
	const space = " \t\n\r"
	line = strings.Trim(line, space)
	if line == "" || line[0] == '#' || line[0] == ';' {
		return setting{}, false
	}
	key, value, assigned := strings.Cut(line, "=")
	key, dash := strings.CutPrefix(key, "-")
	if !assigned && !dash {
		return setting{}, false
	}
	path, ok := simplify(procPath(strings.Trim(key, space)))
	return setting{key: path, value: strings.Trim(value, space), exclude: !assigned}, ok
}

// simplify takes the empty and the "." parts out of a path, as systemd does
// before it compares paths. It reports false for a path with a ".." part, to
// which systemd writes nothing. Source: path_simplify, path_is_normalized.
func simplify(path string) (string, bool) {
	parts := strings.Split(path, "/")
	if slices.Contains(parts, "..") {
		return "", false
	}
	parts = slices.DeleteFunc(parts, func(p string) bool { return p == "" || p == "." })
	return strings.Join(parts, "/"), true
}

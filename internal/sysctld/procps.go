package sysctld

import "strings"

// procps returns the settings in the order "sysctl --system" reads and writes
// them, one for each line. Source: src/sysctl.c, PreloadSystem, Preload,
// parse_setting_line.
//
// Two oddities of glob(3) are left out. procps takes the name of a file for a
// pattern: where there are 1.conf and [1].conf, it reads the first twice. And a
// pattern with a slash at its end still matches a file, if its last part is a
// plain name. Newer versions let an exclusion be a pattern; 4.0.2 does not.
func (f *Files) procps() []setting {
	var list []setting
	for _, file := range f.dropIns {
		list = append(list, file.procps()...)
	}
	return append(list, f.main.procps()...)
}

// procps returns the settings in one file, as "sysctl -p" reads it, too.
func (f file) procps() []setting {
	var list []setting
	line := 0
	for text := range strings.Lines(f.text) {
		line++
		if s, ok := parseProcps(text); ok {
			s.path, s.line = f.path, line
			list = append(list, s)
		}
	}
	return list
}

// parseProcps understands one line, its line feed included. It reports false
// for an empty line, a comment, and what is neither an assignment nor an
// exclusion.
func parseProcps(line string) (setting, bool) {
	const space = " \t\n\v\f\r"
	line, _, _ = strings.Cut(line, "\x00")
	line = strings.TrimLeft(line, space)
	if len(line) < 2 || line[0] == '#' || line[0] == ';' {
		return setting{}, false
	}
	key, value, assigned := strings.Cut(line, "=")
	key, dash := strings.CutPrefix(key, "-")
	if !assigned && !dash {
		return setting{}, false
	}
	// A second dash goes too, but a space after the dash stays.
	key = strings.TrimPrefix(strings.TrimRight(key, space), "-")
	return setting{key: procPath(key), value: strings.Trim(value, space), exclude: !assigned}, true
}

package answer

import (
	"unicode/utf8"
)

// AppendClipped appends as much of a line as fits in so many columns. Colours,
// which take none, are all appended, so that the line ends as it would have.
func AppendClipped(b []byte, line string, columns int) []byte {
	used := 0
	for i := 0; i < len(line); {
		if line[i] == '\x1b' { // only ours: everything else was escaped
			end := i + 1
			for end < len(line) && line[end] != 'm' {
				end++
			}
			end = min(end+1, len(line))
			b = append(b, line[i:end]...)
			i = end
			continue
		}
		_, size := utf8.DecodeRuneInString(line[i:])
		if used < columns {
			b = append(b, line[i:i+size]...)
		}
		used++
		i += size
	}
	return b
}

package answer

import (
	"strconv"
	"time"
	"unicode/utf8"
)

// Foreign is a text that comes from outside. Its JSON is as harmless to a
// terminal as what [Escape] makes of it, and reads the same.
type Foreign string

func (f Foreign) MarshalJSON() ([]byte, error) { return AppendString(nil, string(f)), nil }

func AppendInt(b []byte, n int64, known bool) []byte {
	if !known {
		return append(b, "null"...)
	}
	return strconv.AppendInt(b, n, 10)
}

func AppendDuration(b []byte, d time.Duration, known bool) []byte {
	if !known {
		return append(b, "null"...)
	}
	return AppendSeconds(b, d)
}

func AppendStringOrNull(b []byte, s string) []byte {
	if s == "" {
		return append(b, "null"...)
	}
	return AppendString(b, s)
}

// AppendString appends a JSON string as encoding/json does without HTML escapes,
// but for what [Escape] would not let pass to a terminal: that is written as \u,
// which reads the same.
func AppendString(b []byte, s string) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); {
		if c := s[i]; c >= ' ' && c <= '~' {
			if c == '"' || c == '\\' {
				b = append(b, '\\')
			}
			b = append(b, c)
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '\b':
			b = append(b, `\b`...)
		case r == '\f':
			b = append(b, `\f`...)
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\r':
			b = append(b, `\r`...)
		case r == '\t':
			b = append(b, `\t`...)
		case r == utf8.RuneError && size == 1:
			b = append(b, `\ufffd`...)
		case !Unsafe(r):
			b = append(b, s[i:i+size]...)
		case r > 0xffff: // two halves, as in UTF-16
			b = appendHex(b, 0xd800+(r-0x10000)>>10)
			b = appendHex(b, 0xdc00+(r-0x10000)&0x3ff)
		default:
			b = appendHex(b, r)
		}
		i += size
	}
	return append(b, '"')
}

func appendHex(b []byte, r rune) []byte {
	const digits = "0123456789abcdef"
	return append(b, '\\', 'u', digits[r>>12&15], digits[r>>8&15], digits[r>>4&15], digits[r&15])
}

package answer

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Escape makes s, which may come from anywhere, harmless to a terminal: control
// characters, DEL, line and paragraph separators, characters that change the
// direction of writing or are not seen, and bytes that are not UTF-8 become
// escapes such as \x1b.
func Escape(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return Unsafe(r) || r == utf8.RuneError }) {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		_, size := utf8.DecodeRuneInString(s[i:])
		if !Unsafe(r) && (r != utf8.RuneError || size > 1) {
			b.WriteRune(r)
			continue
		}
		q := strconv.QuoteToASCII(s[i : i+size])
		b.WriteString(q[1 : len(q)-1])
	}
	return b.String()
}

// Unsafe are the classes Cc, Cf (the bidirectional controls are among them), Zl
// and Zp, and whatever else does not print.
func Unsafe(r rune) bool {
	return r != utf8.RuneError && r != ' ' && !unicode.IsPrint(r)
}

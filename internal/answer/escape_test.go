package answer

import (
	"testing"
)

func TestEscape(t *testing.T) {
	for _, row := range []struct{ name, in, want string }{
		{"plain text stays", "nginx: worker (ü, 日本)", "nginx: worker (ü, 日本)"},
		{"control characters", "a\x1b[31m\x07\r\n\tb", `a\x1b[31m\a\r\n\tb`},
		{"DEL and C1", "\x7f\u009b", `\x7f\u009b`},
		{"bidirectional controls", "a\u202eb\u2066c\u200fd", `a\u202eb\u2066c\u200fd`},
		{"line and paragraph separators", "a\u2028b\u2029c", `a\u2028b\u2029c`},
		{"what cannot be seen", "a\u200bb\ufeffc\u00a0d", `a\u200bb\ufeffc\u00a0d`},
		{"bytes that are not UTF-8", "a\xff\xc3b", `a\xff\xc3b`},
		{"a real replacement character", "a\ufffdb", "a\ufffdb"},
	} {
		if got := Escape(row.in); got != row.want {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
	}
}

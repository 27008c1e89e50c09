package answer

import (
	"testing"
	"time"

	"github.com/tcpka/tcpka/internal/answertest"
)

func TestSpan(t *testing.T) {
	for _, c := range []struct {
		from, to            time.Duration
		inTable, inSentence string
	}{
		{answertest.S(239), answertest.S(240), "239 .. 240", "between 239 and 240 s"},
		{answertest.S(36), answertest.S(36), "36", "36 s"},
		{answertest.S(36), answertest.S(36) + time.Millisecond, "36 .. 36.001", "between 36 and 36.001 s"},
		{0, 0, "0", "0 s"},
	} {
		if got := Span(Seconds(c.from), Seconds(c.to)); got != c.inTable {
			t.Errorf("span(%v, %v): got %q, want %q", c.from, c.to, got, c.inTable)
		}
		if got := Between(Seconds(c.from), Seconds(c.to)); got != c.inSentence {
			t.Errorf("between(%v, %v): got %q, want %q", c.from, c.to, got, c.inSentence)
		}
	}
}

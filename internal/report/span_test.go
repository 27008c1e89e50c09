package report

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/tcpka/tcpka/calc"
)

func TestSpan(t *testing.T) {
	for _, c := range []struct {
		from, to            time.Duration
		inTable, inSentence string
	}{
		{s(239), s(240), "239 .. 240", "between 239 and 240 s"},
		{s(36), s(36), "36", "36 s"},
		{s(36), s(36) + time.Millisecond, "36 .. 36.001", "between 36 and 36.001 s"},
		{0, 0, "0", "0 s"},
	} {
		if got := span(Seconds(c.from), Seconds(c.to)); got != c.inTable {
			t.Errorf("span(%v, %v): got %q, want %q", c.from, c.to, got, c.inTable)
		}
		if got := between(Seconds(c.from), Seconds(c.to)); got != c.inSentence {
			t.Errorf("between(%v, %v): got %q, want %q", c.from, c.to, got, c.inSentence)
		}
	}
}

// sshd keeps its time to the second, where ssh is up to one early.
func TestSSHIsNoticedAtOneTime(t *testing.T) {
	side := NewSSHSide(calc.SSH{Side: calc.SSHServer, Interval: s(9), CountMax: 3, TCPKeepAlive: true}, "")
	var b bytes.Buffer
	if err := Table(&b, SSH{Server: &side}, Style{Width: 80}); err != nil {
		t.Fatal(err)
	}
	if want := "\nA dead client is noticed 36 s after it was last heard.\n"; !strings.Contains(b.String(), want) {
		t.Errorf("got %s\nwant %s", b.String(), want)
	}
}

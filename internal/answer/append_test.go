package answer

import (
	"testing"
	"time"

	"github.com/tcpka/tcpka/internal/answertest"
)

func TestBriefTimes(t *testing.T) {
	for d, want := range map[time.Duration][2]string{
		0:                        {"0s", "0s"},
		90 * time.Millisecond:    {"0.0s", "0.0s"},
		3999 * time.Millisecond:  {"3.9s", "3.9s"},
		41900 * time.Millisecond: {"41s", "41s"},
		60 * time.Second:         {"1m", "1m"},
		7875 * time.Second:       {"2h11m", "2h11m15s"},
		7200 * time.Second:       {"2h", "2h"},
		3605 * time.Second:       {"1h", "1h5s"},
		200 * time.Hour:          {"8d8h", "8d8h"},
		-4 * time.Second:         {"-4s", "-4s"},
	} {
		if got := [2]string{string(AppendBrief(nil, d)), string(AppendExact(nil, d))}; got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

func TestRangesOfTimesThatRun(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		from, to     time.Duration
		brief, exact string
	}{
		{answertest.S(44), answertest.S(44), "44s", "44s"},
		{44100 * ms, 44900 * ms, "44s", "44s"},
		{44900 * ms, 45100 * ms, "44s..46s", "44s..46s"},
		{926900 * ms, 1049400 * ms, "15m26s..17m30s", "15m26s..17m30s"},
		{9120 * ms, 9140 * ms, "9.1s", "9.1s"},
		{9120 * ms, 9210 * ms, "9.1s..9.3s", "9.1s..9.3s"},
		{0, 500 * ms, "0s..0.5s", "0s..0.5s"},
		{9900 * ms, 10100 * ms, "9.9s..11s", "9.9s..11s"},
		{answertest.S(7875), 8024504 * ms, "2h11m..2h14m", "2h11m15s..2h13m45s"},
		{answertest.S(7875), answertest.S(7880), "2h11m", "2h11m15s..2h11m20s"},
		{answertest.S(86400), answertest.S(90001), "1d..1d2h", "1d..1d1h1s"},
	} {
		if got := string(AppendBriefRange([]byte("in "), tt.from, tt.to)); got != "in "+tt.brief {
			t.Errorf("%v to %v: %q, want %q", tt.from, tt.to, got, tt.brief)
		}
		if got := string(AppendExactRange(nil, tt.from, tt.to)); got != tt.exact {
			t.Errorf("%v to %v: %q, want %q", tt.from, tt.to, got, tt.exact)
		}
	}
}

func TestClip(t *testing.T) {
	for _, tt := range []struct {
		line string
		n    int
		want string
	}{
		{"abc", 5, "abc"},
		{"abc", 2, "ab"},
		{"日本x", 2, "日本"},
		{"a\x1b[31mbc\x1b[0md", 2, "a\x1b[31mb\x1b[0m"},
		{"", 3, ""},
	} {
		if got := string(AppendClipped(nil, tt.line, tt.n)); got != tt.want {
			t.Errorf("%q to %d: %q, want %q", tt.line, tt.n, got, tt.want)
		}
	}
}

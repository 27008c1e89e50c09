package answer

import (
	"bufio"
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWrap(t *testing.T) {
	const text = "time is 0: every connection is probed as soon as keepalive is switched on"
	for _, tt := range []struct {
		name       string
		style      Style
		lead, text string
		want       []string
	}{
		{"no terminal, one line", Style{Width: 40}, "warning: ", text, []string{"warning: " + text}},
		{"no terminal, broken where the text is", Style{Width: 40}, "", "one\ntwo", []string{"one", "two"}},
		{"a terminal, filled", Style{Width: 40, Terminal: true}, "- ", text, []string{
			"- time is 0: every connection is probed",
			"  as soon as keepalive is switched on",
		}},
		{"a terminal, filled anew", Style{Width: 80, Terminal: true}, "", "one\ntwo", []string{"one two"}},
		{"colours take no room", Style{Width: 40, Terminal: true, Color: true}, "\x1b[33mwarning:\x1b[0m ", text, []string{
			"\x1b[33mwarning:\x1b[0m time is 0: every connection is",
			"         probed as soon as keepalive is",
			"         switched on",
		}},
		{"wide characters take two columns", Style{Width: 40, Terminal: true}, "", strings.Repeat("日本 ", 9), []string{
			strings.TrimSpace(strings.Repeat("日本 ", 8)), "日本",
		}},
		{"never wider than the eye likes", Style{Width: 200, Terminal: true}, "", strings.Repeat("a b c d ", 13), []string{
			strings.TrimSpace(strings.Repeat("a b c d ", 12) + "a b"), "c d",
		}},
		{"a word that is too long", Style{Width: 40, Terminal: true}, "", "in " + strings.Repeat("/long", 10) + " there", []string{
			"in", strings.Repeat("/long", 10), "there",
		}},
		{"a command behind a colon", Style{Width: 40, Terminal: true}, "", "to take it back, all of it: sudo tcpka undo --netns web 1ng1a6t0", []string{
			"to take it back, all of it:", "sudo tcpka undo --netns web 1ng1a6t0",
		}},
		{"a command in a sentence", Style{Width: 40, Terminal: true}, "", "a timer armed for longer than 1000 s: tcpka set --rearm, which arms it anew, and all the others", []string{
			"a timer armed for longer than 1000 s:", "tcpka set --rearm, which arms it anew,", "and all the others",
		}},
		{"a command without a colon", Style{Width: 40, Terminal: true}, "", "on the far end there should run tcpka probe --serve as well as here", []string{
			"on the far end there should run", "tcpka probe --serve as well as here",
		}},
		{"a range", Style{Width: 40, Terminal: true}, "", "late as it is, it ends within 7875 .. 8024.504 s", []string{
			"late as it is, it ends within", "7875 .. 8024.504 s",
		}},
		{"a time of day", Style{Width: 40, Terminal: true}, "", "the kernel says that it is 2026-01-02 03:04:05 now", []string{
			"the kernel says that it is", "2026-01-02 03:04:05 now",
		}},
		{"nothing", Style{Width: 40, Terminal: true}, "- ", "", []string{"- "}},
	} {
		var b bytes.Buffer
		w := bufio.NewWriter(&b)
		Wrap(w, tt.style, tt.lead, tt.text)
		w.Flush()
		if diff := cmp.Diff(strings.Join(tt.want, "\n")+"\n", b.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

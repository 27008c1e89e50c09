package answer

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tcpka/tcpka/internal/answertest"
)

func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "sshd", answertest.Hostile, "a\"b\\c/<>&", "\b\f\n\r\t\x00\x7f", "\xff\xc2", "\u0085\u009b\u2028\u2029\u200b\ufffd", "\U0001f600\U000e0001", "日本"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, want := string(AppendString(nil, s)), answertest.Encode(t, s)
		if !answertest.Same(t, got, want) {
			t.Errorf("%q: got %s, want %s", s, got, want)
		}
		if strings.ContainsFunc(got, Unsafe) || !utf8.ValidString(got) {
			t.Errorf("%q: %q is not for a terminal", s, got)
		}
		if !strings.ContainsFunc(want, Unsafe) && got != want {
			t.Errorf("%q: got %s, want %s byte for byte", s, got, want)
		}
		if inside, err := json.Marshal(Foreign(s)); err != nil || strings.ContainsFunc(string(inside), Unsafe) {
			t.Errorf("%q: %s, %v", s, inside, err)
		}
	})
}

func TestAppendSecondsIsTheString(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for _, d := range []time.Duration{0, 1, -1, time.Second, -time.Second, -500 * time.Millisecond, 8024504 * time.Millisecond, 1<<63 - 1} {
		check := func(d time.Duration) {
			if got, want := string(AppendSeconds(nil, d)), Seconds(d).String(); got != want {
				t.Errorf("%d: %s, want %s", d, got, want)
			}
		}
		check(d)
		for range 500 {
			check(time.Duration(random.Int64N(2e12) - 1e12))
		}
	}
}

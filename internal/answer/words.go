package answer

import (
	"bufio"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tcpka/tcpka/calc"
)

// Count is how many there are of what: "1 socket", "2 sockets".
func Count[N int | uint64](n N, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Some is one where n is 1, and else many, which has a %d for n.
func Some(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return fmt.Sprintf(many, n)
}

// PIDList is a list of processes as --pid takes it.
func PIDList(pids []int) string {
	var list []string
	for _, pid := range pids {
		list = append(list, strconv.Itoa(pid))
	}
	return strings.Join(list, ",")
}

// SecondsOrNull is nil for a duration of 0, which is none.
func SecondsOrNull(d time.Duration) *Seconds {
	if d == 0 {
		return nil
	}
	return new(Seconds(d))
}

// TextOrNull is nil for a text that is empty.
func TextOrNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// Bullets writes lines as a list.
func Bullets(w *bufio.Writer, s Style, lines []string) {
	for _, l := range lines {
		Wrap(w, s, "- ", Escape(l))
	}
}

// WriteWarnings writes each below the answer.
func WriteWarnings(w *bufio.Writer, s Style, ws []calc.Warning) {
	if len(ws) > 0 {
		fmt.Fprintln(w)
	}
	for _, warning := range ws {
		Wrap(w, s, s.Paint(Yellow, "warning:")+" ", Escape(warning.Text))
	}
}

// WithHuman is a number of seconds, and from a minute on what people call it: "7200  2h".
func WithHuman(seconds int64) string {
	raw := strconv.FormatInt(seconds, 10)
	if seconds > -60 && seconds < 60 {
		return raw
	}
	return raw + "  " + secondsOf(seconds).Human()
}

// OrNever is a time behind a prefix, or "never" for nil.
func OrNever(s *Seconds, prefix string) string {
	if s == nil {
		return "never"
	}
	return prefix + s.Both()
}

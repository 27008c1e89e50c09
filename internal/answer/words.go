package answer

import (
	"bufio"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tcpka/tcpka/calc"
)

func PIDList(pids []int) string {
	var list []string
	for _, pid := range pids {
		list = append(list, strconv.Itoa(pid))
	}
	return strings.Join(list, ",")
}

func Count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func Namespaces(n int) string {
	if n == 1 {
		return "1 namespace"
	}
	return fmt.Sprintf("%d namespaces", n)
}

func Some(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return fmt.Sprintf(many, n)
}

func SecondsOrNull(d time.Duration) *Seconds {
	if d == 0 {
		return nil
	}
	return new(Seconds(d))
}

func TextOrNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func Counted(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return fmt.Sprintf(many, n)
}

func Bullets(w *bufio.Writer, s Style, lines []string) {
	for _, l := range lines {
		Wrap(w, s, "- ", Escape(l))
	}
}

func WriteWarnings(w *bufio.Writer, s Style, ws []calc.Warning) {
	if len(ws) > 0 {
		fmt.Fprintln(w)
	}
	for _, warning := range ws {
		Wrap(w, s, s.Paint(Yellow, "warning:")+" ", Escape(warning.Text))
	}
}

func WithHuman(seconds int64) string {
	raw := strconv.FormatInt(seconds, 10)
	if seconds > -60 && seconds < 60 {
		return raw
	}
	return raw + "  " + secondsOf(seconds).Human()
}

func OrNever(s *Seconds, prefix string) string {
	if s == nil {
		return "never"
	}
	return prefix + s.Both()
}

func Plural(n uint64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.FormatUint(n, 10) + " " + what + "s"
}

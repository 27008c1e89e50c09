package cmdline

import (
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/tcpka/tcpka/internal/answer"
)

// Terminal is the terminal that a stream is, or nil.
func Terminal(stream any) *os.File {
	if f, ok := stream.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return f
	}
	return nil
}

// TerminalSize is how many columns and rows a terminal has; 80 and 24 where it does not
// say.
func TerminalSize(f *os.File) (columns, rows int) {
	columns, rows, err := term.GetSize(int(f.Fd()))
	if err != nil || columns <= 0 || rows <= 0 {
		return 80, 24
	}
	return columns, rows
}

// StyleOf looks at where something is written to.
func StyleOf(w io.Writer) answer.Style {
	style := answer.Style{Width: 100}
	f := Terminal(w)
	if f == nil {
		return style
	}
	if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
		style.Width = w
	}
	style.Terminal = true
	style.Color = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	style.Unicode = utf8Locale()
	return style
}

// utf8Locale follows the order of locale(7).
func utf8Locale() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := os.Getenv(name); v != "" {
			v = strings.ToLower(v)
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return false
}

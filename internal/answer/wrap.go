package answer

import (
	"bufio"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/olekukonko/tablewriter"
)

// The widths that text is filled to: wider is hard to read, narrower is hard to
// break.
const (
	widest    = 100
	narrowest = 40
)

// columns is what text and tables are filled to; 0 is no limit, because the
// output is not a terminal.
func (s Style) columns() int {
	if !s.Terminal {
		return 0
	}
	return max(s.Width, narrowest)
}

// Paragraph writes what wrap does, to w at once.
func Paragraph(w io.Writer, s Style, lead, text string) error {
	b := bufio.NewWriter(w)
	Wrap(b, s, lead, text)
	return b.Flush()
}

// Wrap writes a paragraph: lead, such as "- " or a painted "warning: ", and text,
// filled to the terminal, with its further lines indented by the width of lead. A
// command line is never broken, so that it can be copied whole.
//
// Where the output is not a terminal a paragraph stays as it is. The text is
// escaped by the caller; a line feed in it is where it is broken then.
func Wrap(w *bufio.Writer, s Style, lead, text string) {
	w.WriteString(lead)
	limit := min(s.columns(), widest)
	if limit == 0 {
		w.WriteString(text)
		w.WriteByte('\n')
		return
	}
	indent := displayWidth(lead) // colours have none
	for i, line := range Fill(text, limit-indent) {
		if i > 0 {
			w.WriteString(strings.Repeat(" ", indent))
		}
		w.WriteString(line)
		w.WriteByte('\n')
	}
}

// Fill breaks text at spaces into lines of so many columns. What is longer in one
// piece has a line of its own.
func Fill(text string, columns int) []string {
	var lines []string
	line, used := "", 0
	for _, word := range words(text) {
		n := displayWidth(word)
		if used > 0 && used+1+n > columns {
			lines, line, used = append(lines, strings.TrimRight(line, " ")), "", 0
		}
		if used > 0 {
			line, used = line+" ", used+1
		}
		line, used = line+word, used+n
	}
	return append(lines, strings.TrimRight(line, " "))
}

// words are the pieces that text may be broken between; where it has more than one
// space, some are empty. A command of tcpka is one piece: behind a colon all that
// follows it, else its flags. So are a range, "7875 .. 8024.5", and a date with its time.
func words(text string) []string {
	fields := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' })
	fields = strings.Split(strings.Join(fields, " "), " ")
	var pieces []string
	for i := 0; i < len(fields); {
		from := i
		i++
		switch fields[from] {
		case "sudo", "tcpka":
			for i < len(fields) && continues(fields, from, i) {
				i++
			}
		default:
			switch {
			case i+1 < len(fields) && fields[i] == "..":
				i += 2
			case i < len(fields) && isDate(fields[from]):
				i++
			}
		}
		pieces = append(pieces, strings.Join(fields[from:i], " "))
	}
	return pieces
}

func isDate(word string) bool {
	_, err := time.Parse(time.DateOnly, word)
	return err == nil
}

// continues reports whether the i-th word is part of the command that begins with
// the one at from.
func continues(words []string, from, i int) bool {
	last := words[i-1]
	if strings.ContainsAny(last[max(len(last)-1, 0):], ",;:?") {
		return false
	}
	if from > 0 && strings.HasSuffix(words[from-1], ":") {
		return true
	}
	return i == from+1 || last == "tcpka" || strings.HasPrefix(words[i], "-")
}

// displayWidth is how many columns text takes. Colours take none.
func displayWidth(text string) int {
	for i := range len(text) {
		if text[i] < ' ' || text[i] >= utf8.RuneSelf {
			return tablewriter.DisplayWidth(text)
		}
	}
	return len(text)
}

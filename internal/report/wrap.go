package report

import (
	"bufio"
	"strings"

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

// wrap writes a paragraph: lead, such as "- " or a painted "warning: ", and text,
// filled to the terminal, with its further lines indented by the width of lead. A
// command line is never broken, so that it can be copied whole.
//
// Where the output is not a terminal a paragraph stays as it is. The text is
// escaped by the caller; a line feed in it is where it is broken then.
func wrap(w *bufio.Writer, s Style, lead, text string) {
	w.WriteString(lead)
	limit := min(s.columns(), widest)
	if limit == 0 {
		w.WriteString(text)
		w.WriteByte('\n')
		return
	}
	indent := tablewriter.DisplayWidth(lead) // colours have none
	for i, line := range fill(text, limit-indent) {
		if i > 0 {
			w.WriteString(strings.Repeat(" ", indent))
		}
		w.WriteString(line)
		w.WriteByte('\n')
	}
}

// fill breaks text at spaces into lines of so many columns. What is longer in one
// piece has a line of its own.
func fill(text string, columns int) []string {
	var lines []string
	line, used := "", 0
	for _, word := range words(text) {
		n := tablewriter.DisplayWidth(word)
		if used > 0 && used+1+n > columns {
			lines, line, used = append(lines, line), "", 0
		}
		if used > 0 {
			line, used = line+" ", used+1
		}
		line, used = line+word, used+n
	}
	return append(lines, line)
}

// words are the pieces that text may be broken between. A command of tcpka is one
// piece: behind a colon all that follows it, else its flags.
func words(text string) []string {
	fields := strings.Fields(text)
	var pieces []string
	for i := 0; i < len(fields); {
		from := i
		i++
		if word := fields[from]; word == "sudo" || word == "tcpka" {
			all := from > 0 && strings.HasSuffix(fields[from-1], ":")
			for i < len(fields) && (all || i == from+1 || fields[i-1] == "tcpka" || strings.HasPrefix(fields[i], "-")) &&
				!strings.ContainsAny(fields[i-1][len(fields[i-1])-1:], ";,:.") {
				i++
			}
		}
		pieces = append(pieces, strings.Join(fields[from:i], " "))
	}
	return pieces
}

package report

import (
	"bufio"
	"strings"

	"github.com/olekukonko/tablewriter"
)

// writeTable writes rows under a header in columns without lines around them.
// Every cell is escaped.
func writeTable(w *bufio.Writer, header []string, rows [][]string) {
	var b strings.Builder
	t := tablewriter.NewWriter(&b)
	t.SetAutoFormatHeaders(false)
	t.SetAutoWrapText(false)
	t.SetHeaderAlignment(tablewriter.ALIGN_LEFT)
	t.SetAlignment(tablewriter.ALIGN_LEFT)
	t.SetBorder(false)
	t.SetHeaderLine(false)
	t.SetColumnSeparator("")
	t.SetNoWhiteSpace(true)
	t.SetTablePadding("  ")
	t.SetHeader(header)
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, c := range row {
			cells[i] = Escape(c)
		}
		t.Append(cells)
	}
	t.Render() // into memory: it cannot fail
	for line := range strings.Lines(b.String()) {
		w.WriteString(strings.TrimRight(line, " \n"))
		w.WriteByte('\n')
	}
}

// The colours, each only a second sign of what the words already say.
const (
	bold   = "1"
	red    = "31"
	green  = "32"
	yellow = "33"
)

func (s Style) paint(sgr, text string) string {
	if !s.Color {
		return text
	}
	return "\x1b[" + sgr + "m" + text + "\x1b[0m"
}

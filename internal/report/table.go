package report

import (
	"bufio"
	"strings"

	"github.com/olekukonko/tablewriter"
)

const tablePadding = "  "

// writeTable writes rows under a header in columns without lines around them.
// Every cell is escaped. On a terminal that is too narrow, cells are broken into
// several lines; elsewhere a row is a line.
func writeTable(w *bufio.Writer, s Style, header []string, rows [][]string) {
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
	t.SetTablePadding(tablePadding)
	cells := make([][]string, 0, len(rows)+1)
	for _, row := range append([][]string{header}, rows...) {
		escaped := make([]string, len(row))
		for i, c := range row {
			escaped[i] = Escape(c)
		}
		cells = append(cells, escaped)
	}
	if limit := s.columns(); limit > 0 {
		fit(cells, limit)
	}
	t.SetHeader(cells[0])
	t.AppendBulk(cells[1:])
	t.Render() // into memory: it cannot fail
	for line := range strings.Lines(b.String()) {
		w.WriteString(strings.TrimRight(line, " \n"))
		w.WriteByte('\n')
	}
}

// fit breaks cells at spaces until the table is no wider than limit, or nothing is
// left to break. It narrows, step by step, the column where that breaks the fewest
// cells for what it gains.
func fit(cells [][]string, limit int) {
	columns := make([]column, len(cells[0]))
	total := len(tablePadding) * (len(columns) - 1)
	for i := range columns {
		columns[i] = newColumn(cells, i)
		total += columns[i].width
	}
	for total > limit {
		best, bestCost := -1, 0.0
		for i, c := range columns {
			next, ok := c.narrower()
			if !ok {
				continue
			}
			gain := min(c.width-next.width, total-limit)
			cost := float64(next.broken-c.broken+1) / float64(gain)
			if best < 0 || cost <= bestCost { // the last one, of equals: the first one names the row
				best, bestCost = i, cost
			}
		}
		if best < 0 {
			break
		}
		next, _ := columns[best].narrower()
		total -= columns[best].width - next.width
		columns[best] = next
	}
	for i, c := range columns {
		for j, lines := range c.cells {
			if i < len(cells[j]) {
				cells[j][i] = strings.Join(lines, "\n")
			}
		}
	}
}

// A column of a table: its cells, each in one line or more.
type column struct {
	cells  [][]string
	width  int
	broken int // lines beyond the first, of all cells
}

func newColumn(rows [][]string, i int) column {
	var c column
	for _, row := range rows {
		cell := ""
		if i < len(row) {
			cell = row[i]
		}
		c.cells = append(c.cells, []string{cell})
		c.width = max(c.width, tablewriter.DisplayWidth(cell))
	}
	return c
}

// narrower is the column with its longest lines broken; not ok if no space is left
// to break them at.
func (c column) narrower() (next column, ok bool) {
	for _, lines := range c.cells {
		text := strings.Join(lines, " ")
		if tablewriter.DisplayWidth(text) >= c.width {
			indent := text[:len(text)-len(strings.TrimLeft(text, " "))]
			lines = fill(text, c.width-1-len(indent))
			for i := range lines {
				lines[i] = indent + lines[i]
			}
		}
		for _, line := range lines {
			next.width = max(next.width, tablewriter.DisplayWidth(line))
		}
		next.cells = append(next.cells, lines)
		next.broken += len(lines) - 1
	}
	return next, next.width < c.width
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

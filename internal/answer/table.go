package answer

import (
	"bufio"
	"slices"
	"strings"

	"github.com/olekukonko/tablewriter"
)

const tablePadding = "  "

// WriteTable writes rows under a header in columns without lines around them.
// Every cell is escaped.
//
// On a terminal that is too narrow, cells are broken into several lines; where that
// is not enough, the last column has lines of its own, below the rest of its row.
// Elsewhere a row is a line.
func WriteTable(w *bufio.Writer, s Style, header []string, rows [][]string) {
	cells := make([][]string, 0, len(rows)+1)
	for _, row := range append([][]string{header}, rows...) {
		escaped := make([]string, len(header))
		for i, c := range row {
			escaped[i] = Escape(c)
		}
		cells = append(cells, escaped)
	}
	limit := s.columns()
	if limit == 0 {
		writeCells(w, cells, nil)
		return
	}
	columns := columnsOf(cells)
	if broken, ok := fit(columns, limit); ok {
		writeCells(w, rowsOf(broken), nil)
		return
	}
	last := len(columns) - 1
	var below [][]string
	for _, row := range cells {
		below = append(below, Fill(row[last], limit-len(tablePadding)))
	}
	broken, _ := fit(columns[:last], limit)
	writeCells(w, rowsOf(broken), below)
}

// writeCells writes the rows, of which the first one is the header, and below each
// one its lines.
func writeCells(w *bufio.Writer, rows [][]string, below [][]string) {
	var b strings.Builder
	t := tablewriter.NewWriter(&b)
	t.SetAutoWrapText(false)
	t.SetAlignment(tablewriter.ALIGN_LEFT)
	t.SetBorder(false)
	t.SetColumnSeparator("")
	t.SetNoWhiteSpace(true)
	t.SetTablePadding(tablePadding)
	t.AppendBulk(rows)
	t.Render() // into memory: it cannot fail
	text := b.String()
	for i, row := range rows {
		for range height(row) {
			line, rest, _ := strings.Cut(text, "\n")
			w.WriteString(strings.TrimRight(line, " "))
			w.WriteByte('\n')
			text = rest
		}
		if below == nil {
			continue
		}
		for _, line := range below[i] {
			if line != "" {
				w.WriteString(tablePadding + line + "\n")
			}
		}
	}
}

// height is how many lines a row has.
func height(row []string) int {
	n := 1
	for _, cell := range row {
		n = max(n, strings.Count(cell, "\n")+1)
	}
	return n
}

// fit breaks cells at spaces until the columns are no wider than limit together.
// It narrows, step by step, the column where that costs the fewest lines for what
// it gains. It is not ok where nothing is left to break.
func fit(columns []column, limit int) (broken []column, ok bool) {
	columns = slices.Clone(columns)
	total := len(tablePadding) * (len(columns) - 1)
	narrower := make([]column, len(columns)) // no cells: it cannot be
	for i, c := range columns {
		total += c.width
		narrower[i] = c.narrower()
	}
	for total > limit {
		at, least := -1, 0.0
		for i, next := range narrower {
			if next.cells == nil {
				continue
			}
			// Of columns that cost the same it is the last one: the first one names
			// the row.
			gain := min(columns[i].width-next.width, total-limit)
			if cost := added(columns, i, next) / float64(gain); at < 0 || cost <= least {
				at, least = i, cost
			}
		}
		if at < 0 {
			return columns, false
		}
		total -= columns[at].width - narrower[at].width
		columns[at] = narrower[at]
		narrower[at] = columns[at].narrower()
	}
	return columns, true
}

// added is how many lines the table grows by if its i-th column becomes next, and
// a little for each cell broken where the row has the lines already.
func added(columns []column, i int, next column) float64 {
	sum := 0.0
	for row, lines := range next.cells {
		others := 1
		for j, c := range columns {
			if j != i {
				others = max(others, len(c.cells[row]))
			}
		}
		now := len(columns[i].cells[row])
		sum += float64(max(others, len(lines))-max(others, now)) + 0.2*float64(len(lines)-now)
	}
	return sum
}

// A column of a table: the lines of its cells.
type column struct {
	cells [][]string
	width int
}

func columnsOf(rows [][]string) []column {
	columns := make([]column, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			c := &columns[i]
			c.cells = append(c.cells, []string{cell})
			c.width = max(c.width, displayWidth(cell))
		}
	}
	return columns
}

func rowsOf(columns []column) [][]string {
	var rows [][]string
	for i := range columns[0].cells {
		var row []string
		for _, c := range columns {
			row = append(row, strings.Join(c.cells[i], "\n"))
		}
		rows = append(rows, row)
	}
	return rows
}

// narrower is the column with its longest lines broken. It has no cells if they
// have no space left to break at.
func (c column) narrower() column {
	var next column
	for _, lines := range c.cells {
		longest := 0
		for _, line := range lines {
			longest = max(longest, displayWidth(line))
		}
		if longest == c.width {
			text := strings.Join(lines, " ")
			inner := strings.TrimLeft(text, " ")
			indent := text[:len(text)-len(inner)]
			lines, longest = Fill(inner, c.width-1-len(indent)), 0
			for i := range lines {
				lines[i] = indent + lines[i]
				longest = max(longest, displayWidth(lines[i]))
			}
		}
		next.cells = append(next.cells, lines)
		next.width = max(next.width, longest)
	}
	if next.width == c.width {
		return column{}
	}
	return next
}

// The colours, each only a second sign of what the words already say.
const (
	Bold   = "1"
	Red    = "31"
	Green  = "32"
	Yellow = "33"
)

func (s Style) Paint(sgr, text string) string {
	if !s.Color {
		return text
	}
	return "\x1b[" + sgr + "m" + text + "\x1b[0m"
}

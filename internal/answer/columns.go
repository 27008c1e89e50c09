package answer

import (
	"bytes"
	"io"
	"math"
	"strconv"
	"unicode/utf8"
)

// Columns writes rows in columns of fixed width. It holds back the first rows to
// see how wide they are, and from then on nothing: what does not fit shifts the
// rest of its row. The last column may hold a list with ", " between its parts; where
// that goes beyond the terminal it has lines of its own, below its row.
type Columns struct {
	Pages
	Style   Style
	Fit     int  // columns of the terminal; 0: any number
	Cut     bool // lines are cut there: a column whose heading does not fit is left out
	header  []string
	widths  []int // of all columns but the last
	gap     int
	shown   int  // columns that are written
	settled bool // the widths are, and nothing is held back

	Row  []byte // the cells of the row at hand, one after the other
	ends []cellEnd

	held     []byte // the rows that are held back, likewise
	heldEnds []cellEnd
}

// cellEnd is where a cell ends, and how wide it is.
type cellEnd struct {
	at    uint32
	width uint16
	sgr   uint8 // how to paint it; 0 is not at all
}

// SampleRows are how many rows are held back.
const SampleRows = 400

func NewColumns(w io.Writer, s Style, header ...string) Columns {
	c := Columns{Pages: NewPages(w), Style: s, header: header, widths: make([]int, len(header)-1)}
	for i := range c.widths {
		c.widths[i] = len(header[i])
	}
	return c
}

// Cell ends a cell whose text, escaped, has been appended to c.row.
func (c *Columns) Cell(sgr string) {
	from := uint32(0)
	if n := len(c.ends); n > 0 {
		from = c.ends[n-1].at
	}
	e := cellEnd{at: uint32(len(c.Row)), width: uint16(min(utf8.RuneCount(c.Row[from:]), math.MaxUint16))}
	if c.Style.Color {
		for _, digit := range []byte(sgr) {
			e.sgr = e.sgr*10 + digit - '0'
		}
	}
	c.ends = append(c.ends, e)
}

// Text is a cell of a text that needs no escape.
func (c *Columns) Text(s string) {
	c.Row = append(c.Row, s...)
	c.Cell("")
}

// EndRow ends a row, which has a cell in each column.
func (c *Columns) EndRow() error {
	if c.settled {
		c.line(c.Row, c.ends)
		c.Row, c.ends = c.Row[:0], c.ends[:0]
		return c.Turn()
	}
	for i, e := range c.ends[:len(c.widths)] {
		c.widths[i] = max(c.widths[i], int(e.width))
	}
	c.held, c.heldEnds = append(c.held, c.Row...), append(c.heldEnds, c.ends...)
	c.Row, c.ends = c.Row[:0], c.ends[:0]
	if len(c.heldEnds) < SampleRows*len(c.header) {
		return nil
	}
	return c.Settle()
}

// Settle decides how wide the columns are, and writes the header and what was
// held back.
func (c *Columns) Settle() error {
	if c.settled {
		return nil
	}
	c.settled = true
	c.gap = 2
	sum := c.gap * len(c.widths)
	for _, w := range c.widths {
		sum += w
	}
	if c.Cut {
		sum += len(c.header[len(c.header)-1])
	}
	if c.Fit > 0 && sum > c.Fit {
		c.gap = 1
	}
	c.shown = len(c.header)
	if c.Cut {
		c.shown = c.whole()
	}
	for _, h := range c.header {
		c.Row = append(c.Row, h...)
		c.Cell(Bold)
	}
	c.line(c.Row, c.ends)
	c.Row, c.ends = c.Row[:0], c.ends[:0]
	for n := len(c.header); len(c.heldEnds) > 0; c.heldEnds = c.heldEnds[n:] {
		size := c.heldEnds[n-1].at
		c.line(c.held[:size], c.heldEnds[:n])
		c.held = c.held[size:]
		if err := c.Turn(); err != nil {
			return err
		}
	}
	c.held, c.heldEnds = nil, nil
	return nil
}

// whole is how many columns have a heading that fits, at least one.
func (c *Columns) whole() int {
	at := 0
	for i, h := range c.header {
		if i > 0 && at+len(h) > c.Fit {
			return i
		}
		if i < len(c.widths) {
			at += c.widths[i] + c.gap
		}
	}
	return len(c.header)
}

// line appends a row to the page.
func (c *Columns) line(row []byte, ends []cellEnd) {
	const spaces = "                                                                "
	from, pad, at := uint32(0), 0, 0
	for i, e := range ends[:c.shown] {
		last := i == len(c.widths)
		if last && e.width > 0 && c.Fit > 0 && !c.Cut && at+int(e.width) > c.Fit {
			c.below(row[from:e.at], e.sgr)
			continue
		}
		if e.at > from {
			for ; pad > len(spaces); pad -= len(spaces) {
				c.B = append(c.B, spaces...)
			}
			c.B = append(c.B, spaces[:pad]...)
			pad = 0
			c.painted(row[from:e.at], e.sgr)
		}
		if from = e.at; !last {
			more := max(c.widths[i]-int(e.width), 0) + c.gap
			pad += more
			at += int(e.width) + more
		}
	}
	c.B = append(c.B, '\n')
}

func (c *Columns) painted(text []byte, sgr uint8) {
	if sgr != 0 {
		c.B = append(strconv.AppendUint(append(c.B, "\x1b["...), uint64(sgr), 10), 'm')
	}
	c.B = append(c.B, text...)
	if sgr != 0 {
		c.B = append(c.B, "\x1b[0m"...)
	}
}

// below appends a list, as many of its parts to an indented line as fit.
func (c *Columns) below(list []byte, sgr uint8) {
	const indent = "    "
	for len(list) > 0 {
		line, room := list, c.Fit-len(indent)
		for len(line) > room {
			i := bytes.LastIndex(line[:len(line)-1], []byte(", "))
			if i < 0 {
				break
			}
			line = line[:i+1]
		}
		list = bytes.TrimPrefix(list[len(line):], []byte{' '})
		c.B = append(c.B, "\n"+indent...)
		c.painted(line, sgr)
	}
}

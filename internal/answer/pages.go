package answer

import (
	"io"
)

// pageSize is how much is written at a time.
const pageSize = 32 << 10

// Pages collects what is appended to b, and writes it a page at a time.
type Pages struct {
	w io.Writer
	B []byte
}

func NewPages(w io.Writer) Pages { return Pages{w, make([]byte, 0, pageSize+4<<10)} }

// Turn writes the page if it is full.
func (p *Pages) Turn() error {
	if len(p.B) < pageSize {
		return nil
	}
	return p.Flush()
}

func (p *Pages) Flush() error {
	if len(p.B) == 0 {
		return nil
	}
	_, err := p.w.Write(p.B)
	p.B = p.B[:0]
	return err
}

package connection

import (
	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/sockets"
)

// units says in the row whether the values in effect look as if a unit had been mixed up.
func (d *Describer) units(s *sockets.Socket) {
	if s.Keepalive != sockets.On || Closed(s) {
		return
	}
	mistakes, _ := calc.UnitMistakes(s.Settings)
	for _, m := range mistakes {
		if d.row.Units != "" {
			d.row.Units += ", "
		}
		d.row.Units += m.Value + " in " + m.Unit + "?"
	}
}

package sockets

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/connection"
)

// Program is what the sockets of one program have, whatever its processes.
type Program struct {
	Netns   answer.Foreign  `json:"netns"`
	Comm    *answer.Foreign `json:"comm"` // null: no program holds them, or none that is seen
	Sockets int             `json:"sockets"`
	On      int             `json:"keepalive_on"`
	Off     int             `json:"keepalive_off"`
	Unknown int             `json:"unknown"`
	Probing int             `json:"probing"` // their peer has not answered the last probe

	// Worst is the longest of the times after which a dead peer is noticed, of
	// those with keepalive on, old timers included. Never counts those of which it is known that it
	// never is.
	Worst *answer.Seconds `json:"worst_detection_seconds"`
	Never int             `json:"never_noticed"`

	label string // Comm, or what stands for nobody
}

// programs groups sockets by namespace and program.
type programs struct {
	byName map[programName]*Program
}

// programName is a program; where owned is false, comm stands for nobody or for
// somebody who is not seen.
type programName struct {
	netns, comm string
	owned       bool
}

func nameOf(s *connection.Socket) programName {
	switch {
	case len(s.Owners) > 0:
		return programName{s.Netns, s.Owners[0].Comm, true}
	case s.OwnersUnknown:
		return programName{s.Netns, "?", false}
	}
	return programName{s.Netns, "-", false}
}

// maxPrograms bounds what is kept: a program can take as many names as it likes.
const maxPrograms = 4096

func (p *programs) add(s *connection.Socket) {
	if p.byName == nil {
		p.byName = map[programName]*Program{}
	}
	name := nameOf(s)
	g := p.byName[name]
	if g == nil && len(p.byName) >= maxPrograms {
		name.comm, name.owned = otherLabel, true
		g = p.byName[name]
	}
	if g == nil {
		g = &Program{Netns: answer.Foreign(name.netns), label: name.comm}
		if name.owned {
			g.Comm = new(answer.Foreign(name.comm))
		}
		p.byName[name] = g
	}
	g.Sockets++
	switch s.Keepalive {
	case connection.SwitchOn:
		g.On++
	case connection.SwitchOff:
		g.Off++
	default:
		g.Unknown++
	}
	if s.Probing() {
		g.Probing++
	}
	switch {
	case s.DetectionKnown:
		if g.Worst == nil {
			g.Worst = new(answer.Seconds(0))
		}
		*g.Worst = max(*g.Worst, answer.Seconds(s.Noticed()))
	case s.Never():
		g.Never++
	}
}

// list returns them, the one with the most sockets first.
func (p *programs) list() []Program {
	all := []Program{}
	for _, g := range p.byName {
		all = append(all, *g)
	}
	slices.SortFunc(all, func(a, b Program) int {
		return cmp.Or(cmp.Compare(a.Netns, b.Netns), cmp.Compare(b.Sockets, a.Sockets), cmp.Compare(a.label, b.label))
	})
	return all
}

// worst is the time after which the last dead peer is noticed.
func (g Program) worst() string {
	switch {
	case g.Never > 0 && g.Worst != nil:
		return "never (" + g.Worst.Human() + " where it is on)"
	case g.Never > 0:
		return "never"
	case g.Worst != nil:
		return g.Worst.Brief().Both()
	case g.On == 0 && g.Unknown == 0: // what is left of sockets
		return "-"
	}
	return "?"
}

// Programs is the answer of tcpka show sockets --summary.
type Programs struct {
	w      io.Writer
	style  answer.Style
	format string // "table", "json", "jsonl" or "csv"
	netns  bool
	programs
}

// NewPrograms writes to w, when there are no more sockets.
func NewPrograms(w io.Writer, format string, s answer.Style, netns bool) *Programs {
	return &Programs{w: w, style: s, format: format, netns: netns}
}

func (p *Programs) Socket(s *connection.Socket) error {
	p.add(s)
	return nil
}

func (p *Programs) End(e End) error {
	w := bufio.NewWriter(p.w)
	all := p.list()
	switch p.format {
	case "json":
		return answer.JSON(p.w, socketProgramsJSON{"tcpka/sockets-summary/v1", all, e.Summary, e.Source, e.WhyNotBPF, e.Incomplete})
	case "jsonl":
		encoder := json.NewEncoder(w)
		encoder.SetEscapeHTML(false)
		for _, g := range all {
			if err := encoder.Encode(g); err != nil {
				return err
			}
		}
	case "csv":
		w.WriteString("netns,comm,sockets,keepalive_on,keepalive_off,unknown,probing,worst_detection_seconds,never_noticed\n")
		for _, g := range all {
			comm, worst := "", ""
			if g.Comm != nil {
				comm = g.label
			}
			if g.Worst != nil {
				worst = g.Worst.String()
			}
			fmt.Fprintf(w, "%s,%s,%d,%d,%d,%d,%d,%s,%d\n", appendCSV(nil, string(g.Netns)), appendCSV(nil, comm),
				g.Sockets, g.On, g.Off, g.Unknown, g.Probing, worst, g.Never)
		}
	default:
		p.table(w, all, e)
	}
	return w.Flush()
}

func (p *Programs) table(w *bufio.Writer, all []Program, e End) {
	header := []string{"PROGRAM", "SOCKETS", "ON", "OFF", "UNKNOWN", "BEING PROBED", "DEAD PEER NOTICED AFTER, AT WORST"}
	if p.netns {
		header = append([]string{"NETNS"}, header...)
	}
	var rows [][]string
	for _, g := range all {
		row := []string{g.label, strconv.Itoa(g.Sockets), strconv.Itoa(g.On), strconv.Itoa(g.Off), strconv.Itoa(g.Unknown), strconv.Itoa(g.Probing), g.worst()}
		if p.netns {
			row = append([]string{string(g.Netns)}, row...)
		}
		rows = append(rows, row)
	}
	if len(rows) > 0 {
		answer.WriteTable(w, p.style, header, rows)
		w.WriteByte('\n')
	}
	w.WriteString(e.text())
}

// socketProgramsJSON is the document.
type socketProgramsJSON struct {
	Schema     string    `json:"schema"`
	Programs   []Program `json:"programs"`
	Summary    Summary   `json:"summary"`
	Source     string    `json:"source"`
	WhyNotBPF  *string   `json:"why_not_bpf"`
	Incomplete []Lack    `json:"incomplete"`
}

func (socketProgramsJSON) Table(*bufio.Writer, answer.Style) {} // it is only ever JSON

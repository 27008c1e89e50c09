package sockets

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

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

// Metrics writes aggregates for Prometheus, in its text format. Neither
// ports nor addresses nor PIDs are labels, and of namespaces and programs only so
// many, so that the number of series is bounded.
type Metrics struct {
	w io.Writer
	programs
	states map[stateName]int
}

type stateName struct {
	program   programName
	state     string
	keepalive connection.Switch
}

// The most labels of a kind, those with the most sockets; the others are one.
const (
	labelPrograms   = 40
	labelNamespaces = 40
	otherLabel      = "other"
)

// NewMetrics writes to w, when there are no more sockets.
func NewMetrics(w io.Writer) *Metrics {
	return &Metrics{w: w, states: map[stateName]int{}}
}

func (m *Metrics) Socket(s *connection.Socket) error {
	m.add(s)
	name := nameOf(s)
	key := stateName{name, s.State, s.Keepalive}
	if _, ok := m.states[key]; !ok && len(m.states) >= maxPrograms {
		key.program.comm, key.program.owned = otherLabel, true
	}
	m.states[key]++
	return nil
}

// largest returns the labels that stay: those that stand for the most sockets.
func largest(counts map[string]int, most int) map[string]bool {
	names := make([]string, 0, len(counts))
	for name := range counts {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b)) })
	keep := map[string]bool{}
	for _, name := range names[:min(most, len(names))] {
		keep[name] = true
	}
	return keep
}

func (m *Metrics) End(e End) error {
	namespaces, names := map[string]int{}, map[string]int{}
	all := m.list()
	for _, g := range all {
		namespaces[string(g.Netns)] += g.Sockets
		names[g.label] += g.Sockets
	}
	keepNamespaces, keepNames := largest(namespaces, labelNamespaces), largest(names, labelPrograms)
	labels := func(netns, comm string) string {
		if !keepNamespaces[netns] {
			netns = otherLabel
		}
		if !keepNames[comm] {
			comm = otherLabel
		}
		return `netns="` + escapeLabel(netns) + `",program="` + escapeLabel(comm) + `"`
	}

	w := bufio.NewWriter(m.w)
	series := map[string]float64{}
	metric := func(name, help string) {
		fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name)
		keys := make([]string, 0, len(series))
		for key := range series {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		for _, key := range keys {
			text := strconv.FormatFloat(series[key], 'g', -1, 64)
			if key != "" {
				key = "{" + key + "}"
			}
			fmt.Fprintf(w, "%s%s %s\n", name, key, text)
		}
		clear(series)
	}

	for key, n := range m.states {
		series[labels(key.program.netns, key.program.comm)+`,state="`+key.state+`",keepalive="`+[...]string{"unknown", "off", "on"}[key.keepalive]+`"`] += float64(n)
	}
	metric("tcpka_sockets", "TCP sockets by network namespace, program, state and whether keepalive is on.")
	for _, g := range all {
		series[labels(string(g.Netns), g.label)] += float64(g.Probing)
	}
	metric("tcpka_sockets_probing", "TCP sockets whose peer has left the last keepalive probe unanswered.")
	for _, g := range all {
		series[labels(string(g.Netns), g.label)] += float64(g.Never)
	}
	metric("tcpka_sockets_never_noticed", "TCP sockets on which the loss of an idle peer is never noticed.")
	for _, g := range all {
		if g.Worst != nil {
			key := labels(string(g.Netns), g.label)
			series[key] = max(series[key], time.Duration(*g.Worst).Seconds())
		}
	}
	metric("tcpka_sockets_detection_seconds_max", "Longest time until a dead peer of an idle connection is noticed, of the sockets with keepalive on, by the values in effect or by an older timer that still runs.")
	if len(e.Incomplete) == 0 {
		return w.Flush()
	}
	for _, lack := range e.Incomplete {
		n := 1
		if lack.Sockets != nil {
			n = *lack.Sockets
		}
		series[`what="`+escapeLabel(lack.What)+`"`] += float64(n)
	}
	metric("tcpka_sockets_incomplete", "Of how many TCP sockets, or of how many network namespaces, something could not be known.")
	return w.Flush()
}

// escapeLabel is a label value as the text format wants it, and as a terminal can
// bear it.
func escapeLabel(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(answer.Escape(s))
}

package report

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
)

// SocketProgram is what the sockets of one program have, whatever its processes.
type SocketProgram struct {
	Netns   Foreign  `json:"netns"`
	Comm    *Foreign `json:"comm"` // null: no program holds them, or none that is seen
	Sockets int      `json:"sockets"`
	On      int      `json:"keepalive_on"`
	Off     int      `json:"keepalive_off"`
	Unknown int      `json:"unknown"`
	Probing int      `json:"probing"` // their peer has not answered the last probe

	// Worst is the longest of the times after which a dead peer is noticed, of
	// those with keepalive on, old timers included. Never counts those of which it is known that it
	// never is.
	Worst *Seconds `json:"worst_detection_seconds"`
	Never int      `json:"never_noticed"`

	label string // Comm, or what stands for nobody
}

// programs groups sockets by namespace and program.
type programs struct {
	byName map[programName]*SocketProgram
}

// programName is a program; where owned is false, comm stands for nobody or for
// somebody who is not seen.
type programName struct {
	netns, comm string
	owned       bool
}

func nameOf(s *Socket) programName {
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

func (p *programs) add(s *Socket) {
	if p.byName == nil {
		p.byName = map[programName]*SocketProgram{}
	}
	name := nameOf(s)
	g := p.byName[name]
	if g == nil && len(p.byName) >= maxPrograms {
		name.comm, name.owned = otherLabel, true
		g = p.byName[name]
	}
	if g == nil {
		g = &SocketProgram{Netns: Foreign(name.netns), label: name.comm}
		if name.owned {
			g.Comm = new(Foreign(name.comm))
		}
		p.byName[name] = g
	}
	g.Sockets++
	switch s.Keepalive {
	case SwitchOn:
		g.On++
	case SwitchOff:
		g.Off++
	default:
		g.Unknown++
	}
	if s.probing() {
		g.Probing++
	}
	switch {
	case s.DetectionKnown:
		if g.Worst == nil {
			g.Worst = new(Seconds(0))
		}
		*g.Worst = max(*g.Worst, Seconds(s.noticed()))
	case s.never():
		g.Never++
	}
}

// list returns them, the one with the most sockets first.
func (p *programs) list() []SocketProgram {
	all := []SocketProgram{}
	for _, g := range p.byName {
		all = append(all, *g)
	}
	slices.SortFunc(all, func(a, b SocketProgram) int {
		return cmp.Or(cmp.Compare(a.Netns, b.Netns), cmp.Compare(b.Sockets, a.Sockets), cmp.Compare(a.label, b.label))
	})
	return all
}

// worst is the time after which the last dead peer is noticed.
func (g SocketProgram) worst() string {
	switch {
	case g.Never > 0 && g.Worst != nil:
		return "never (" + g.Worst.human() + " where it is on)"
	case g.Never > 0:
		return "never"
	case g.Worst != nil:
		return g.Worst.brief().Both()
	case g.On == 0 && g.Unknown == 0: // what is left of sockets
		return "-"
	}
	return "?"
}

// SocketPrograms is the answer of tcpka show sockets --summary.
type SocketPrograms struct {
	w      io.Writer
	style  Style
	format string // "table", "json", "jsonl" or "csv"
	netns  bool
	programs
}

// NewSocketPrograms writes to w, when there are no more sockets.
func NewSocketPrograms(w io.Writer, format string, s Style, netns bool) *SocketPrograms {
	return &SocketPrograms{w: w, style: s, format: format, netns: netns}
}

func (p *SocketPrograms) Socket(s *Socket) error {
	p.add(s)
	return nil
}

func (p *SocketPrograms) End(e SocketsEnd) error {
	w := bufio.NewWriter(p.w)
	all := p.list()
	switch p.format {
	case "json":
		return JSON(p.w, socketProgramsJSON{"tcpka/sockets-summary/v1", all, e.Summary, e.Source, e.WhyNotBPF, e.Incomplete})
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

func (p *SocketPrograms) table(w *bufio.Writer, all []SocketProgram, e SocketsEnd) {
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
		writeTable(w, p.style, header, rows)
		w.WriteByte('\n')
	}
	w.WriteString(e.text())
}

// socketProgramsJSON is the document.
type socketProgramsJSON struct {
	Schema     string          `json:"schema"`
	Programs   []SocketProgram `json:"programs"`
	Summary    SocketsSummary  `json:"summary"`
	Source     string          `json:"source"`
	WhyNotBPF  *string         `json:"why_not_bpf"`
	Incomplete []SocketsLack   `json:"incomplete"`
}

func (socketProgramsJSON) table(*bufio.Writer, Style) {} // it is only ever JSON

// SocketsMetrics writes aggregates for Prometheus, in its text format. Neither
// ports nor addresses nor PIDs are labels, and of namespaces and programs only so
// many, so that the number of series is bounded.
type SocketsMetrics struct {
	w io.Writer
	programs
	states map[stateName]int
}

type stateName struct {
	program   programName
	state     string
	keepalive Switch
}

// The most labels of a kind, those with the most sockets; the others are one.
const (
	labelPrograms   = 40
	labelNamespaces = 40
	otherLabel      = "other"
)

// NewSocketsMetrics writes to w, when there are no more sockets.
func NewSocketsMetrics(w io.Writer) *SocketsMetrics {
	return &SocketsMetrics{w: w, states: map[stateName]int{}}
}

func (m *SocketsMetrics) Socket(s *Socket) error {
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

func (m *SocketsMetrics) End(e SocketsEnd) error {
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
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(Escape(s))
}

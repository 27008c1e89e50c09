package sockets

import (
	"cmp"
	"io"
	"slices"
	"time"

	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/connection"
)

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
	labels := func(netns, comm string, more ...string) string {
		if !keepNamespaces[netns] {
			netns = otherLabel
		}
		if !keepNames[comm] {
			comm = otherLabel
		}
		return answer.Labels(append([]string{"netns", netns, "program", comm}, more...)...)
	}
	var sockets, probing, never, worst = answer.Series{}, answer.Series{}, answer.Series{}, answer.Series{}
	for key, n := range m.states {
		sockets[labels(key.program.netns, key.program.comm, "state", key.state, "keepalive", [...]string{"unknown", "off", "on"}[key.keepalive])] += float64(n)
	}
	for _, g := range all {
		key := labels(string(g.Netns), g.label)
		probing[key] += float64(g.Probing)
		never[key] += float64(g.Never)
		if g.Worst != nil {
			worst[key] = max(worst[key], time.Duration(*g.Worst).Seconds())
		}
	}
	w := answer.NewMetrics(m.w)
	w.Gauge("tcpka_sockets", "TCP sockets by network namespace, program, state and whether keepalive is on.", sockets)
	w.Gauge("tcpka_sockets_probing", "TCP sockets whose peer has left the last keepalive probe unanswered.", probing)
	w.Gauge("tcpka_sockets_never_noticed", "TCP sockets on which the loss of an idle peer is never noticed.", never)
	w.Gauge("tcpka_sockets_detection_seconds_max", "Longest time until a dead peer of an idle connection is noticed, of the sockets with keepalive on, by the values in effect or by an older timer that still runs.", worst)
	if len(e.Incomplete) > 0 {
		lacks := answer.Series{}
		for _, lack := range e.Incomplete {
			n := 1
			if lack.Sockets != nil {
				n = *lack.Sockets
			}
			lacks[answer.Labels("what", lack.What)] += float64(n)
		}
		w.Gauge("tcpka_sockets_incomplete", "Of how many TCP sockets, or of how many network namespaces, something could not be known.", lacks)
	}
	return w.Flush()
}

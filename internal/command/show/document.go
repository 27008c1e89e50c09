package show

import (
	"bufio"
	"fmt"
	"slices"
	"strconv"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/answer"
)

// Document is the answer of tcpka show.
type Document struct {
	Schema     string      `json:"schema"`
	Namespaces []Namespace `json:"namespaces"`

	Rows bool `json:"-"` // a namespace a row, even if there is only one
}

// Namespace is what one network namespace has. What could not be read is null,
// and Error says why.
type Namespace struct {
	Name    string  `json:"name"`
	Inode   *uint64 `json:"inode"` // null in an image
	Current bool    `json:"current"`
	PID     *int    `json:"pid"` // a process in it
	Error   *string `json:"error"`

	Time   *int64 `json:"time_seconds"`
	Intvl  *int64 `json:"intvl_seconds"`
	Probes *int   `json:"probes"`

	Detection         *answer.Seconds `json:"detection_seconds"` // null: never
	DetectionEarliest *answer.Seconds `json:"detection_earliest_seconds"`
	DetectionLatest   *answer.Seconds `json:"detection_latest_seconds"`
	Refresh           *answer.Seconds `json:"refresh_seconds"` // null: no probes go out

	Counters Counters       `json:"counters"`
	HZ       *int           `json:"hz"`
	Assumed  []string       `json:"assumed"` // what was not read, but taken as the kernel's default
	Boot     []Boot         `json:"boot"`
	Warnings []calc.Warning `json:"warnings"`
}

// Counters are of the namespace since it was made; null is not known.
type Counters struct {
	ProbesSent       *uint64 `json:"keepalive_probes_sent"`
	AbortedOnTimeout *uint64 `json:"aborted_on_timeout"`
}

// Boot is who sets a key when the machine starts, for one of the programs that
// read sysctl.d. Value and Source are null where nothing does, and the kernel's
// default stays. MatchesRunning is null where it is not known what runs.
type Boot struct {
	Key            string  `json:"key"`
	Reader         string  `json:"reader"`
	Value          *string `json:"value"`
	Source         *string `json:"source"`
	Writer         *string `json:"writer"` // what sets it beside the reader, as tuned; null: the reader itself
	MatchesRunning *bool   `json:"matches_running"`
}

func (b Boot) value() string {
	if b.Value == nil {
		return "kernel default"
	}
	text := *b.Value + "  " + *b.Source
	if b.Writer != nil {
		text += "  by " + *b.Writer
	}
	return text
}

func (d Document) Table(w *bufio.Writer, s answer.Style) {
	if !d.Rows {
		d.Namespaces[0].page(w, s)
		return
	}
	var rows [][]string
	for _, n := range d.Namespaces {
		rows = append(rows, n.row())
	}
	answer.WriteTable(w, s, []string{"NAMESPACE", "TIME", "INTVL", "PROBES", "DEAD PEER AFTER", "REFRESHED EVERY", "PROBES SENT", "DROPPED", "NOTE"}, rows)
}

// row is the namespace as one line of many.
func (n Namespace) row() []string {
	name := n.Name
	if n.Current {
		name += " *"
	}
	if n.Error != nil {
		return []string{name, "?", "?", "?", "?", "?", "?", "?", *n.Error}
	}
	note := ""
	for _, w := range n.Warnings {
		note = joinNonEmpty(note, w.ID)
	}
	return []string{
		name,
		answer.WithHuman(*n.Time), answer.WithHuman(*n.Intvl), strconv.Itoa(*n.Probes),
		answer.OrNever(n.Detection, ""), answer.OrNever(n.Refresh, ""),
		count(n.Counters.ProbesSent), count(n.Counters.AbortedOnTimeout),
		note,
	}
}

// page is the namespace alone, in full.
func (n Namespace) page(w *bufio.Writer, s answer.Style) {
	fmt.Fprintf(w, "namespace %s\n\n", answer.Escape(n.Name))
	var rows [][]string
	for _, k := range []struct{ key, now, preset string }{
		{"net.ipv4.tcp_keepalive_time", orUnknown(n.Time, answer.WithHuman), "7200"},
		{"net.ipv4.tcp_keepalive_intvl", orUnknown(n.Intvl, answer.WithHuman), "75"},
		{"net.ipv4.tcp_keepalive_probes", orUnknown(n.Probes, strconv.Itoa), "9"},
	} {
		row := []string{k.key, k.now, k.preset}
		for i, boot := range n.bootOf(k.key) {
			if i > 0 {
				rows, row = append(rows, row), []string{"", "", ""}
			}
			row = append(row, boot)
		}
		rows = append(rows, row)
	}
	header := []string{"SETTING", "NOW", "DEFAULT"}
	if len(n.Boot) > 0 {
		header = append(header, "AT BOOT")
	}
	answer.WriteTable(w, s, header, rows)
	say := func(format string, args ...any) { answer.Wrap(w, s, "", fmt.Sprintf(format, args...)) }
	if len(n.Boot) == 0 {
		say("At boot: not shown, because boot files are for the host's namespace.")
	}
	if n.Error != nil {
		say("What runs is not known: %s.", answer.Escape(*n.Error))
		answer.WriteWarnings(w, s, n.Warnings)
		return
	}
	fmt.Fprintln(w)
	if n.Detection == nil {
		say("A dead peer of an idle connection is never noticed.")
	} else {
		say("A dead peer of an idle connection is noticed after %s,\nat the latest %s after it was last heard.", n.Detection.Both(), n.DetectionLatest.Both())
	}
	if n.Refresh == nil {
		say("An idle connection sends no probes that would keep a NAT or firewall from forgetting it.")
	} else {
		say("An idle connection is refreshed every %s.", n.Refresh.Both())
	}
	say("Both hold for sockets that switch keepalive on and set no values of their own.")
	if c := n.Counters; c.ProbesSent != nil && c.AbortedOnTimeout != nil {
		fmt.Fprintln(w)
		say("So far: %s sent, %s dropped on a timeout of any kind.", answer.Count(*c.ProbesSent, "probe"), answer.Count(*c.AbortedOnTimeout, "connection"))
	}
	answer.WriteWarnings(w, s, n.Warnings)
}

// bootOf says what happens to key at boot: one line where the readers agree,
// else one for each.
func (n Namespace) bootOf(key string) []string {
	var lines, readers []string
	for _, b := range n.Boot {
		if b.Key != key {
			continue
		}
		line := b.value()
		if b.MatchesRunning != nil && !*b.MatchesRunning {
			line += "  (differs)"
		}
		lines, readers = append(lines, line), append(readers, b.Reader)
	}
	if len(slices.Compact(slices.Clone(lines))) == 1 {
		return lines[:1]
	}
	for i, reader := range readers {
		lines[i] = reader + ": " + lines[i]
	}
	return lines
}

func orUnknown[T any](v *T, format func(T) string) string {
	if v == nil {
		return "?"
	}
	return format(*v)
}

func count(n *uint64) string {
	if n == nil {
		return "?"
	}
	return strconv.FormatUint(*n, 10)
}

func joinNonEmpty(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

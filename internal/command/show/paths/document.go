package paths

import (
	"bufio"
	"fmt"
	"strings"

	"github.com/tcpka/tcpka/internal/answer"
)

// Document is the answer of tcpka show paths: what middleboxes remember.
type Document struct {
	Schema  string       `json:"schema"`
	Checked string       `json:"checked"` // the month: "2026-11"
	Paths   []Path       `json:"paths"`
	Local   []LocalLimit `json:"local"` // what this host remembers itself

	// One shows the only path in full.
	One bool `json:"-"`
}

// Path is one kind of middlebox with its defaults.
type Path struct {
	Name       string          `json:"name"`
	Aliases    []string        `json:"aliases"`
	Title      string          `json:"title"`
	Idle       answer.Seconds  `json:"idle_seconds"`
	Min        *answer.Seconds `json:"min_seconds"` // null: it is fixed, or the range is not known
	Max        *answer.Seconds `json:"max_seconds"`
	Setting    *string         `json:"setting"` // null: it is fixed, or no way is known
	Fixed      bool            `json:"fixed"`
	OnExpiry   string          `json:"on_expiry"` // "reset", "silent", "closed", "varies" or "unknown"
	Layer      string          `json:"layer"`     // "l4" or "l7"
	Server     bool            `json:"server"`    // the far end itself, which counts requests
	Refreshes  bool            `json:"tcp_keepalive_refreshes"`
	Source     string          `json:"source"`
	Confidence string          `json:"confidence"` // "high", "medium" or "low"
	Note       *string         `json:"note"`
}

// LocalLimit is what this host itself remembers a silent connection for. Where
// it cannot be read, Idle is null and Error says why.
type LocalLimit struct {
	Name  string          `json:"name"` // of the path: "conntrack"
	Key   string          `json:"key"`
	Idle  *answer.Seconds `json:"idle_seconds"`
	Error *string         `json:"error"`
}

func (d Document) Table(w *bufio.Writer, s answer.Style) {
	if d.One && len(d.Paths) == 1 {
		d.Paths[0].page(w, s, d.Checked)
		d.local(w, s)
		return
	}
	var rows [][]string
	for _, p := range d.Paths {
		helps := "yes"
		if !p.Refreshes {
			helps = "no"
		}
		rows = append(rows, []string{p.Name, answer.WithHuman(p.Idle.Whole()), p.span(), p.OnExpiry, helps, p.Confidence, p.Title})
	}
	answer.WriteTable(w, s, []string{"NAME", "FORGETS AFTER", "CAN BE", "THEN", "KEEPALIVE HELPS", "TRUST", "WHAT"}, rows)
	fmt.Fprintln(w)
	answer.Wrap(w, s, "", fmt.Sprintf("Defaults in seconds, checked %s; each with its source: tcpka show paths NAME.", d.Checked))
	answer.Wrap(w, s, "", "Where TCP keepalive does not help, only data of the application does (for SSH: ServerAliveInterval).")
	d.local(w, s)
}

func (d Document) local(w *bufio.Writer, s answer.Style) {
	if len(d.Local) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s\n", s.Paint(answer.Bold, "This host"))
	for _, l := range d.Local {
		if l.Error != nil {
			answer.Wrap(w, s, l.Name+": ", answer.Escape(*l.Error))
			continue
		}
		answer.Wrap(w, s, l.Name+": ", fmt.Sprintf("%s, from %s", l.Idle.Both(), l.Key))
	}
}

// page is the path alone, in full.
func (p Path) page(w *bufio.Writer, s answer.Style, checked string) {
	fmt.Fprintf(w, "%s: %s\n\n", s.Paint(answer.Bold, p.Name), p.Title)
	rows := [][]string{{"forgets after", p.Idle.Both() + " without traffic"}}
	switch {
	case p.Min != nil:
		rows = append(rows, []string{"can be", fmt.Sprintf("%s to %s s", p.Min, p.Max)})
	case p.Fixed:
		rows = append(rows, []string{"can be", "nothing else: it is fixed"})
	}
	if p.Setting != nil {
		rows = append(rows, []string{"set by", *p.Setting})
	}
	rows = append(rows, []string{"then", expiryNames[p.OnExpiry]})
	if p.Refreshes {
		rows = append(rows, []string{"TCP keepalive", "helps: it passes the probes on, and each counts as traffic"})
	} else if p.Server {
		rows = append(rows, []string{"TCP keepalive", "does not help: this is the far end's own limit, and only requests count"})
	} else {
		rows = append(rows, []string{"TCP keepalive", "does not help: it answers the probes itself; only data of the application counts"})
	}
	if p.Note != nil {
		rows = append(rows, []string{"note", *p.Note})
	}
	rows = append(rows,
		[]string{"source", p.Source},
		[]string{"trust", p.Confidence + ", checked " + checked})
	if len(p.Aliases) > 0 {
		rows = append(rows, []string{"also called", strings.Join(p.Aliases, ", ")})
	}
	for _, r := range rows {
		answer.Wrap(w, s, fmt.Sprintf("  %-14s ", r[0]), answer.Escape(r[1]))
	}
}

// expiryNames are what a page says becomes of a connection that is forgotten.
var expiryNames = map[string]string{
	"reset":   "it sends a TCP reset",
	"silent":  "packets vanish, nobody is told",
	"closed":  "it closes the connection to both ends",
	"varies":  "it depends; see the note",
	"unknown": "no source says",
}

// span is what Idle can be set to.
func (p Path) span() string {
	switch {
	case p.Min != nil:
		return fmt.Sprintf("%s-%s", p.Min, p.Max)
	case p.Setting != nil:
		return "set"
	case p.Fixed:
		return "fixed"
	}
	return "?"
}

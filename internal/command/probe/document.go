package probe

import (
	"bufio"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tcpka/tcpka/internal/answer"
)

// Document is the answer of tcpka probe: how long the path to a server remembers a
// silent connection. What is not known is null.
type Document struct {
	Schema    string `json:"schema"`
	Target    string `json:"target"`    // as it was given
	Address   string `json:"address"`   // what it was connected to
	Direction string `json:"direction"` // "client-to-server", or "server-to-client" where the far end probed

	Survived       *answer.Seconds `json:"survived_seconds"` // the largest silence that did
	Failed         *answer.Seconds `json:"failed_seconds"`   // the smallest that did not
	How            string          `json:"how"`              // what became of that: "reset", "silent" or "none"
	ClosedByServer *answer.Seconds `json:"closed_by_server_seconds"`

	Interrupted bool     `json:"interrupted"`
	Samples     []Sample `json:"samples"`
	Advice      Advice   `json:"advice"`
	Notes       []string `json:"notes"`
}

// Sample is one silence on one connection.
type Sample struct {
	Wanted  *answer.Seconds `json:"wanted_seconds"` // null: as long as the far end liked
	Silence *answer.Seconds `json:"silence_seconds"`
	Outcome string          `json:"outcome"`
	Unasked bool            `json:"unasked"` // a reset that came before the probe
	Error   *string         `json:"error"`
}

// Advice is what follows from it. Where no silence failed, or no connection
// is kept open by any settings, these are null and Reason is not.
type Advice struct {
	Reason      *string          `json:"reason"`
	PathTimeout *answer.Seconds  `json:"path_timeout_seconds"`
	SurviveLoss *int             `json:"survive_loss"`
	Settings    *answer.Settings `json:"settings"`
	Like        []string         `json:"like"` // names of middleboxes that forget within the bounds
	Commands    []string         `json:"commands"`
}

func (d Document) Table(w *bufio.Writer, s answer.Style) {
	heading := func(text string) { fmt.Fprintf(w, "%s\n", s.Paint(answer.Bold, text)) }
	row := func(name, format string, args ...any) {
		answer.Wrap(w, s, fmt.Sprintf("  %-14s ", name), answer.Escape(fmt.Sprintf(format, args...)))
	}
	where := "The path to " + d.Target
	if d.Direction == "server-to-client" {
		where = "The path from " + d.Target
	}
	if d.Address != d.Target {
		where += " (" + d.Address + ")"
	}
	heading(answer.Escape(where))
	bounds(row, d.Survived, d.Failed, d.How)
	if d.ClosedByServer != nil {
		row("closed", "by the far end, %s after it was made", d.ClosedByServer.Both())
	}
	if len(d.Advice.Like) > 0 {
		row("like", "%s", strings.Join(d.Advice.Like, ", "))
	}
	if len(d.Samples) > 0 {
		fmt.Fprintln(w)
		writeSamples(w, s, d.Samples)
	}
	if d.Advice.Reason != nil {
		d.Notes = append([]string{*d.Advice.Reason}, d.Notes...)
	}
	if len(d.Notes) > 0 {
		fmt.Fprintln(w)
		answer.Bullets(w, s, d.Notes)
	}
	if a := d.Advice; a.Settings != nil {
		fmt.Fprintln(w)
		heading("What holds it open")
		row("time", "%s", a.Settings.Time.Both())
		row("intvl", "%s", a.Settings.Intvl.Both())
		row("probes", "%d", a.Settings.Probes)
		if uto := a.Settings.UserTimeout; uto > 0 {
			row("user timeout", "%s, sockets only", answer.Seconds(time.Duration(uto)*time.Millisecond).Both())
		}
	}
	if len(d.Advice.Commands) > 0 {
		fmt.Fprintln(w)
		heading("Next")
		for _, c := range d.Advice.Commands {
			fmt.Fprintf(w, "  %s\n", answer.Escape(c))
		}
	}
}

func bounds(row func(name, format string, args ...any), survived, failed *answer.Seconds, how string) {
	if survived != nil {
		row("survived", "a silence of %s", survived.Both())
	} else {
		row("survived", "no silence that was tried")
	}
	switch {
	case failed == nil:
		row("failed", "none that was tried")
	case how == "reset":
		row("failed", "a silence of %s: the connection was reset", failed.Both())
	default:
		row("failed", "a silence of %s: no answer, and nobody told", failed.Both())
	}
}

func writeSamples(w *bufio.Writer, s answer.Style, samples []Sample) {
	var rows [][]string
	for _, p := range slices.SortedStableFunc(slices.Values(samples), func(a, b Sample) int { return int(length(a.Wanted) - length(b.Wanted)) }) {
		wanted, silence := "any", "none"
		if p.Silence != nil {
			silence = p.Silence.Both()
		}
		if p.Wanted != nil {
			wanted = p.Wanted.Both()
			if p.Silence != nil && *p.Silence < *p.Wanted {
				wanted += ", not reached"
			}
		}
		rows = append(rows, []string{silence, wanted, p.words()})
	}
	answer.WriteTable(w, s, []string{"SILENT FOR", "PLANNED", "OUTCOME"}, rows)
}

func length(s *answer.Seconds) answer.Seconds {
	if s == nil {
		return 0
	}
	return *s
}

// words is the outcome as people say it.
func (p Sample) words() string {
	text := map[string]string{
		"answered":   "the probe was answered",
		"reset":      "the probe was answered by a reset",
		"swallowed":  "no probe was answered",
		"closed":     "the far end closed the connection",
		"spoke":      "the far end spoke by itself",
		"unfinished": "not waited for",
		"unmade":     "no connection",
	}[p.Outcome]
	if p.Unasked {
		text = "a reset came unasked"
	}
	if p.Error != nil {
		text += ": " + *p.Error
	}
	return text
}

// Serve is what tcpka probe --serve has to say when it ends.
type Serve struct {
	Schema      string     `json:"schema"`
	Listen      string     `json:"listen"`
	Hosts       []ServeOf  `json:"hosts"`
	Connections []ServeOne `json:"connections"` // the last thousand
}

// ServeOf is the path from here to one host that connected.
type ServeOf struct {
	Host     string          `json:"host"`
	Survived *answer.Seconds `json:"survived_seconds"`
	Failed   *answer.Seconds `json:"failed_seconds"`
	How      string          `json:"how"`
}

// ServeOne is a connection that a host made.
type ServeOne struct {
	Remote    string `json:"remote"`
	Direction string `json:"direction"` // "server-to-client", or "client-to-server" where the far end probed
	Sample
}

// Table leaves out the connections, which were written when they ended.
func (d Serve) Table(w *bufio.Writer, s answer.Style) {
	for _, h := range d.Hosts {
		fmt.Fprintf(w, "\n%s\n", s.Paint(answer.Bold, answer.Escape("The path from here to "+h.Host)))
		bounds(func(name, format string, args ...any) {
			answer.Wrap(w, s, fmt.Sprintf("  %-14s ", name), answer.Escape(fmt.Sprintf(format, args...)))
		}, h.Survived, h.Failed, h.How)
	}
}

// Line writes one connection in a line.
func (v ServeOne) Line(w interface{ WriteString(string) (int, error) }) {
	silence := "silent"
	if v.Silence != nil {
		silence += " for " + v.Silence.Both()
	}
	what := v.words()
	if v.Direction == "client-to-server" {
		what = strings.Replace(what, "the far end spoke by itself", "its probe came through", 1)
	}
	w.WriteString(answer.Escape(fmt.Sprintf("%s  %s: %s", v.Remote, silence, what)) + "\n")
}

package plan

import (
	"bufio"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tcpka/tcpka/internal/answer"
)

// Document is the answer of tcpka plan. What does not apply is null: the settings
// and their times where TCP keepalive cannot help, ssh where SSH cannot.
type Document struct {
	Schema   string           `json:"schema"`
	Goal     Goal             `json:"goal"`
	Settings *answer.Settings `json:"settings"` // a user timeout of 0 is none
	SSH      *SSH             `json:"ssh"`

	// TCPEndsAt is what ends the TCP connection on the path. Settings, and the times
	// they lead to, hold as far as that: it is the peer that is noticed missing.
	TCPEndsAt []string `json:"tcp_ends_at"`

	// From the moment the peer dies: an answered probe may just have gone out.
	Detection       *answer.Seconds `json:"detection_seconds"`
	DetectionLatest *answer.Seconds `json:"detection_latest_seconds"`

	// The same with data in flight, and what it would be without a user timeout.
	InFlight              *answer.Seconds `json:"in_flight_seconds"`
	InFlightLatest        *answer.Seconds `json:"in_flight_latest_seconds"`
	InFlightDefault       *answer.Seconds `json:"in_flight_default_seconds"`
	InFlightDefaultLatest *answer.Seconds `json:"in_flight_default_latest_seconds"`

	Refresh          *answer.Seconds `json:"refresh_seconds"`
	RefreshLatest    *answer.Seconds `json:"refresh_latest_seconds"`
	RefreshAfterLoss *answer.Seconds `json:"refresh_after_loss_seconds"` // the latest, with the probes lost that may be

	Cost     *Cost             `json:"cost"`
	Feasible bool              `json:"feasible"`
	Reasons  []string          `json:"reasons"` // why it is not feasible
	Notes    []string          `json:"notes"`   // why the settings are what they are, and what else to know
	Snippets map[string]string `json:"snippets"`
	Commands []string          `json:"commands"`

	// Targets are the snippets in the order they were asked for.
	Targets []Target `json:"-"`
}

// Goal is what was asked for.
type Goal struct {
	Behind         []Box           `json:"behind"`
	PathTimeout    *answer.Seconds `json:"path_timeout_seconds"`     // the smallest that TCP keepalive has to beat
	SSHPathTimeout *answer.Seconds `json:"ssh_path_timeout_seconds"` // and that SSH has to, or the application
	DetectWithin   *answer.Seconds `json:"detect_within_seconds"`
	SurviveLoss    int             `json:"survive_loss"`
	HZ             int             `json:"hz"`
}

// Box is a middlebox on the path.
type Box struct {
	Name      string         `json:"name"`
	Title     string         `json:"title"`
	Idle      answer.Seconds `json:"idle_seconds"`
	Refreshes bool           `json:"tcp_keepalive_refreshes"`
}

// SSH are the settings of either end of an SSH connection for the same goal.
type SSH struct {
	Interval  answer.Seconds `json:"interval_seconds"`
	CountMax  int            `json:"count_max"`
	Detection answer.Seconds `json:"detection_seconds"`
}

// Cost is what one idle connection sends in an hour, and 10,000 do. Each
// probe is answered by a packet of the same size.
type Cost struct {
	Probes       float64 `json:"probes_per_hour"`
	ProbesOfMany float64 `json:"probes_per_hour_10000"`
}

// Target is a snippet with its heading.
type Target struct {
	Name, Title, Text string
}

func (d Document) Table(w *bufio.Writer, s answer.Style) {
	heading := func(text string) { fmt.Fprintf(w, "%s\n", s.Paint(answer.Bold, text)) }
	row := func(name, format string, args ...any) {
		answer.Wrap(w, s, fmt.Sprintf("  %-14s ", name), answer.Escape(fmt.Sprintf(format, args...)))
	}
	heading("Goal")
	d.Goal.rows(row)
	if !d.Feasible {
		fmt.Fprintln(w)
		heading("No settings meet it")
		answer.Bullets(w, s, d.Reasons)
	}
	if d.Settings != nil {
		fmt.Fprintln(w)
		heading("Settings" + d.reach())
		row("time", "%s", d.Settings.Time.Both())
		row("intvl", "%s", d.Settings.Intvl.Both())
		row("probes", "%d", d.Settings.Probes)
		if uto := d.Settings.UserTimeout; uto > 0 {
			row("user timeout", "%s, sockets only", answer.Seconds(time.Duration(uto)*time.Millisecond).Both())
		}
		fmt.Fprintln(w)
		heading("What they do")
		d.times(row)
	}
	if d.SSH != nil {
		fmt.Fprintln(w)
		heading("SSH's own probes, for the same goal")
		row("interval", "%s", d.SSH.Interval.Both())
		row("count", "%d", d.SSH.CountMax)
		row("noticed", "after %s = %s x (%d + 1)", d.SSH.Detection.Both(), d.SSH.Interval, d.SSH.CountMax)
	}
	if len(d.Notes) > 0 {
		fmt.Fprintln(w)
		heading("Why, and what else to know")
		answer.Bullets(w, s, d.Notes)
	}
	for _, t := range d.Targets {
		fmt.Fprintf(w, "\n%s (%s)\n\n", s.Paint(answer.Bold, t.Name), t.Title)
		for line := range strings.Lines(t.Text) {
			if line != "\n" {
				fmt.Fprint(w, "    ")
			}
			fmt.Fprint(w, line)
		}
	}
	if len(d.Commands) > 0 {
		fmt.Fprintln(w)
		heading("Next")
		for _, c := range d.Commands {
			fmt.Fprintf(w, "  %s\n", c)
		}
	}
}

// reach is how far the settings do, where that is not all of the path.
func (d Document) reach() string {
	if len(d.TCPEndsAt) == 0 {
		return ""
	}
	return ", as far as " + answer.Escape(strings.Join(d.TCPEndsAt, " or "))
}

func (g Goal) rows(row func(name, format string, args ...any)) {
	name := "path"
	for _, b := range g.Behind {
		passes := ""
		if !b.Refreshes {
			passes = "; TCP keepalive does not help"
		}
		row(name, "%s forgets after %s%s", b.Name, b.Idle.Both(), passes)
		name = ""
	}
	if g.PathTimeout != nil && !g.named(*g.PathTimeout) {
		before := ""
		if slices.ContainsFunc(g.Behind, func(b Box) bool { return !b.Refreshes }) {
			before = "what lies before that "
		}
		row(name, "%sforgets after %s", before, g.PathTimeout.Both())
	}
	if g.DetectWithin != nil {
		row("notice within", "%s", g.DetectWithin.Both())
	}
	if g.SurviveLoss == 0 {
		row("survive", "no lost probe")
	} else {
		row("survive", "%s in a row", answer.Count(g.SurviveLoss, "lost probe"))
	}
}

// named reports whether one of the middleboxes is what limits TCP keepalive.
func (g Goal) named(timeout answer.Seconds) bool {
	for _, b := range g.Behind {
		if b.Refreshes && b.Idle == timeout {
			return true
		}
	}
	return false
}

func (d Document) times(row func(name, format string, args ...any)) {
	if d.Refresh != nil {
		lost := ""
		if n := d.Goal.SurviveLoss; n > 0 {
			lost = fmt.Sprintf("; with %s %s s", answer.Count(n, "lost probe"), d.RefreshAfterLoss.Brief())
		}
		row("refreshed", "every %s, at the latest %s s%s", d.Refresh.Both(), d.RefreshLatest.Brief(), lost)
	}
	row("noticed", "after %s, at the latest %s s", d.Detection.Both(), d.DetectionLatest.Brief())
	without := fmt.Sprintf("%s, at the latest %s s", d.InFlightDefault.Brief().Both(), d.InFlightDefaultLatest.Brief())
	if d.Settings.UserTimeout > 0 {
		row("data in flight", "after %s, at the latest %s s", d.InFlight.Brief().Both(), d.InFlightLatest.Brief())
		row("", "without the user timeout: after %s", without)
	} else {
		row("data in flight", "after %s", without)
	}
	if d.Cost != nil {
		row("cost", "%s probes an hour for an idle connection, %s for 10,000 of them", decimal(d.Cost.Probes), decimal(math.Round(d.Cost.ProbesOfMany)))
	}
}

func decimal(f float64) string {
	if f >= 100 {
		f = math.Round(f)
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}

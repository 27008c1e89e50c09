package selftest

import (
	"bufio"
	"fmt"
	"strings"
	"time"

	"github.com/tcpka/tcpka/internal/answer"
)

// Document is the answer of tcpka selftest: what was predicted beside what this
// kernel did.
type Document struct {
	Schema string `json:"schema"`
	Kernel string `json:"kernel"` // its release: "6.18.44"
	HZ     int    `json:"hz"`
	// Allowance is how much later than Latest an end may be measured, because the
	// machine may be busy; what it demonstrably stood still is added.
	Allowance answer.Seconds `json:"late_allowance_seconds"`
	Took      answer.Seconds `json:"took_seconds"`
	OK        bool           `json:"ok"` // everything was measured, and is as predicted
	Rows      []Row          `json:"rows"`
}

// Row is one connection.
type Row struct {
	Situation string             `json:"situation"`
	Name      string             `json:"name"` // what is special about it
	Settings  answer.Settings    `json:"settings"`
	Sysctls   map[string]int     `json:"sysctls"`   // set in its namespace: "net.ipv4.tcp_retries2"
	Predicted *answer.Prediction `json:"predicted"` // null: it could not be measured, and Text says why
	Measured  *Measure           `json:"measured"`
	OK        bool               `json:"ok"`
	Text      *string            `json:"text"` // what is wrong; null: nothing
}

// Measure is what became of the connection.
type Measure struct {
	Ended   bool           `json:"ended"`
	Seconds answer.Seconds `json:"seconds"` // until it ended, or as long as it was watched
	Errno   *string        `json:"errno"`   // what the application got; null: nothing
	// Stalled is for how long tcpka itself did not run when it should have.
	Stalled answer.Seconds `json:"stalled_seconds"`
	Probes  *int           `json:"probes_sent"` // null: not counted
}

// Count is how many rows were not as predicted, and how many not measured.
func (d Document) Count() (wrong, unmeasured int) {
	for _, r := range d.Rows {
		switch {
		case r.Measured == nil:
			unmeasured++
		case !r.OK:
			wrong++
		}
	}
	return wrong, unmeasured
}

func (d Document) Table(w *bufio.Writer, s answer.Style) {
	fmt.Fprintf(w, "Linux %s, HZ %d\n\n", answer.Escape(d.Kernel), d.HZ)
	var rows [][]string
	var stalled answer.Seconds
	for _, r := range d.Rows {
		rows = append(rows, r.cells())
		if r.Measured != nil {
			stalled = max(stalled, r.Measured.Stalled)
		}
	}
	answer.WriteTable(w, s, []string{"SITUATION", "SETTINGS", "PREDICTED", "BETWEEN", "MEASURED", "APP SEES", ""}, rows)
	notes := fmt.Sprintf("Settings are time/intvl/probes, all times are in seconds. An end counts as predicted up to %s s\nlate, because a machine may be busy", d.Allowance)
	if stalled > 0 {
		notes += fmt.Sprintf(", and as much later as tcpka was kept from running: up to %s s", stalled.Brief())
	}
	fmt.Fprintln(w)
	answer.Wrap(w, s, "", notes+".")
	fmt.Fprintln(w)
	switch wrong, unmeasured := d.Count(); {
	case wrong > 0:
		fmt.Fprintln(w, s.Paint(answer.Red, fmt.Sprintf("%d of %d are not as predicted.", wrong, len(d.Rows))))
	case unmeasured > 0:
		fmt.Fprintln(w, s.Paint(answer.Yellow, fmt.Sprintf("%d of %d could not be measured; the others are as predicted.", unmeasured, len(d.Rows))))
	default:
		fmt.Fprintln(w, s.Paint(answer.Green, fmt.Sprintf("All %d are as predicted.", len(d.Rows))))
	}
}

func (r Row) cells() []string {
	what := answer.SituationNames[r.Situation]
	settings := fmt.Sprintf("%s/%s/%d", r.Settings.Time, r.Settings.Intvl, r.Settings.Probes)
	if r.Settings.UserTimeout > 0 {
		settings += ", user timeout " + r.Settings.UserTimeoutSeconds().String()
	}
	for name, value := range r.Sysctls {
		if name = strings.TrimPrefix(name, "net.ipv4."); !strings.HasPrefix(name, "tcp_keepalive_") {
			settings += fmt.Sprintf(", %s=%d", name, value)
		}
	}
	if r.Name != "" {
		settings += " (" + r.Name + ")"
	}
	verdict := "ok"
	if r.Text != nil {
		verdict = *r.Text
	}
	if r.Measured == nil {
		return []string{what, settings, "", "", "", "", "not measured: " + verdict}
	}
	predicted, between := "never", ""
	if p := r.Predicted; !p.Never {
		predicted, between = p.Seconds.String(), answer.Span(*p.Earliest, *p.Latest)
	}
	measured, sees := answer.Seconds(time.Duration(r.Measured.Seconds).Round(time.Millisecond)).String(), "nothing"
	if !r.Measured.Ended {
		measured = "not in " + r.Measured.Seconds.Brief().String()
	}
	if r.Measured.Errno != nil {
		sees = *r.Measured.Errno
	}
	return []string{what, settings, predicted, between, measured, sees, verdict}
}

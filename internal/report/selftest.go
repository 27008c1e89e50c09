package report

import (
	"bufio"
	"fmt"
	"strings"
	"time"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/keepalive"
)

// Selftest is the answer of tcpka selftest: what was predicted beside what this
// kernel did.
type Selftest struct {
	Schema string `json:"schema"`
	Kernel string `json:"kernel"` // its release: "6.18.44"
	HZ     int    `json:"hz"`
	// Allowance is how much later than Latest an end may be measured, because the
	// machine may be busy; what it demonstrably stood still is added.
	Allowance Seconds       `json:"late_allowance_seconds"`
	Took      Seconds       `json:"took_seconds"`
	OK        bool          `json:"ok"` // everything was measured, and is as predicted
	Rows      []SelftestRow `json:"rows"`
}

// SelftestRow is one connection.
type SelftestRow struct {
	Situation string           `json:"situation"`
	Name      string           `json:"name"` // what is special about it
	Settings  Settings         `json:"settings"`
	Sysctls   map[string]int   `json:"sysctls"`   // set in its namespace: "net.ipv4.tcp_retries2"
	Predicted *Prediction      `json:"predicted"` // null: it could not be measured, and Text says why
	Measured  *SelftestMeasure `json:"measured"`
	OK        bool             `json:"ok"`
	Text      *string          `json:"text"` // what is wrong; null: nothing

	settings keepalive.Settings
}

// SelftestMeasure is what became of the connection.
type SelftestMeasure struct {
	Ended   bool    `json:"ended"`
	Seconds Seconds `json:"seconds"` // until it ended, or as long as it was watched
	Errno   *string `json:"errno"`   // what the application got; null: nothing
	// Stalled is for how long tcpka itself did not run when it should have.
	Stalled Seconds `json:"stalled_seconds"`
	Probes  *int    `json:"probes_sent"` // null: not counted
}

// NewSelftestRow starts the row of a connection with the settings s.
func NewSelftestRow(situation, name string, s keepalive.Settings) SelftestRow {
	return SelftestRow{
		Situation: situation, Name: name, Sysctls: map[string]int{},
		Settings: NewSettings(s), settings: s,
	}
}

// Failed is r where it could not be measured.
func (r SelftestRow) Failed(err error) SelftestRow {
	r.Text = new(err.Error())
	return r
}

// Outcome is r with its outcome; why says what is wrong and is empty where
// nothing is.
func (r SelftestRow) Outcome(p calc.Prediction, m SelftestMeasure, why string) SelftestRow {
	r.Predicted, r.Measured, r.OK = new(NewPrediction(p)), &m, why == ""
	if why != "" {
		r.Text = &why
	}
	return r
}

// Count is how many rows were not as predicted, and how many not measured.
func (d Selftest) Count() (wrong, unmeasured int) {
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

func (d Selftest) table(w *bufio.Writer, s Style) {
	fmt.Fprintf(w, "Linux %s, HZ %d\n\n", Escape(d.Kernel), d.HZ)
	var rows [][]string
	var stalled Seconds
	for _, r := range d.Rows {
		rows = append(rows, r.cells())
		if r.Measured != nil {
			stalled = max(stalled, r.Measured.Stalled)
		}
	}
	writeTable(w, s, []string{"SITUATION", "SETTINGS", "PREDICTED", "BETWEEN", "MEASURED", "APP SEES", ""}, rows)
	notes := fmt.Sprintf("Settings are time/intvl/probes, all times are in seconds. An end counts as predicted up to %s s\nlate, because a machine may be busy", d.Allowance)
	if stalled > 0 {
		notes += fmt.Sprintf(", and as much later as tcpka was kept from running: up to %s s", stalled.brief())
	}
	fmt.Fprintln(w)
	wrap(w, s, "", notes+".")
	fmt.Fprintln(w)
	switch wrong, unmeasured := d.Count(); {
	case wrong > 0:
		fmt.Fprintln(w, s.paint(red, fmt.Sprintf("%d of %d are not as predicted.", wrong, len(d.Rows))))
	case unmeasured > 0:
		fmt.Fprintln(w, s.paint(yellow, fmt.Sprintf("%d of %d could not be measured; the others are as predicted.", unmeasured, len(d.Rows))))
	default:
		fmt.Fprintln(w, s.paint(green, fmt.Sprintf("All %d are as predicted.", len(d.Rows))))
	}
}

func (r SelftestRow) cells() []string {
	what := situationNames[r.Situation]
	settings := fmt.Sprintf("%s/%s/%d", r.Settings.Time, r.Settings.Intvl, r.Settings.Probes)
	if r.Settings.UserTimeout > 0 {
		settings += ", user timeout " + Seconds(r.settings.UserTimeout).String()
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
		predicted, between = p.Seconds.String(), span(*p.Earliest, *p.Latest)
	}
	measured, sees := Seconds(time.Duration(r.Measured.Seconds).Round(time.Millisecond)).String(), "nothing"
	if !r.Measured.Ended {
		measured = "not in " + r.Measured.Seconds.brief().String()
	}
	if r.Measured.Errno != nil {
		sees = *r.Measured.Errno
	}
	return []string{what, settings, predicted, between, measured, sees, verdict}
}

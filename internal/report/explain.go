package report

import (
	"bufio"
	"fmt"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/keepalive"
)

// Explain is the answer of tcpka explain.
type Explain struct {
	Schema     string          `json:"schema"`
	Settings   Settings        `json:"settings"`
	Kernel     KernelSettings  `json:"kernel"`
	Detection  Prediction      `json:"detection"`
	Refresh    *Seconds        `json:"refresh_seconds"` // null: no probes go out
	Timeline   []TimelineEvent `json:"timeline"`
	Situations []Situation     `json:"situations"`
	Warnings   []calc.Warning  `json:"warnings"`

	// Source says where the values come from that were not given, the kernel's
	// among them: "namespace host".
	Source string `json:"source"`
	// Given: some of the settings were.
	Given bool `json:"-"`

	settings keepalive.Settings
}

// Settings are the values explained.
type Settings struct {
	Time        Seconds `json:"time_seconds"`
	Intvl       Seconds `json:"intvl_seconds"`
	Probes      int     `json:"probes"`
	UserTimeout int64   `json:"user_timeout_ms"`
}

// NewSettings are settings for an answer.
func NewSettings(s keepalive.Settings) Settings {
	return Settings{Seconds(s.Time), Seconds(s.Intvl), s.Probes, s.UserTimeout.Milliseconds()}
}

// KernelSettings are what the predictions rest on beside the settings. Assumed
// are the ones that were not read, but taken as the kernel's default.
type KernelSettings struct {
	HZ                int      `json:"hz"`
	Retries2          int      `json:"tcp_retries2"`
	RTOMax            int64    `json:"tcp_rto_max_ms"`
	SynRetries        int      `json:"tcp_syn_retries"`
	SynLinearTimeouts int      `json:"tcp_syn_linear_timeouts"`
	SynackRetries     int      `json:"tcp_synack_retries"`
	OrphanRetries     int      `json:"tcp_orphan_retries"`
	Assumed           []string `json:"assumed"`
}

// TimelineEvent is one point in the life of an idle connection whose peer
// vanished.
type TimelineEvent struct {
	At    Seconds `json:"at_seconds"`
	Event string  `json:"event"`           // "probe", "omitted" or "dead"
	N     int     `json:"n,omitempty"`     // of a probe: its number
	Count int     `json:"count,omitempty"` // of omitted: how many probes
	Errno string  `json:"errno,omitempty"` // of dead: what the application gets
}

// Situation is a [calc.Situation] as JSON shows it.
type Situation struct {
	ID string `json:"id"`
	Prediction
}

// NewExplain computes nothing new: it puts what k predicts for s into the
// document.
func NewExplain(s keepalive.Settings, k calc.Kernel, assumed []string, source string) Explain {
	d := Explain{
		Schema: "tcpka/explain/v1",
		Settings: Settings{
			Time: Seconds(s.Time), Intvl: Seconds(s.Intvl), Probes: s.Probes,
			UserTimeout: s.UserTimeout.Milliseconds(),
		},
		Kernel:    newKernelSettings(k, assumed),
		Detection: NewPrediction(k.IdlePeerGone(s)),
		Timeline:  newTimeline(k.Timeline(s), "ETIMEDOUT"),
		Warnings:  append([]calc.Warning{}, k.Warnings(s)...),
		Source:    source,
		settings:  s,
	}
	if period, _, ok := k.Refresh(s); ok {
		d.Refresh = new(Seconds(period))
	}
	for _, sit := range k.Situations(s) {
		d.Situations = append(d.Situations, Situation{sit.ID, NewPrediction(sit.Prediction)})
	}
	return d
}

func newKernelSettings(k calc.Kernel, assumed []string) KernelSettings {
	return KernelSettings{
		HZ: k.HZ, Retries2: k.Retries2, RTOMax: k.RTOMax.Milliseconds(),
		SynRetries: k.SynRetries, SynLinearTimeouts: k.SynLinearTimeouts,
		SynackRetries: k.SynackRetries, OrphanRetries: k.OrphanRetries,
		Assumed: append([]string{}, assumed...),
	}
}

// newTimeline converts the events; errno is what the application gets at the end.
func newTimeline(events []calc.Event, errno string) []TimelineEvent {
	timeline := []TimelineEvent{}
	for _, e := range events {
		at := Seconds(e.At)
		if e.Dead {
			timeline = append(timeline, TimelineEvent{At: at, Event: "dead", Errno: errno})
			continue
		}
		timeline = append(timeline, TimelineEvent{At: at, Event: "probe", N: e.Probe})
		if e.Omitted > 0 {
			timeline = append(timeline, TimelineEvent{At: at, Event: "omitted", Count: e.Omitted})
		}
	}
	return timeline
}

func (d Explain) table(w *bufio.Writer, s Style) {
	uto := "no user timeout"
	if d.Settings.UserTimeout > 0 {
		uto = "user timeout " + Seconds(d.settings.UserTimeout).Both()
	}
	head := fmt.Sprintf("time %s, intvl %s, probes %d, %s", d.Settings.Time.Both(), d.Settings.Intvl.Both(), d.Settings.Probes, uto)
	wrap(w, s, "", head+origin(d.Source, d.Given))

	fmt.Fprintf(w, "\n%s\n\n", s.paint(bold, "An idle connection whose peer vanishes"))
	drawTimeline(w, s, d.Timeline, d.Detection, legend{
		start:   "the last segment from the peer",
		dead:    "dropped, the application gets ETIMEDOUT",
		nothing: "nothing is ever sent",
	})
	fmt.Fprintln(w)
	wrap(w, s, "  ", d.formula(s))
	if p := d.Detection; !p.Never {
		wrap(w, s, "  ", fmt.Sprintf("in practice: %s, as the kernel's timers are late (HZ %d)", between(*p.Earliest, *p.Latest), d.Kernel.HZ))
	}
	fmt.Fprintln(w)
	if d.Refresh != nil {
		wrap(w, s, "", fmt.Sprintf("While the peer answers nothing is closed, however long the connection is idle; a probe\nand its answer every %s keep a NAT or firewall from forgetting it.", d.Refresh.Both()))
		fmt.Fprintln(w)
	}

	fmt.Fprintln(w, s.paint(bold, "Every situation"))
	fmt.Fprintln(w)
	var rows [][]string
	for _, sit := range d.Situations {
		rows = append(rows, sit.row())
	}
	writeTable(w, s, []string{"SITUATION", "ENDS AFTER", "BETWEEN", "DECIDED BY", "APP SEES"}, rows)
	writeWarnings(w, s, d.Warnings)
}

// origin says behind values where those come from that were not given.
func origin(source string, given bool) string {
	if given {
		source = "the rest: " + source
	}
	return "  [" + Escape(source) + "]"
}

// formula is the rule that decides the detection, with its numbers filled in.
func (d Explain) formula(s Style) string {
	mul := "x"
	if s.Unicode {
		mul = "×"
	}
	v, p := d.Settings, d.Detection
	switch {
	case p.Never && d.settings.Time < 0:
		return "never: a negative time is months away for the kernel, no probe is sent"
	case p.Never:
		return "never: after one probe a negative intvl is months away for the kernel"
	}
	// What the kernel's timers make of an interval of 0, or one beyond their
	// reach, is another.
	intvl, note := v.Intvl, ""
	if p.ProbesSent > 0 {
		if real := (*p.Seconds - v.Time) / Seconds(p.ProbesSent); real != intvl {
			intvl, note = real, ", with intvl as the kernel's timers have it"
		}
	}
	if p.DecidedBy == calc.ByUserTimeout {
		return fmt.Sprintf("time + n %s intvl = %s + %d %s %s = %s, the first from n = 1 not before the user timeout, %s s%s",
			mul, v.Time, p.ProbesSent, mul, intvl, p.Seconds.Both(), Seconds(d.settings.UserTimeout), note)
	}
	return fmt.Sprintf("time + probes %s intvl = %s + %d %s %s = %s%s", mul, v.Time, v.Probes, mul, intvl, p.Seconds.Both(), note)
}

func (x Situation) row() []string {
	end, between := "never", ""
	if !x.Never {
		end = x.Seconds.brief().Both()
		between = span(x.Earliest.brief(), x.Latest.brief())
	}
	by := x.DecidedBy
	if x.Never {
		by = ""
	}
	return []string{situationNames[x.ID], end, between, by, x.seen()}
}

// situationNames are what the table calls the situations.
var situationNames = map[string]string{
	calc.IdlePeerAlive:          "idle, peer alive",
	calc.IdlePeerGone:           "idle, peer gone",
	calc.IdleAfterAnsweredProbe: "  after an answered probe",
	calc.IdlePeerRebooted:       "idle, peer rebooted",
	calc.IdleWithoutKeepalive:   "idle, peer gone, keepalive off",
	calc.DataInFlight:           "data in flight, peer gone",
	calc.ZeroWindowPeerAlive:    "peer alive, its window closed",
	calc.Connecting:             "connecting, no answer",
	calc.Accepting:              "accepting, no answer",
	calc.ClosedWithDataUnsent:   "closed, data unsent, peer gone",
}

// seen is what the application notices.
func (x Situation) seen() string {
	switch {
	case x.Errno == nil:
		return "nothing"
	case x.ID == calc.IdlePeerAlive:
		return *x.Errno + " on a healthy connection"
	}
	return *x.Errno
}

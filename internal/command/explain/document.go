package explain

import (
	"bufio"
	"fmt"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/answer"
)

// Document is the answer of tcpka explain.
type Document struct {
	Schema     string                 `json:"schema"`
	Settings   answer.Settings        `json:"settings"`
	Kernel     answer.KernelSettings  `json:"kernel"`
	Detection  answer.Prediction      `json:"detection"`
	Refresh    *answer.Seconds        `json:"refresh_seconds"` // null: no probes go out
	Timeline   []answer.TimelineEvent `json:"timeline"`
	Situations []answer.Situation     `json:"situations"`
	Warnings   []calc.Warning         `json:"warnings"`

	// Source says where the values come from that were not given, the kernel's
	// among them: "namespace host".
	Source string `json:"source"`
	// Given: some of the settings were.
	Given bool `json:"-"`
}

func (d Document) Table(w *bufio.Writer, s answer.Style) {
	uto := "no user timeout"
	if d.Settings.UserTimeout > 0 {
		uto = "user timeout " + d.Settings.UserTimeoutSeconds().Both()
	}
	head := fmt.Sprintf("time %s, intvl %s, probes %d, %s", d.Settings.Time.Both(), d.Settings.Intvl.Both(), d.Settings.Probes, uto)
	answer.Wrap(w, s, "", head+answer.Origin(d.Source, d.Given))

	fmt.Fprintf(w, "\n%s\n\n", s.Paint(answer.Bold, "An idle connection whose peer vanishes"))
	answer.DrawTimeline(w, s, d.Timeline, d.Detection, answer.Legend{
		Start:   "the last segment from the peer",
		Dead:    "dropped, the application gets ETIMEDOUT",
		Nothing: "nothing is ever sent",
	})
	fmt.Fprintln(w)
	answer.Wrap(w, s, "  ", d.formula(s))
	if p := d.Detection; !p.Never {
		answer.Wrap(w, s, "  ", fmt.Sprintf("in practice: %s, as the kernel's timers are late (HZ %d)", answer.Between(*p.Earliest, *p.Latest), d.Kernel.HZ))
	}
	fmt.Fprintln(w)
	if d.Refresh != nil {
		answer.Wrap(w, s, "", fmt.Sprintf("While the peer answers nothing is closed, however long the connection is idle; a probe\nand its answer every %s keep a NAT or firewall from forgetting it.", d.Refresh.Both()))
		fmt.Fprintln(w)
	}

	fmt.Fprintln(w, s.Paint(answer.Bold, "Every situation"))
	fmt.Fprintln(w)
	var rows [][]string
	for _, sit := range d.Situations {
		rows = append(rows, sit.Row())
	}
	answer.WriteTable(w, s, []string{"SITUATION", "ENDS AFTER", "BETWEEN", "DECIDED BY", "APP SEES"}, rows)
	fmt.Fprintln(w)
	answer.Wrap(w, s, "", "EHOSTUNREACH (No route to host) or ENETUNREACH is for where this host or a router says that the peer is unreachable: with data in flight when the time is over, while connecting at once.")
	answer.WriteWarnings(w, s, d.Warnings)
}

// formula is the rule that decides the detection, with its numbers filled in.
func (d Document) formula(s answer.Style) string {
	mul := "x"
	if s.Unicode {
		mul = "×"
	}
	v, p := d.Settings, d.Detection
	switch {
	case p.Never && v.Time < 0:
		return "never: a negative time is months away for the kernel, no probe is sent"
	case p.Never:
		return "never: after one probe a negative intvl is months away for the kernel"
	}
	// What the kernel's timers make of an interval of 0, or one beyond their
	// reach, is another.
	intvl, note := v.Intvl, ""
	if p.ProbesSent > 0 {
		if real := (*p.Seconds - v.Time) / answer.Seconds(p.ProbesSent); real != intvl {
			intvl, note = real, ", with intvl as the kernel's timers have it"
		}
	}
	if p.DecidedBy == calc.ByUserTimeout {
		return fmt.Sprintf("time + n %s intvl = %s + %d %s %s = %s, the first from n = 1 not before the user timeout, %s s%s",
			mul, v.Time, p.ProbesSent, mul, intvl, p.Seconds.Both(), v.UserTimeoutSeconds(), note)
	}
	return fmt.Sprintf("time + probes %s intvl = %s + %d %s %s = %s%s", mul, v.Time, v.Probes, mul, intvl, p.Seconds.Both(), note)
}

package report

import (
	"bufio"
	"fmt"
	"slices"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/keepalive"
)

// ExplainSSH is the answer of tcpka explain ssh.
type ExplainSSH struct {
	Schema   string      `json:"schema"`
	Settings SSHSettings `json:"settings"`

	// Detection is OpenSSH's own rule; what TCP does underneath is among the
	// situations.
	Detection Prediction `json:"detection"`
	// Lateness is by how much the waits of the program can overrun Detection.
	Lateness   Seconds         `json:"lateness_seconds"`
	Refresh    *Seconds        `json:"refresh_seconds"` // null: no SSH probes go out
	Timeline   []TimelineEvent `json:"timeline"`
	Situations []Situation     `json:"situations"`
	Warnings   []calc.Warning  `json:"warnings"`

	// Keepalive and Kernel are what TCP goes by, and Source says where those come
	// from that were not given: "namespace host".
	Keepalive Settings       `json:"keepalive"`
	Kernel    KernelSettings `json:"kernel"`
	Source    string         `json:"source"`
	Given     bool           `json:"-"` // some of Keepalive were

	end calc.SSH
}

// SSHSettings are the values explained.
type SSHSettings struct {
	Side         calc.SSHSide `json:"side"`
	Interval     Seconds      `json:"interval_seconds"`
	CountMax     int          `json:"count_max"`
	TCPKeepAlive bool         `json:"tcp_keepalive"`
	Version      *string      `json:"openssh_version"` // null: any current one
	// Installed: Version is that of the program installed here, and was not given.
	Installed bool `json:"openssh_installed"`
}

// NewExplainSSH computes nothing new: it puts what is predicted for one end of a
// session, on top of TCP with the settings set, into the document.
func NewExplainSSH(end calc.SSH, set keepalive.Settings, k calc.Kernel, assumed []string, source string) ExplainSSH {
	d := ExplainSSH{
		Schema: "tcpka/explain-ssh/v1",
		Settings: SSHSettings{
			Side: end.Side, Interval: Seconds(end.Interval), CountMax: end.CountMax, TCPKeepAlive: end.TCPKeepAlive,
		},
		Detection: NewPrediction(end.Detection()),
		Lateness:  Seconds(end.Lateness()),
		Timeline:  newTimeline(end.Timeline(), ""),
		Warnings:  append([]calc.Warning{}, end.Warnings(k, set)...),
		Keepalive: Settings{
			Time: Seconds(set.Time), Intvl: Seconds(set.Intvl), Probes: set.Probes,
			UserTimeout: set.UserTimeout.Milliseconds(),
		},
		Kernel: newKernelSettings(k, assumed),
		Source: source,
		end:    end,
	}
	if end.Version.Known() {
		d.Settings.Version = new(end.Version.String())
	}
	if period, ok := end.Refresh(); ok {
		d.Refresh = new(Seconds(period))
	}
	for _, sit := range end.Situations(k, set) {
		d.Situations = append(d.Situations, Situation{sit.ID, NewPrediction(sit.Prediction)})
	}
	return d
}

func (d ExplainSSH) table(w *bufio.Writer, s Style) {
	v := d.Settings
	n := d.names()
	onOff := map[bool]string{true: "yes", false: "no"}
	program := n.program + " (current)"
	if v.Version != nil {
		program = n.program + " " + *v.Version
	}
	if v.Installed {
		program += " (installed here)"
	}
	wrap(w, s, "", fmt.Sprintf("%s: %sInterval %s, %sCountMax %d, TCPKeepAlive %s",
		program, n.option, v.Interval.Both(), n.option, v.CountMax, onOff[v.TCPKeepAlive]))
	fmt.Fprintln(w)

	fmt.Fprintln(w, s.paint(bold, "An idle session whose "+n.peer+" no longer answers"))
	fmt.Fprintln(w)
	drawTimeline(w, s, d.Timeline, d.Detection, legend{
		start:   "the last data from the " + n.peer + ", an answer to a probe included",
		dead:    n.dead,
		nothing: n.program + " sends no probe",
	})
	fmt.Fprintln(w)
	wrap(w, s, "  ", d.formula(s))
	if p := d.Detection; !p.Never {
		wrap(w, s, "  ", fmt.Sprintf("in practice: %s, and at most %s s of late wake-ups more", between(*p.Earliest, *p.Latest), d.Lateness.brief()))
	}
	fmt.Fprintln(w)
	if d.Refresh != nil && d.lives() {
		wrap(w, s, "", fmt.Sprintf("While the %s answers nothing is closed, however long the session is idle; a probe\nand its answer every %s keep a NAT or firewall from forgetting it, and a proxy\nthat counts data, too.", n.peer, d.Refresh.Both()))
		fmt.Fprintln(w)
	}

	k := d.Keepalive
	below := fmt.Sprintf(", on top of TCP with time %s, intvl %s, probes %d, tcp_retries2 %d", k.Time, k.Intvl, k.Probes, d.Kernel.Retries2)
	wrap(w, s, "", s.paint(bold, "Every situation")+below+origin(d.Source, d.Given))
	fmt.Fprintln(w)
	var rows [][]string
	for _, sit := range d.Situations {
		row := sit.row()
		row[0] = fmt.Sprintf(sshSituationNames[sit.ID], n.peer)
		rows = append(rows, row[:4])
	}
	writeTable(w, s, []string{"SITUATION", "ENDS AFTER", "BETWEEN", "DECIDED BY"}, rows)
	writeWarnings(w, s, d.Warnings)
}

// ExplainSSHSides is the answer about both sides, for people alone.
type ExplainSSHSides []ExplainSSH

func (d ExplainSSHSides) table(w *bufio.Writer, s Style) {
	for i, side := range d {
		if i > 0 {
			fmt.Fprintln(w)
		}
		side.table(w, s)
	}
}

// lives reports whether an idle session does while its peer does.
func (d ExplainSSH) lives() bool {
	return !slices.ContainsFunc(d.Situations, func(x Situation) bool { return x.ID == calc.SSHPeerAlive && !x.Never })
}

// formula is the rule that decides the detection, with its numbers filled in.
func (d ExplainSSH) formula(s Style) string {
	mul := "x"
	if s.Unicode {
		mul = "×"
	}
	v, p, option := d.Settings, d.Detection, d.names().option
	switch {
	case v.Interval == 0:
		return "never: " + option + "Interval is 0; what TCP notices is below"
	case p.Never:
		return "never: " + option + "CountMax is 0"
	case v.CountMax == 0:
		return fmt.Sprintf("%sInterval, as %sCountMax is 0 = %s, whether the %s is alive or not", option, option, p.Seconds.Both(), d.names().peer)
	}
	interval, number := option+"Interval", v.Interval.String()
	if d.end.Doubled() {
		interval, number = "2 "+mul+" "+interval, "2 "+mul+" "+number
	}
	return fmt.Sprintf("%s %s (%sCountMax + 1) = %s %s (%d + 1) = %s", interval, mul, option, number, mul, v.CountMax, p.Seconds.Both())
}

// sshNames are what the sides are called.
type sshNames struct{ program, peer, option, dead string }

func (d ExplainSSH) names() sshNames {
	if d.Settings.Side == calc.SSHServer {
		return sshNames{"sshd", "client", "ClientAlive", `dropped, sshd logs "Timeout, client not responding"`}
	}
	return sshNames{"ssh", "server", "ServerAlive", `dropped, ssh says "Timeout, server ... not responding." and exits with 255`}
}

// sshSituationNames are what the table calls the situations, for a peer.
var sshSituationNames = map[string]string{
	calc.SSHPeerAlive:       "idle, %s alive",
	calc.SSHPeerStopped:     "idle, %s hung, its kernel answers",
	calc.SSHPeerGone:        "idle, %s gone",
	calc.SSHSendingStopped:  "sending all the time, %s hung",
	calc.SSHSendingGone:     "sending all the time, %s gone",
	calc.SSHAuthentication:  "before authentication, %s silent",
	calc.SSHTCPKeepaliveEnd: "idle, %s gone, TCPKeepAlive alone",
}

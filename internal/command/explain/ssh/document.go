package ssh

import (
	"bufio"
	"fmt"
	"slices"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/answer"
)

// Document is the answer of tcpka explain ssh.
type Document struct {
	Schema   string   `json:"schema"`
	Settings Settings `json:"settings"`

	// Detection is OpenSSH's own rule; what TCP does underneath is among the
	// situations.
	Detection answer.Prediction `json:"detection"`
	// Lateness is by how much the waits of the program can overrun Detection.
	Lateness   answer.Seconds         `json:"lateness_seconds"`
	Refresh    *answer.Seconds        `json:"refresh_seconds"` // null: no SSH probes go out
	Timeline   []answer.TimelineEvent `json:"timeline"`
	Situations []answer.Situation     `json:"situations"`
	Warnings   []calc.Warning         `json:"warnings"`

	// Keepalive and Kernel are what TCP goes by, and Source says where those come
	// from that were not given: "namespace host".
	Keepalive answer.Settings       `json:"keepalive"`
	Kernel    answer.KernelSettings `json:"kernel"`
	Source    string                `json:"source"`
	Given     bool                  `json:"-"` // some of Keepalive were

	doubled bool // this release probes at twice the interval
}

// Settings are the values explained.
type Settings struct {
	Side         calc.SSHSide   `json:"side"`
	Interval     answer.Seconds `json:"interval_seconds"`
	CountMax     int            `json:"count_max"`
	TCPKeepAlive bool           `json:"tcp_keepalive"`
	Proxied      bool           `json:"proxied"`         // no socket, so nothing of TCP counts
	Version      *string        `json:"openssh_version"` // null: any current one
	// Installed: Version is that of the program installed here, and was not given.
	Installed bool `json:"openssh_installed"`
}

func (d Document) Table(w *bufio.Writer, s answer.Style) {
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
	tcp := onOff[v.TCPKeepAlive]
	if v.Proxied {
		tcp += ", without a socket of its own"
	}
	answer.Wrap(w, s, "", fmt.Sprintf("%s: %sInterval %s, %sCountMax %d, TCPKeepAlive %s",
		program, n.option, v.Interval.Both(), n.option, v.CountMax, tcp))
	fmt.Fprintln(w)

	fmt.Fprintln(w, s.Paint(answer.Bold, "An idle session whose "+n.peer+" no longer answers"))
	fmt.Fprintln(w)
	answer.DrawTimeline(w, s, d.Timeline, d.Detection, answer.Legend{
		Start:   "the last data from the " + n.peer + ", an answer to a probe included",
		Dead:    n.dead,
		Nothing: n.program + " sends no probe",
	})
	fmt.Fprintln(w)
	answer.Wrap(w, s, "  ", d.formula(s))
	if p := d.Detection; !p.Never {
		answer.Wrap(w, s, "  ", fmt.Sprintf("in practice: %s, and at most %s s of late wake-ups more", answer.Between(*p.Earliest, *p.Latest), d.Lateness.Brief()))
	}
	fmt.Fprintln(w)
	if d.Refresh != nil && d.lives() {
		answer.Wrap(w, s, "", fmt.Sprintf("While the %s answers nothing is closed, however long the session is idle; a probe\nand its answer every %s keep a NAT or firewall from forgetting it, and a proxy\nthat counts data, too.", n.peer, d.Refresh.Both()))
		fmt.Fprintln(w)
	}

	k := d.Keepalive
	below := fmt.Sprintf(", on top of TCP with time %s, intvl %s, probes %d, tcp_retries2 %d", k.Time, k.Intvl, k.Probes, d.Kernel.Retries2) + answer.Origin(d.Source, d.Given)
	if v.Proxied {
		below = ", on top of a proxy, whose TCP is its own"
	}
	answer.Wrap(w, s, "", s.Paint(answer.Bold, "Every situation")+below)
	fmt.Fprintln(w)
	var rows [][]string
	for _, sit := range d.Situations {
		row := sit.Row()
		row[0] = fmt.Sprintf(situationNames[sit.ID], n.peer)
		rows = append(rows, row[:4])
	}
	answer.WriteTable(w, s, []string{"SITUATION", "ENDS AFTER", "BETWEEN", "DECIDED BY"}, rows)
	answer.WriteWarnings(w, s, d.Warnings)
}

// Sides is the answer about both sides, for people alone.
type Sides []Document

func (d Sides) Table(w *bufio.Writer, s answer.Style) {
	for i, side := range d {
		if i > 0 {
			fmt.Fprintln(w)
		}
		side.Table(w, s)
	}
}

// lives reports whether an idle session does while its peer does.
func (d Document) lives() bool {
	return !slices.ContainsFunc(d.Situations, func(x answer.Situation) bool { return x.ID == calc.SSHPeerAlive && !x.Never })
}

// formula is the rule that decides the detection, with its numbers filled in.
func (d Document) formula(s answer.Style) string {
	mul := "x"
	if s.Unicode {
		mul = "×"
	}
	v, p, option := d.Settings, d.Detection, d.names().option
	switch {
	case v.Interval == 0 && v.Proxied:
		return "never: " + option + "Interval is 0"
	case v.Interval == 0:
		return "never: " + option + "Interval is 0; what TCP notices is below"
	case p.Never:
		return "never: " + option + "CountMax is 0"
	case v.CountMax == 0:
		return fmt.Sprintf("%sInterval, as %sCountMax is 0 = %s, whether the %s is alive or not", option, option, p.Seconds.Both(), d.names().peer)
	}
	interval, number := option+"Interval", v.Interval.String()
	if d.doubled {
		interval, number = "2 "+mul+" "+interval, "2 "+mul+" "+number
	}
	return fmt.Sprintf("%s %s (%sCountMax + 1) = %s %s (%d + 1) = %s", interval, mul, option, number, mul, v.CountMax, p.Seconds.Both())
}

// names are what the sides are called.
type names struct{ program, peer, option, dead string }

func (d Document) names() names {
	if d.Settings.Side == calc.SSHServer {
		return names{"sshd", "client", "ClientAlive", `dropped, sshd logs "Timeout, client not responding"`}
	}
	return names{"ssh", "server", "ServerAlive", `dropped, ssh says "Timeout, server ... not responding." and exits with 255`}
}

// situationNames are what the table calls the situations, for a peer.
var situationNames = map[string]string{
	calc.SSHPeerAlive:       "idle, %s alive",
	calc.SSHPeerStopped:     "idle, %s hung, its kernel answers",
	calc.SSHPeerGone:        "idle, %s gone",
	calc.SSHSendingStopped:  "sending all the time, %s hung",
	calc.SSHSendingGone:     "sending all the time, %s gone",
	calc.SSHAuthentication:  "before authentication, %s silent",
	calc.SSHTCPKeepaliveEnd: "idle, %s gone, TCPKeepAlive alone",
}

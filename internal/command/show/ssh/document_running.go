package ssh

import (
	"bufio"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/connection"
)

// Process is an ssh or sshd that runs. What it has is what it was started with, or
// read then: where that cannot be known, Unsure says why, and the values are those
// that it would begin with now.
type Process struct {
	PID         int             `json:"pid"`
	UID         uint32          `json:"uid"`
	User        *string         `json:"user"` // null: the password database has none
	Side        calc.SSHSide    `json:"side"`
	Role        string          `json:"role"`        // "session", "master", "through_master", "login" or "listener"
	Destination *answer.Foreign `json:"destination"` // ssh: as typed; sshd: user and terminal
	Age         answer.Seconds  `json:"age_seconds"`

	Interval     *answer.Seconds `json:"interval_seconds"`
	CountMax     *int            `json:"count_max"`
	TCPKeepAlive *bool           `json:"tcp_keepalive"` // the setting; what the socket has is in Socket
	// Detection is when a peer that is gone is noticed, by OpenSSH or by TCP, whichever
	// is first; null: never, or not known.
	Detection   *answer.Seconds `json:"detection_seconds"`
	DetectionBy *string         `json:"detection_by"`
	Refresh     *answer.Seconds `json:"refresh_seconds"`

	// Sources are what decides, by keyword: "command line" or "/etc/ssh/ssh_config:3".
	Sources map[string]string `json:"sources"`
	Unsure  map[string]string `json:"unsure"`

	// Socket is the connection; null: there is none, as behind a proxy or a master, or
	// it is in another namespace, or may not be seen.
	Socket   *Socket        `json:"socket"`
	Warnings []calc.Warning `json:"warnings"`
}

// Socket is a [Socket] as tcpka show sockets has it.
type Socket struct{ connection.Socket }

func (s Socket) MarshalJSON() ([]byte, error) {
	return connection.AppendSocketJSON(nil, &s.Socket), nil
}

// Session is the session that tcpka was called in, seen from this end.
type Session struct {
	Client answer.Foreign `json:"client"` // "10.0.0.9:51514"
	Server answer.Foreign `json:"server"`
	PID    *int           `json:"pid"` // of its sshd; null is not known
	// Survives is how long the path may remember a silent connection at the least,
	// so that this one stays; null: it sends nothing while it is idle.
	Survives   *answer.Seconds `json:"survives_seconds"`
	SurvivesBy *string         `json:"survives_by"` // "ssh", "tcp" or null
	// Detection is when this end notices that the client is gone.
	Detection   *answer.Seconds `json:"detection_seconds"`
	DetectionBy *string         `json:"detection_by"`
	Socket      *Socket         `json:"socket"` // null is not seen
	Warnings    []calc.Warning  `json:"warnings"`
}

func (d Session) page(w *bufio.Writer, s answer.Style) {
	fmt.Fprintf(w, "%s, from %s to %s\n\n", s.Paint(answer.Bold, "this session"), answer.Escape(string(d.Client)), answer.Escape(string(d.Server)))
	say := func(format string, args ...any) { answer.Wrap(w, s, "", fmt.Sprintf(format, args...)) }
	if slices.ContainsFunc(d.Warnings, func(w calc.Warning) bool { return w.ID == "session_values_not_sure" }) {
		say("If it has what the files say now, which is not sure:")
	}
	switch {
	case d.Survives == nil:
		say("While it is idle this end sends nothing: a path that forgets silent connections drops it,\nunless the client sends something.")
	case *d.SurvivesBy == "ssh":
		say("It survives a path that forgets after more than %s: sshd probes the client that often.", d.Survives.Both())
	default:
		say("It survives a path that forgets after more than %s, by TCP keepalive alone,\nwhich does not pass a proxy.", d.Survives.Both())
	}
	if d.Detection == nil {
		say("A client that vanishes while it is idle is never noticed here.")
	} else {
		say("A client that vanishes while it is idle is noticed here after %s, by %s.", d.Detection.Both(), decidedBy(*d.DetectionBy))
	}
	if d.Socket != nil {
		say("Its socket: %s", d.Socket.timers())
	}
	answer.WriteWarnings(w, s, d.Warnings)
}

// decidedBy says in words what ends a session.
func decidedBy(name string) string {
	switch name {
	case calc.ByProbes, calc.ByUserTimeout:
		return "TCP keepalive"
	case "tcp_retries2":
		return "TCP, which retransmits a probe of sshd (tcp_retries2)"
	}
	return name
}

// timers is a socket in a line.
func (s Socket) timers() string {
	text := "SO_KEEPALIVE " + [...]string{"not known", "off", "on"}[s.Keepalive]
	if s.Keepalive == connection.SwitchOn && s.ValuesKnown {
		text += fmt.Sprintf(" %d/%d/%d", answer.Seconds(s.Time).Whole(), answer.Seconds(s.Intvl).Whole(), s.Probes)
	}
	if s.NextKnown {
		text += ", next probe in " + string(answer.AppendBrief(nil, s.Next))
	}
	if n, ok := s.Unheard(); ok && n > 0 {
		text += ", " + answer.Count(n, "probe") + " unanswered"
	}
	if s.Timer == connection.TimerRetransmit {
		text += ", data is not acknowledged"
	}
	if s.IdleKnown {
		text += ", last heard " + string(answer.AppendBrief(nil, s.Idle)) + " ago"
	}
	return text
}

func writeRunning(w *bufio.Writer, s answer.Style, running []Process) {
	var rows [][]string
	for _, p := range running {
		user := fmt.Sprint(p.UID)
		if p.User != nil {
			user = *p.User
		}
		what := map[calc.SSHSide]string{calc.SSHClient: "ssh", calc.SSHServer: "sshd"}[p.Side]
		if p.Destination != nil {
			what += " " + short(string(*p.Destination))
		}
		switch p.Role {
		case "session":
		case "through_master":
			what += " (through a master)"
		default:
			what += " (" + p.Role + ")"
		}
		every, after := "off", "never"
		if p.Refresh != nil { // which may be twice the interval
			every = p.Refresh.Both()
		}
		if p.Detection != nil {
			after = p.Detection.Brief().Both()
			if by := p.DetectionBy; by != nil && *by != calc.ByServerAliveCountMax && *by != calc.ByClientAliveCountMax {
				after += ", by TCP"
			}
		}
		switch {
		case p.Role == "through_master":
			every, after = dash, dash
		case p.Interval == nil:
			every, after = "not known", "not known"
		case len(p.Unsure) > 0:
			every, after = every+" ?", after+" ?"
		}
		peer, timers := dash, dash
		if p.Socket != nil {
			peer, timers = p.Socket.Remote.String(), p.Socket.timers()
		}
		rows = append(rows, []string{fmt.Sprint(p.PID), user, what, peer, every, after, timers})
	}
	answer.WriteTable(w, s, []string{"PID", "USER", "PROGRAM", "PEER", "SENDS EVERY", "DEAD PEER AFTER", "SOCKET"}, rows)
	var said []string
	for _, p := range running {
		for _, keyword := range slices.Sorted(maps.Keys(p.Unsure)) {
			if text := fmt.Sprintf("%d: %s", p.PID, p.Unsure[keyword]); !slices.Contains(said, text) {
				said = append(said, text)
			}
		}
	}
	if len(said) > 0 {
		fmt.Fprintln(w, "\n? is what it would begin with now; what it has is not sure:")
	}
	for i, text := range said {
		if i == 10 {
			fmt.Fprintf(w, "  and %d more, which -o json has\n", len(said)-i)
			break
		}
		answer.Wrap(w, s, "  ", answer.Escape(text))
	}
	var warnings []calc.Warning // each once
	pids := map[string][]string{}
	for _, p := range running {
		for _, warning := range p.Warnings {
			if pids[warning.Text] == nil {
				warnings = append(warnings, warning)
			}
			pids[warning.Text] = append(pids[warning.Text], fmt.Sprint(p.PID))
		}
	}
	for i, warning := range warnings {
		of := pids[warning.Text]
		who := strings.Join(of, ", ")
		if len(of) > 5 {
			who = fmt.Sprintf("%s and %d more", strings.Join(of[:4], ", "), len(of)-4)
		}
		warnings[i].Text = who + ": " + warning.Text
	}
	answer.WriteWarnings(w, s, warnings)
}

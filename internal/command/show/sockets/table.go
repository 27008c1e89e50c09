package sockets

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/connection"
)

// Options say what a table of sockets shows.
type Options struct {
	Netns bool // in which namespace each one is
	Wide  bool // everything there is, in raw numbers
	Fit   int  // columns of the terminal; 0: there is none
	Ends  bool // first when those end whose peer does not answer; no explanations; cut to Fit
}

// Table writes a line for each socket, for people.
type Table struct {
	answer.Columns
	options Options
	own     bool // a value of a socket's own was shown
	on      bool // keepalive values were shown
	late    bool // an old timer was
	sending bool // one that is sending was, without a time in DETECTS
}

// NewTable writes to w.
func NewTable(w io.Writer, s answer.Style, o Options) *Table {
	header := []string{"STATE", "LOCAL", "REMOTE", "PROGRAM", "KEEPALIVE", "NEXT", "DETECTS", "NOTE"}
	switch {
	case o.Ends:
		header = []string{"DIES IN", "LOST", "NEXT", "LOCAL", "REMOTE", "PROGRAM", "KEEPALIVE", "STATE", "NOTE"}
	case o.Wide:
		header = []string{"STATE", "LOCAL", "REMOTE", "KEEPALIVE", "TIME", "INTVL", "PROBES", "UTO_MS",
			"TIMER", "LEFT", "UNANSWERED", "IDLE", "DATA", "NEXT", "DETECTS", "DIES_IN", "UID", "INODE", "COOKIE", "OWNERS", "CGROUP", "NOTE"}
	}
	if o.Netns {
		header = append([]string{"NETNS"}, header...)
	}
	t := &Table{Columns: answer.NewColumns(w, s, header...), options: o}
	t.Fit, t.Cut = o.Fit, o.Ends && o.Fit > 0
	return t
}

func (t *Table) Socket(s *connection.Socket) error {
	if t.options.Netns {
		t.Row = answer.AppendEscaped(t.Row, s.Netns)
		t.Cell("")
	}
	switch {
	case t.options.Ends:
		t.ending(s)
		t.next(s)
		t.addresses(s)
		t.program(s)
		t.keepalive(s)
		t.Text(s.State)
	case t.options.Wide:
		t.Text(s.State)
		t.addresses(s)
		t.wide(s)
	default:
		t.Text(s.State)
		t.addresses(s)
		t.program(s)
		t.keepalive(s)
		t.next(s)
		t.detection(s)
	}
	t.late = t.late || s.OldTimer == connection.SwitchOn
	t.Row = appendNote(t.Row, s, !t.options.Ends)
	sgr := ""
	if s.Probing() {
		sgr = answer.Red
	}
	t.Cell(sgr)
	return t.EndRow()
}

func (t *Table) addresses(s *connection.Socket) {
	t.Row = s.Local.AppendTo(t.Row)
	t.Cell("")
	if s.State == "LISTEN" {
		t.Text("*")
		return
	}
	t.Row = s.Remote.AppendTo(t.Row)
	t.Cell("")
}

func (t *Table) program(s *connection.Socket) {
	t.Row = appendProgram(t.Row, s)
	t.Cell("")
}

// ending is when it ends, and what it has sent for nothing: "44s", "2/6".
func (t *Table) ending(s *connection.Socket) {
	if s.Unanswered == 0 {
		t.Text("-")
		t.Text("-")
		return
	}
	sgr := answer.Yellow
	if s.Probing() {
		sgr = answer.Red
	}
	if s.Dies.Known {
		t.Row = answer.AppendExactRange(t.Row, s.Dies.Earliest, s.Dies.Latest)
	} else {
		t.Row = append(t.Row, '?')
	}
	t.Cell(sgr)
	t.Row = strconv.AppendInt(t.Row, int64(s.Unanswered), 10)
	if s.Probing() && s.ValuesKnown && s.UserTimeout == 0 {
		t.Row = strconv.AppendInt(append(t.Row, '/'), int64(s.Probes), 10)
	}
	t.Cell("")
}

func (t *Table) next(s *connection.Socket) {
	if s.NextKnown {
		t.Row = answer.AppendBrief(t.Row, s.Next)
	} else {
		t.Row = append(t.Row, '-')
	}
	t.Cell("")
}

func (t *Table) detection(s *connection.Socket) {
	switch {
	case !s.Counts():
		t.Row = append(t.Row, '-')
	case s.Sending():
		t.Row = append(t.Row, '-')
		t.sending = t.sending || s.State != "SYN-SENT"
	case s.DetectionKnown:
		t.Row = answer.AppendExact(t.Row, s.Detection)
	case !s.Never():
		t.Row = append(t.Row, '?')
	default:
		t.Row = append(t.Row, "never"...)
	}
	t.Cell("")
}

// keepalive is the cell with the values: 7200/75/9, with a star behind those
// that are the socket's own.
func (t *Table) keepalive(s *connection.Socket) {
	sgr := ""
	switch {
	case !s.Counts():
		t.Row = append(t.Row, '-')
	case s.Keepalive == connection.SwitchOff:
		t.Row = append(t.Row, "off"...)
		sgr = answer.Yellow
	case s.Keepalive == connection.SwitchUnknown:
		t.Row = append(t.Row, '?')
	case !s.ValuesKnown:
		t.Row = append(t.Row, "on"...)
	default:
		t.on = true
		t.value(answer.AppendSeconds(t.Row, s.Time), s.Origin[0])
		t.value(answer.AppendSeconds(append(t.Row, '/'), s.Intvl), s.Origin[1])
		t.value(strconv.AppendInt(append(t.Row, '/'), int64(s.Probes), 10), s.Origin[2])
	}
	t.Cell(sgr)
}

// value puts a star behind a value that is the socket's own.
func (t *Table) value(row []byte, origin string) {
	if origin == "socket" {
		t.own = true
		row = append(row, '*')
	}
	t.Row = row
}

// appendProgram is "sshd[812]", "nginx[77]+3" with the number of other
// descriptors, "-" for nobody, "?" for somebody who is not seen.
func appendProgram(b []byte, s *connection.Socket) []byte {
	if len(s.Owners) == 0 {
		if s.OwnersUnknown {
			return append(b, '?')
		}
		return append(b, '-')
	}
	o := &s.Owners[0]
	b = answer.AppendEscaped(b, o.Comm)
	b = append(strconv.AppendInt(append(b, '['), int64(o.PID), 10), ']')
	if n := len(s.Owners) - 1; n > 0 {
		b = strconv.AppendInt(append(b, '+'), int64(n), 10)
	}
	return b
}

func (t *Table) wide(s *connection.Socket) {
	t.Text([...]string{"?", "off", "on"}[s.Keepalive])
	number := func(n int64, known bool, origin string) {
		if known {
			t.value(strconv.AppendInt(t.Row, n, 10), origin)
		} else {
			t.Row = append(t.Row, '?')
		}
		t.Cell("")
	}
	duration := func(d time.Duration, known bool) {
		if known {
			t.Row = answer.AppendSeconds(t.Row, d)
		} else {
			t.Row = append(t.Row, '-')
		}
		t.Cell("")
	}
	if s.ValuesKnown {
		t.on = true
	}
	number(int64(s.Time/time.Second), s.ValuesKnown, s.Origin[0])
	number(int64(s.Intvl/time.Second), s.ValuesKnown, s.Origin[1])
	number(int64(s.Probes), s.ValuesKnown, s.Origin[2])
	number(s.UserTimeout.Milliseconds(), s.UserTimeoutKnown, "")
	t.Text(s.Timer)
	duration(s.Left, s.LeftKnown)
	n, ok := s.Unheard()
	number(int64(n), ok, "")
	duration(s.Idle, s.IdleKnown)
	duration(s.LastData, s.IdleKnown)
	duration(s.Next, s.NextKnown)
	duration(s.Detection, s.DetectionKnown && !s.Sending())
	duration(s.Dies.Exact, s.Dies.Known)
	number(int64(s.UID), true, "")
	number(int64(s.Inode), true, "")
	t.Row = strconv.AppendUint(append(t.Row, "0x"...), s.Cookie, 16)
	t.Cell("")
	t.Row = appendOwners(t.Row, s)
	t.Cell("")
	if s.Cgroup == "" {
		t.Row = append(t.Row, '-')
	}
	t.Row = answer.AppendEscaped(t.Row, s.Cgroup)
	t.Cell("")
}

// appendOwners is "sshd[812]:4,sshd[815]:4": all of them, with the descriptors.
func appendOwners(b []byte, s *connection.Socket) []byte {
	if len(s.Owners) == 0 {
		return appendProgram(b, s)
	}
	for i, o := range s.Owners {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendListed(b, o.Comm)
		b = append(strconv.AppendInt(append(b, '['), int64(o.PID), 10), "]:"...)
		if o.Ring {
			b = append(b, "io_uring"...)
			continue
		}
		b = strconv.AppendInt(b, int64(o.FD), 10)
	}
	return b
}

// listMarks are what has a meaning in the list of owners. A process chooses its name.
var listMarks = strings.NewReplacer(`[`, `\x5b`, `]`, `\x5d`, `,`, `\x2c`, `:`, `\x3a`, `\`, `\x5c`)

// appendListed appends a name that cannot be taken for an end of it and more owners.
func appendListed(b []byte, comm string) []byte {
	if !strings.ContainsAny(comm, `[],:\`) {
		return answer.AppendEscaped(b, comm)
	}
	return append(b, answer.Escape(listMarks.Replace(comm))...)
}

// appendNote says in a few words what is special about a socket; if it is to,
// also how it ends.
func appendNote(b []byte, s *connection.Socket, ends bool) []byte {
	from := len(b)
	next := func(text string) {
		if len(b) > from {
			b = append(b, ", "...)
		}
		b = append(b, text...)
	}
	count := func(n int, what string) {
		next("")
		b = append(strconv.AppendInt(b, int64(n), 10), what...)
	}
	dies := func(how string) {
		if ends && s.Dies.Known {
			next(how)
			b = answer.AppendBriefRange(b, s.Dies.Earliest, s.Dies.Latest)
		}
	}
	switch {
	case s.State == "SYN-SENT":
		dies("gives up in ")
	case s.Probing() && ends:
		count(s.Unanswered, "")
		if s.ValuesKnown && s.UserTimeout == 0 {
			b = strconv.AppendInt(append(b, " of "...), int64(s.Probes), 10)
		}
		b = append(b, " unanswered"...)
		dies("dies in ")
	case s.Timer == connection.TimerRetransmit && s.State != "SYN-RECV":
		next("data in flight")
		if ends && s.Unanswered > 0 {
			count(s.Unanswered, " retransmits")
			dies("dies in ")
		}
	case s.Timer == connection.TimerProbe0:
		next("window closed")
		if ends && s.Unanswered > 0 {
			count(s.Unanswered, " unanswered")
			dies("dies in ")
		}
	}
	if s.Drops == connection.SwitchOn {
		next("drops a healthy connection")
	}
	if s.OldTimer == connection.SwitchOn {
		next("old timer")
	}
	if s.UserTimeout > 0 {
		next("user timeout ")
		b = answer.AppendBrief(b, s.UserTimeout)
	}
	if s.Units != "" {
		next(s.Units)
	}
	switch {
	case s.Closed():
		next("closed by its program")
	case s.Inode == 0 && (s.State == "ESTAB" || s.State == "CLOSE-WAIT"):
		next("not accepted yet")
	}
	return b
}

func (t *Table) End(e End) error {
	if t.options.Ends {
		if err := t.Settle(); err != nil {
			return err
		}
		return t.Flush()
	}
	if e.Summary.Total > 0 {
		if err := t.Settle(); err != nil {
			return err
		}
		t.B = append(t.B, '\n')
	}
	t.B = append(t.B, e.text()...)
	if t.on {
		marked := "KEEPALIVE is time/intvl/probes in seconds"
		if t.options.Wide {
			marked = "Times are in seconds"
		}
		switch {
		case t.own && e.Source == "bpf":
			marked += "; * is the socket's own value, the others follow the sysctls."
		case t.own:
			marked += "; * is the socket's own value, the others equal the sysctls."
		case e.Source == "bpf":
			marked += ", all following the sysctls."
		default:
			marked += ", all equal to the sysctls."
		}
		t.say(marked)
		if !t.options.Wide {
			t.say("NEXT is when the next probe is due if nothing comes, DETECTS how soon a dead peer is noticed while the connection is idle.")
		}
	}
	if t.options.Wide && e.Summary.Total > 0 {
		t.say("DIES_IN is when the connection ends if its peer is gone from now on; -o json has the range. IDLE is since the peer's kernel was heard, DATA since its program said something.")
	}
	if t.sending {
		t.say("DETECTS is - where data is in flight or the window closed: keepalive has no say then, and NOTE has the end once an answer is late.")
	}
	if t.late {
		t.say("An old timer was armed for longer than the values say, and delays what is noticed next; tcpka set --rearm starts all such timers of the namespace anew.")
	}
	return t.Flush()
}

// say writes a paragraph below the table.
func (t *Table) say(text string) {
	var b bytes.Buffer
	answer.Paragraph(&b, t.Style, "", text) // into memory: it cannot fail
	t.B = append(t.B, b.Bytes()...)
}

// text is a line that sums up.
func (e End) text() string {
	s := e.Summary
	if s.Total == 0 {
		return e.none() + "\n"
	}
	off, unknown := s.Off-s.beside[connection.SwitchOff], s.Unknown-s.beside[connection.SwitchUnknown]
	line := fmt.Sprintf("%s: %d with keepalive, %d without", answer.Count(s.Total, "socket"), s.On-s.beside[connection.SwitchOn], off)
	if unknown > 0 {
		line += fmt.Sprintf(", %d not known", unknown)
	}
	if n := s.beside[connection.SwitchOn] + s.beside[connection.SwitchOff] + s.beside[connection.SwitchUnknown]; n > 0 {
		line += fmt.Sprintf(", %d closing or not yet open", n)
	}
	return line + ".\n"
}

package report

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// SocketsOptions say what a table of sockets shows.
type SocketsOptions struct {
	Netns bool // in which namespace each one is
	Wide  bool // everything there is, in raw numbers
	Fit   int  // columns of the terminal; 0: there is none
	Ends  bool // first when those end whose peer does not answer; no explanations; cut to Fit
}

// SocketsTable writes a line for each socket, for people.
type SocketsTable struct {
	columns
	options SocketsOptions
	own     bool // a value of a socket's own was shown
	on      bool // keepalive values were shown
	late    bool // an old timer was
	sending bool // one that is sending was, without a time in DETECTS
}

// NewSocketsTable writes to w.
func NewSocketsTable(w io.Writer, s Style, o SocketsOptions) *SocketsTable {
	header := []string{"STATE", "LOCAL", "REMOTE", "PROGRAM", "KEEPALIVE", "NEXT", "DETECTS", "NOTE"}
	switch {
	case o.Ends:
		header = []string{"DIES IN", "LOST", "NEXT", "LOCAL", "REMOTE", "PROGRAM", "KEEPALIVE", "STATE", "NOTE"}
	case o.Wide:
		header = []string{"STATE", "LOCAL", "REMOTE", "KEEPALIVE", "TIME", "INTVL", "PROBES", "UTO_MS",
			"TIMER", "LEFT", "UNANSWERED", "IDLE", "NEXT", "DETECTS", "DIES_IN", "UID", "INODE", "COOKIE", "OWNERS", "CGROUP", "NOTE"}
	}
	if o.Netns {
		header = append([]string{"NETNS"}, header...)
	}
	t := &SocketsTable{columns: newColumns(w, s, header...), options: o}
	t.fit, t.cut = o.Fit, o.Ends && o.Fit > 0
	return t
}

func (t *SocketsTable) Socket(s *Socket) error {
	if t.options.Netns {
		t.row = appendEscaped(t.row, s.Netns)
		t.cell("")
	}
	switch {
	case t.options.Ends:
		t.ending(s)
		t.next(s)
		t.addresses(s)
		t.program(s)
		t.keepalive(s)
		t.text(s.State)
	case t.options.Wide:
		t.text(s.State)
		t.addresses(s)
		t.wide(s)
	default:
		t.text(s.State)
		t.addresses(s)
		t.program(s)
		t.keepalive(s)
		t.next(s)
		t.detection(s)
	}
	t.late = t.late || s.OldTimer == SwitchOn
	t.row = appendNote(t.row, s, !t.options.Ends)
	sgr := ""
	if s.probing() {
		sgr = red
	}
	t.cell(sgr)
	return t.endRow()
}

func (t *SocketsTable) addresses(s *Socket) {
	t.row = s.Local.AppendTo(t.row)
	t.cell("")
	if s.State == "LISTEN" {
		t.text("*")
		return
	}
	t.row = s.Remote.AppendTo(t.row)
	t.cell("")
}

func (t *SocketsTable) program(s *Socket) {
	t.row = appendProgram(t.row, s)
	t.cell("")
}

// ending is when it ends, and what it has sent for nothing: "44s", "2/6".
func (t *SocketsTable) ending(s *Socket) {
	if s.Unanswered == 0 {
		t.text("-")
		t.text("-")
		return
	}
	sgr := yellow
	if s.probing() {
		sgr = red
	}
	if s.Dies.Known {
		t.row = appendExactRange(t.row, s.Dies.Earliest, s.Dies.Latest)
	} else {
		t.row = append(t.row, '?')
	}
	t.cell(sgr)
	t.row = strconv.AppendInt(t.row, int64(s.Unanswered), 10)
	if s.probing() && s.ValuesKnown && s.UserTimeout == 0 {
		t.row = strconv.AppendInt(append(t.row, '/'), int64(s.Probes), 10)
	}
	t.cell("")
}

func (t *SocketsTable) next(s *Socket) {
	if s.NextKnown {
		t.row = appendBrief(t.row, s.Next)
	} else {
		t.row = append(t.row, '-')
	}
	t.cell("")
}

func (t *SocketsTable) detection(s *Socket) {
	switch {
	case !s.counts():
		t.row = append(t.row, '-')
	case s.sending():
		t.row = append(t.row, '-')
		t.sending = t.sending || s.State != "SYN-SENT"
	case s.DetectionKnown:
		t.row = appendExact(t.row, s.Detection)
	case !s.never():
		t.row = append(t.row, '?')
	default:
		t.row = append(t.row, "never"...)
	}
	t.cell("")
}

// keepalive is the cell with the values: 7200/75/9, with a star behind those
// that are the socket's own.
func (t *SocketsTable) keepalive(s *Socket) {
	sgr := ""
	switch {
	case !s.counts():
		t.row = append(t.row, '-')
	case s.Keepalive == SwitchOff:
		t.row = append(t.row, "off"...)
		sgr = yellow
	case s.Keepalive == SwitchUnknown:
		t.row = append(t.row, '?')
	case !s.ValuesKnown:
		t.row = append(t.row, "on"...)
	default:
		t.on = true
		t.value(appendSeconds(t.row, s.Time), s.Origin[0])
		t.value(appendSeconds(append(t.row, '/'), s.Intvl), s.Origin[1])
		t.value(strconv.AppendInt(append(t.row, '/'), int64(s.Probes), 10), s.Origin[2])
	}
	t.cell(sgr)
}

// value puts a star behind a value that is the socket's own.
func (t *SocketsTable) value(row []byte, origin string) {
	if origin == "socket" {
		t.own = true
		row = append(row, '*')
	}
	t.row = row
}

// appendProgram is "sshd[812]", "nginx[77]+3" with the number of other
// descriptors, "-" for nobody, "?" for somebody who is not seen.
func appendProgram(b []byte, s *Socket) []byte {
	if len(s.Owners) == 0 {
		if s.OwnersUnknown {
			return append(b, '?')
		}
		return append(b, '-')
	}
	o := &s.Owners[0]
	b = appendEscaped(b, o.Comm)
	b = append(strconv.AppendInt(append(b, '['), int64(o.PID), 10), ']')
	if n := len(s.Owners) - 1; n > 0 {
		b = strconv.AppendInt(append(b, '+'), int64(n), 10)
	}
	return b
}

func (t *SocketsTable) wide(s *Socket) {
	t.text([...]string{"?", "off", "on"}[s.Keepalive])
	number := func(n int64, known bool, origin string) {
		if known {
			t.value(strconv.AppendInt(t.row, n, 10), origin)
		} else {
			t.row = append(t.row, '?')
		}
		t.cell("")
	}
	duration := func(d time.Duration, known bool) {
		if known {
			t.row = appendSeconds(t.row, d)
		} else {
			t.row = append(t.row, '-')
		}
		t.cell("")
	}
	if s.ValuesKnown {
		t.on = true
	}
	number(int64(s.Time/time.Second), s.ValuesKnown, s.Origin[0])
	number(int64(s.Intvl/time.Second), s.ValuesKnown, s.Origin[1])
	number(int64(s.Probes), s.ValuesKnown, s.Origin[2])
	number(s.UserTimeout.Milliseconds(), s.UserTimeoutKnown, "")
	t.text(s.Timer)
	duration(s.Left, s.LeftKnown)
	n, ok := s.unanswered()
	number(int64(n), ok, "")
	duration(s.Idle, s.IdleKnown)
	duration(s.Next, s.NextKnown)
	duration(s.Detection, s.DetectionKnown && !s.sending())
	duration(s.Dies.Exact, s.Dies.Known)
	number(int64(s.UID), true, "")
	number(int64(s.Inode), true, "")
	t.row = strconv.AppendUint(append(t.row, "0x"...), s.Cookie, 16)
	t.cell("")
	t.row = appendOwners(t.row, s)
	t.cell("")
	if s.Cgroup == "" {
		t.row = append(t.row, '-')
	}
	t.row = appendEscaped(t.row, s.Cgroup)
	t.cell("")
}

// appendOwners is "sshd[812]:4,sshd[815]:4": all of them, with the descriptors.
func appendOwners(b []byte, s *Socket) []byte {
	if len(s.Owners) == 0 {
		return appendProgram(b, s)
	}
	for i, o := range s.Owners {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendListed(b, o.Comm)
		b = append(strconv.AppendInt(append(b, '['), int64(o.PID), 10), "]:"...)
		b = strconv.AppendInt(b, int64(o.FD), 10)
	}
	return b
}

// listMarks are what has a meaning in the list of owners. A process chooses its name.
var listMarks = strings.NewReplacer(`[`, `\x5b`, `]`, `\x5d`, `,`, `\x2c`, `:`, `\x3a`, `\`, `\x5c`)

// appendListed appends a name that cannot be taken for an end of it and more owners.
func appendListed(b []byte, comm string) []byte {
	if !strings.ContainsAny(comm, `[],:\`) {
		return appendEscaped(b, comm)
	}
	return append(b, Escape(listMarks.Replace(comm))...)
}

// appendNote says in a few words what is special about a socket; if it is to,
// also how it ends.
func appendNote(b []byte, s *Socket, ends bool) []byte {
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
			b = appendBriefRange(b, s.Dies.Earliest, s.Dies.Latest)
		}
	}
	switch {
	case s.State == "SYN-SENT":
		dies("gives up in ")
	case s.probing() && ends:
		count(s.Unanswered, "")
		if s.ValuesKnown && s.UserTimeout == 0 {
			b = strconv.AppendInt(append(b, " of "...), int64(s.Probes), 10)
		}
		b = append(b, " unanswered"...)
		dies("dies in ")
	case s.Timer == TimerRetransmit && s.State != "SYN-RECV":
		next("data in flight")
		if ends && s.Unanswered > 0 {
			count(s.Unanswered, " retransmits")
			dies("dies in ")
		}
	case s.Timer == TimerProbe0:
		next("window closed")
		if ends && s.Unanswered > 0 {
			count(s.Unanswered, " unanswered")
			dies("dies in ")
		}
	}
	if s.OldTimer == SwitchOn {
		next("old timer")
	}
	if s.UserTimeout > 0 {
		next("user timeout ")
		b = appendBrief(b, s.UserTimeout)
	}
	switch {
	case s.closed():
		next("closed by its program")
	case s.Inode == 0 && (s.State == "ESTAB" || s.State == "CLOSE-WAIT"):
		next("not accepted yet")
	}
	return b
}

func (t *SocketsTable) End(e SocketsEnd) error {
	if t.options.Ends {
		if err := t.settle(); err != nil {
			return err
		}
		return t.flush()
	}
	if e.Summary.Total > 0 {
		if err := t.settle(); err != nil {
			return err
		}
		t.b = append(t.b, '\n')
	}
	t.b = append(t.b, e.text()...)
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
		t.say("DIES_IN is when the connection ends if its peer is gone from now on; -o json has the range.")
	}
	if t.sending {
		t.say("DETECTS is - where data is in flight or the window closed: keepalive has no say then, and NOTE has the end once an answer is late.")
	}
	if t.late {
		t.say("An old timer was armed for longer than the values say, and delays what is noticed next; tcpka set --rearm starts all such timers of the namespace anew.")
	}
	return t.flush()
}

// say writes a paragraph below the table.
func (t *SocketsTable) say(text string) {
	var b bytes.Buffer
	Paragraph(&b, t.style, "", text) // into memory: it cannot fail
	t.b = append(t.b, b.Bytes()...)
}

// text is a line that sums up.
func (e SocketsEnd) text() string {
	s := e.Summary
	if s.Total == 0 {
		return e.none() + "\n"
	}
	off, unknown := s.Off-s.beside[SwitchOff], s.Unknown-s.beside[SwitchUnknown]
	line := fmt.Sprintf("%s: %d with keepalive, %d without", plural(uint64(s.Total), "socket"), s.On-s.beside[SwitchOn], off)
	if unknown > 0 {
		line += fmt.Sprintf(", %d not known", unknown)
	}
	if n := s.beside[SwitchOn] + s.beside[SwitchOff] + s.beside[SwitchUnknown]; n > 0 {
		line += fmt.Sprintf(", %d closing or not yet open", n)
	}
	return line + ".\n"
}

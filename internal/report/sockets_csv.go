package report

import (
	"io"
	"strconv"
	"strings"
	"time"
)

// SocketsCSV writes comma-separated values with a header, as RFC 4180 has them
// but for the line ends. An unknown value is empty.
type SocketsCSV struct{ pages }

const csvHeader = "netns,state,local,remote,pid,comm,fd,owners,uid,inode,cookie,cgroup," +
	"keepalive,time_seconds,intvl_seconds,probes,user_timeout_ms,origin_time,origin_intvl,origin_probes," +
	"timer,timer_seconds,unanswered_probes,retransmits,idle_seconds,next_probe_seconds," +
	"detection_seconds,dies_in_seconds,dies_in_earliest_seconds,dies_in_latest_seconds,decided_by,old_timer\n"

// NewSocketsCSV writes to w.
func NewSocketsCSV(w io.Writer) *SocketsCSV {
	c := &SocketsCSV{newPages(w)}
	c.b = append(c.b, csvHeader...)
	return c
}

func (c *SocketsCSV) Socket(s *Socket) error {
	number := func(n int64, known bool) {
		if c.b = append(c.b, ','); known {
			c.b = strconv.AppendInt(c.b, n, 10)
		}
	}
	seconds := func(d time.Duration, known bool) {
		if c.b = append(c.b, ','); known {
			c.b = appendSeconds(c.b, d)
		}
	}
	var owner SocketOwner
	owned := len(s.Owners) > 0
	if owned {
		owner = s.Owners[0]
	}
	c.b = appendCSV(c.b, s.Netns)
	c.b = append(append(c.b, ','), s.State...)
	c.b = s.Local.AppendTo(append(c.b, ','))
	c.b = s.Remote.AppendTo(append(c.b, ','))
	number(int64(owner.PID), owned)
	c.b = appendCSV(append(c.b, ','), owner.Comm)
	number(int64(owner.FD), owned)
	c.b = append(c.b, ',')
	switch {
	case len(s.Owners) == 1 && plainCSV(owner.Comm):
		c.b = appendOwners(c.b, s)
	case owned:
		c.b = appendCSV(c.b, string(appendOwners(nil, s)))
	}
	number(int64(s.UID), true)
	number(int64(s.Inode), s.Inode != 0)
	c.b = strconv.AppendUint(append(c.b, ",0x"...), s.Cookie, 16)
	c.b = appendCSV(append(c.b, ','), s.Cgroup)
	c.b = append(append(c.b, ','), [...]string{"", "off", "on"}[s.Keepalive]...)
	seconds(s.Time, s.ValuesKnown)
	seconds(s.Intvl, s.ValuesKnown)
	number(int64(s.Probes), s.ValuesKnown)
	number(s.UserTimeout.Milliseconds(), s.UserTimeoutKnown)
	for _, o := range s.Origin {
		c.b = append(append(c.b, ','), o...)
	}
	c.b = append(append(c.b, ','), s.Timer...)
	seconds(s.Left, s.LeftKnown)
	n, ok := s.unanswered()
	number(int64(n), ok)
	number(int64(s.Unanswered), s.Timer == TimerRetransmit)
	seconds(s.Idle, s.IdleKnown)
	seconds(s.Next, s.NextKnown)
	seconds(s.Detection, s.DetectionKnown)
	seconds(s.Dies.Exact, s.Dies.Known)
	seconds(s.Dies.Earliest, s.Dies.Known)
	seconds(s.Dies.Latest, s.Dies.Known)
	c.b = append(append(c.b, ','), s.Dies.By...)
	c.b = append(append(append(c.b, ','), [...]string{"", "false", "true"}[s.OldTimer]...), '\n')
	return c.turn()
}

func (c *SocketsCSV) End(SocketsEnd) error { return c.flush() }

// plainCSV reports whether a field that begins with s needs neither quotes nor a
// guard.
func plainCSV(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '/', c == '.', c == ':':
		case c == '-' && i > 0:
		default:
			return false
		}
	}
	return s != ""
}

// appendCSV appends a text field: escaped as for a terminal, quoted where it has
// to be, and with a ' in front of what a spreadsheet would take for a formula.
func appendCSV(b []byte, s string) []byte {
	if s == "" || plainCSV(s) {
		return append(b, s...)
	}
	guard := strings.IndexByte("=+-@\t\r", s[0]) >= 0
	s = Escape(s)
	quote := strings.ContainsAny(s, `",`)
	if quote {
		b = append(b, '"')
	}
	if guard {
		b = append(b, '\'')
	}
	if !quote {
		return append(b, s...)
	}
	for i := range len(s) {
		if s[i] == '"' {
			b = append(b, '"')
		}
		b = append(b, s[i])
	}
	return append(b, '"')
}

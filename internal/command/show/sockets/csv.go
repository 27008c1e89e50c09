package sockets

import (
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/connection"
)

// CSV writes comma-separated values with a header, as RFC 4180 has them
// but for the line ends. An unknown value is empty.
type CSV struct{ answer.Pages }

const csvHeader = "netns,state,local,remote,pid,comm,fd,owners,uid,inode,cookie,cgroup," +
	"keepalive,time_seconds,intvl_seconds,probes,user_timeout_ms,origin_time,origin_intvl,origin_probes," +
	"timer,timer_seconds,unanswered_probes,retransmits,idle_seconds,next_probe_seconds," +
	"detection_seconds,dies_in_seconds,dies_in_earliest_seconds,dies_in_latest_seconds,decided_by,old_timer,last_data_seconds,drops_healthy\n"

// NewCSV writes to w.
func NewCSV(w io.Writer) *CSV {
	c := &CSV{answer.NewPages(w)}
	c.B = append(c.B, csvHeader...)
	return c
}

func (c *CSV) Socket(s *connection.Socket) error {
	number := func(n int64, known bool) {
		if c.B = append(c.B, ','); known {
			c.B = strconv.AppendInt(c.B, n, 10)
		}
	}
	seconds := func(d time.Duration, known bool) {
		if c.B = append(c.B, ','); known {
			c.B = answer.AppendSeconds(c.B, d)
		}
	}
	var owner connection.SocketOwner
	owned := len(s.Owners) > 0
	if owned {
		owner = s.Owners[0]
	}
	c.B = appendCSV(c.B, s.Netns)
	c.B = append(append(c.B, ','), s.State...)
	c.B = s.Local.AppendTo(append(c.B, ','))
	c.B = s.Remote.AppendTo(append(c.B, ','))
	number(int64(owner.PID), owned)
	c.B = appendCSV(append(c.B, ','), owner.Comm)
	number(int64(owner.FD), owned)
	c.B = append(c.B, ',')
	switch {
	case len(s.Owners) == 1 && plainCSV(owner.Comm):
		c.B = appendOwners(c.B, s)
	case owned:
		c.B = appendCSV(c.B, string(appendOwners(nil, s)))
	}
	number(int64(s.UID), true)
	number(int64(s.Inode), s.Inode != 0)
	c.B = strconv.AppendUint(append(c.B, ",0x"...), s.Cookie, 16)
	c.B = appendCSV(append(c.B, ','), s.Cgroup)
	c.B = append(append(c.B, ','), [...]string{"", "off", "on"}[s.Keepalive]...)
	seconds(s.Time, s.ValuesKnown)
	seconds(s.Intvl, s.ValuesKnown)
	number(int64(s.Probes), s.ValuesKnown)
	number(s.UserTimeout.Milliseconds(), s.UserTimeoutKnown)
	for _, o := range s.Origin {
		c.B = append(append(c.B, ','), o...)
	}
	c.B = append(append(c.B, ','), s.Timer...)
	seconds(s.Left, s.LeftKnown)
	n, ok := s.Unheard()
	number(int64(n), ok)
	number(int64(s.Unanswered), s.Timer == connection.TimerRetransmit)
	seconds(s.Idle, s.IdleKnown)
	seconds(s.Next, s.NextKnown)
	seconds(s.Detection, s.DetectionKnown)
	seconds(s.Dies.Exact, s.Dies.Known)
	seconds(s.Dies.Earliest, s.Dies.Known)
	seconds(s.Dies.Latest, s.Dies.Known)
	c.B = append(append(c.B, ','), s.Dies.By...)
	c.B = append(append(c.B, ','), [...]string{"", "false", "true"}[s.OldTimer]...)
	seconds(s.LastData, s.IdleKnown)
	c.B = append(append(append(c.B, ','), [...]string{"", "false", "true"}[s.Drops]...), '\n')
	return c.Turn()
}

func (c *CSV) End(End) error { return c.Flush() }

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
	s = answer.Escape(s)
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

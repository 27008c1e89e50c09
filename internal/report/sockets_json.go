package report

import (
	"encoding/json"
	"io"
	"strconv"
	"time"
	"unicode/utf8"
)

// SocketsJSON writes one document, a socket a line.
type SocketsJSON struct {
	pages
	any bool
}

// NewSocketsJSON writes to w.
func NewSocketsJSON(w io.Writer) *SocketsJSON {
	j := &SocketsJSON{pages: newPages(w)}
	j.b = append(j.b, "{\n  \"schema\": \"tcpka/sockets/v1\",\n  \"sockets\": ["...)
	return j
}

func (j *SocketsJSON) Socket(s *Socket) error {
	if j.any {
		j.b = append(j.b, ',')
	}
	j.any = true
	j.b = append(j.b, "\n    "...)
	j.b = appendSocketJSON(j.b, s)
	return j.turn()
}

func (j *SocketsJSON) End(e SocketsEnd) error {
	if j.any {
		j.b = append(j.b, "\n  "...)
	}
	j.b = append(j.b, "],\n"...)
	return j.end(e)
}

// end writes the members that come after the list.
func (j *SocketsJSON) end(e SocketsEnd) error {
	for i, member := range []struct {
		name  string
		value any
	}{
		{"summary", e.Summary},
		{"source", e.Source},
		{"why_not_bpf", e.WhyNotBPF},
		{"incomplete", e.Incomplete},
	} {
		text, err := json.MarshalIndent(member.value, "  ", "  ")
		if err != nil {
			return err
		}
		if i > 0 {
			j.b = append(j.b, ",\n"...)
		}
		j.b = append(j.b, "  \""+member.name+"\": "...)
		j.b = append(j.b, text...)
	}
	j.b = append(j.b, "\n}\n"...)
	return j.flush()
}

// SocketLines writes a JSON object a line, and nothing else.
type SocketLines struct{ pages }

// NewSocketLines writes to w.
func NewSocketLines(w io.Writer) *SocketLines { return &SocketLines{newPages(w)} }

func (l *SocketLines) Socket(s *Socket) error {
	l.b = append(appendSocketJSON(l.b, s), '\n')
	return l.turn()
}

func (l *SocketLines) End(SocketsEnd) error { return l.flush() }

// appendSocketJSON appends a socket as encoding/json would write it, without its
// allocations.
func appendSocketJSON(b []byte, s *Socket) []byte {
	b = appendString(append(b, `{"netns":`...), s.Netns)
	b = appendString(append(b, `,"state":`...), s.State)
	b = append(s.Local.AppendTo(append(b, `,"local":"`...)), '"')
	b = append(s.Remote.AppendTo(append(b, `,"remote":"`...)), '"')
	if len(s.Owners) == 0 {
		b = append(b, `,"pid":null,"comm":null,"fd":null,"owners":[]`...)
	} else {
		b = appendOwner(append(b, ','), s.Owners[0])
		b = append(b, `,"owners":[`...)
		for i, o := range s.Owners {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendOwner(append(b, '{'), o), '}')
		}
		b = append(b, ']')
	}
	b = strconv.AppendUint(append(b, `,"uid":`...), uint64(s.UID), 10)
	b = appendInt(append(b, `,"inode":`...), int64(s.Inode), s.Inode != 0)
	b = append(strconv.AppendUint(append(b, `,"cookie":"0x`...), s.Cookie, 16), '"')
	b = appendStringOrNull(append(b, `,"cgroup":`...), s.Cgroup)

	b = append(b, `,"keepalive":`...)
	b = append(b, [...]string{"null", "false", "true"}[s.Keepalive]...)
	b = appendDuration(append(b, `,"time_seconds":`...), s.Time, s.ValuesKnown)
	b = appendDuration(append(b, `,"intvl_seconds":`...), s.Intvl, s.ValuesKnown)
	b = appendInt(append(b, `,"probes":`...), int64(s.Probes), s.ValuesKnown)
	b = appendInt(append(b, `,"user_timeout_ms":`...), s.UserTimeout.Milliseconds(), s.UserTimeoutKnown)
	b = appendStringOrNull(append(b, `,"origin":{"time":`...), s.Origin[0])
	b = appendStringOrNull(append(b, `,"intvl":`...), s.Origin[1])
	b = appendStringOrNull(append(b, `,"probes":`...), s.Origin[2])

	b = appendString(append(b, `},"timer":`...), s.Timer)
	b = appendDuration(append(b, `,"timer_seconds":`...), s.Left, s.LeftKnown)
	n, ok := s.unanswered()
	b = appendInt(append(b, `,"unanswered_probes":`...), int64(n), ok)
	b = appendInt(append(b, `,"retransmits":`...), int64(s.Unanswered), s.Timer == TimerRetransmit)
	b = appendDuration(append(b, `,"idle_seconds":`...), s.Idle, s.IdleKnown)
	b = appendDuration(append(b, `,"next_probe_seconds":`...), s.Next, s.NextKnown)
	b = appendDuration(append(b, `,"detection_seconds":`...), s.Detection, s.DetectionKnown)
	b = appendDuration(append(b, `,"dies_in_seconds":`...), s.Dies.Exact, s.Dies.Known)
	b = appendDuration(append(b, `,"dies_in_earliest_seconds":`...), s.Dies.Earliest, s.Dies.Known)
	b = appendDuration(append(b, `,"dies_in_latest_seconds":`...), s.Dies.Latest, s.Dies.Known)
	b = appendStringOrNull(append(b, `,"decided_by":`...), s.Dies.By)
	b = append(append(b, `,"old_timer":`...), [...]string{"null", "false", "true"}[s.OldTimer]...)
	return append(b, '}')
}

func appendOwner(b []byte, o SocketOwner) []byte {
	b = strconv.AppendInt(append(b, `"pid":`...), int64(o.PID), 10)
	b = appendString(append(b, `,"comm":`...), o.Comm)
	return strconv.AppendInt(append(b, `,"fd":`...), int64(o.FD), 10)
}

func appendInt(b []byte, n int64, known bool) []byte {
	if !known {
		return append(b, "null"...)
	}
	return strconv.AppendInt(b, n, 10)
}

func appendDuration(b []byte, d time.Duration, known bool) []byte {
	if !known {
		return append(b, "null"...)
	}
	return appendSeconds(b, d)
}

func appendStringOrNull(b []byte, s string) []byte {
	if s == "" {
		return append(b, "null"...)
	}
	return appendString(b, s)
}

// appendString appends a JSON string as encoding/json does without HTML escapes,
// but for what [Escape] would not let pass to a terminal: that is written as \u,
// which reads the same.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); {
		if c := s[i]; c >= ' ' && c <= '~' {
			if c == '"' || c == '\\' {
				b = append(b, '\\')
			}
			b = append(b, c)
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '\b':
			b = append(b, `\b`...)
		case r == '\f':
			b = append(b, `\f`...)
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\r':
			b = append(b, `\r`...)
		case r == '\t':
			b = append(b, `\t`...)
		case r == utf8.RuneError && size == 1:
			b = append(b, `\ufffd`...)
		case !unsafe(r):
			b = append(b, s[i:i+size]...)
		case r > 0xffff: // two halves, as in UTF-16
			b = appendHex(b, 0xd800+(r-0x10000)>>10)
			b = appendHex(b, 0xdc00+(r-0x10000)&0x3ff)
		default:
			b = appendHex(b, r)
		}
		i += size
	}
	return append(b, '"')
}

func appendHex(b []byte, r rune) []byte {
	const digits = "0123456789abcdef"
	return append(b, '\\', 'u', digits[r>>12&15], digits[r>>8&15], digits[r>>4&15], digits[r&15])
}

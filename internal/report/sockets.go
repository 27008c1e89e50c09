package report

import (
	"bytes"
	"io"
	"net/netip"
	"strconv"
	"time"

	"github.com/tcpka/tcpka/keepalive"
)

// Socket is one socket of tcpka show sockets, whatever the format. What is not
// known is marked as such, and null in JSON.
//
// There may be a million of them, so the formats append to one buffer and keep
// nothing: no pointer for a null, no encoder, no table in memory.
type Socket struct {
	Netns         string
	State         string // as ss(8) prints it
	Local, Remote netip.AddrPort
	Owners        []SocketOwner // by PID and FD
	OwnersUnknown bool          // there is one, and it is not seen
	UID           uint32
	Inode         uint32 // 0 is none
	Cookie        uint64
	Cgroup        string // "" is not known

	Keepalive          Switch
	keepalive.Settings      // in effect
	ValuesKnown        bool // the first three
	UserTimeoutKnown   bool
	Origin             [3]string // of time, intvl and probes: "socket", "sysctl", or "" for not known

	Timer      string // "none", "keepalive", ...
	Left       time.Duration
	LeftKnown  bool
	Unanswered int // as Timer says: probes, or retransmissions

	Idle      time.Duration
	IdleKnown bool

	// Next is when the next probe goes out if the peer stays silent.
	Next      time.Duration
	NextKnown bool

	// Detection is when a dead peer of the idle connection is noticed, Dies when
	// this connection ends if nothing more comes from its peer. Where they are
	// not known, there is no timer that would end it, or its values are unknown;
	// or it is noticed, and DetectionUnknown says that it is not known when.
	Detection        time.Duration
	DetectionKnown   bool
	DetectionUnknown bool
	Dies             SocketEnd

	// Outlived is how much later than its end the program hears of it. It is part
	// of Detection, and not of Dies. 0 but for MPTCP.
	Outlived time.Duration

	// OldTimer is whether the keepalive timer runs for longer than it would if it
	// were armed now: by a time that is in effect no more.
	OldTimer Switch
}

// SocketOwner is a descriptor of a process.
type SocketOwner struct {
	PID, FD int
	Comm    string
}

// SocketEnd is when a socket ends, and what decides it.
type SocketEnd struct {
	Known                   bool
	Exact, Earliest, Latest time.Duration
	By                      string
}

// Switch is on, off or not known.
type Switch uint8

const (
	SwitchUnknown Switch = iota
	SwitchOff
	SwitchOn
)

// Timers by the names that sock_diag(7) has numbers for.
const (
	TimerKeepalive  = "keepalive"
	TimerRetransmit = "retransmit"
	TimerProbe0     = "probe0"
)

// unanswered is how many probes the peer has not answered; ok is false where the
// timer that is shown counts something else.
func (s *Socket) unanswered() (n int, ok bool) {
	switch s.Timer {
	case TimerKeepalive, TimerProbe0:
		return s.Unanswered, true
	case "none":
		return 0, true
	}
	return 0, false
}

// probing reports whether keepalive probes go unanswered at this moment.
func (s *Socket) probing() bool { return s.Timer == TimerKeepalive && s.Unanswered > 0 }

// closed reports whether the program has closed the socket, and the kernel
// finishes it alone.
func (s *Socket) closed() bool {
	switch s.State {
	case "FIN-WAIT-1", "FIN-WAIT-2", "CLOSING", "LAST-ACK":
		return s.Inode == 0
	}
	return false
}

// counts reports whether keepalive has a say: not on what is left of a socket,
// and not before it is one.
func (s *Socket) counts() bool {
	return s.Timer != "time-wait" && s.State != "SYN-RECV" && !s.closed()
}

// sending reports whether data in flight or a closed window decides how it ends,
// and keepalive does not.
func (s *Socket) sending() bool { return s.Timer == TimerRetransmit || s.Timer == TimerProbe0 }

// never reports whether it is known that a dead peer is never noticed.
func (s *Socket) never() bool {
	return s.counts() && !s.DetectionKnown && !s.DetectionUnknown && (s.Keepalive == SwitchOff || s.Keepalive == SwitchOn && s.ValuesKnown)
}

// noticed is when a dead peer is noticed if it dies now, where keepalive is what
// notices it: by an old timer later than by the values in effect. It goes with
// DetectionKnown.
func (s *Socket) noticed() time.Duration {
	if s.OldTimer == SwitchOn && s.Dies.Known {
		return max(s.Detection, s.Dies.Exact+s.Outlived)
	}
	return s.Detection
}

// SocketsEnd is what there is to say when all sockets have been written.
type SocketsEnd struct {
	Asked      SocketsAsked
	Summary    SocketsSummary
	Source     string        // "bpf" or "sock_diag"
	WhyNotBPF  *string       // null: BPF is the source
	Incomplete []SocketsLack // not nil
}

// SocketsAsked is what was looked for.
type SocketsAsked struct {
	Filtered bool // not every connection
	Netns    bool // in all namespaces
}

// none says that there is no socket.
func (e SocketsEnd) none() string {
	switch unseen := len(e.Incomplete) > 0; {
	case unseen && e.Asked.Filtered:
		return "No socket that can be seen matches."
	case unseen:
		return "No socket can be seen."
	case e.Asked.Filtered:
		return "No socket matches."
	case e.Asked.Netns:
		return "No network namespace has TCP connections."
	}
	return "This namespace has no TCP connections."
}

// SocketsSummary counts sockets.
type SocketsSummary struct {
	Total   int `json:"total"`
	On      int `json:"keepalive_on"`
	Off     int `json:"keepalive_off"`
	Unknown int `json:"unknown"`

	// beside are those of each kind for which keepalive has no say.
	beside [3]int
}

// Add counts one more.
func (s *SocketsSummary) Add(one *Socket) {
	s.Total++
	if !one.counts() {
		s.beside[one.Keepalive]++
	}
	switch one.Keepalive {
	case SwitchOn:
		s.On++
	case SwitchOff:
		s.Off++
	default:
		s.Unknown++
	}
}

// SocketsLack is something that could not be known.
type SocketsLack struct {
	Netns   Foreign `json:"netns"`
	What    string  `json:"what"`
	Sockets *int    `json:"sockets"` // of how many; null is not known
	Why     Foreign `json:"why"`
	Remedy  *string `json:"remedy"` // what would reveal it; null: nothing
}

// Foreign is a text that comes from outside. Its JSON is as harmless to a
// terminal as what [Escape] makes of it, and reads the same.
type Foreign string

func (f Foreign) MarshalJSON() ([]byte, error) { return appendString(nil, string(f)), nil }

// SocketWriter writes sockets as they come, in one format.
type SocketWriter interface {
	// Socket writes one. It keeps nothing of it.
	Socket(*Socket) error
	// End writes what comes after the last one.
	End(SocketsEnd) error
}

// pageSize is how much is written at a time.
const pageSize = 32 << 10

// pages collects what is appended to b, and writes it a page at a time.
type pages struct {
	w io.Writer
	b []byte
}

func newPages(w io.Writer) pages { return pages{w, make([]byte, 0, pageSize+4<<10)} }

// turn writes the page if it is full.
func (p *pages) turn() error {
	if len(p.b) < pageSize {
		return nil
	}
	return p.flush()
}

func (p *pages) flush() error {
	if len(p.b) == 0 {
		return nil
	}
	_, err := p.w.Write(p.b)
	p.b = p.b[:0]
	return err
}

// appendSeconds is [Seconds.String] without an allocation.
func appendSeconds(b []byte, d time.Duration) []byte {
	whole, rest := int64(d/time.Second), int64(d%time.Second)
	if d < 0 {
		b = append(b, '-')
		whole, rest = -whole, -rest
	}
	b = strconv.AppendInt(b, whole, 10)
	if rest == 0 {
		return b
	}
	b = append(b, '.')
	for unit := int64(time.Second / 10); rest > 0; unit /= 10 {
		b = append(b, byte('0'+rest/unit))
		rest %= unit
	}
	return b
}

// appendBrief is how people say a time that runs: "1h28m", "12m30s", "41s",
// "3.4s". It is cut, not rounded: what is left is never said to be more.
func appendBrief(b []byte, d time.Duration) []byte {
	if d < 0 {
		b, d = append(b, '-'), -d
	}
	if d < 10*time.Second && d%time.Second != 0 {
		b = strconv.AppendInt(b, int64(d/time.Second), 10)
		return append(b, '.', byte('0'+d%time.Second/(time.Second/10)), 's')
	}
	return appendUnits(b, d, 2)
}

// appendBriefRange is from when to when: "15m26s..17m29s", or one of them where both
// read the same. The end of a range is rounded up, so that it is not later.
func appendBriefRange(b []byte, from, to time.Duration) []byte {
	unit := time.Second
	switch {
	case to >= 24*time.Hour:
		unit = time.Hour
	case to >= time.Hour:
		unit = time.Minute
	}
	return appendRange(b, from, to, unit, appendBrief)
}

// appendExactRange is the same to the second.
func appendExactRange(b []byte, from, to time.Duration) []byte {
	return appendRange(b, from, to, time.Second, appendExact)
}

// appendRange writes a range with cut, which cuts a time of 10 s or more to unit and a
// shorter one to tenths.
func appendRange(b []byte, from, to, unit time.Duration, cut func([]byte, time.Duration) []byte) []byte {
	start := len(b)
	b = cut(b, from)
	end := len(b)
	if b = cut(b, to); bytes.Equal(b[start:end], b[end:]) {
		return b[:end]
	}
	if to < 10*time.Second {
		unit = time.Second / 10
	}
	return cut(append(b[:end], ".."...), (to + unit - 1).Truncate(unit))
}

// appendExact is the same to the second: "2h11m15s".
func appendExact(b []byte, d time.Duration) []byte {
	if d < 10*time.Second {
		return appendBrief(b, d)
	}
	return appendUnits(b, d, 4)
}

// appendUnits appends the largest units of a time, at most so many.
func appendUnits(b []byte, d time.Duration, most int) []byte {
	from := len(b)
	for _, u := range [...]struct {
		size time.Duration
		name byte
	}{{24 * time.Hour, 'd'}, {time.Hour, 'h'}, {time.Minute, 'm'}, {time.Second, 's'}} {
		n := int64(d / u.size)
		d %= u.size
		if n > 0 && most > 0 {
			b = append(strconv.AppendInt(b, n, 10), u.name)
		}
		if n > 0 || len(b) > from {
			most--
		}
	}
	if len(b) == from {
		b = append(b, "0s"...)
	}
	return b
}

// appendEscaped is [Escape] without an allocation for what is harmless.
func appendEscaped(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' {
			return append(b, Escape(s)...)
		}
	}
	return append(b, s...)
}

package connection

import (
	"net/netip"
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
	LastData  time.Duration // since its program said something; known with Idle

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

	// Drops: the values in effect end a connection whose peer is alive and answers.
	Drops Switch

	// Outlived is how much later than its end the program hears of it. It is part
	// of Detection, and not of Dies. 0 but for MPTCP.
	Outlived time.Duration

	// Units says which value looks as if its unit had been mixed up, in a few words.
	Units string

	// OldTimer is whether the keepalive timer runs for longer than it would if it
	// were armed now: by a time that is in effect no more.
	OldTimer Switch
}

// SocketOwner is a descriptor of a process.
type SocketOwner struct {
	PID, FD int
	Ring    bool // FD is an io_uring that has the socket as a registered file
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

// Unheard is how many probes the peer has not answered; ok is false where the
// timer that is shown counts something else.
func (s *Socket) Unheard() (n int, ok bool) {
	switch s.Timer {
	case TimerKeepalive, TimerProbe0:
		return s.Unanswered, true
	case "none":
		return 0, true
	}
	return 0, false
}

// Probing reports whether keepalive probes go unanswered at this moment.
func (s *Socket) Probing() bool { return s.Timer == TimerKeepalive && s.Unanswered > 0 }

// Closed reports whether the program has closed the socket, and the kernel
// finishes it alone.
func (s *Socket) Closed() bool {
	switch s.State {
	case "FIN-WAIT-1", "FIN-WAIT-2", "CLOSING", "LAST-ACK":
		return s.Inode == 0
	}
	return false
}

// Counts reports whether keepalive has a say: not on what is left of a socket,
// and not before it is one.
func (s *Socket) Counts() bool {
	return s.Timer != "time-wait" && s.State != "SYN-RECV" && !s.Closed()
}

// Sending reports whether data in flight or a closed window decides how it ends,
// and keepalive does not.
func (s *Socket) Sending() bool { return s.Timer == TimerRetransmit || s.Timer == TimerProbe0 }

// Never reports whether it is known that a dead peer is never noticed.
func (s *Socket) Never() bool {
	return s.Counts() && !s.DetectionKnown && !s.DetectionUnknown && (s.Keepalive == SwitchOff || s.Keepalive == SwitchOn && s.ValuesKnown)
}

// Noticed is when a dead peer is noticed if it dies now, where keepalive is what
// notices it: by an old timer later than by the values in effect. It goes with
// DetectionKnown.
func (s *Socket) Noticed() time.Duration {
	if s.OldTimer == SwitchOn && s.Dies.Known {
		return max(s.Detection, s.Dies.Exact+s.Outlived)
	}
	return s.Detection
}

// Package connection is a live connection as tcpka tells of it: its values, its timer, when a
// dead peer is noticed and when it ends.
package connection

import (
	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/sockets"
)

// Describer says what sockets of a namespace mean. It makes no garbage.
type Describer struct {
	Netns  string
	Kernel calc.Kernel
	Always bool // predict the end of each, not only of those in trouble

	row Socket

	// Most sockets have the settings of the one before.
	settings  keepalive.Settings
	predicted bool
	detection calc.Prediction
	drops     bool

	MPTCP Outliving
}

// Describe returns a row that is valid until the next one. The calling thread is
// in the namespace.
func (d *Describer) Describe(s *sockets.Socket) *Socket {
	owners := d.row.Owners[:0]
	for _, o := range s.Owners {
		owners = append(owners, SocketOwner{PID: o.PID, FD: o.FD, Comm: o.Comm, Ring: o.Ring})
	}
	d.row = Socket{
		Netns:            d.Netns,
		State:            s.State.String(),
		Local:            s.Local,
		Remote:           s.Remote,
		Owners:           owners,
		OwnersUnknown:    s.Inode != 0,
		UID:              s.UID,
		Inode:            s.Inode,
		Cookie:           s.Cookie,
		Cgroup:           s.Cgroup,
		Keepalive:        switchOf(s.Keepalive),
		Settings:         s.Settings,
		ValuesKnown:      s.ValuesKnown,
		UserTimeoutKnown: s.UserTimeoutKnown,
		Origin:           [3]string{originOf(s.TimeFrom), originOf(s.IntvlFrom), originOf(s.ProbesFrom)},
		Timer:            timerOf(s.Timer),
		Left:             s.Left,
		LeftKnown:        s.Timer != sockets.TimerNone,
		Unanswered:       s.Unanswered,
		Idle:             s.Idle,
		IdleKnown:        s.IdleKnown,
		LastData:         s.LastData,
		OldTimer:         oldTimer(s),
	}
	if !s.ValuesKnown || Closed(s) && s.State == sockets.FinWait2 || s.State == sockets.SynRecv || s.Timer == sockets.TimerTimeWait {
		return &d.row
	}
	if s.Keepalive == sockets.Off {
		d.row.Drops = SwitchOff
	}
	d.units(s)
	if s.Keepalive == sockets.On && !Closed(s) {
		if !d.predicted || d.settings != s.Settings {
			d.settings, d.predicted = s.Settings, true
			d.detection = d.Kernel.IdlePeerGone(s.Settings)
			d.drops = !d.Kernel.IdlePeerAlive(s.Settings).Never
		}
		if d.row.Drops = SwitchOff; d.drops {
			d.row.Drops = SwitchOn
		}
		d.row.Detection, d.row.DetectionKnown = d.detection.Exact, !d.detection.Never
		if IsMPTCP(s) && !d.detection.Never {
			d.outlive(s)
		}
	}
	if s.Timer == sockets.TimerNone {
		return &d.row
	}
	live := LiveOf(s)
	d.row.Next, _, d.row.NextKnown = d.Kernel.NextProbe(live)
	if d.Always || s.Unanswered > 0 || s.State == sockets.SynSent {
		if p := d.Kernel.Dies(live); !p.Never {
			d.row.Dies = SocketEnd{Known: true, Exact: p.Exact, Earliest: p.Earliest, Latest: p.Latest, By: p.DecidedBy}
		}
	}
	return &d.row
}

// outlive makes of when a subflow ends when its program hears of it.
func (d *Describer) outlive(s *sockets.Socket) {
	more, known := d.MPTCP.Certain(s.State)
	if !known {
		d.row.Detection, d.row.DetectionKnown, d.row.DetectionUnknown = 0, false, true
		return
	}
	d.row.Detection += more
	d.row.Outlived = more
}

// LiveOf is a socket as package calc sees it.
func LiveOf(s *sockets.Socket) calc.Live {
	return calc.Live{
		Settings:   s.Settings,
		Enabled:    s.Keepalive == sockets.On,
		Connecting: s.State == sockets.SynSent,
		Closed:     Closed(s),
		Timer:      calc.Timer(s.Timer),
		Expires:    s.Left,
		Unanswered: s.Unanswered,
		Backoff:    s.Backoff,
		Idle:       s.Idle,
		RTO:        s.RTO,
		Window:     calc.Window(s.Window),
		Clock:      calc.Clock(s.Clock),
		Spent:      s.Spent,
		RTOMax:     s.RTOMax,
		SynRetries: s.SynRetries,

		Retransmitted: s.Retransmitted,
	}
}

// Closed reports whether the program has closed the socket, and the kernel
// finishes it alone. A socket without a file in another state is one that was
// not accepted yet.
func Closed(s *sockets.Socket) bool {
	const closing = 1<<sockets.FinWait1 | 1<<sockets.FinWait2 | 1<<sockets.Closing | 1<<sockets.LastAck
	return s.Inode == 0 && sockets.States(closing).Has(s.State)
}

func switchOf(o sockets.OnOff) Switch {
	switch o {
	case sockets.On:
		return SwitchOn
	case sockets.Off:
		return SwitchOff
	}
	return SwitchUnknown
}

func originOf(o sockets.Origin) string {
	switch o {
	case sockets.FromSocket:
		return "socket"
	case sockets.FromSysctl:
		return "sysctl"
	}
	return ""
}

func timerOf(t sockets.Timer) string {
	switch t {
	case sockets.TimerNone:
		return "none"
	case sockets.TimerRetransmit:
		return TimerRetransmit
	case sockets.TimerKeepalive:
		return TimerKeepalive
	case sockets.TimerProbe0:
		return TimerProbe0
	}
	return t.String()
}

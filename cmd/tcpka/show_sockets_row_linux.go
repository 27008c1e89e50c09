package main

import (
	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/report"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/sockets"
)

// describer says what sockets of a namespace mean. It makes no garbage.
type describer struct {
	netns  string
	kernel calc.Kernel
	always bool // predict the end of each, not only of those in trouble

	row report.Socket

	// Most sockets have the settings of the one before.
	settings  keepalive.Settings
	predicted bool
	detection calc.Prediction

	mptcp outliving
}

// describe returns a row that is valid until the next one. The calling thread is
// in the namespace.
func (d *describer) describe(s *sockets.Socket) *report.Socket {
	owners := d.row.Owners[:0]
	for _, o := range s.Owners {
		owners = append(owners, report.SocketOwner{PID: o.PID, FD: o.FD, Comm: o.Comm})
	}
	d.row = report.Socket{
		Netns:            d.netns,
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
		OldTimer:         oldTimer(s),
	}
	if !s.ValuesKnown || closed(s) && s.State == sockets.FinWait2 || s.State == sockets.SynRecv || s.Timer == sockets.TimerTimeWait {
		return &d.row
	}
	if s.Keepalive == sockets.On && !closed(s) {
		if !d.predicted || d.settings != s.Settings {
			d.settings, d.predicted = s.Settings, true
			d.detection = d.kernel.IdlePeerGone(s.Settings)
		}
		d.row.Detection, d.row.DetectionKnown = d.detection.Exact, !d.detection.Never
		if isMPTCP(s) && !d.detection.Never {
			d.outlive(s)
		}
	}
	if s.Timer == sockets.TimerNone {
		return &d.row
	}
	live := liveOf(s)
	d.row.Next, _, d.row.NextKnown = d.kernel.NextProbe(live)
	if d.always || s.Unanswered > 0 || s.State == sockets.SynSent {
		if p := d.kernel.Dies(live); !p.Never {
			d.row.Dies = report.SocketEnd{Known: true, Exact: p.Exact, Earliest: p.Earliest, Latest: p.Latest, By: p.DecidedBy}
		}
	}
	return &d.row
}

// outlive makes of when a subflow ends when its program hears of it.
func (d *describer) outlive(s *sockets.Socket) {
	more, known := d.mptcp.certain(s.State)
	if !known {
		d.row.Detection, d.row.DetectionKnown, d.row.DetectionUnknown = 0, false, true
		return
	}
	d.row.Detection += more
	d.row.Outlived = more
}

// oldTimer is whether its keepalive timer was armed by a longer time than is in
// effect, as set sockets and set --rearm see it.
func oldTimer(s *sockets.Socket) report.Switch {
	switch {
	case s.Keepalive == sockets.Off || closed(s):
		return report.SwitchOff
	case s.Keepalive == sockets.Unknown || !s.ValuesKnown || isHidden(s):
		return report.SwitchUnknown
	case isLate(s, s.Settings):
		return report.SwitchOn
	}
	return report.SwitchOff
}

// liveOf is a socket as package calc sees it.
func liveOf(s *sockets.Socket) calc.Live {
	return calc.Live{
		Settings:   s.Settings,
		Enabled:    s.Keepalive == sockets.On,
		Connecting: s.State == sockets.SynSent,
		Closed:     closed(s),
		Timer:      calc.Timer(s.Timer),
		Expires:    s.Left,
		Unanswered: s.Unanswered,
		Backoff:    s.Backoff,
		Idle:       s.Idle,
		RTO:        s.RTO,
	}
}

// closed reports whether the program has closed the socket, and the kernel
// finishes it alone. A socket without a file in another state is one that was
// not accepted yet.
func closed(s *sockets.Socket) bool {
	const closing = 1<<sockets.FinWait1 | 1<<sockets.FinWait2 | 1<<sockets.Closing | 1<<sockets.LastAck
	return s.Inode == 0 && sockets.States(closing).Has(s.State)
}

func switchOf(o sockets.OnOff) report.Switch {
	switch o {
	case sockets.On:
		return report.SwitchOn
	case sockets.Off:
		return report.SwitchOff
	}
	return report.SwitchUnknown
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
		return report.TimerRetransmit
	case sockets.TimerKeepalive:
		return report.TimerKeepalive
	case sockets.TimerProbe0:
		return report.TimerProbe0
	}
	return t.String()
}

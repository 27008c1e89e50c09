package calc

import (
	"fmt"
	"time"

	"github.com/tcpka/tcpka/keepalive"
)

// OtherSSH is one end of an SSH connection that is not OpenSSH's, with keepalives of
// its own kind.
type OtherSSH struct {
	Program SSHProgram
	// Interval is the setting: how often, or after how much silence, something is
	// sent. 0 is off.
	Interval time.Duration
	// TCPKeepAlive is whether the socket has SO_KEEPALIVE.
	TCPKeepAlive bool
}

// An SSHProgram is who speaks SSH.
type SSHProgram string

const (
	// PuTTY, KiTTY and WinSCP send a null packet every Interval, whatever else
	// happens, and want no answer. Source: pinger.c, pinger_schedule. The first one
	// after the login is seen after two intervals, as measured with PuTTY 0.78.
	PuTTY  SSHProgram = "putty"
	KiTTY  SSHProgram = "kitty"
	WinSCP SSHProgram = "winscp"
	// TeraTerm sends one when it has sent nothing for more than Interval, by a clock
	// of whole seconds.
	TeraTerm SSHProgram = "teraterm"
	// SecureCRT and Xshell send one when nothing was sent for Interval, as their
	// makers say.
	SecureCRT SSHProgram = "securecrt"
	Xshell    SSHProgram = "xshell"
	// Dropbear, client and server, asks for an answer.
	Dropbear SSHProgram = "dropbear"
)

// dropbearLimit is DEFAULT_KEEPALIVE_LIMIT of Dropbear's default_options.h.
const dropbearLimit = 3

// Detection is a session whose peer no longer says anything, counted from the last
// packet received. Dropbear gives up after three intervals, not four as OpenSSH by
// default: it looks whether that much time has passed, by a clock of whole seconds,
// and so can be a second early. Source: common-session.c, checktimeouts.
//
// The others never do: they send, and do not look for an answer. What they send is
// data, so where the peer is gone TCP retransmits it and ends the connection, see
// [Kernel.DataInFlight]; a peer that hangs, but whose kernel answers, is never
// noticed.
func (o OtherSSH) Detection() Prediction {
	if o.Program != Dropbear || o.Interval <= 0 {
		return never()
	}
	exact := times(dropbearLimit, o.Interval)
	return Prediction{
		Exact: exact, Earliest: sub(exact, time.Second), Latest: exact,
		DecidedBy: "DEFAULT_KEEPALIVE_LIMIT", Probes: dropbearLimit - 1,
	}
}

// PeerGone is an idle session whose peer says nothing any more, its kernel included:
// [OtherSSH.Detection], or TCP with the settings set, whichever is first. Until something
// is sent that is keepalive, where SO_KEEPALIVE is on; what is sent is data, and TCP gives
// up on it. What is sent by the clock can be on its way at once, so the end comes up to an
// interval sooner than the exact time.
func (o OtherSSH) PeerGone(k Kernel, set keepalive.Settings) Prediction {
	every, _ := o.Refresh()
	p := SSH{Side: SSHServer, Interval: every, CountMax: DefaultSSHCountMax, TCPKeepAlive: o.TCPKeepAlive}.kernelDetection(k, set)
	if every > 0 && !p.Never {
		p.Earliest = min(p.Earliest, k.DataInFlight(set.UserTimeout, 0).Earliest)
	}
	return first(o.Detection(), p)
}

// Refresh is how often an idle session carries something, and so how long a middlebox
// on the path has to remember it. ok is false where nothing is sent.
func (o OtherSSH) Refresh() (period time.Duration, ok bool) {
	switch {
	case o.Interval <= 0:
		return 0, false
	case o.Program == TeraTerm:
		return add(o.Interval, time.Second), true
	}
	return o.Interval, true
}

// Warnings looks at the settings.
func (o OtherSSH) Warnings() []Warning {
	if o.Interval > 0 {
		if o.Program == Dropbear {
			return nil
		}
		return []Warning{{"sends_only", "it sends and waits for no answer: the path stays open, but a server that hangs is never noticed, and one that is gone by TCP alone"}}
	}
	if o.Program == Dropbear || o.TCPKeepAlive {
		return nil
	}
	return []Warning{{"nothing_sent", "neither keepalives nor SO_KEEPALIVE are on: an idle session sends nothing, and a server that vanishes is never noticed"}}
}

// String is how the programs are written.
func (p SSHProgram) String() string {
	if name, ok := map[SSHProgram]string{
		PuTTY: "PuTTY", KiTTY: "KiTTY", WinSCP: "WinSCP", TeraTerm: "Tera Term", SecureCRT: "SecureCRT", Xshell: "Xshell", Dropbear: "Dropbear",
	}[p]; ok {
		return name
	}
	return fmt.Sprintf("%q", string(p))
}

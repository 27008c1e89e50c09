package sshconf

import (
	"fmt"
)

// Instructions are what to do where tcpka does not change a setting in place: a file
// to import, or where to click. File is empty where there is nothing to import.
type Instructions struct {
	Steps []string // for people, one after the other
	File  string   // a file for regedit, with the line ends of Windows
}

// Instructions says how the session gets what is wanted. Of the session only the
// program and, for the registry, the name or the key are looked at; without either it
// is "Default Settings", from which new sessions begin.
//
// An error is [ErrInterval], or says what the program does not have. For [SSH] and
// [SSHD] there are none: their files are changed in place.
func (s Session) Instructions(w Wanted) (Instructions, error) {
	var n int64
	if w.Interval != nil {
		most := maxTeraTerm
		if s.Program == PuTTY || s.Program == KiTTY {
			most = maxPuTTYPeriod
		}
		if err := inRange(*w.Interval, most); err != nil {
			return Instructions{}, err
		}
		n = wholeSeconds(*w.Interval)
	}
	var in Instructions
	step := func(format string, args ...any) { in.Steps = append(in.Steps, fmt.Sprintf(format, args...)) }
	switch s.Program {
	case PuTTY, KiTTY:
		values, order := map[string]int64{}, []string(nil)
		title := map[Program]string{PuTTY: "PuTTY", KiTTY: "KiTTY"}[s.Program]
		if w.Interval != nil {
			values[puttyMinutes], values[puttySeconds] = n/60, n%60
			order = append(order, puttyMinutes, puttySeconds)
			step("%s, Connection: Seconds between keepalives (0 to turn off): %d; then Session, Save. Or import the file.", title, n)
		}
		if w.TCPKeepAlive != nil {
			values[puttyTCP] = map[bool]int64{true: 1}[*w.TCPKeepAlive]
			order = append(order, puttyTCP)
			step("%s, Connection: Enable TCP keepalives (SO_KEEPALIVE option): %s.", title, onOrOff(*w.TCPKeepAlive))
		}
		step("Every saved session has settings of its own; Default Settings counts for new ones.")
		in.File = s.registryText(values, order...)
		return in, nil
	case WinSCP:
		if w.TCPKeepAlive != nil && *w.TCPKeepAlive {
			return in, errNoTCP
		}
		if w.Interval != nil {
			if n == 0 {
				step("WinSCP, edit the session, Advanced, Connection, Keepalives: Off.")
				in.File = s.registryText(map[string]int64{}, "PingType")
				break
			}
			step("WinSCP, edit the session, Advanced, Connection, Keepalives: Sending of null SSH packets; Seconds between keepalives: %d.", n)
			step("With a WinSCP.ini instead of the registry: PingType=1, PingInterval=%d and PingIntervalSecs=%d below [Sessions\\NAME].", n/60, n%60)
			in.File = s.registryText(map[string]int64{"PingType": winscpNullPacket, "PingInterval": n / 60, "PingIntervalSecs": n % 60}, "PingType", "PingInterval", "PingIntervalSecs")
		}
	case SecureCRT:
		if w.TCPKeepAlive != nil {
			return in, errNoTCP
		}
		if w.Interval != nil {
			step("SecureCRT, Session Options, Terminal, Anti-idle: Send protocol NO-OP: %s.", every(n))
			step("Leave Send string off: it types into the shell. Default Session counts for new ones.")
			step("In the file of the session, while SecureCRT does not run, that is:\nD:\"%s\"=%08x\nD:\"%s\"=%08x", crtNoop, min(n, 1), crtNoopPeriod, n)
		}
	case Xshell:
		if w.Interval != nil {
			step("Xshell, Properties, Connection, Keep Alive: Send keep alive message while session is connected: %s.", every(n))
			step("In the file of the session, while Xshell does not run, that is, below [CONNECTION:KEEPALIVE]:\nKeepAlive=%d\nKeepAliveInterval=%d", min(n, 1), n)
		}
		if w.TCPKeepAlive != nil {
			step("Xshell, Properties, Connection, Keep Alive: Send TCP keep alive packet when network is idle: %s.", onOrOff(*w.TCPKeepAlive))
		}
	case MobaXterm:
		if w.TCPKeepAlive != nil {
			return in, errNoTCP
		}
		if w.Interval != nil {
			step("MobaXterm, Settings, Configuration, SSH: SSH keepalive: %s. It cannot be told how often.", onOrOff(n > 0))
		}
	case TeraTerm:
		if w.TCPKeepAlive != nil && *w.TCPKeepAlive {
			return in, errNoTCP
		}
		if w.Interval != nil {
			step("Tera Term, Setup, SSH: Heartbeat: %d seconds; then Setup, Save setup.", n)
		}
	case Dropbear:
		if w.TCPKeepAlive != nil && *w.TCPKeepAlive {
			return in, errNoTCP
		}
		if w.Interval != nil {
			step("On the router:\nuci set dropbear.@dropbear[0].SSHKeepAlive=%d\nuci commit dropbear\n/etc/init.d/dropbear restart", n)
		}
	default:
		return in, fmt.Errorf("%s: its files are changed in place", s.Program)
	}
	return in, nil
}

func onOrOff(on bool) string { return map[bool]string{true: "on", false: "off"}[on] }

func every(n int64) string {
	if n == 0 {
		return "off"
	}
	return fmt.Sprintf("on, every %d seconds", n)
}

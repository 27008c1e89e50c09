package sshclients

import (
	"strings"

	"github.com/tcpka/tcpka/internal/sshconf"
)

// parseXshell reads a session of Xshell. What a file does not say is as Xshell writes
// it into new ones.
func parseXshell(t text) ([]Session, error) {
	keys, connection := first{}, first{}
	for s := range t.iniSettings() {
		switch {
		case s.key == "":
		case strings.EqualFold(s.section, "CONNECTION:KEEPALIVE"):
			keys.add(s)
		case strings.EqualFold(s.section, "CONNECTION"):
			connection.add(s)
		}
	}
	for _, s := range connection { // where Xshell 3 has them all
		keys.add(s)
	}
	s := Session{
		Program: sshconf.Xshell, Host: connection["Host"].value,
		Lines: keys.lines("KeepAlive", "KeepAliveInterval", "SendKeepAlive", "SendKeepAliveInterval", "TCPKeepAlive"),
	}
	var ok bool
	if s.Interval, ok = keys.switched("KeepAlive", "KeepAliveInterval", 1, 60); !ok {
		s.Problem = "KeepAlive and KeepAliveInterval are no numbers that Xshell writes"
	}
	if s.Typed, ok = keys.switched("SendKeepAlive", "SendKeepAliveInterval", 0, 60); !ok {
		s.Problem = join(s.Problem, "SendKeepAlive and SendKeepAliveInterval are no numbers that Xshell writes")
	}
	tcp, _ := keys.number("TCPKeepAlive", 0)
	s.TCPKeepAlive = new(tcp != 0)
	s.Problem = join(s.Problem, notSSH(connection["Protocol"].value))
	return []Session{s}, nil
}

func instructXshell(in *Instructions, _ Session, w Wanted) error {
	if n, ok := w.seconds(); ok {
		in.step("Xshell, Properties, Connection, Keep Alive: Send keep alive message while session is connected: %s.", every(n))
		in.step("In the file of the session, while Xshell does not run, that is, below [CONNECTION:KEEPALIVE]:\nKeepAlive=%d\nKeepAliveInterval=%d", min(n, 1), n)
	}
	if w.TCPKeepAlive != nil {
		in.step("Xshell, Properties, Connection, Keep Alive: Send TCP keep alive packet when network is idle: %s.", onOrOff(*w.TCPKeepAlive))
	}
	return nil
}

package report

import (
	"bytes"
	"testing"

	"github.com/tcpka/tcpka/calc"
)

func TestSSH(t *testing.T) {
	client := NewSSHSide(calc.SSH{Side: calc.SSHClient, Interval: s(60), CountMax: 3, TCPKeepAlive: true}, "OpenSSH_9.2p1 Debian-2+deb12u7")
	client.Sources = map[string]string{"ServerAliveInterval": "/home/a/.ssh/config:3"}
	client.Unsure = map[string]string{"TCPKeepAlive": "/home/a/.ssh/config line 9 may apply or not\x1b[31m"}
	off := NewSSHSide(calc.SSH{Side: calc.SSHServer, CountMax: 3}, "")
	off.Approximate = true
	off.Warnings = []calc.Warning{{ID: "nothing_detects", Text: "neither is on"}}
	left := NewSSHSide(calc.SSH{Side: calc.SSHClient, CountMax: 3, TCPKeepAlive: true}, "")
	for name, d := range map[string]SSH{
		"both":    {Schema: "tcpka/ssh/v1", Destination: new("web1\x1b"), Client: client, Server: off},
		"unknown": {Schema: "tcpka/ssh/v1", Client: left, Server: UnknownSSHSide("sshd: /etc/ssh/sshd_config: permission denied")},
	} {
		var table, doc bytes.Buffer
		if err := Table(&table, d, Style{Width: 80}); err != nil {
			t.Fatal(err)
		}
		golden(t, "ssh_"+name+".txt", table.String())
		if err := JSON(&doc, d); err != nil {
			t.Fatal(err)
		}
		golden(t, "ssh_"+name+".json", doc.String())
	}
}

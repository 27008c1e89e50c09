package report

import (
	"bytes"
	"testing"
	"time"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/keepalive"
)

func TestExplainSSH(t *testing.T) {
	end := func(side calc.SSHSide, interval time.Duration, count int, version calc.SSHVersion) calc.SSH {
		return calc.SSH{Side: side, Interval: interval, CountMax: count, TCPKeepAlive: true, Version: version}
	}
	without := end(calc.SSHClient, 0, 3, calc.SSHVersion{})
	without.TCPKeepAlive = false
	for name, end := range map[string]calc.SSH{
		"client":            end(calc.SSHClient, s(60), 3, calc.SSHVersion{}),
		"client_count_zero": end(calc.SSHClient, s(60), 0, calc.SSHVersion{Major: 9, Minor: 2}),
		"client_off":        end(calc.SSHClient, 0, 3, calc.SSHVersion{}),
		"client_nothing":    without,
		"server":            end(calc.SSHServer, s(9), 3, calc.SSHVersion{}), // always exact
		"server_doubled":    end(calc.SSHServer, s(120), 30, calc.SSHVersion{Major: 9, Minor: 2}),
		"server_count_zero": end(calc.SSHServer, s(60), 0, calc.SSHVersion{Major: 9, Minor: 9}),
	} {
		d := NewExplainSSH(end, keepalive.Defaults(), calc.DefaultKernel(), nil, "namespace host")
		var table, doc bytes.Buffer
		if err := Table(&table, d, Style{Width: 80}); err != nil {
			t.Fatal(err)
		}
		golden(t, "explain_ssh_"+name+".txt", table.String())
		if err := JSON(&doc, d); err != nil {
			t.Fatal(err)
		}
		golden(t, "explain_ssh_"+name+".json", doc.String())
	}
}

package ssh

import (
	"bytes"
	"testing"
	"time"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/answertest"
	"github.com/tcpka/tcpka/keepalive"
)

func TestExplainSSH(t *testing.T) {
	end := func(side calc.SSHSide, interval time.Duration, count int, version calc.SSHVersion) calc.SSH {
		return calc.SSH{Side: side, Interval: interval, CountMax: count, TCPKeepAlive: true, Version: version}
	}
	without := end(calc.SSHClient, 0, 3, calc.SSHVersion{})
	without.TCPKeepAlive = false
	for name, end := range map[string]calc.SSH{
		"client":            end(calc.SSHClient, answertest.S(60), 3, calc.SSHVersion{}),
		"client_count_zero": end(calc.SSHClient, answertest.S(60), 0, calc.SSHVersion{Major: 9, Minor: 2}),
		"client_off":        end(calc.SSHClient, 0, 3, calc.SSHVersion{}),
		"client_nothing":    without,
		"server":            end(calc.SSHServer, answertest.S(9), 3, calc.SSHVersion{}), // always exact
		"server_doubled":    end(calc.SSHServer, answertest.S(120), 30, calc.SSHVersion{Major: 9, Minor: 2}),
		"server_count_zero": end(calc.SSHServer, answertest.S(60), 0, calc.SSHVersion{Major: 9, Minor: 9}),
	} {
		d := NewDocument(end, keepalive.Defaults(), calc.DefaultKernel(), nil, "namespace host")
		var table, doc bytes.Buffer
		if err := answer.Table(&table, d, answer.Style{Width: 80}); err != nil {
			t.Fatal(err)
		}
		answertest.Golden(t, "explain_ssh_"+name+".txt", table.String())
		if err := answer.JSON(&doc, d); err != nil {
			t.Fatal(err)
		}
		answertest.Golden(t, "explain_ssh_"+name+".json", doc.String())
	}
}

package show

import (
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/answertest"
)

func show() Document {
	inode, boot := uint64(4026531840), "/etc/sysctl.d/99-tcpka.conf:3"
	n := Namespace{
		Name: "host", Inode: &inode, Current: true, PID: new(1),
		Time: new(int64(7200)), Intvl: new(int64(75)), Probes: new(9),
		Detection: new(answer.Seconds(answertest.S(7875))), DetectionEarliest: new(answer.Seconds(answertest.S(7875))), DetectionLatest: new(answer.Seconds(8024504 * time.Millisecond)),
		Refresh:  new(answer.Seconds(answertest.S(7200))),
		Counters: Counters{ProbesSent: new(uint64(1)), AbortedOnTimeout: new(uint64(2))},
		HZ:       new(250), Assumed: []string{}, Warnings: []calc.Warning{{ID: "x", Text: "mind \x1b[31mthis"}},
		Boot: []Boot{
			{Key: "net.ipv4.tcp_keepalive_time", Reader: "systemd-sysctl", Value: new("600"), Source: &boot, MatchesRunning: new(false)},
			{Key: "net.ipv4.tcp_keepalive_time", Reader: "procps", Value: new("300"), Source: new("/etc/sysctl.conf:1"), MatchesRunning: new(false)},
			{Key: "net.ipv4.tcp_keepalive_intvl", Reader: "systemd-sysctl", MatchesRunning: new(true)},
			{Key: "net.ipv4.tcp_keepalive_intvl", Reader: "procps", MatchesRunning: new(true)},
			{Key: "net.ipv4.tcp_keepalive_probes", Reader: "systemd-sysctl", Value: new("9"), Source: &boot, MatchesRunning: new(true)},
			{Key: "net.ipv4.tcp_keepalive_probes", Reader: "procps", Value: new("9"), Source: &boot, MatchesRunning: new(true)},
		},
	}
	return Document{Schema: "tcpka/show/v1", Namespaces: []Namespace{n}}
}

func showMany() Document {
	many := show()
	many.Rows = true
	never := many.Namespaces[0]
	never.Name, never.Current, never.Detection, never.Refresh = "web\u202e\x00", false, nil, nil
	many.Namespaces = append(many.Namespaces, never, Namespace{Name: "nginx:812", Error: new("enter: operation not permitted")})
	return many
}

func TestShow(t *testing.T) {
	inside := show()
	inside.Namespaces[0].Name, inside.Namespaces[0].Boot, inside.Namespaces[0].Refresh = "current", []Boot{}, nil
	for name, d := range map[string]Document{"one": show(), "many": showMany(), "inside": inside} {
		var table, doc bytes.Buffer
		if err := answer.Table(&table, d, answer.Style{Width: 100}); err != nil {
			t.Fatal(err)
		}
		answertest.Golden(t, "show_"+name+".txt", table.String())
		if err := answer.JSON(&doc, d); err != nil {
			t.Fatal(err)
		}
		answertest.Golden(t, "show_"+name+".json", doc.String())
	}
}

func TestShowFitsTheTerminal(t *testing.T) {
	answertest.Fits(t, "show_80.txt", func(w io.Writer) error { return answer.Table(w, showMany(), answer.Style{Width: 80, Terminal: true}) })
}

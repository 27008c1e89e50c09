package paths

import (
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/answertest"
)

func paths() Document {
	return Document{
		Schema: "tcpka/paths/v1", Checked: "2026-11",
		Paths: []Path{
			{
				Name: "lb", Aliases: []string{"balancer", "elb"}, Title: "a load balancer",
				Idle: answer.Seconds(answertest.S(350)), Min: new(answer.Seconds(answertest.S(60))), Max: new(answer.Seconds(answertest.S(6000))), Setting: new("idle.timeout"),
				OnExpiry: "reset", Layer: "l4", Refreshes: true,
				Source: "https://example.net/lb", Confidence: "high", Note: new("a note"),
			},
			{
				Name: "proxy", Aliases: []string{}, Title: "a proxy", Idle: answer.Seconds(answertest.S(60)), Fixed: true,
				OnExpiry: "closed", Layer: "l7", Source: "https://example.net/proxy", Confidence: "medium",
			},
			{
				Name: "nat", Aliases: []string{}, Title: "some NAT", Idle: answer.Seconds(answertest.S(7440)),
				OnExpiry: "unknown", Layer: "l4", Refreshes: true, Source: "hearsay", Confidence: "low",
			},
			{
				Name: "firewall", Aliases: []string{}, Title: "a firewall", Idle: answer.Seconds(answertest.S(3600)), Setting: new("timeout conn"),
				OnExpiry: "silent", Layer: "l4", Refreshes: true, Source: "manual", Confidence: "high",
			},
		},
		Local: []LocalLimit{
			{Name: "nat", Key: "net.some.timeout", Idle: new(answer.Seconds(5 * 24 * time.Hour))},
			{Name: "lb", Key: "SOME_OPTION", Error: new("read it: operation not permitted\x1b[31m")},
		},
	}
}

func TestPaths(t *testing.T) {
	var table, doc bytes.Buffer
	if err := answer.Table(&table, paths(), answer.Style{Width: 80}); err != nil {
		t.Fatal(err)
	}
	answertest.Golden(t, "paths.txt", table.String())
	if err := answer.JSON(&doc, paths()); err != nil {
		t.Fatal(err)
	}
	answertest.Golden(t, "paths.json", doc.String())
}

func TestOnePath(t *testing.T) {
	var pages bytes.Buffer
	for _, p := range paths().Paths {
		one := Document{Checked: "2026-11", Paths: []Path{p}, One: true}
		for _, l := range paths().Local {
			if l.Name == p.Name {
				one.Local = append(one.Local, l)
			}
		}
		if err := answer.Table(&pages, one, answer.Style{Width: 80}); err != nil {
			t.Fatal(err)
		}
		pages.WriteString("-----\n")
	}
	answertest.Golden(t, "paths_each.txt", pages.String())
}

func TestPathsFitTheTerminal(t *testing.T) {
	wide := paths()
	wide.Paths[3].Name, wide.Paths[3].Title = "azure-firewall-east-west", "Azure Firewall between private networks; see idle_timeout_in_minutes"
	answertest.Fits(t, "paths_80.txt", func(w io.Writer) error { return answer.Table(w, wide, answer.Style{Width: 80, Terminal: true}) })
}

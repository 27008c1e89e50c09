package report

import (
	"bytes"
	"io"
	"testing"
	"time"
)

func paths() Paths {
	return Paths{
		Schema: "tcpka/paths/v1", Checked: "2026-11",
		Paths: []Path{
			{
				Name: "lb", Aliases: []string{"balancer", "elb"}, Title: "a load balancer",
				Idle: Seconds(s(350)), Min: new(Seconds(s(60))), Max: new(Seconds(s(6000))), Setting: new("idle.timeout"),
				OnExpiry: "reset", Layer: "l4", Refreshes: true,
				Source: "https://example.net/lb", Confidence: "high", Note: new("a note"),
			},
			{
				Name: "proxy", Aliases: []string{}, Title: "a proxy", Idle: Seconds(s(60)), Fixed: true,
				OnExpiry: "closed", Layer: "l7", Source: "https://example.net/proxy", Confidence: "medium",
			},
			{
				Name: "nat", Aliases: []string{}, Title: "some NAT", Idle: Seconds(s(7440)),
				OnExpiry: "unknown", Layer: "l4", Refreshes: true, Source: "hearsay", Confidence: "low",
			},
			{
				Name: "firewall", Aliases: []string{}, Title: "a firewall", Idle: Seconds(s(3600)), Setting: new("timeout conn"),
				OnExpiry: "silent", Layer: "l4", Refreshes: true, Source: "manual", Confidence: "high",
			},
		},
		Local: []LocalLimit{
			{Name: "nat", Key: "net.some.timeout", Idle: new(Seconds(5 * 24 * time.Hour))},
			{Name: "lb", Key: "SOME_OPTION", Error: new("read it: operation not permitted\x1b[31m")},
		},
	}
}

func TestPaths(t *testing.T) {
	var table, doc bytes.Buffer
	if err := Table(&table, paths(), Style{Width: 80}); err != nil {
		t.Fatal(err)
	}
	golden(t, "paths.txt", table.String())
	if err := JSON(&doc, paths()); err != nil {
		t.Fatal(err)
	}
	golden(t, "paths.json", doc.String())
}

func TestOnePath(t *testing.T) {
	var pages bytes.Buffer
	for _, p := range paths().Paths {
		one := Paths{Checked: "2026-11", Paths: []Path{p}, One: true}
		for _, l := range paths().Local {
			if l.Name == p.Name {
				one.Local = append(one.Local, l)
			}
		}
		if err := Table(&pages, one, Style{Width: 80}); err != nil {
			t.Fatal(err)
		}
		pages.WriteString("-----\n")
	}
	golden(t, "paths_each.txt", pages.String())
}

func TestPathsFitTheTerminal(t *testing.T) {
	wide := paths()
	wide.Paths[3].Name, wide.Paths[3].Title = "azure-firewall-east-west", "Azure Firewall between private networks; see idle_timeout_in_minutes"
	fits(t, "paths_80.txt", func(w io.Writer) error { return Table(w, wide, Style{Width: 80, Terminal: true}) })
}

package main

import (
	"errors"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/internal/middlebox"
	"github.com/tcpka/tcpka/internal/report"
)

func pathsCommand(s *session) *cli.Command {
	return &cli.Command{
		Name:      "paths",
		Usage:     "show how long NATs, load balancers and firewalls remember a silent connection",
		UsageText: "tcpka show paths [NAME] [-o table|json]",
		ArgsUsage: "[NAME]",
		Description: `Lists the middleboxes tcpka knows, with their defaults: after how many seconds
without traffic each forgets a connection, what it does then, and whether a TCP
keepalive probe counts as traffic. NAME shows one in full, with its source. What
this host itself remembers (conntrack, IPVS) is read where it is there. The names
are those of tcpka plan --behind.`,
		Flags:  join(outputFlags(), whereFlags()),
		Action: func(c *cli.Context) error { return paths(s, c) },
	}
}

func paths(s *session, c *cli.Context) error {
	if _, err := outputFormat(c); err != nil {
		return err
	}
	if c.NArg() > 1 {
		return misuse("show paths takes one name: %q", c.Args().Get(1))
	}
	boxes := middlebox.Boxes()
	if c.Args().Present() {
		b, err := lookup(c.Args().First())
		if err != nil {
			return err
		}
		boxes = []middlebox.Box{b}
	}
	local, err := localLimits(s, c)
	if err != nil {
		return err
	}
	d := report.Paths{
		Schema: "tcpka/paths/v1", Checked: middlebox.Checked,
		Paths: []report.Path{}, Local: []report.LocalLimit{}, One: c.Args().Present(),
	}
	for _, b := range boxes {
		d.Paths = append(d.Paths, pathOf(b))
		for _, l := range local {
			if l.Name == b.Name {
				d.Local = append(d.Local, l)
			}
		}
	}
	return s.render(c, d)
}

// lookup finds a middlebox, or says which names are like the one given.
func lookup(name string) (middlebox.Box, error) {
	b, err := middlebox.Lookup(name)
	unknown, ok := errors.AsType[*middlebox.UnknownError](err)
	if !ok {
		return b, err
	}
	f := misuse("%w", unknown)
	if begin := beginning(name); len(begin) > 1 {
		return b, f.withHint("beginning with it are %s", strings.Join(begin, ", "))
	}
	if len(unknown.Near) > 0 {
		return b, f.withHint("like it are %s", strings.Join(unknown.Near, ", "))
	}
	return b, f.withHint("all names: tcpka show paths")
}

// beginning are the names of middleboxes that begin like this.
func beginning(name string) []string {
	var names []string
	for _, n := range middlebox.Names() {
		if name != "" && strings.HasPrefix(n, strings.ToLower(name)) {
			names = append(names, n)
		}
	}
	return names
}

func pathOf(b middlebox.Box) report.Path {
	return report.Path{
		Name: b.Name, Aliases: append([]string{}, b.Aliases...), Title: b.Title,
		Idle: report.Seconds(b.Idle), Min: secondsOrNull(b.Min), Max: secondsOrNull(b.Max), Setting: textOrNull(b.Setting), Fixed: b.Fixed,
		OnExpiry: string(b.OnExpiry), Layer: string(b.Layer), Refreshes: b.Refreshes(),
		Source: b.Source, Confidence: string(b.Confidence), Note: textOrNull(b.Note),
	}
}

func secondsOrNull(d time.Duration) *report.Seconds {
	if d == 0 {
		return nil
	}
	return new(report.Seconds(d))
}

func textOrNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

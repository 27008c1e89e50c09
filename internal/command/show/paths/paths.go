// Package paths is tcpka show paths: what remembers connections, and for how long.
package paths

import (
	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/internal/goal"
	"github.com/tcpka/tcpka/internal/middlebox"
)

// Command is tcpka show paths.
func Command(s *cmdline.Invocation) *cli.Command {
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
		Flags:  cmdline.Join(cmdline.OutputFlags(), cmdline.WhereFlags()),
		Action: func(c *cli.Context) error { return run(s, c) },
	}
}

func run(s *cmdline.Invocation, c *cli.Context) error {
	if _, err := cmdline.OutputFormat(c); err != nil {
		return err
	}
	if c.NArg() > 1 {
		return cmdline.Misuse("show paths takes one name: %q", c.Args().Get(1))
	}
	boxes := middlebox.Boxes()
	if c.Args().Present() {
		b, err := goal.Box(c.Args().First())
		if err != nil {
			return err
		}
		boxes = []middlebox.Box{b}
	}
	local, err := localLimits(s, c)
	if err != nil {
		return err
	}
	d := Document{
		Schema: "tcpka/paths/v1", Checked: middlebox.Checked,
		Paths: []Path{}, Local: []LocalLimit{}, One: c.Args().Present(),
	}
	for _, b := range boxes {
		d.Paths = append(d.Paths, pathOf(b))
		for _, l := range local {
			if l.Name == b.Name {
				d.Local = append(d.Local, l)
			}
		}
	}
	return s.Render(c, d)
}

func pathOf(b middlebox.Box) Path {
	return Path{
		Name: b.Name, Aliases: append([]string{}, b.Aliases...), Title: b.Title,
		Idle: answer.Seconds(b.Idle), Min: answer.SecondsOrNull(b.Min), Max: answer.SecondsOrNull(b.Max), Setting: answer.TextOrNull(b.Setting), Fixed: b.Fixed,
		OnExpiry: string(b.OnExpiry), Layer: string(b.Layer), Server: b.Server, Refreshes: b.Refreshes(),
		Source: b.Source, Confidence: string(b.Confidence), Note: answer.TextOrNull(b.Note),
	}
}

// Package plan is tcpka plan: the settings for a goal.
package plan

import (
	"errors"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/basis"
	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/internal/goal"
	"github.com/tcpka/tcpka/internal/plantargets"
)

// Command is tcpka plan.
func Command(s *cmdline.Invocation) *cli.Command {
	return &cli.Command{
		Name:      "plan",
		Usage:     "find the settings that meet a goal",
		UsageText: "tcpka plan [--behind NAME]... [--path-timeout T] [--detect-within T] [--survive-loss N] [--for TARGET]...",
		Description: `Finds the gentlest settings, those with the fewest packets, that keep an idle
connection open on a path and notice a dead peer in time: by their latest times,
with kernel timers as late as they can be, with the given number of probes lost
in a row, and from the moment the peer dies. The settings fit sysctls and sockets
alike. They are spelt for other software with --for. Behind what ends the TCP
connection, as a proxy does, TCP keepalive cannot help: it says so, and plans the
probes of SSH or of the application. Nothing is changed.

Exit status 1: no settings meet the goal.`,
		Flags: cmdline.Join(goal.Flags("2"), []cli.Flag{
			&cli.StringSliceFlag{Name: "for", Usage: "print the settings for a `TARGET`, as nginx or kubernetes, or for all; several with commas, or by repeating it"},
			&cli.StringFlag{Name: "hz", Usage: "the CONFIG_HZ of the kernel it is for, a `NUMBER`; without it, this one's"},
		}, cmdline.OutputFlags()),
		Action: func(c *cli.Context) error { return run(s, c) },
	}
}

func run(s *cmdline.Invocation, c *cli.Context) error {
	if _, err := cmdline.OutputFormat(c); err != nil {
		return err
	}
	a, err := goal.Read(c)
	if err != nil {
		return err
	}
	if a.Empty() {
		return cmdline.Misuse("no goal").WithHint("give at least one of --behind, --path-timeout, --detect-within, as in: tcpka plan --behind aws-nlb --detect-within 2m")
	}
	targets, err := targetsOf(c)
	if err != nil {
		return err
	}
	v, err := basis.Present(s, c)
	if err != nil {
		s.Notice("%v; planned for a kernel with its defaults", err)
		v.Kernel = calc.DefaultKernel()
	}
	if err := basis.Override(c, &v); err != nil {
		return err
	}
	d := compute(a, v.Kernel, targets)
	if err := s.Render(c, d); err != nil {
		return err
	}
	if !d.Feasible {
		return cmdline.Failed(errors.New("no settings meet the goal"))
	}
	return nil
}

// targetsOf reads --for.
func targetsOf(c *cli.Context) ([]plantargets.Target, error) {
	var targets []plantargets.Target
	for _, name := range cmdline.Several(c, "for") {
		if strings.EqualFold(name, "all") {
			return plantargets.Targets(), nil
		}
		t, err := plantargets.Lookup(name)
		unknown, ok := errors.AsType[*plantargets.UnknownError](err)
		switch {
		case ok && len(unknown.Near) > 0 && name != "list":
			return nil, cmdline.Misuse("--for: %w", err).WithHint("like it are %s", strings.Join(unknown.Near, ", "))
		case ok:
			return nil, cmdline.Misuse("--for: %w", err).WithHint("the targets are all, %s", strings.Join(plantargets.Names(), ", "))
		}
		targets = append(targets, t)
	}
	return targets, nil
}

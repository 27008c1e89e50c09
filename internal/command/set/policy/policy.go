// Package policy is tcpka set policy: keepalive for connections to come.
package policy

import (
	"net/netip"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/internal/change"
	policychange "github.com/tcpka/tcpka/internal/change/policy"
	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/internal/policy"
	"github.com/tcpka/tcpka/internal/target"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/sockets"
)

// Command is tcpka set policy.
func Command(s *cmdline.Invocation) *cli.Command {
	return &cli.Command{
		Name:      "policy",
		Usage:     "give keepalive to every connection to come of a service, a cgroup or the host",
		UsageText: "tcpka set policy NAME --unit U|--cgroup NAME|PREFIX*|--host [--remote ADDR/BITS]... [--port N]... [--time T] [--intvl T] [--probes N] [--user-timeout T] [--if-off|--cap|--force] [options]\ntcpka set policy NAME --remove",
		ArgsUsage: "NAME",
		Description: `From now on until the next boot the kernel switches keepalive on for every new
connection that is meant, made or accepted, and gives it the values: whatever the
program is, which need not be started again. Nothing of tcpka goes on running.
NAME is the policy's; the same one again replaces it.

--unit is a unit of systemd's, by its name, and the .socket units that start it;
--cgroup a cgroup of this name, or with * at the end of a name that begins so: the
connections of all that is below count, too. Both may be repeated. They are found by
name, so a service that is started again is still meant. With --remote and --port
only connections to such an address, and with such a port at either end. Of several
policies that of the nearest cgroup counts, then the longer --remote, then the one
with a port.

A program that switches keepalive on before it connects keeps what it has; with --cap
it keeps what is shorter, with --force nothing. What it sets later is its last word.

It shows for whom that is now, reads back, and makes a connection to see that the kernel
does it. It asks before --host, --force and values that can end a healthy connection.
Needs root, a kernel with type information (BTF), cgroup v2, and bpffs on
/sys/fs/bpf.`,
		Flags: cmdline.Join([]cli.Flag{
			&cli.StringSliceFlag{Name: "unit", Usage: "connections of the systemd `UNIT`; may be repeated"},
			&cli.StringSliceFlag{Name: "cgroup", Usage: "connections of the cgroups of this `NAME`, or that begin so: 'docker-*'; may be repeated"},
			&cli.BoolFlag{Name: "host", Usage: "every connection of this host", DisableDefaultText: true},
			&cli.StringSliceFlag{Name: "remote", Usage: "only to the peer `ADDR/BITS`; may be repeated"},
			&cli.StringSliceFlag{Name: "port", Usage: "only with `PORT` at either end; may be repeated"},
		}, cmdline.ValueFlags(), []cli.Flag{
			cmdline.UserTimeoutFlag(),
			&cli.BoolFlag{Name: "if-off", Usage: "where the program has not switched keepalive on: the default", DisableDefaultText: true},
			&cli.BoolFlag{Name: "cap", Usage: "also where it has, and has longer values", DisableDefaultText: true},
			&cli.BoolFlag{Name: "force", Usage: "whatever the program has set before", DisableDefaultText: true},
			&cli.BoolFlag{Name: "remove", Usage: "take the policy away; open connections keep what they have", DisableDefaultText: true},
		}, change.ChangeFlags(), cmdline.OutputFlags()),
		Action: func(c *cli.Context) error { return run(s, c) },
	}
}

func run(s *cmdline.Invocation, c *cli.Context) error {
	if _, err := cmdline.OutputFormat(c); err != nil {
		return err
	}
	if c.NArg() != 1 {
		return cmdline.Misuse("set policy takes the name of one policy").WithHint("such as: sudo tcpka set policy pool --unit postgresql.service --time 300")
	}
	name := c.Args().First()
	if err := policy.CheckName(name); err != nil {
		return cmdline.Misuse("%w", err)
	}
	p := policychange.Plan{Name: name}
	if cmdline.GivenBool(c, "remove") {
		if err := removeAlone(c); err != nil {
			return err
		}
	} else {
		want, err := wanted(c, name)
		if err != nil {
			return err
		}
		if want.Units, err = withSockets(want.Units); err != nil {
			return err
		}
		if err := want.Check(); err != nil {
			return cmdline.Misuse("%w", err)
		}
		p.Want = &want
	}
	where, err := target.WhereOf(c)
	if err != nil {
		return err
	}
	return change.Make(s, c, change.Job{
		Root: where.Root,
		Gather: func() (change.Plan, error) {
			p := p
			if err := p.Gather(where); err != nil {
				return nil, policychange.Advise(s, err)
			}
			return &p, nil
		},
		Advise: func(err error) error { return policychange.Advise(s, err) },
	})
}

func removeAlone(c *cli.Context) error {
	for _, name := range []string{"unit", "cgroup", "remote", "port"} {
		if target.GivenAll(c, name) != nil {
			return cmdline.Misuse("--remove goes by the policy's name alone: not with --%s", name)
		}
	}
	for _, name := range []string{"time", "intvl", "probes", "user-timeout"} {
		if _, ok := cmdline.Given(c, name); ok {
			return cmdline.Misuse("--remove goes by the policy's name alone: not with --%s", name)
		}
	}
	for _, name := range []string{"host", "if-off", "cap", "force"} {
		if cmdline.GivenBool(c, name) {
			return cmdline.Misuse("--remove goes by the policy's name alone: not with --%s", name)
		}
	}
	return nil
}

// wanted reads the policy.
func wanted(c *cli.Context, name string) (policy.Policy, error) {
	p := policy.Policy{Name: name, Units: target.GivenAll(c, "unit"), Cgroups: target.GivenAll(c, "cgroup"), Host: cmdline.GivenBool(c, "host"), Mode: policy.IfOff}
	for _, t := range slices.Concat(p.Units, p.Cgroups) {
		if err := policy.CheckCgroup(t); err != nil {
			return p, cmdline.Misuse("%w", err)
		}
	}
	if len(p.Targets()) == 0 && !p.Host {
		return p, cmdline.Misuse("for which connections?").WithHint("give --unit, --cgroup or --host")
	}
	ch, err := cmdline.ReadValues(c, keepalive.Socket())
	if err != nil {
		return p, err
	}
	if ch.Empty() {
		return p, cmdline.Misuse("nothing to set").WithHint("give at least one of --time, --intvl, --probes and --user-timeout")
	}
	p.SetValues(ch)
	modes := 0
	for flag, mode := range map[string]policy.Mode{"if-off": policy.IfOff, "cap": policy.Cap, "force": policy.Force} {
		if cmdline.GivenBool(c, flag) {
			p.Mode = mode
			modes++
		}
	}
	if modes > 1 {
		return p, cmdline.Misuse("--if-off, --cap and --force exclude each other")
	}
	for _, text := range target.GivenAll(c, "remote") {
		e, err := sockets.ParseEndpoint(text)
		if err != nil {
			return p, cmdline.Misuse("--remote: %w", err)
		}
		if e.Port != 0 || e.Prefix == (netip.Prefix{}) {
			return p, cmdline.Misuse("--remote %q: an address or ADDR/BITS; a port is given by --port", text)
		}
		p.Remote = append(p.Remote, e.Prefix.Masked())
	}
	for _, text := range target.GivenAll(c, "port") {
		n, err := cmdline.ParseNumber(text)
		if err != nil || n < 1 || n > 65535 {
			return p, cmdline.Misuse("--port %q: a port is a number from 1 to 65535", text)
		}
		p.Ports = append(p.Ports, uint16(n))
	}
	return p, nil
}

// Package policy is tcpka show policy: what connections to come get.
package policy

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/internal/answer"
	policychange "github.com/tcpka/tcpka/internal/change/policy"
	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/internal/policy"
	"github.com/tcpka/tcpka/internal/rootfs"
	"github.com/tcpka/tcpka/internal/suggest"
	"github.com/tcpka/tcpka/internal/target"
)

// Command is tcpka show policy.
func Command(s *cmdline.Invocation) *cli.Command {
	return &cli.Command{
		Name:      "policy",
		Usage:     "show the policies for connections to come, and what they did",
		UsageText: "tcpka show policy [NAME] [-o table|json]",
		ArgsUsage: "[NAME]",
		Description: `Shows each policy that tcpka set policy has put in force: for whom it is, which cgroups
that are now, when a dead peer is noticed with it, and how many connections it has seen,
given its values, left to their program, and could not set. Whether the kernel applies
them is tried by a connection in a cgroup of its own. Needs root.`,
		Flags: cmdline.Join([]cli.Flag{
			&cli.BoolFlag{Name: "connect-for-proof", Hidden: true},
		}, cmdline.OutputFlags()),
		Action: func(c *cli.Context) error { return run(s, c) },
	}
}

func run(s *cmdline.Invocation, c *cli.Context) error {
	if _, err := cmdline.OutputFormat(c); err != nil {
		return err
	}
	if cmdline.GivenBool(c, "connect-for-proof") {
		values, err := policy.ConnectForProof()
		if err == nil {
			_, err = fmt.Fprintln(s.Stdout, values)
		}
		return err
	}
	if c.NArg() > 1 {
		return cmdline.Misuse("show policy takes one name: %q", c.Args().Get(1))
	}
	d, err := gather(s, c.Args().First())
	if err != nil {
		return policychange.Advise(s, err)
	}
	return s.Render(c, d)
}

func gather(s *cmdline.Invocation, name string) (Document, error) {
	d := Document{Schema: "tcpka/policy/v1", Policies: []Policy{}}
	w, err := policy.Find()
	if _, none := errors.AsType[*policy.Obstacle](err); none && name == "" {
		s.Notice("none can be in force here: %v", err)
		d.Loaded = new(false)
		return d, nil
	} else if err != nil {
		return d, err
	}
	snap, err := target.Look(rootfs.FS{})
	if err != nil {
		return d, err
	}
	state, err := w.Read()
	if errors.Is(err, fs.ErrPermission) && name == "" {
		s.Notice("which policies are in force only root can see; %s", s.Sudo())
		return d, nil
	}
	if err != nil {
		return d, err
	}
	defer state.Close()
	why := state.WhyNot
	if len(state.Policies) > 0 && why == nil {
		why = w.Prove(state)
	}
	d.Loaded = new(len(state.Policies) > 0)
	for _, p := range state.Policies {
		if name != "" && p.Name != name {
			continue
		}
		shown := describe(p)
		if shown.Matching, err = w.Matches(p.Policy); err != nil {
			return d, err
		}
		shown.Matching = append([]string{}, shown.Matching...)
		shown.Detection = answer.NewPrediction(snap.Kernel.IdlePeerGone(p.Change().Apply(snap.Settings))).Seconds
		shown.InForce = why == nil
		if why != nil {
			shown.WhyNot = new(why.Error())
		}
		d.Policies = append(d.Policies, shown)
	}
	if name != "" && len(d.Policies) == 0 {
		return d, cmdline.Failed(fmt.Errorf("no policy is called %q", name)).WithHint("those there are: sudo tcpka show policy")
	}
	return d, nil
}

func describe(p policy.InForce) Policy {
	m := Match{Units: append([]string{}, p.Units...), Cgroups: append([]string{}, p.Cgroups...), Host: p.Host, Remote: []string{}, Ports: append([]uint16{}, p.Ports...)}
	for _, r := range p.Remote {
		m.Remote = append(m.Remote, r.String())
	}
	c := p.Counters
	return Policy{
		Name: p.Name, Match: m, Mode: string(p.Mode), Time: p.TimeSeconds, Intvl: p.IntvlSeconds, Probes: p.Probes, UserTimeout: p.UserTimeoutMS,
		Connections: Connections{Seen: c.Seen, Given: c.Given, Left: c.Left, Failed: c.Failed}, Words: suggest.ShellJoin(p.Words()),
	}
}

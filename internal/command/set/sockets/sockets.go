// Package sockets is tcpka set sockets: the options of live connections.
package sockets

import (
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/internal/change"
	"github.com/tcpka/tcpka/internal/change/connections"
	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/internal/target"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/sockets"
)

// Command is tcpka set sockets.
func Command(s *cmdline.Invocation) *cli.Command {
	return &cli.Command{
		Name:      "sockets",
		Usage:     "change running connections of any program",
		UsageText: "tcpka set sockets FILTER [--time T] [--intvl T] [--probes N] [--user-timeout T] [--on|--off] [options]",
		Description: `Changes connections that are open, without their programs: those that meet all of
the filter. It shows what changes and asks; then it changes the sockets that it
showed and no other, and looks whether they have the values. All subflows of an
MPTCP connection change together: where the filter wants one, it shows them all.

Connections in ESTAB, FIN-WAIT-2 and CLOSE-WAIT are changed that a process holds, and
with --listen also what listens: what connects to it from then on has the values. A connection that waits
to be accepted cannot be changed, and keeps its own; those are counted. Values do
not switch keepalive on, --on does. Connections that a program makes later are as
before: tcpka set policy is for those.

A socket that was silent for longer than a new time is probed at once. --jitter
D changes those in turn over the time D instead; Ctrl-C ends that early, and
leaves the rest as it is. No other tcpka can make changes meanwhile.

A socket that follows the sysctl in a value, and is given one of its own, never
follows it again: the kernel has no way back. tcpka undo writes the sysctl's
value then. A value that is so already is not set, but with --time a timer that was armed
for longer begins anew, as by tcpka set --rearm.

For sockets of other users it needs root: CAP_BPF and CAP_PERFMON, or
CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH.`,
		Flags: cmdline.Join(target.FilterFlags(), []cli.Flag{
			&cli.BoolFlag{Name: "all", Usage: "every connection: in place of a filter", DisableDefaultText: true},
			&cli.BoolFlag{Name: "listen", Usage: "listening sockets, too", DisableDefaultText: true},
		}, cmdline.ValueFlags(), []cli.Flag{
			cmdline.UserTimeoutFlag(),
			&cli.BoolFlag{Name: "on", Usage: "switch keepalive on", DisableDefaultText: true},
			&cli.BoolFlag{Name: "off", Usage: "switch keepalive off", DisableDefaultText: true},
			&cli.StringFlag{Name: "jitter", Usage: "spread what would be probed at once over a `DURATION`"},
		}, change.ChangeFlags(), cmdline.OutputFlags(), cmdline.WhereFlags()[:1]),
		Action: func(c *cli.Context) error { return run(s, c) },
	}
}

// maxJitter is a bound for the time that no other tcpka can make changes.
const maxJitter = time.Hour

func run(s *cmdline.Invocation, c *cli.Context) error {
	if _, err := cmdline.OutputFormat(c); err != nil {
		return err
	}
	want, err := wantedOfSockets(c)
	if err != nil {
		return err
	}
	p := connections.Plan{Invocation: s, Change: want, Listen: cmdline.GivenBool(c, "listen")}
	if p.Filter, err = socketsMeant(c, p.Listen); err != nil {
		return err
	}
	if p.Jitter, err = jitter(c, want); err != nil {
		return err
	}
	if p.Where, err = target.WhereOf(c); err != nil {
		return err
	}
	if err := target.Mistaken(p.Filter); err != nil {
		return err
	}
	var last *connections.Plan
	err = change.Make(s, c, change.Job{
		Root: p.Root,
		Gather: func() (change.Plan, error) {
			p, shown := p, last.Cookies()
			last = nil // it may be large
			if err := p.Gather(shown); err != nil {
				return nil, s.Permission(err)
			}
			last = &p
			return &p, nil
		},
		Advise: s.Permission,
	})
	if err == nil && last.Count(func(r *connections.Room) int { return r.Found }) == 0 {
		target.LookElsewhere(s, p.Filter, p.Where)
	}
	return err
}

// wantedOfSockets reads what to set.
func wantedOfSockets(c *cli.Context) (keepalive.Change, error) {
	ch, err := cmdline.ReadValues(c, keepalive.Socket())
	if err != nil {
		return ch, err
	}
	on, off := cmdline.GivenBool(c, "on"), cmdline.GivenBool(c, "off")
	switch {
	case on && off:
		return ch, cmdline.Misuse("--on and --off exclude each other")
	case on || off:
		ch.Enabled = &on
	case ch.Empty():
		return ch, cmdline.Misuse("nothing to set").WithHint("give at least one of --time, --intvl, --probes, --user-timeout, --on and --off")
	}
	return ch, nil
}

// socketsMeant reads the filter. It has no state in which a socket is not
// changed.
func socketsMeant(c *cli.Context, listen bool) (sockets.Filter, error) {
	f, given, err := target.FilterOf(c)
	all := cmdline.GivenBool(c, "all")
	switch beyond := f.States &^ connections.Tunable(listen); {
	case err != nil:
		return f, err
	case given && all:
		return f, cmdline.Misuse("--all goes with no filter")
	case !given && !all:
		return f, cmdline.Misuse("no filter: this would change every connection").WithHint("name some, as by --port or --comm; --all means it")
	case beyond == sockets.StatesOf(sockets.Listen):
		return f, cmdline.Misuse("--state: listening sockets are changed only with --listen").WithHint("what connects to a listener from then on has the values")
	case beyond != 0:
		return f, cmdline.Misuse("--state: only sockets in the states estab, fin-wait-2 and close-wait are changed, and with --listen those that listen").WithHint("without --state it is all of these")
	}
	if f.States == 0 {
		f.States = connections.Tunable(listen)
	}
	return f, nil
}

func jitter(c *cli.Context, want keepalive.Change) (time.Duration, error) {
	text, ok := cmdline.Given(c, "jitter")
	if !ok {
		return 0, nil
	}
	d, err := cmdline.ParseDuration(text, time.Second)
	switch {
	case err != nil:
		return 0, cmdline.Misuse("--jitter %q: %w", text, err)
	case d < time.Second || d > maxJitter:
		return 0, cmdline.Misuse("--jitter %q: accepted are durations from 1s to 1h", text)
	case want.Time == nil:
		return 0, cmdline.Misuse("--jitter goes with --time: nothing else has a socket probed at once")
	}
	return d, nil
}

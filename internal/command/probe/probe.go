// Package probe is tcpka probe: how long a path remembers a silent connection, measured.
package probe

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/internal/basis"
	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/internal/middlebox"
	"github.com/tcpka/tcpka/internal/target"
)

// Command is tcpka probe.
func Command(s *cmdline.Invocation) *cli.Command {
	return &cli.Command{
		Name:  "probe",
		Usage: "measure how long the path to a server remembers a silent connection",
		UsageText: `tcpka probe HOST:PORT [--max T] [--at T,T...] [--yes] [--hold] [--netns NAME|PID|PATH]
tcpka probe --serve [ADDR]:PORT [--max T] [--at T,T...]`,
		ArgsUsage: "HOST:PORT",
		Description: `Makes up to 8 connections at a time, leaves each silent for another time, and then
has the kernel send keepalive probes on it: they are answered, a reset comes, or
nothing does, and the path has forgotten the connection. Once it has, the longer
ones are given up, and the time between the last two is divided again, until the
bounds are within 2 % or --max is over. With --at it tries those times and no
others. Nothing but the handshake and keepalive probes is sent; no privilege is
needed. Ctrl-C ends it with what is known.

A server on port 22, or that greets like SSH, gets two connections in all and no
silence of more than 110 s, because sshd punishes those who do not log in; --yes
asks it as any other.

--serve is a far end that says nothing. It measures the other direction: on each
connection that it gets it is silent for one of its times, and probes. The near
end holds the connections for that with --hold (nc would do, too). Where the near
end probes, as without --hold, it only listens. It ends by itself after a day.

What cannot be seen: a box that takes up again what it forgot, with the first
packet, as Linux does by default without a filter; and anything behind a proxy,
which answers itself.

Exit status 130: ended by Ctrl-C, with what was known printed.`,
		Flags: cmdline.Join([]cli.Flag{
			&cli.StringFlag{Name: "max", Value: "2h", Usage: "the longest silence, and about the time it may take: seconds, or `DURATION`"},
			&cli.StringFlag{Name: "at", Usage: "the silences to try: `T,T...`, seconds or durations"},
			&cli.BoolFlag{Name: "yes", Usage: "do not spare a server that greets like SSH", DisableDefaultText: true},
			&cli.BoolFlag{Name: "hold", Usage: "stay silent: the far end, a tcpka probe --serve, measures", DisableDefaultText: true},
			&cli.StringFlag{Name: "serve", Usage: "be the far end, at `[ADDR]:PORT`"},
			&cli.StringFlag{Name: "netns", Usage: "connect from the network namespace `NAME|PID|PATH`; a PATH has a slash"},
		}, cmdline.OutputFlags()),
		Action: func(c *cli.Context) error { return run(s, c) },
	}
}

func run(s *cmdline.Invocation, c *cli.Context) error {
	if _, err := cmdline.OutputFormat(c); err != nil {
		return err
	}
	times, longest, err := silences(c)
	if err != nil {
		return err
	}
	if on, ok := cmdline.Given(c, "serve"); ok {
		return probeServe(s, c, on, times, longest)
	}
	switch {
	case !c.Args().Present():
		return cmdline.Misuse("no server to probe").WithHint("give one, as in: tcpka probe example.org:443")
	case c.NArg() > 1:
		return cmdline.Misuse("probe takes one server: %q", c.Args().Get(1))
	case cmdline.GivenBool(c, "hold") && len(times) > 0:
		return cmdline.Misuse("--hold and --at exclude each other: the far end decides")
	case cmdline.GivenBool(c, "hold") && cmdline.GivenBool(c, "yes"):
		return cmdline.Misuse("--hold and --yes exclude each other: a server that speaks cannot measure")
	}
	t, err := parseTarget(c.Args().First())
	if err != nil {
		return err
	}
	if t.host == "" || t.port == 0 {
		return cmdline.Misuse("%q: a server has a host and a port above 0", t.Text).WithHint("as in: tcpka probe example.org:443")
	}
	if t.zoneless() {
		return cmdline.Misuse("%q: a link-local address without the interface behind which it is", t.Text).WithHint("as in: tcpka probe '[%s%%eth0]:%d'", t.host, t.port)
	}
	in, err := probeFrom(s, c, t)
	if err != nil {
		return err
	}
	v, err := basis.Present(s, c)
	if err != nil {
		return err
	}

	ctx, got := interrupts()
	addrs, err := t.addresses(ctx)
	if ctx.Err() != nil {
		return interruptedBy(got())
	}
	if err != nil {
		return err
	}
	show := newProgress(s, len(times) == 0 && !cmdline.GivenBool(c, "hold"))
	m, err := middlebox.Prober{
		To: addrs, Times: times, Max: longest,
		Insist: cmdline.GivenBool(c, "yes"), Hold: cmdline.GivenBool(c, "hold"),
		In: in, Watch: show.tell,
	}.Run(ctx)
	show.done()
	if errors.Is(err, context.Canceled) {
		return interruptedBy(got())
	}
	if err != nil {
		return adviseProbe(t, err)
	}
	d := Probed(t, m, cmdline.GivenBool(c, "hold"), v.Kernel)
	if err := s.Render(c, d); err != nil {
		return err
	}
	switch {
	case m.Interrupted:
		return interruptedBy(got())
	case m.Gone != nil:
		return fmt.Errorf("the server is not there any more, so what failed may not be the path: %w", m.Gone)
	}
	return nil
}

// The most times that --at takes: each is a connection.
const mostSilences = 16

// silences reads --at and --max. times are none without --at.
func silences(c *cli.Context) (times []time.Duration, longest time.Duration, err error) {
	accepted := fmt.Sprintf("whole seconds from %d to %d (7d)", middlebox.MinSilence/time.Second, middlebox.MaxSilence/time.Second)
	parse := func(name, text string) (time.Duration, error) {
		return cmdline.DurationOf(name, text, time.Second, middlebox.MinSilence, middlebox.MaxSilence, accepted)
	}
	list, at := cmdline.Given(c, "at")
	if _, ok := cmdline.Given(c, "max"); ok && at {
		return nil, 0, cmdline.Misuse("--max and --at exclude each other")
	}
	if !at {
		longest, err = parse("max", c.String("max"))
		return nil, longest, err
	}
	for text := range strings.SplitSeq(list, ",") {
		d, err := parse("at", strings.TrimSpace(text))
		if err != nil {
			return nil, 0, err
		}
		times = append(times, d)
		longest = max(longest, d)
	}
	if len(times) > mostSilences {
		return nil, 0, cmdline.Misuse("--at has %d times, each of which takes a connection; %d are accepted", len(times), mostSilences)
	}
	return times, longest, nil
}

// probeFrom makes what makes the sockets: nil is here.
func probeFrom(s *cmdline.Invocation, c *cli.Context, t Target) (func(func() error) error, error) {
	spec, named := cmdline.Given(c, "netns")
	if !named {
		return nil, nil
	}
	if spec == "all" {
		return nil, cmdline.Misuse("probe connects from one namespace, not from all")
	}
	if _, err := netip.ParseAddr(t.host); err != nil {
		return nil, cmdline.Misuse("--netns with a name, %q, which would be looked up in another namespace", t.host).WithHint("give an address")
	}
	w, err := target.WhereOf(c)
	if err != nil {
		return nil, s.Permission(err)
	}
	return func(f func() error) error { return s.Permission(w.Namespaces[0].Do(f)) }, nil
}

// interrupts returns a context that the first SIGINT, SIGTERM or SIGHUP ends, and
// what tells which it was. The second one is not caught.
func interrupts() (context.Context, func() os.Signal) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	got := make(chan os.Signal, 1)
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(sig) { // as under nohup
			signal.Notify(signals, sig)
		}
	}
	go func() {
		sig := <-signals
		signal.Stop(signals)
		got <- sig
		cancel()
	}()
	return ctx, func() os.Signal { return <-got }
}

// interruptedBy is the status that a shell gives to a program that sig ended.
func interruptedBy(sig os.Signal) error {
	if n, ok := sig.(syscall.Signal); ok {
		return cmdline.Passed(128 + int(n))
	}
	return cmdline.Passed(130)
}

// adviseProbe adds what can be done about a server with which nothing can be
// measured.
func adviseProbe(t Target, err error) error {
	f := cmdline.Failed(fmt.Errorf("probe %s: %w", t.Text, err))
	switch hungUp, ok := errors.AsType[*middlebox.HungUpError](err); {
	case ok && len(hungUp.Greeting) > 0:
		return f.WithHint("it does not want to talk to this host now; probe another port or server on that path")
	case ok:
		return f.WithHint("probe a server that waits for the client to speak; or on the far end run: tcpka probe --serve :7000")
	case errors.Is(err, middlebox.ErrNoAnswer):
		return f.WithHint("it, or a firewall before it, drops such packets, so TCP keepalive would end healthy connections there")
	case errors.Is(err, middlebox.ErrSpeaks):
		return f.WithHint("on the far end run: tcpka probe --serve :7000")
	case errors.Is(err, syscall.ECONNREFUSED):
		return f.WithHint("nothing listens there; on the far end this would: tcpka probe --serve :%d", t.port)
	}
	return f
}

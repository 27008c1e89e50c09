package probe

import (
	"bufio"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/internal/middlebox"
)

const (
	// serveFor is when probe --serve ends by itself, so that a forgotten one does
	// not stay open for ever.
	serveFor = 24 * time.Hour

	// mostVisits is how many connections are kept for the answer, the last ones.
	mostVisits = 1000
)

// probeServe is the far end.
func probeServe(s *cmdline.Invocation, c *cli.Context, on string, times []time.Duration, longest time.Duration) error {
	switch {
	case c.Args().Present():
		return cmdline.Misuse("--serve and a server to probe exclude each other: %q", c.Args().First())
	case cmdline.GivenBool(c, "hold"), cmdline.GivenBool(c, "yes"):
		return cmdline.Misuse("--hold and --yes are for the near end, not with --serve")
	}
	if _, ok := cmdline.Given(c, "netns"); ok {
		return cmdline.Misuse("--serve listens in the namespace it runs in, not with --netns").WithHint("run it there, as in: sudo ip netns exec NAME tcpka probe --serve :7000")
	}
	t, err := parseTarget(on)
	if err != nil {
		return err
	}
	format, err := cmdline.OutputFormat(c)
	if err != nil {
		return err
	}
	if times == nil {
		times = middlebox.ProbeTimes(longest, middlebox.ProbeConnections)
		times = slices.DeleteFunc(times, func(t time.Duration) bool { return t < min(longest, middlebox.MinServed) })
	}
	if shortest := slices.Min(times); shortest < middlebox.MinServed {
		return cmdline.Misuse("--serve cannot be silent for %s: it waits %s to see whether the far end probes", human(shortest), human(middlebox.MinServed))
	}
	fd, at, err := listen(t)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	ctx, got := interrupts()
	ended, cancel := context.WithTimeout(ctx, serveFor)
	defer cancel()
	s.Notice("listening on %s; Ctrl-C ends it", at)
	var visits []middlebox.Visit
	var lost error
	err = middlebox.Responder{Times: times, Max: longest, Report: func(v middlebox.Visit) {
		if visits = append(visits, v); len(visits) > mostVisits {
			visits = visits[1:]
		}
		if format == "table" {
			w := bufio.NewWriter(s.Stdout)
			serveOne(v).Line(w)
			if err := w.Flush(); err != nil {
				lost = err
				cancel()
			}
		}
	}}.Serve(ended, fd)
	if err != nil {
		return err
	}
	if lost != nil {
		return fmt.Errorf("write the answer: %w", lost)
	}
	if err := s.Render(c, served(at, visits)); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return interruptedBy(got())
	}
	return nil
}

// served is the answer at the end.
func served(at netip.AddrPort, visits []middlebox.Visit) Serve {
	d := Serve{
		Schema: "tcpka/probe-serve/v1", Listen: at.String(),
		Hosts: []ServeOf{}, Connections: []ServeOne{},
	}
	var hosts []netip.Addr
	samples := map[netip.Addr][]middlebox.Sample{}
	for _, v := range visits {
		d.Connections = append(d.Connections, serveOne(v))
		if v.Theirs {
			continue
		}
		host := v.Remote.Addr()
		if samples[host] == nil {
			hosts = append(hosts, host)
		}
		samples[host] = append(samples[host], v.Sample)
	}
	for _, host := range hosts {
		b := middlebox.BoundsOf(samples[host])
		h := ServeOf{Host: host.String(), Survived: survivedFor(b.Survived), How: "none"}
		if b.Failed != 0 {
			h.Failed, h.How = failedAt(b.Failed), string(b.How)
		}
		d.Hosts = append(d.Hosts, h)
	}
	return d
}

func serveOne(v middlebox.Visit) ServeOne {
	one := ServeOne{Remote: v.Remote.String(), Direction: toClient, Sample: probeSample(v.Sample)}
	if v.Theirs {
		one.Direction = toServer
	}
	return one
}

// listen is at an address of this host, or at all of them.
func listen(t Target) (fd int, at netip.AddrPort, err error) {
	addr := netip.IPv6Unspecified()
	if t.host != "" {
		if addr, err = netip.ParseAddr(t.host); err != nil {
			return -1, at, cmdline.Misuse("--serve %q: not an address of this host", t.Text).WithHint("as in: tcpka probe --serve 192.0.2.1:7000, or :7000 for all its addresses")
		}
	}
	fd, at, err = middlebox.Listen(netip.AddrPortFrom(addr, t.port))
	if err != nil && t.host == "" { // a host without IPv6
		if fd4, at4, err4 := middlebox.Listen(netip.AddrPortFrom(netip.IPv4Unspecified(), t.port)); err4 == nil {
			return fd4, at4, nil
		}
	}
	if err != nil && t.port < 1024 {
		return fd, at, cmdline.Failed(err).WithHint("ports below 1024 may need root: choose another")
	}
	return fd, at, err
}

// Package sockets is tcpka show sockets: the live connections, in every format.
package sockets

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/internal/connection"
	"github.com/tcpka/tcpka/internal/target"
	"github.com/tcpka/tcpka/sockets"
)

// Command is tcpka show sockets.
func Command(s *cmdline.Invocation) *cli.Command {
	return &cli.Command{
		Name:      "sockets",
		Usage:     "show the live connections and the keepalive of each",
		UsageText: "tcpka show sockets [filters] [--listen] [--wide | --summary] [--sort KEY] [--watch] [--netns NS] [-o FORMAT]",
		Description: `Shows each TCP connection with its program, whether keepalive is on, the values
in effect, marked * where they are the socket's own, when the next probe goes out
and when a dead peer is noticed while the connection is idle: - where data is in flight
or the window is closed, because keepalive has no say then. Connections whose peer
leaves probes or data unanswered say when they end. --wide has all there is, in
seconds; its DIES_IN is when the connection ends if its peer is gone from now on.

Filters of different kinds must all hold; of one kind that is given several times
any (--port 22,443 or --port 22 --port 443). A name may have a comma: --comm and
--cgroup are repeated. Sockets in LISTEN, TIME-WAIT and SYN-RECV are shown only
when asked for, by --listen or --state. --silent-for T is for a peer whose program has
sent nothing for so long: DATA of --wide has that, where IDLE counts what its kernel
answers, too.

--sort takes ` + strings.Join(SortKeys()[:9], ", ") + `,
` + strings.Join(SortKeys()[9:17], ", ") + `,
` + strings.Join(SortKeys()[17:], ", ") + `, or a heading of the table; with a - in front
the other way round. What is not known comes last.

--watch looks again every 2 seconds, or --watch=10s, until q or Ctrl-C is pressed;
connections that are being probed come first, with the time they have left.

All sockets are seen with root: CAP_BPF and CAP_PERFMON, or without BPF
CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH. Without it, your own in full, and of the
others what the kernel tells everybody. What is missing is said on stderr.`,
		Flags: cmdline.Join(target.FilterFlags(), []cli.Flag{
			&cli.BoolFlag{Name: "listen", Usage: "the listening sockets, too", DisableDefaultText: true},
			&cli.BoolFlag{Name: "wide", Aliases: []string{"w"}, Usage: "all columns", DisableDefaultText: true},
			&cli.BoolFlag{Name: "summary", Usage: "a line for each program", DisableDefaultText: true},
			&cli.StringFlag{Name: "sort", Usage: "order by `KEY`; this keeps all sockets in memory"},
			&cli.GenericFlag{Name: "watch", Usage: "`[=INTERVAL]` look again and again, every 2 seconds or so often", Value: new(interval)},
			&cli.StringFlag{Name: "netns", Usage: "the network namespace `NS`: a name, a PID, a path with a slash, or all"},
		}, cmdline.FormatFlags("table, json, jsonl, csv or prometheus")),
		Action: func(c *cli.Context) error { return run(s, c) },
	}
}

// listing is what tcpka show sockets was asked for.
type listing struct {
	target.Where
	filter  sockets.Filter
	format  string
	wide    bool
	summary bool
	order   order
	watch   time.Duration // 0: once
	asked   Asked
}

func listingOf(c *cli.Context) (l listing, err error) {
	if l.format, err = cmdline.OutputFormat(c, cmdline.SocketFormats...); err != nil {
		return l, err
	}
	if l.filter, l.asked.Filtered, err = target.FilterOf(c); err != nil {
		return l, err
	}
	if cmdline.GivenBool(c, "listen") {
		l.asked.Filtered = true
		if l.filter.States == 0 {
			l.filter.States = sockets.Connections
		}
		l.filter.States |= sockets.StatesOf(sockets.Listen)
	}
	l.wide, l.summary = cmdline.GivenBool(c, "wide"), cmdline.GivenBool(c, "summary")
	if l.order, err = orderOf(c); err != nil {
		return l, err
	}
	if l.watch, err = watchOf(c); err != nil {
		return l, err
	}
	switch {
	case l.wide && l.format != "table":
		return l, cmdline.Misuse("--wide is for the table; %s has everything anyway", l.format)
	case l.wide && l.summary:
		return l, cmdline.Misuse("--wide and --summary exclude each other")
	case l.summary && l.format == "prometheus":
		return l, cmdline.Misuse("--summary: prometheus is one anyway")
	case l.order.by != nil && (l.summary || l.format == "prometheus"):
		return l, cmdline.Misuse("--sort is for lists of sockets")
	case l.watch > 0 && l.wide:
		return l, cmdline.Misuse("--watch and --wide exclude each other")
	case l.watch > 0 && l.format != "table":
		return l, cmdline.Misuse("--watch is for a terminal; for %s, run it again", l.format)
	}
	if l.Where, err = target.WhereOf(c); err != nil {
		return l, err
	}
	l.asked.Netns = l.All
	return l, target.Mistaken(l.filter)
}

func run(s *cmdline.Invocation, c *cli.Context) error {
	l, err := listingOf(c)
	if err != nil {
		return err
	}
	if l.watch > 0 {
		return watchSockets(s, l)
	}
	w := l.writer(s.Stdout, s.Style())
	if l.order.by != nil {
		w = &sorter{Writer: w, order: l.order}
	}
	end, err := walk(s, l, w)
	if err != nil {
		return err
	}
	for _, lack := range notices(end) {
		s.Notice("%s", lack)
	}
	if end.Summary.Total == 0 {
		target.LookElsewhere(s, l.filter, l.Where)
	}
	if err := w.End(end); err != nil {
		return writeError{err}
	}
	return nil
}

// writer is the one for the format.
func (l *listing) writer(w io.Writer, style answer.Style) Writer {
	switch {
	case l.summary:
		return NewPrograms(w, l.format, style, l.All)
	case l.format == "json":
		return NewJSON(w)
	case l.format == "jsonl":
		return NewLines(w)
	case l.format == "csv":
		return NewCSV(w)
	case l.format == "prometheus":
		return NewMetrics(w)
	}
	options := Options{Netns: l.All, Wide: l.wide}
	if cmdline.Terminal(w) != nil && !l.wide {
		options.Fit = style.Width
	}
	return NewTable(w, style, options)
}

// writeError is an error of the answer's destination, not of a namespace.
type writeError struct{ error }

func (e writeError) Error() string { return "write the answer: " + e.error.Error() }

func (e writeError) Unwrap() error { return e.error }

// walk passes the sockets of all namespaces to w as they come.
func walk(s *cmdline.Invocation, l listing, w Writer) (End, error) {
	end := End{Asked: l.asked, Incomplete: []Lack{}}
	var shared sockets.Shared
	defer shared.Close()
	for _, ns := range l.Namespaces {
		d := connection.Describer{Netns: ns.Name, Always: l.wide || l.summary || l.format != "table" || l.order.by != nil}
		q := sockets.Query{Shared: &shared, Filter: l.filter, Cgroups: l.wide || l.format != "table" && l.format != "prometheus" && !l.summary}
		var r sockets.Report
		err := ns.Do(func() error {
			snap, err := target.Look(l.Root)
			if err != nil {
				return err
			}
			d.Kernel, q.Sysctl = snap.Kernel, snap.Settings
			r, err = sockets.List(q, func(socket *sockets.Socket) error {
				row := d.Describe(socket)
				end.Summary.Add(row)
				if err := w.Socket(row); err != nil {
					return writeError{err}
				}
				return nil
			})
			return err
		})
		if _, ok := errors.AsType[writeError](err); ok {
			return end, err
		}
		if l.Gone(err) {
			continue
		}
		if err != nil {
			if !l.All {
				return end, s.Permission(err)
			}
			end.Incomplete = append(end.Incomplete, Lack{
				Netns: answer.Foreign(ns.Name), What: "the sockets of the namespace",
				Why: answer.Foreign(err.Error()), Remedy: new(s.Sudo()),
			})
			continue
		}
		end.Source = r.Source.String()
		if r.WhyNotBPF != nil {
			end.WhyNotBPF = new(r.WhyNotBPF.Error())
		}
		for _, g := range r.Incomplete {
			lack := Lack{Netns: answer.Foreign(ns.Name), What: g.What, Sockets: new(g.Sockets), Why: answer.Foreign(g.Why)}
			if g.Owner != nil {
				lack.PID, lack.FD = &g.Owner.PID, &g.Owner.FD
			}
			if g.Remedy != "" {
				lack.Remedy = new(g.Remedy)
			}
			end.Incomplete = append(end.Incomplete, lack)
		}
	}
	return end, nil
}

// notices are the sentences that say what is missing: each once, whatever the
// number of namespaces.
func notices(end End) []string {
	type reason struct{ what, why, remedy string }
	var reasons []reason
	sockets := map[reason]int{}
	closed, door := 0, ""
	for _, lack := range end.Incomplete {
		r := reason{what: lack.What, why: string(lack.Why)}
		if lack.Remedy != nil {
			r.remedy = "; " + *lack.Remedy
		}
		if lack.Sockets == nil { // a namespace that could not be entered: the first reason will do
			if closed++; closed == 1 {
				door = r.why + r.remedy
			}
			continue
		}
		if _, seen := sockets[r]; !seen {
			reasons = append(reasons, r)
		}
		sockets[r] += *lack.Sockets
	}
	var all []string
	for _, r := range reasons {
		all = append(all, fmt.Sprintf("not known: %s of %s: %s%s", r.what, answer.Count(sockets[r], "socket"), r.why, r.remedy))
	}
	if closed > 0 {
		all = append(all, fmt.Sprintf("%s could not be entered: %s", answer.Count(closed, "network namespace"), door))
	}
	return all
}

package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/internal/report"
	"github.com/tcpka/tcpka/sockets"
)

func showSocketsCommand(s *session) *cli.Command {
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
when asked for, by --listen or --state.

--sort takes ` + strings.Join(sortKeys()[:9], ", ") + `,
` + strings.Join(sortKeys()[9:17], ", ") + `,
` + strings.Join(sortKeys()[17:], ", ") + `, or a heading of the table; with a - in front
the other way round. What is not known comes last.

--watch looks again every 2 seconds, or --watch=10s, until q or Ctrl-C is pressed;
connections that are being probed come first, with the time they have left.

All sockets are seen with root: CAP_BPF and CAP_PERFMON, or without BPF
CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH. Without it, your own in full, and of the
others what the kernel tells everybody. What is missing is said on stderr.`,
		Flags: join(filterFlags(), []cli.Flag{
			&cli.BoolFlag{Name: "listen", Usage: "the listening sockets, too", DisableDefaultText: true},
			&cli.BoolFlag{Name: "wide", Aliases: []string{"w"}, Usage: "all columns", DisableDefaultText: true},
			&cli.BoolFlag{Name: "summary", Usage: "a line for each program", DisableDefaultText: true},
			&cli.StringFlag{Name: "sort", Usage: "order by `KEY`; this keeps all sockets in memory"},
			&cli.GenericFlag{Name: "watch", Usage: "`[=INTERVAL]` look again and again, every 2 seconds or so often", Value: new(interval)},
			&cli.StringFlag{Name: "netns", Usage: "the network namespace `NS`: a name, a PID, a path with a slash, or all"},
		}, formatFlags("table, json, jsonl, csv or prometheus")),
		Action: func(c *cli.Context) error { return listSockets(s, c) },
	}
}

// listing is what tcpka show sockets was asked for.
type listing struct {
	where
	filter  sockets.Filter
	format  string
	wide    bool
	summary bool
	order   order
	watch   time.Duration // 0: once
	asked   report.SocketsAsked
}

func listingOf(c *cli.Context) (l listing, err error) {
	if l.format, err = outputFormat(c, socketFormats...); err != nil {
		return l, err
	}
	if l.filter, l.asked.Filtered, err = filterOf(c); err != nil {
		return l, err
	}
	if givenBool(c, "listen") {
		l.asked.Filtered = true
		if l.filter.States == 0 {
			l.filter.States = sockets.Connections
		}
		l.filter.States |= sockets.StatesOf(sockets.Listen)
	}
	l.wide, l.summary = givenBool(c, "wide"), givenBool(c, "summary")
	if l.order, err = orderOf(c); err != nil {
		return l, err
	}
	if l.watch, err = watchOf(c); err != nil {
		return l, err
	}
	switch {
	case l.wide && l.format != "table":
		return l, misuse("--wide is for the table; %s has everything anyway", l.format)
	case l.wide && l.summary:
		return l, misuse("--wide and --summary exclude each other")
	case l.summary && l.format == "prometheus":
		return l, misuse("--summary: prometheus is one anyway")
	case l.order.by != nil && (l.summary || l.format == "prometheus"):
		return l, misuse("--sort is for lists of sockets")
	case l.watch > 0 && l.wide:
		return l, misuse("--watch and --wide exclude each other")
	case l.watch > 0 && l.format != "table":
		return l, misuse("--watch is for a terminal; for %s, run it again", l.format)
	}
	if l.where, err = whereOf(c); err != nil {
		return l, err
	}
	l.asked.Netns = l.all
	return l, mistaken(l.filter)
}

func listSockets(s *session, c *cli.Context) error {
	l, err := listingOf(c)
	if err != nil {
		return err
	}
	if l.watch > 0 {
		return watchSockets(s, l)
	}
	w := l.writer(s.stdout, s.style())
	if l.order.by != nil {
		w = &sorter{SocketWriter: w, order: l.order}
	}
	end, err := walk(s, l, w)
	if err != nil {
		return err
	}
	for _, lack := range notices(end) {
		s.notice("%s", lack)
	}
	if end.Summary.Total == 0 {
		lookElsewhere(s, l.filter, l.where)
	}
	if err := w.End(end); err != nil {
		return writeError{err}
	}
	return nil
}

// writer is the one for the format.
func (l *listing) writer(w io.Writer, style report.Style) report.SocketWriter {
	switch {
	case l.summary:
		return report.NewSocketPrograms(w, l.format, style, l.all)
	case l.format == "json":
		return report.NewSocketsJSON(w)
	case l.format == "jsonl":
		return report.NewSocketLines(w)
	case l.format == "csv":
		return report.NewSocketsCSV(w)
	case l.format == "prometheus":
		return report.NewSocketsMetrics(w)
	}
	options := report.SocketsOptions{Netns: l.all, Wide: l.wide}
	if isTerminal(w) && !l.wide {
		options.Fit = style.Width
	}
	return report.NewSocketsTable(w, style, options)
}

// writeError is an error of the answer's destination, not of a namespace.
type writeError struct{ error }

func (e writeError) Error() string { return "write the answer: " + e.error.Error() }
func (e writeError) Unwrap() error { return e.error }

// walk passes the sockets of all namespaces to w as they come.
func walk(s *session, l listing, w report.SocketWriter) (report.SocketsEnd, error) {
	end := report.SocketsEnd{Asked: l.asked, Incomplete: []report.SocketsLack{}}
	var shared sockets.Shared
	defer shared.Close()
	for _, ns := range l.namespaces {
		d := describer{netns: ns.Name, always: l.wide || l.summary || l.format != "table" || l.order.by != nil}
		q := sockets.Query{Shared: &shared, Filter: l.filter, Cgroups: l.wide || l.format != "table" && l.format != "prometheus" && !l.summary}
		var r sockets.Report
		err := ns.Do(func() error {
			snap, err := look(l.root)
			if err != nil {
				return err
			}
			d.kernel, q.Sysctl = snap.kernel, snap.settings
			r, err = sockets.List(q, func(socket *sockets.Socket) error {
				row := d.describe(socket)
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
		if err != nil {
			if !l.all {
				return end, s.permission(err)
			}
			end.Incomplete = append(end.Incomplete, report.SocketsLack{
				Netns: report.Foreign(ns.Name), What: "the sockets of the namespace",
				Why: report.Foreign(err.Error()), Remedy: new(s.sudo()),
			})
			continue
		}
		end.Source = r.Source.String()
		if r.WhyNotBPF != nil {
			end.WhyNotBPF = new(r.WhyNotBPF.Error())
		}
		for _, g := range r.Incomplete {
			lack := report.SocketsLack{Netns: report.Foreign(ns.Name), What: g.What, Sockets: new(g.Sockets), Why: report.Foreign(g.Why)}
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
func notices(end report.SocketsEnd) []string {
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
		all = append(all, fmt.Sprintf("not known: %s of %s: %s%s", r.what, count(sockets[r], "socket"), r.why, r.remedy))
	}
	if closed > 0 {
		all = append(all, fmt.Sprintf("%s could not be entered: %s", count(closed, "network namespace"), door))
	}
	return all
}

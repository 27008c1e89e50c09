package main

import (
	"bytes"
	"fmt"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/report"
	"github.com/tcpka/tcpka/keepalive"
)

func explainCommand(s *session, below ...*cli.Command) *cli.Command {
	return &cli.Command{
		Name:      "explain",
		Usage:     "say what keepalive settings lead to",
		UsageText: "tcpka explain [--time T] [--intvl T] [--probes N] [--user-timeout T] [options]",
		Description: `Predicts when a connection ends in every situation, for the values given; the
rest come from this host, or from the namespace or image named. Values that the
kernel accepts and nobody should set are explained too. A prediction is an exact
time and the range in which it happens, because kernel timers are late.`,
		Flags: join(valueFlags(), []cli.Flag{
			userTimeoutFlag(),
			&cli.StringFlag{Name: "syn-retries", Usage: "tcp_syn_retries, a `NUMBER`: how often connect repeats"},
			&cli.StringFlag{Name: "syn-linear-timeouts", Usage: "tcp_syn_linear_timeouts, a `NUMBER`: repetitions one second apart"},
			&cli.StringFlag{Name: "svg", Usage: "also draw the timeline as a picture into `FILE`; - prints it instead of the answer"},
		}, retransmissionFlags(), outputFlags(), whereFlags()),
		Subcommands: below,
		Action:      func(c *cli.Context) error { return explain(s, c) },
	}
}

// retransmissionFlags stand in for what the kernel goes by beside the settings.
func retransmissionFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "retries2", Usage: "tcp_retries2, a `NUMBER`: how long data in flight is retransmitted"},
		&cli.StringFlag{Name: "rto-max", Usage: "tcp_rto_max_ms as seconds or `DURATION`: longest wait between retransmissions"},
		&cli.StringFlag{Name: "hz", Usage: "the kernel's CONFIG_HZ, a `NUMBER`: how late its timers are"},
	}
}

func join(lists ...[]cli.Flag) []cli.Flag {
	var all []cli.Flag
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

// values are what an explanation rests on.
type values struct {
	settings keepalive.Settings
	kernel   calc.Kernel
	assumed  []string // what was not read, but taken as the kernel's default
	source   string   // where it was read: "namespace host"
}

func explain(s *session, c *cli.Context) error {
	if _, err := outputFormat(c); err != nil {
		return err
	}
	v, err := present(s, c)
	if err != nil {
		return err
	}
	if err := overrideKernel(c, &v); err != nil {
		return err
	}
	ch, err := change(c, keepalive.Kernel(v.kernel.HZ))
	if err != nil {
		return err
	}
	d := report.NewExplain(ch.Apply(v.settings), v.kernel, v.assumed, v.source)
	d.Given = !ch.Empty()
	if file, ok := given(c, "svg"); ok {
		switch file {
		case "":
			return misuse("--svg needs a file, or - for the standard output")
		case "-":
			return report.SVG(s.stdout, d)
		}
		if err := writeSVG(file, d); err != nil {
			return err
		}
	}
	return s.render(c, d)
}

// overrideKernel puts the values given in place of the host's.
func overrideKernel(c *cli.Context, v *values) error {
	for _, f := range []struct {
		name, key string
		to        *int
		lo, hi    int
	}{
		{"retries2", "net.ipv4.tcp_retries2", &v.kernel.Retries2, 0, 255},
		{"syn-retries", "net.ipv4.tcp_syn_retries", &v.kernel.SynRetries, 1, 127},
		{"syn-linear-timeouts", "net.ipv4.tcp_syn_linear_timeouts", &v.kernel.SynLinearTimeouts, 0, 127},
		{"hz", "HZ", &v.kernel.HZ, 24, 1200},
	} {
		text, ok := given(c, f.name)
		if !ok {
			continue
		}
		n, err := parseNumber(text)
		if err == nil && (n < f.lo || n > f.hi) {
			err = errRange
		}
		if err != nil {
			return misuse("--%s %q: %w; accepted are whole numbers from %d to %d", f.name, text, err, f.lo, f.hi)
		}
		*f.to = n
		v.drop(f.key)
	}
	if text, ok := given(c, "rto-max"); ok {
		d, err := parseDuration(text, time.Millisecond)
		if err == nil && (d < time.Second || d > 120*time.Second) {
			err = errRange
		}
		if err != nil {
			return misuse("--rto-max %q: %w; accepted are 1s to 120s", text, err)
		}
		v.kernel.RTOMax = d
		v.drop("net.ipv4.tcp_rto_max_ms")
	}
	return nil
}

// drop takes key from what is assumed: it was given.
func (v *values) drop(key string) {
	var rest []string
	for _, a := range v.assumed {
		if a != key {
			rest = append(rest, a)
		}
	}
	v.assumed = rest
}

func writeSVG(file string, d report.Explain) error {
	var b bytes.Buffer
	if err := report.SVG(&b, d); err != nil {
		return err
	}
	if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
		return fmt.Errorf("write the picture: %w", err)
	}
	return nil
}

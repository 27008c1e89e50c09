// Package explain is tcpka explain: what settings lead to.
package explain

import (
	"bytes"
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/internal/basis"
	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/keepalive"
)

// Command is tcpka explain, with the commands below it.
func Command(s *cmdline.Invocation, below ...*cli.Command) *cli.Command {
	return &cli.Command{
		Name:      "explain",
		Usage:     "say what keepalive settings lead to",
		UsageText: "tcpka explain [--time T] [--intvl T] [--probes N] [--user-timeout T] [options]",
		Description: `Predicts when a connection ends in every situation, for the values given; the
rest come from this host, or from the namespace or image named. Values that the
kernel accepts and nobody should set are explained too. A prediction is an exact
time and the range in which it happens, because kernel timers are late.`,
		Flags: cmdline.Join(cmdline.ValueFlags(), []cli.Flag{
			cmdline.UserTimeoutFlag(),
			&cli.StringFlag{Name: "syn-retries", Usage: "tcp_syn_retries, a `NUMBER`: how often connect repeats"},
			&cli.StringFlag{Name: "syn-linear-timeouts", Usage: "tcp_syn_linear_timeouts, a `NUMBER`: repetitions one second apart"},
			&cli.StringFlag{Name: "svg", Usage: "also draw the timeline as a picture into `FILE`; - prints it instead of the answer"},
		}, basis.Flags(), cmdline.OutputFlags(), cmdline.WhereFlags()),
		Subcommands: below,
		Action:      func(c *cli.Context) error { return run(s, c) },
	}
}

func run(s *cmdline.Invocation, c *cli.Context) error {
	if _, err := cmdline.OutputFormat(c); err != nil {
		return err
	}
	v, err := basis.Present(s, c)
	if err != nil {
		return err
	}
	if err := basis.Override(c, &v); err != nil {
		return err
	}
	ch, err := cmdline.ReadValues(c, keepalive.Kernel(v.Kernel.HZ))
	if err != nil {
		return err
	}
	d := NewDocument(ch.Apply(v.Settings), v.Kernel, v.Assumed, v.Source)
	d.Given = !ch.Empty()
	if file, ok := cmdline.Given(c, "svg"); ok {
		switch file {
		case "":
			return cmdline.Misuse("--svg needs a file, or - for the standard output")
		case "-":
			return SVG(s.Stdout, d)
		}
		if err := writeSVG(file, d); err != nil {
			return err
		}
	}
	return s.Render(c, d)
}

func writeSVG(file string, d Document) error {
	var b bytes.Buffer
	if err := SVG(&b, d); err != nil {
		return err
	}
	if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
		return fmt.Errorf("write the picture: %w", err)
	}
	return nil
}

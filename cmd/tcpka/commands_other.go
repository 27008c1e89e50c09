//go:build !linux

package main

import (
	"context"
	"fmt"
	"runtime"

	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/keepalive"
)

// commands are what works without a Linux kernel: arithmetic. The others are
// there to say so.
func allCommands(s *session) []*cli.Command {
	all := []*cli.Command{explainCommand(s, explainSSHCommand(s)), planCommand(s)}
	for _, name := range []string{"show", "check", "set", "run", "undo", "probe", "selftest"} {
		stub := &cli.Command{
			Name:            name,
			Usage:           "works on Linux only",
			ArgsUsage:       "...",
			SkipFlagParsing: true,
			Action: func(*cli.Context) error {
				return failed(fmt.Errorf("%s works on Linux only, this is %s", name, runtime.GOOS)).
					withHint("tcpka explain works everywhere")
			},
		}
		if name == "show" {
			stub.Subcommands = []*cli.Command{pathsCommand(s)}
		}
		all = append(all, stub)
	}
	return all
}

// present is a Linux kernel's defaults.
func present(_ *session, c *cli.Context) (values, error) {
	if err := linuxOnly(c); err != nil {
		return values{}, err
	}
	return values{
		settings: keepalive.Defaults(),
		kernel:   calc.DefaultKernel(),
		source:   "defaults of the Linux kernel",
	}, nil
}

// linuxOnly refuses the flags that only a Linux kernel can answer.
func linuxOnly(c *cli.Context) error {
	for _, name := range []string{"netns", "root"} {
		if _, ok := given(c, name); ok {
			return misuse("--%s works on Linux only", name)
		}
	}
	return nil
}

// wordsHere are none: there are no such flags.
func wordsHere() words { return nil }

// installedSSH is not known: what is installed is looked for on Linux only.
func installedSSH(context.Context, calc.SSHSide) calc.SSHVersion { return calc.SSHVersion{} }

//go:build !linux

package main

import (
	"fmt"
	"runtime"

	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/internal/command/explain"
	explainssh "github.com/tcpka/tcpka/internal/command/explain/ssh"
	"github.com/tcpka/tcpka/internal/command/plan"
	"github.com/tcpka/tcpka/internal/command/show/paths"
)

// allCommands are what works without a Linux kernel: arithmetic. The others are
// there to say so.
func allCommands(s *cmdline.Invocation) []*cli.Command {
	all := []*cli.Command{explain.Command(s, explainssh.Command(s)), plan.Command(s)}
	for _, name := range []string{"show", "check", "set", "run", "undo", "probe", "selftest"} {
		stub := &cli.Command{
			Name:            name,
			Usage:           "works on Linux only",
			ArgsUsage:       "...",
			SkipFlagParsing: true,
			Action: func(*cli.Context) error {
				return cmdline.Failed(fmt.Errorf("%s works on Linux only, this is %s", name, runtime.GOOS)).
					WithHint("tcpka explain works everywhere")
			},
		}
		if name == "show" {
			stub.Subcommands = []*cli.Command{paths.Command(s)}
		}
		all = append(all, stub)
	}
	return all
}

// wordsHere are none: there are no such flags.
func wordsHere() cmdline.Words { return nil }

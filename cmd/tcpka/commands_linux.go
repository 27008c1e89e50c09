package main

import (
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/internal/command/check"
	"github.com/tcpka/tcpka/internal/command/explain"
	explainssh "github.com/tcpka/tcpka/internal/command/explain/ssh"
	"github.com/tcpka/tcpka/internal/command/plan"
	"github.com/tcpka/tcpka/internal/command/probe"
	"github.com/tcpka/tcpka/internal/command/run"
	"github.com/tcpka/tcpka/internal/command/selftest"
	"github.com/tcpka/tcpka/internal/command/set"
	setpolicy "github.com/tcpka/tcpka/internal/command/set/policy"
	setsockets "github.com/tcpka/tcpka/internal/command/set/sockets"
	setssh "github.com/tcpka/tcpka/internal/command/set/ssh"
	"github.com/tcpka/tcpka/internal/command/show"
	"github.com/tcpka/tcpka/internal/command/show/paths"
	showpolicy "github.com/tcpka/tcpka/internal/command/show/policy"
	showsockets "github.com/tcpka/tcpka/internal/command/show/sockets"
	showssh "github.com/tcpka/tcpka/internal/command/show/ssh"
	"github.com/tcpka/tcpka/internal/command/undo"
	"github.com/tcpka/tcpka/internal/target"
)

func allCommands(s *cmdline.Invocation) []*cli.Command {
	return []*cli.Command{
		show.Command(s, paths.Command(s), showpolicy.Command(s), showssh.Command(s), showsockets.Command(s)),
		explain.Command(s, explainssh.Command(s)),
		plan.Command(s),
		check.Command(s),
		set.Command(s, setpolicy.Command(s), setsockets.Command(s), setssh.Command(s)),
		run.Command(s),
		undo.Command(s),
		probe.Command(s),
		selftest.Command(s),
	}
}

// wordsHere are those of what works on Linux only.
func wordsHere() cmdline.Words {
	return cmdline.Words{
		"show sockets --output": one(slices.Concat([]string{"table", "json"}, cmdline.SocketFormats)...),
		"--state":               target.StateNames,
		"--keepalive":           one("on", "off"),
		"--origin":              one("socket", "sysctl"),
		"--sort":                showsockets.SortKeys,
		"undo":                  undo.Undoable,
	}
}

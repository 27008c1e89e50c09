package main

import (
	"slices"

	"github.com/urfave/cli/v2"
)

func allCommands(s *session) []*cli.Command {
	return []*cli.Command{
		showCommand(s, pathsCommand(s), showSSHCommand(s), showSocketsCommand(s)),
		explainCommand(s, explainSSHCommand(s)),
		planCommand(s),
		checkCommand(s),
		newSetCommand(s, setSocketsCommand(s), setSSHCommand(s)),
		runCommand(s),
		undoCommand(s),
		probeCommand(s),
		selftestCommand(s),
	}
}

// wordsHere are those of what works on Linux only.
func wordsHere() words {
	return words{
		"show sockets --output": one(slices.Concat([]string{"table", "json"}, socketFormats)...),
		"--state":               stateNames,
		"--keepalive":           one("on", "off"),
		"--origin":              one("socket", "sysctl"),
		"--sort":                sortKeys,
		"undo":                  undoable,
	}
}

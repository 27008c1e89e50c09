package main

import "github.com/urfave/cli/v2"

func allCommands(s *session) []*cli.Command {
	return []*cli.Command{
		showCommand(s),
		explainCommand(s),
		planCommand(s),
		checkCommand(s),
		newSetCommand(s),
		runCommand(s),
		undoCommand(s),
		probeCommand(s),
		selftestCommand(s),
	}
}

package main

import "github.com/urfave/cli/v2"

func (s *session) commands() []*cli.Command {
	return []*cli.Command{
		s.showCommand(),
		s.explainCommand(),
		s.planCommand(),
		s.checkCommand(),
		s.setCommand(),
		s.runCommand(),
		s.undoCommand(),
		s.probeCommand(),
		s.selftestCommand(),
	}
}

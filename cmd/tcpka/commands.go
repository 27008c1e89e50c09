package main

import (
	"io"
	"maps"
	"os"

	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/internal/middlebox"
	"github.com/tcpka/tcpka/internal/plantargets"
)

// execute runs a command line and returns the exit status.
func execute(args []string, stdin *os.File, stdout, stderr io.Writer) int {
	return theProgram().Run(args, stdin, stdout, stderr)
}

// theProgram is the one that there is on this system.
func theProgram() cmdline.Program {
	known := cmdline.Words{
		"--output":        one("table", "json"),
		"--netns":         one("all"),
		"--side":          one("client", "server"),
		"--tcp-keepalive": one("yes", "no"),
		"--behind":        middlebox.Names,
		"--for":           func() []string { return append(plantargets.Names(), "all") },
		"show paths":      middlebox.Names,
		"completion":      one(cmdline.Shells...),
	}
	maps.Copy(known, wordsHere())
	return cmdline.Program{Commands: allCommands, Words: known}
}

func one(words ...string) func() []string { return func() []string { return words } }

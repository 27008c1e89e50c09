package main

import (
	"io"
	"maps"
	"os"

	"github.com/tcpka/tcpka/internal/middlebox"
	"github.com/tcpka/tcpka/internal/snippet"
)

// run executes a command line and returns the exit status.
func run(args []string, stdin *os.File, stdout, stderr io.Writer) int {
	return theProgram().run(args, stdin, stdout, stderr)
}

// theProgram is the one that there is on this system.
func theProgram() application {
	known := words{
		"--output":        one("table", "json"),
		"--netns":         one("all"),
		"--side":          one("client", "server"),
		"--tcp-keepalive": one("yes", "no"),
		"--behind":        middlebox.Names,
		"--for":           func() []string { return append(snippet.Names(), "all") },
		"show paths":      middlebox.Names,
		"completion":      one(shells...),
	}
	maps.Copy(known, wordsHere())
	return application{commands: allCommands, words: known}
}

func one(words ...string) func() []string { return func() []string { return words } }

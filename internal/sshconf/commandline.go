package sshconf

import (
	"strings"
)

// CommandLine is what ssh or sshd was called with, as far as it decides on keepalives.
type CommandLine struct {
	Options []string // of each -o, in order: "ServerAliveInterval=60"
	File    string   // -F of ssh, -f of sshd; empty is the usual ones, "none" in any case is none

	// Of ssh alone.
	Destination string // as typed; empty is not given
	User        string // -l
	Master      bool   // -M
	Control     bool   // -O: it only speaks to a master
	Forward     string // -W: what a jump host is asked for
}

// The options that have a value. Source: ssh.c and sshd.c, getopt.
const (
	sshValues  = "bceilmopBDEFIJLOPQRSWw"
	SshdValues = "CEbcfghkopu"
)

// ParseSSH takes the arguments of ssh apart, its own name not among them. ssh takes
// options after the destination, too, up to the command. Source: ssh.c, main.
func ParseSSH(args []string) CommandLine {
	var c CommandLine
	option := func(name byte, value string) {
		switch name {
		case 'o':
			c.Options = append(c.Options, value)
		case 'F':
			c.File = value
		case 'l':
			c.User = value
		case 'M':
			c.Master = true
		case 'O':
			c.Control = true
		case 'W':
			c.Forward = value
		}
	}
	rest, ended := EachOption(args, sshValues, option)
	if len(rest) > 0 {
		c.Destination = rest[0]
		if !ended {
			EachOption(rest[1:], sshValues, option)
		}
	}
	return c
}

// ParseSSHD takes the arguments of sshd apart, its own name not among them.
func ParseSSHD(args []string) CommandLine {
	var c CommandLine
	EachOption(args, SshdValues, func(name byte, value string) {
		switch name {
		case 'o':
			c.Options = append(c.Options, value)
		case 'f':
			c.File = value
		}
	})
	return c
}

// ListenerArgs are the arguments of an sshd that listens, its own name first, by the
// title that it has from 8.2 on: "/usr/sbin/sshd -D [listener] 0 of 10-100 startups".
// Of any other title ok is false. Source: sshd.c, prepare_proctitle and server_accept_loop.
//
// sshd puts its arguments together with spaces, so those that had some are torn. As it
// takes nothing but options, a word behind a value goes on with it.
func ListenerArgs(title string) (args []string, ok bool) {
	command, _, ok := strings.Cut(title, " [listener]")
	if !ok || !strings.HasPrefix(command, "/") { // without its path it does not start
		return nil, false
	}
	for i, word := range strings.Fields(command) {
		if i > 1 && word[0] != '-' {
			last := &args[len(args)-1]
			_, name, value := cutOptions(*last, SshdValues)
			if (*last)[0] != '-' || name != 0 && value != "" {
				*last += " " + word
				continue
			}
		}
		args = append(args, word)
	}
	return args, true
}

// EachOption is getopt(3) without its habit of changing the order. It returns what comes
// after the options, and whether "--" ended them.
func EachOption(args []string, withValue string, option func(name byte, value string)) (rest []string, ended bool) {
	for len(args) > 0 {
		word := args[0]
		switch {
		case word == "--":
			return args[1:], true
		case len(word) < 2 || word[0] != '-':
			return args, false
		}
		args = args[1:]
		flags, name, value := cutOptions(word, withValue)
		for _, f := range []byte(flags) {
			option(f, "")
		}
		if name == 0 {
			continue
		}
		if value == "" {
			if len(args) == 0 {
				return nil, false
			}
			value, args = args[0], args[1:]
		}
		option(name, value)
	}
	return nil, false
}

// cutOptions takes a word apart that begins with a dash: "-Dep22" is the flags "De",
// and the option 'p' with its value. name is 0 where there are only flags, and value is
// empty where it is the next word.
func cutOptions(word, withValue string) (flags string, name byte, value string) {
	i := strings.IndexAny(word, withValue)
	if i < 1 {
		return word[1:], 0, ""
	}
	return word[1:i], word[i], word[i+1:]
}

package sshconf

import "strings"

// CommandLine is what ssh or sshd was called with, as far as it decides on keepalives.
type CommandLine struct {
	Options []string // of each -o, in order: "ServerAliveInterval=60"
	File    string   // -F of ssh, -f of sshd; empty is the usual ones, "none" is none

	// Of ssh alone.
	Destination string // as typed; empty is not given
	User        string // -l
	Master      bool   // -M
	Control     bool   // -O: it only speaks to a master
	Forward     string // -W: what a jump host is asked for
}

// The options of ssh and sshd that have a value. Source: ssh.c and sshd.c, getopt.
const (
	sshValues  = "bceilmopBDEFIJLOPQRSWw"
	sshdValues = "CDEFbcfghkoOpu"
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
	rest, ended := options(args, sshValues, option)
	if len(rest) > 0 {
		c.Destination = rest[0]
		if !ended {
			options(rest[1:], sshValues, option)
		}
	}
	return c
}

// ParseSSHD takes the arguments of sshd apart.
func ParseSSHD(args []string) CommandLine {
	var c CommandLine
	options(args, strings.ReplaceAll(sshdValues, "D", ""), func(name byte, value string) {
		switch name {
		case 'o':
			c.Options = append(c.Options, value)
		case 'f':
			c.File = value
		}
	})
	return c
}

// options is getopt(3) without its habit of changing the order. It returns what comes
// after the options, and whether "--" ended them.
func options(args []string, withValue string, option func(name byte, value string)) (rest []string, ended bool) {
	for len(args) > 0 {
		a := args[0]
		switch {
		case a == "--":
			return args[1:], true
		case len(a) < 2 || a[0] != '-':
			return args, false
		}
		args = args[1:]
		for i := 1; i < len(a); i++ {
			if strings.IndexByte(withValue, a[i]) < 0 {
				option(a[i], "")
				continue
			}
			value := a[i+1:]
			if value == "" {
				if len(args) == 0 {
					return nil, false
				}
				value, args = args[0], args[1:]
			}
			option(a[i], value)
			break
		}
	}
	return nil, false
}

package sshconf

import (
	"cmp"
	"os/user"
	"strconv"
	"strings"
)

// Any is a connection that no Match block of sshd is for, but those that are for
// every one. It has no address, name or user of anybody.
var Any = Connection{User: "tcpka-nobody", Host: "host.invalid", Addr: "192.0.2.1", LocalAddr: "192.0.2.2", LocalPort: 22}

// Connection is one that sshd has accepted, for its Match blocks. An empty field
// is not known.
type Connection struct {
	User      string
	Host      string // name of the client, or its address where UseDNS is off
	Addr      string // address of the client
	LocalAddr string
	LocalPort int
}

// SshdConfig is the file that sshd begins with where its command line names none.
const SshdConfig = SystemDir + "/sshd_config"

// Server is a configuration of sshd.
type Server struct {
	File string // normally /etc/ssh/sshd_config; empty is none, as sshd -f none
	Dir  string // what a relative Include is below; empty is /etc/ssh
	Connection

	// Options are those of the command line, which beat every line outside Match
	// blocks: "ClientAliveInterval=60".
	Options []string

	// As is with whose rights the files are read, as in [Client].
	As *user.User

	Instead *Overlay
}

// find does as sshd does: it reads its files when it starts, with no connection to
// match, and again for every connection, then only what is in Match blocks. Source:
// servconf.c, parse_server_config and parse_server_match_config.
func (v Server) find() (Findings, error) {
	findings := new(Findings)
	walk := func(options []string, overruled bool, block func(args []string) truth, sc scope) (*scan, error) {
		s := NewScan(NamesOf(true), findings, v.Instead)
		s.include, s.overruled = cmp.Or(v.Dir, SystemDir), overruled
		s.block = func(_ string, args []string) truth { return block(args) }
		s.CommandLine(options)
		if v.File == "" {
			return s, nil
		}
		_, err := s.read(v.File, sc, 0)
		return s, err
	}
	global, err := walk(v.Options, true, func(args []string) truth { return truthOf(IsAll(args)) }, scope{active: yes})
	if err != nil {
		return *findings, err
	}
	matched, err := walk(nil, false, v.match, scope{matchOnly: true})
	if err != nil {
		return *findings, err
	}
	for k, set := range matched.found {
		before := global.found[k]
		switch {
		case k == TCPKeepAlive: // is not allowed in a Match block
		case set.Line != 0:
			global.found[k] = set
		case set.Unsure != "":
			before.Keyword, before.Unsure = k, cmp.Or(before.Unsure, set.Unsure)
			before.maybe, before.open = append(set.maybe, before.maybe...), set.open || before.open
			global.found[k] = before
		}
	}
	return global.results(ServerKeywords), nil
}

func IsAll(args []string) bool { return len(args) == 1 && strings.EqualFold(args[0], "all") }

// match is a line Match. Source: servconf.c, match_cfg_line.
func (c Connection) match(args []string) truth {
	if IsAll(args) {
		return yes
	}
	result := yes
	for len(args) > 0 {
		criterion := strings.ToLower(args[0])
		if len(args) == 1 || strings.Contains(criterion, "=") {
			return unsure
		}
		arg := args[1]
		args = args[2:]
		holds := unsure
		switch {
		case criterion == "user" && c.User != "":
			holds = truthOf(matchList(c.User, arg))
		case criterion == "host" && c.Host != "":
			holds = truthOf(matchHostname(c.Host, arg))
		case criterion == "address" && c.Addr != "":
			holds = matchAddress(c.Addr, arg)
		case criterion == "localaddress" && c.LocalAddr != "":
			holds = matchAddress(c.LocalAddr, arg)
		case criterion == "localport" && c.LocalPort != 0:
			if port, err := strconv.Atoi(arg); err == nil {
				holds = truthOf(port == c.LocalPort)
			}
		}
		result = both(result, holds)
	}
	return result
}

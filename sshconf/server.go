package sshconf

import (
	"strconv"
	"strings"
)

// Connection is one that sshd has accepted, for its Match blocks. An empty field
// is not known.
type Connection struct {
	User      string
	Host      string // name of the client, or its address where UseDNS is off
	Addr      string // address of the client
	LocalAddr string
	LocalPort int
}

// Server is a configuration of sshd.
type Server struct {
	File string // normally /etc/ssh/sshd_config; empty is none, as sshd -f none
	Dir  string // what a relative Include is below; empty is /etc/ssh
	Connection

	// Options are those of the command line, which beat every line outside Match
	// blocks: "ClientAliveInterval=60".
	Options []string

	findings *Findings
	instead  *overlay
}

// ScanServer looks up [ServerKeywords] in the files of sshd. The first line
// outside every Match block decides, unless a Match block that applies has the
// keyword: then the first of those does, wherever it stands.
//
// Where a criterion is not known here, or the connection is not, the setting is
// unsure.
func ScanServer(v Server) ([]Setting, error) {
	dir := v.Dir
	if dir == "" {
		dir = systemDir
	}
	// sshd reads its files when it starts, with no connection to match, and again
	// for every connection, then only what is in Match blocks. Source: servconf.c,
	// parse_server_config, parse_server_match_config.
	read := func(s *scan, sc scope) error {
		if v.File == "" {
			return nil
		}
		_, err := s.read(v.File, sc, 0)
		return err
	}
	global := &scan{keywords: namesOf(true), found: map[Keyword]Setting{}, include: dir, instead: v.instead, findings: v.findings, overruled: true}
	global.commandLine(v.Options)
	global.block = func(_ string, args []string) truth { return truthOf(isAll(args)) }
	if err := read(global, scope{active: yes}); err != nil {
		return nil, err
	}
	matched := &scan{keywords: namesOf(true), found: map[Keyword]Setting{}, include: dir, instead: v.instead, findings: v.findings}
	matched.block = func(_ string, args []string) truth { return v.match(args) }
	if err := read(matched, scope{matchOnly: true}); err != nil {
		return nil, err
	}
	for k, set := range matched.found {
		before := global.found[k]
		switch {
		case k == TCPKeepAlive: // is not allowed in a Match block
		case set.Line != 0:
			global.found[k] = set
		case set.Unsure != "" && before.Unsure == "":
			before.Unsure = set.Unsure
			global.found[k] = before
		}
	}
	return global.settings(ServerKeywords), nil
}

func isAll(args []string) bool { return len(args) == 1 && strings.EqualFold(args[0], "all") }

// match is a line Match. Source: servconf.c, match_cfg_line.
func (c Connection) match(args []string) truth {
	if isAll(args) {
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

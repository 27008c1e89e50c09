package sshconf

import (
	"cmp"
	"errors"
	"io/fs"
	"os/user"
	"slices"
	"strings"
)

// Client is a connection about to be made with ssh.
type Client struct {
	Host string // as typed: an alias, a name or an address
	User string // as typed before the @; empty is not

	LocalUser string // who runs ssh
	Home      string // of that user, from the password database and not from $HOME

	// UserFile and SystemFile are the files read, in that order; empty is none.
	// ssh -F F is UserFile F alone.
	UserFile, SystemFile string

	// Options are those of the command line, which beat every file:
	// "ServerAliveInterval=60".
	Options []string

	// As is with whose rights the files are read, for root that goes by what a user
	// or his process says of them; nil is the caller's own.
	As *user.User

	Instead *Overlay
}

// NewClient is what ssh [user@]host does without further options.
func NewClient(dest, localUser, home string) Client {
	c := Client{Host: dest, LocalUser: localUser, Home: home, UserFile: home + "/.ssh/config", SystemFile: SystemDir + "/ssh_config"}
	if i := strings.LastIndexByte(dest, '@'); i >= 0 {
		c.User, c.Host = dest[:i], dest[i+1:]
	}
	return c
}

const SystemDir = "/etc/ssh"

// Keywords that decide on others.
const (
	keyHostName             Keyword = "HostName"
	keyUser                 Keyword = "User"
	keyBatchMode            Keyword = "BatchMode"
	keyCanonicalizeHostname Keyword = "CanonicalizeHostname"
)

// find does as ssh does. Source: ssh.c, main and process_config_files.
func (c Client) find() (Findings, error) {
	s := NewScan(NamesOf(false), new(Findings), c.Instead)
	for _, k := range []Keyword{keyHostName, keyUser, keyBatchMode, keyCanonicalizeHostname} {
		s.keywords[strings.ToLower(string(k))] = k
	}
	s.host, s.settled = "host", map[Keyword]bool{}
	s.CommandLine(c.Options)
	final, again := no, false
	host, hostKnown := c.Host, true
	s.block = func(keyword string, args []string) truth {
		switch {
		case s.why != "" && !Unconditional(keyword, args):
			return unsure
		case keyword == "host" && !hostKnown:
			return unsure
		case keyword == "host":
			return matchHost(host, args)
		}
		again = again || slices.ContainsFunc(args, func(a string) bool { return strings.EqualFold(strings.TrimPrefix(a, "!"), "final") })
		return c.match(s, args, final)
	}
	if err := c.read(s); err != nil {
		return *s.findings, err
	}
	if s.found[keyCanonicalizeHostname].maybeOn() { // ssh may read all files again, by another name
		s.why = "CanonicalizeHostname may change the name of the host"
		if err := c.read(s); err != nil {
			return *s.findings, err
		}
		s.why = ""
	}
	if again { // ssh reads all files again, by the name it found, and adds what is not set yet
		final = yes
		s.settled = nil // lines come by that were there before what decided
		host, hostKnown = s.hostName(c.Host)
		host = strings.ToLower(host)
		if err := c.read(s); err != nil {
			return *s.findings, err
		}
	}
	// Debian's ssh probes every 300 s in batch mode, unless a file says otherwise.
	if now, batch := s.found[ServerAliveInterval], s.found[keyBatchMode]; now.Line == 0 && batch.maybeOn() {
		now.Keyword, now.Unsure = ServerAliveInterval, cmp.Or(now.Unsure, "BatchMode sets it on Debian and its kin")
		now.open = now.open || batch.Unsure != ""
		now.perhaps(Setting{Keyword: ServerAliveInterval, Value: "300", File: batch.File, Line: batch.Line})
		s.found[ServerAliveInterval] = now
	}
	return s.results(ClientKeywords), nil
}

// read walks through the files of ssh once.
func (c Client) read(s *scan) error {
	for _, f := range []struct{ path, include, home string }{
		{c.UserFile, c.Home + "/.ssh", c.Home},
		{c.SystemFile, SystemDir, ""},
	} {
		if f.path == "" {
			continue
		}
		s.include, s.home = f.include, f.home
		_, err := s.read(f.path, scope{active: yes}, 0)
		// ssh says nothing, either, of a file that it cannot open.
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	return nil
}

// matchHost is a line Host. Source: readconf.c, oHost.
func matchHost(host string, patterns []string) truth {
	found := no
	for _, p := range patterns {
		p, negated := strings.CutPrefix(p, "!")
		if MatchPattern(host, p) {
			if negated {
				return no
			}
			found = yes
		}
	}
	return found
}

// match is a line Match. Source: readconf.c, match_cfg_line.
func (c Client) match(s *scan, args []string, final truth) truth {
	result := yes
	for len(args) > 0 {
		criterion, negated := strings.CutPrefix(strings.ToLower(args[0]), "!")
		args = args[1:]
		var holds truth
		switch criterion {
		case "all":
			holds = yes
		case "canonical", "final":
			holds = final
		default:
			if len(args) == 0 || strings.Contains(criterion, "=") {
				return unsure
			}
			holds = c.criterion(s, criterion, args[0])
			args = args[1:]
		}
		if negated {
			holds = holds.not()
		}
		result = both(result, holds)
	}
	return result
}

// criterion is one of a line Match that has an argument. What is not known here, or
// would run a command, is unsure.
func (c Client) criterion(s *scan, criterion, arg string) truth {
	switch criterion {
	case "originalhost":
		return truthOf(matchHostname(c.Host, arg))
	case "localuser":
		return truthOf(matchList(c.LocalUser, arg))
	case "host":
		if name, ok := s.hostName(c.Host); ok {
			return truthOf(matchHostname(name, arg))
		}
	case "user":
		name, ok := c.User, true
		if name == "" {
			name, ok = s.known(keyUser, c.LocalUser)
		}
		if ok && !strings.ContainsAny(name, "%$") {
			return truthOf(matchList(name, arg))
		}
	}
	return unsure
}

// hostName is the name that ssh connects to, as far as the lines so far say; ok is
// false where that is not sure, or has tokens.
func (s *scan) hostName(typed string) (name string, ok bool) {
	name, ok = s.known(keyHostName, typed)
	return name, ok && !strings.Contains(name, "%")
}

// known is what a keyword is set to so far, or its default; ok is false where that
// is not sure.
func (s *scan) known(k Keyword, preset string) (value string, ok bool) {
	set := s.found[k]
	if set.Unsure != "" {
		return "", false
	}
	if set.Line == 0 {
		return preset, true
	}
	return set.Value, true
}

package sshconf

import (
	"errors"
	"io/fs"
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

	findings *Findings

	instead *overlay
}

// NewClient is what ssh [user@]host does without further options.
func NewClient(dest, localUser, home string) Client {
	user, host, ok := cutLast(dest, "@")
	if !ok {
		user, host = "", dest
	}
	return Client{
		Host: host, User: user, LocalUser: localUser, Home: home,
		UserFile: home + "/.ssh/config", SystemFile: systemDir + "/ssh_config",
	}
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

const systemDir = "/etc/ssh"

// Keywords that decide on others.
const (
	keyHostName             Keyword = "HostName"
	keyUser                 Keyword = "User"
	keyBatchMode            Keyword = "BatchMode"
	keyCanonicalizeHostname Keyword = "CanonicalizeHostname"
)

// ScanClient looks up [ClientKeywords] in the files of ssh. The first line that
// applies decides. Files that are not there, or may not be read, are no error, as
// for ssh; a file that ssh would refuse is not always one either, because only [Programs.Client] knows every
// keyword.
//
// No command is run: where a Match exec, or another criterion that is not known
// here, could decide, the setting is unsure.
func ScanClient(c Client) ([]Setting, error) {
	s := &scan{
		keywords: namesOf(false),
		found:    map[Keyword]Setting{},
		host:     "host",
		instead:  c.instead,

		findings: c.findings,
		settled:  map[Keyword]bool{},
	}
	for _, k := range []Keyword{keyHostName, keyUser, keyBatchMode, keyCanonicalizeHostname} {
		s.keywords[strings.ToLower(string(k))] = k
	}
	s.commandLine(c.Options)
	final, again := no, false
	host, hostKnown := c.Host, true
	s.block = func(keyword string, args []string) truth {
		switch {
		case keyword == "host" && !hostKnown:
			return unsure
		case keyword == "host":
			return matchHost(host, args)
		}
		again = again || slices.ContainsFunc(args, func(a string) bool { return strings.EqualFold(strings.TrimPrefix(a, "!"), "final") })
		return c.match(s, args, final)
	}
	pass := func() error {
		for _, f := range []struct{ path, include, home string }{
			{c.UserFile, c.Home + "/.ssh", c.Home},
			{c.SystemFile, systemDir, ""},
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
	if err := pass(); err != nil {
		return nil, err
	}
	if set := s.found[keyCanonicalizeHostname]; set.isOn() || set.Unsure != "" {
		s.doubt("CanonicalizeHostname may change the name of the host")
	}
	if again { // ssh reads all files again, by the name it found, and adds what is not set yet
		final = yes
		s.settled = nil // lines come by that were there before what decided
		if host, hostKnown = s.known(keyHostName, c.Host); strings.Contains(host, "%") {
			hostKnown = false
		}
		host = strings.ToLower(host)
		if err := pass(); err != nil {
			return nil, err
		}
	}
	// Debian's ssh probes every 300 s in batch mode, unless a file says otherwise.
	if batch := s.found[keyBatchMode]; s.found[ServerAliveInterval].Line == 0 && (batch.isOn() || batch.Unsure != "") {
		if interval := s.found[ServerAliveInterval]; interval.Unsure == "" {
			interval.Unsure = "BatchMode sets it on Debian and its kin"
			s.found[ServerAliveInterval] = interval
		}
	}
	return s.settings(ClientKeywords), nil
}

// matchHost is a line Host. Source: readconf.c, oHost.
func matchHost(host string, patterns []string) truth {
	found := no
	for _, p := range patterns {
		p, negated := strings.CutPrefix(p, "!")
		if matchPattern(host, p) {
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
			arg := args[0]
			args = args[1:]
			holds = unsure
			switch criterion {
			case "originalhost":
				holds = truthOf(matchHostname(c.Host, arg))
			case "localuser":
				holds = truthOf(matchList(c.LocalUser, arg))
			case "host":
				if name, ok := s.known(keyHostName, c.Host); ok && !strings.Contains(name, "%") {
					holds = truthOf(matchHostname(name, arg))
				}
			case "user":
				name, ok := c.User, true
				if name == "" {
					name, ok = s.known(keyUser, c.LocalUser)
				}
				if ok && !strings.ContainsAny(name, "%$") {
					holds = truthOf(matchList(name, arg))
				}
			}
		}
		if negated {
			holds = holds.not()
		}
		result = both(result, holds)
	}
	return result
}

// isOn reports whether a line sets it to anything but no.
func (s Setting) isOn() bool {
	on, ok := parseSwitch(s.Value)
	return s.Line != 0 && (on || !ok)
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

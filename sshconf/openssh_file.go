package sshconf

import (
	"fmt"
	"strconv"
	"strings"
)

// parseSSH and parseSSHD read one file of OpenSSH, block by block: what each says by
// itself. What is in force for a connection is for [FindClient] and [FindServer] to
// say, and for the programs.
func parseSSH(t text) ([]Session, error)  { return parseBlocks(t, SSH) }
func parseSSHD(t text) ([]Session, error) { return parseBlocks(t, SSHD) }

func parseBlocks(t text, p Program) ([]Session, error) {
	names := namesOf(p == SSHD)
	var sessions []Session
	block := Session{Program: p, Lines: map[string]int{}}
	closeBlock := func() {
		if len(block.Lines) > 0 || block.Problem != "" {
			sessions = append(sessions, block)
		}
	}
	note := func(format string, args ...any) {
		if len(block.Problem) < 1000 { // there may be thousands
			text := fmt.Sprintf(format, args...)
			block.Problem = join(block.Problem, text[:min(len(text), 200)])
		}
	}
	// What stands outside any condition, in ssh's file, leaves nothing to later lines.
	// In sshd's, a Match block beats it.
	settled, always := map[Keyword]int{}, p == SSH
	for l := range t.lines() {
		keyword, args, err := splitLine(l.text)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", l.number, err)
		}
		switch k := names[keyword]; {
		case keyword == "match", keyword == "host" && p == SSH:
			if closeBlock(); len(sessions) > maxSessions {
				return nil, errSessions
			}
			always = p == SSH && unconditional(keyword, args)
			name := map[string]string{"match": "Match", "host": "Host"}[keyword]
			block = Session{Program: p, Name: name + " " + strings.Join(args, " "), Lines: map[string]int{}}
		case keyword == "include":
			note("line %d includes other files, which are not read here", l.number)
		case k == "" || len(args) == 0:
		case block.Lines[string(k)] != 0:
			note("line %d: %s is set already in line %d", l.number, k, block.Lines[string(k)])
		case k == ServerAliveInterval && args[0] == "none":
		default:
			switch {
			case settled[k] != 0:
				note("line %d: %s never has an effect, because line %d comes first", l.number, k, settled[k])
			case always:
				settled[k] = l.number
			}
			block.Lines[string(k)] = l.number
			if err := block.setKeyword(k, args[0]); err != nil {
				note("line %d: %v", l.number, err)
			}
		}
	}
	closeBlock()
	if t.encoding != unmarked {
		for i := range sessions {
			sessions[i].Problem = join(sessions[i].Problem, "OpenSSH refuses a file that begins with a byte order mark")
		}
	}
	if len(sessions) == 0 {
		return []Session{{Program: p, Lines: map[string]int{}}}, nil
	}
	return sessions, nil
}

// setKeyword reads one value. Nil stays what the block does not set.
func (s *Session) setKeyword(k Keyword, value string) error {
	switch k {
	case TCPKeepAlive:
		on, ok := parseSwitch(value)
		if !ok {
			return fmt.Errorf("%s is yes or no, not %q", k, value)
		}
		s.TCPKeepAlive = &on
	case ServerAliveCountMax, ClientAliveCountMax:
		n, err := strconv.ParseInt(value, 10, 32)
		if err != nil || n < 0 {
			return fmt.Errorf("%s is a number, not %q", k, value)
		}
		s.CountMax = new(int(n))
	default:
		d, err := ParseTime(value)
		if err != nil {
			return fmt.Errorf("%s: %w", k, err)
		}
		s.Interval = &d
	}
	return nil
}

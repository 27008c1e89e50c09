package sshclients

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tcpka/tcpka/internal/sshconf"
)

// parseSSH and parseSSHD read one file of OpenSSH, block by block: what each says by
// itself. What is in force for a connection is for [sshconf.FindClient] and [sshconf.FindServer] to
// say, and for the programs.
func parseSSH(t text) ([]Session, error) { return parseBlocks(t, sshconf.SSH) }

func parseSSHD(t text) ([]Session, error) { return parseBlocks(t, sshconf.SSHD) }

func parseBlocks(t text, p sshconf.Program) ([]Session, error) {
	b := blocks{program: p, settled: map[sshconf.Keyword]int{}}
	b.begin("", p == sshconf.SSH)
	names := sshconf.NamesOf(p == sshconf.SSHD)
	ignored := "" // what IgnoreUnknown has named
	for l := range t.lines() {
		keyword, args, err := sshconf.SplitLine(l.text)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", l.number, err)
		}
		switch k := names[keyword]; {
		case keyword == "ignoreunknown" && p == sshconf.SSH:
			ignored = cmp.Or(ignored, strings.Join(args, ",")) // the first counts
		case keyword != "" && !sshconf.KnownKeyword(p == sshconf.SSHD, keyword) && !sshconf.Ignores(ignored, keyword):
			b.note("line %d: no OpenSSH up to 10.2 knows %s, and what does not know it refuses the file", l.number, keyword)
		case keyword == "match", keyword == "host" && p == sshconf.SSH:
			if b.end(); len(b.sessions) > maxSessions {
				return nil, errSessions
			}
			name := map[string]string{"match": "Match ", "host": "Host "}[keyword]
			b.begin(name+strings.Join(args, " "), p == sshconf.SSH && sshconf.Unconditional(keyword, args))
		case keyword == "include":
			b.note("line %d includes other files, which are not read here", l.number)
		case k != "" && len(args) > 0:
			b.set(k, args[0], l.number)
		}
	}
	b.end()
	if t.encoding != unmarked {
		for i := range b.sessions {
			b.sessions[i].Problem = join(b.sessions[i].Problem, "OpenSSH refuses a file that begins with a byte order mark")
		}
	}
	if len(b.sessions) == 0 {
		return []Session{{Program: p, Lines: map[string]int{}}}, nil
	}
	return b.sessions, nil
}

// blocks are those of one file, the one that is being read last.
type blocks struct {
	program  sshconf.Program
	sessions []Session
	now      Session
	// What stands outside any condition, in ssh's file, leaves nothing to later lines.
	// In sshd's, a Match block beats it.
	always  bool
	settled map[sshconf.Keyword]int // the line
}

func (b *blocks) begin(name string, always bool) {
	b.now, b.always = Session{Program: b.program, Name: name, Lines: map[string]int{}}, always
}

// end keeps the block if it says something.
func (b *blocks) end() {
	if len(b.now.Lines) > 0 || b.now.Problem != "" {
		b.sessions = append(b.sessions, b.now)
	}
}

// note adds to what is to be said of the block, up to a point: there may be thousands.
func (b *blocks) note(format string, args ...any) {
	if len(b.now.Problem) < 1000 {
		text := fmt.Sprintf(format, args...)
		b.now.Problem = join(b.now.Problem, text[:min(len(text), 200)])
	}
}

func (b *blocks) set(k sshconf.Keyword, value string, line int) {
	first := b.now.Lines[string(k)]
	switch {
	case first != 0:
		b.note("line %d: %s is set already in line %d", line, k, first)
		return
	case k == sshconf.ServerAliveInterval && value == "none": // the same as not being there
		return
	case b.settled[k] != 0:
		b.note("line %d: %s never has an effect, because line %d comes first", line, k, b.settled[k])
	case b.always:
		b.settled[k] = line
	}
	b.now.Lines[string(k)] = line
	if err := b.now.setKeyword(k, value); err != nil {
		b.note("line %d: %v", line, err)
	}
}

// setKeyword reads one value. Nil stays what the block does not set.
func (s *Session) setKeyword(k sshconf.Keyword, value string) error {
	switch k {
	case sshconf.TCPKeepAlive:
		on, ok := sshconf.ParseSwitch(value)
		if !ok {
			return fmt.Errorf("%s is yes or no, not %q", k, value)
		}
		s.TCPKeepAlive = &on
	case sshconf.ServerAliveCountMax, sshconf.ClientAliveCountMax:
		n, err := strconv.ParseInt(value, 10, 32)
		if err != nil || n < 0 {
			return fmt.Errorf("%s is a number, not %q", k, value)
		}
		s.CountMax = new(int(n))
	default:
		d, err := sshconf.ParseAnyTime(value)
		if err != nil {
			return fmt.Errorf("%s: %w", k, err)
		}
		s.Interval = &d
		if strings.Contains(value, ".") {
			return fmt.Errorf("%s %s counts as %d s from OpenSSH 10.3 on, and is refused before", k, value, d/time.Second)
		}
	}
	return nil
}

package sshconf

import (
	"errors"
	"strings"
)

const Whitespace = " \t\r\n"

// errQuotes is an argument whose quotes do not close. ssh and sshd refuse the
// whole file.
var errQuotes = errors.New("quotes that do not close")

// SplitLine takes a line apart as OpenSSH does. The keyword is in lower case, and
// empty on a line without one.
func SplitLine(line string) (keyword string, args []string, err error) {
	keyword, rest, ok := CutKeyword(line)
	if !ok {
		return "", nil, nil
	}
	args, err = splitArgs(rest)
	return strings.ToLower(keyword), args, err
}

// CutKeyword cuts the keyword of a line off; ok is false where it has none. Source:
// readconf.c, process_config_line_depth; servconf.c, process_server_config_line_depth.
func CutKeyword(line string) (keyword, rest string, ok bool) {
	line = strings.TrimRight(line, Whitespace+"\f")
	keyword, rest, ok = CutToken(line)
	if ok && keyword == "" { // leading whitespace
		keyword, rest, ok = CutToken(rest)
	}
	return keyword, strings.TrimLeft(rest, Whitespace), ok && keyword != "" && keyword[0] != '#'
}

// CutToken cuts the first token off: it ends with whitespace, or with one '=' that
// may have whitespace around it, or is in quotes. ok is false where a quote does
// not close. Source: misc.c, strdelim.
func CutToken(s string) (token, rest string, ok bool) {
	i := strings.IndexAny(s, Whitespace+`"=`)
	if i < 0 {
		return s, "", true
	}
	if s[i] == '"' {
		inside, rest, closed := strings.Cut(s[i+1:], `"`)
		return s[:i] + inside, strings.TrimLeft(rest, Whitespace), closed
	}
	rest = strings.TrimLeft(s[i+1:], Whitespace)
	if s[i] != '=' && strings.HasPrefix(rest, "=") {
		rest = strings.TrimLeft(rest[1:], Whitespace)
	}
	return s[:i], rest, true
}

// splitArgs splits the rest of a line into words, up to a comment. Source: misc.c,
// argv_split; OpenSSH 8.7 and later.
func splitArgs(s string) (args []string, err error) {
	for {
		s = strings.TrimLeft(s, " \t")
		if s == "" || s[0] == '#' {
			return args, nil
		}
		word, size, closed := CutWord(s)
		if !closed {
			return args, errQuotes
		}
		args, s = append(args, word), s[size:]
	}
}

// CutWord reads a word as a shell would. size is how many bytes it takes, with its
// quotes and escapes; closed is false where a quote does not close.
func CutWord(s string) (word string, size int, closed bool) {
	var b strings.Builder
	quote := byte(0)
	i := 0
	for ; i < len(s); i++ {
		c := s[i]
		if quote == 0 && (c == ' ' || c == '\t') {
			break
		}
		switch {
		case c == '\\' && i+1 < len(s) && (strings.IndexByte(`'"\`, s[i+1]) >= 0 || quote == 0 && s[i+1] == ' '):
			i++
			b.WriteByte(s[i])
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case quote != 0 && c == quote:
			quote = 0
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), i, quote == 0
}

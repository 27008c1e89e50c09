package sshconf

import (
	"errors"
	"strings"
)

const whitespace = " \t\r\n"

// errQuotes is an argument whose quotes do not close. ssh and sshd refuse the
// whole file.
var errQuotes = errors.New("quotes that do not close")

// splitLine takes a line apart as OpenSSH does. The keyword is in lower case, and
// empty on a line without one. Source: readconf.c, process_config_line_depth;
// servconf.c, process_server_config_line_depth.
func splitLine(line string) (keyword string, args []string, err error) {
	line = strings.TrimRight(line, whitespace+"\f")
	keyword, rest, ok := cutToken(line)
	if ok && keyword == "" { // leading whitespace
		keyword, rest, ok = cutToken(rest)
	}
	if !ok || keyword == "" || keyword[0] == '#' {
		return "", nil, nil
	}
	args, err = splitArgs(strings.TrimLeft(rest, whitespace))
	return strings.ToLower(keyword), args, err
}

// cutToken cuts the first token off: it ends with whitespace, or with one '=' that
// may have whitespace around it, or is in quotes. ok is false where a quote does
// not close. Source: misc.c, strdelim.
func cutToken(s string) (token, rest string, ok bool) {
	i := strings.IndexAny(s, whitespace+`"=`)
	if i < 0 {
		return s, "", true
	}
	if s[i] == '"' {
		inside, rest, closed := strings.Cut(s[i+1:], `"`)
		return s[:i] + inside, strings.TrimLeft(rest, whitespace), closed
	}
	rest = strings.TrimLeft(s[i+1:], whitespace)
	if s[i] != '=' && strings.HasPrefix(rest, "=") {
		rest = strings.TrimLeft(rest[1:], whitespace)
	}
	return s[:i], rest, true
}

// splitArgs splits the rest of a line into words, as a shell would, up to a
// comment. Source: misc.c, argv_split; OpenSSH 8.7 and later.
func splitArgs(s string) (args []string, err error) {
	for i := 0; i < len(s); i++ {
		if s[i] == ' ' || s[i] == '\t' {
			continue
		}
		if s[i] == '#' {
			break
		}
		var word strings.Builder
		quote := byte(0)
	word:
		for ; i < len(s); i++ {
			c := s[i]
			switch {
			case c == '\\' && i+1 < len(s) && (strings.IndexByte(`'"\`, s[i+1]) >= 0 || quote == 0 && s[i+1] == ' '):
				i++
				word.WriteByte(s[i])
			case quote == 0 && (c == ' ' || c == '\t'):
				break word
			case quote == 0 && (c == '"' || c == '\''):
				quote = c
			case quote != 0 && c == quote:
				quote = 0
			default:
				word.WriteByte(c)
			}
		}
		if quote != 0 {
			return args, errQuotes
		}
		args = append(args, word.String())
	}
	return args, nil
}

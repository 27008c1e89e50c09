package sshconf

import (
	"strconv"
	"strings"
	"time"
)

// A Value is what a keyword is to have, as it is written in a file.
type Value struct {
	Keyword Keyword
	Text    string
}

// Holds reports whether a file's text, or a program's, means the value. One that the
// program would refuse is never held.
func (v Value) Holds(text string) bool {
	_, ok := v.Keyword.printed(v.Text)
	return ok && v.Keyword.Same(v.Text, text)
}

// Option is a line that sets a value.
func (v Value) Option(indent string) string { return indent + string(v.Keyword) + " " + v.Text }

// Same reports whether two values of a keyword mean the same: "5m" and "300", "Yes"
// and "true", and from OpenSSH 10.3 on "2.5" and "2".
func (k Keyword) Same(a, b string) bool {
	x, ok := k.printed(whole(a))
	y, ok2 := k.printed(whole(b))
	return a == b || ok && ok2 && x == y
}

// ParseAnyTime is [ParseTime] as any release has it: from 10.3 on seconds may have a
// fraction, which does not count. Before, a file with one is refused. Source: misc.c,
// convtime_double.
func ParseAnyTime(text string) (time.Duration, error) { return ParseTime(whole(text)) }

// whole is a time without the fraction of its seconds, and any other text as it is.
func whole(text string) string {
	before, fraction, ok := strings.Cut(strings.TrimRight(text, "sS"), ".")
	if !ok || fraction == "" || strings.Trim(fraction, "0123456789") != "" || before == "" {
		return text
	}
	return before
}

// printed is a value as ssh -G and sshd -T print it: a time in seconds, yes or no. ok is
// false where the program would refuse it.
func (k Keyword) printed(text string) (printed string, ok bool) {
	switch k {
	case ServerAliveInterval, ClientAliveInterval:
		d, err := ParseTime(text)
		return strconv.FormatInt(int64(d/time.Second), 10), err == nil
	case TCPKeepAlive:
		on, ok := ParseSwitch(text)
		return map[bool]string{true: "yes", false: "no"}[on], ok
	}
	n, err := strconv.ParseInt(text, 10, 32)
	return strconv.FormatInt(n, 10), err == nil && n >= 0
}

// ParseSwitch reads yes, true, no and false, in any case. Source: readconf.c and
// servconf.c, multistate_flag.
func ParseSwitch(text string) (on, ok bool) {
	switch strings.ToLower(text) {
	case "yes", "true":
		return true, true
	case "no", "false":
		return false, true
	}
	return false, false
}

// preset is what a keyword has where no file sets it.
func preset(k Keyword) string {
	switch k {
	case ServerAliveCountMax, ClientAliveCountMax:
		return "3"
	case TCPKeepAlive:
		return "yes"
	}
	return "0"
}

// OptionsOf are settings as the program would print them, with its defaults. A value
// that it would refuse is as it is written.
func OptionsOf(settings []Setting) Options {
	said := Options{}
	for _, s := range settings {
		text := s.Effective()
		if printed, ok := s.Keyword.printed(text); ok {
			text = printed
		}
		said.Put(s.Keyword, text)
	}
	return said
}

// Of is what a keyword has; empty is that the program did not say so.
func (o Options) Of(k Keyword) string { return o[strings.ToLower(string(k))] }

func (o Options) Put(k Keyword, text string) { o[strings.ToLower(string(k))] = text }

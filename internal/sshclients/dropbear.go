package sshclients

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tcpka/tcpka/internal/sshconf"
)

// The default of OpenWrt's init script; of Dropbear itself it is off.
const dropbearPreset = 300

// parseDropbear reads /etc/config/dropbear of OpenWrt: a section for each server.
// Dropbear sets SO_KEEPALIVE on no socket. Source: package/network/services/dropbear,
// files/dropbear.init.
func parseDropbear(t text) ([]Session, error) {
	var sessions []Session
	var options []first // of each
	inside := false
	for l := range t.lines() {
		words := uciWords(l.text)
		switch {
		case len(words) >= 2 && words[0] == "config":
			inside = words[1] == "dropbear"
			if inside {
				s := Session{Program: sshconf.Dropbear, Lines: map[string]int{}, Interval: seconds(dropbearPreset), TCPKeepAlive: new(false)}
				if len(words) > 2 {
					s.Name = words[2]
				}
				options = append(options, first{})
				if sessions = append(sessions, s); len(sessions) > maxSessions {
					return nil, errSessions
				}
			}
		case inside && len(words) >= 3 && words[0] == "option":
			at := len(sessions) - 1
			options[at][words[1]] = setting{line: l, key: words[1], value: words[2]} // the last one counts
		}
	}
	for i := range sessions {
		readDropbear(&sessions[i], options[i])
	}
	if len(sessions) == 0 {
		return nil, errors.New("no server in it")
	}
	return sessions, nil
}

// readDropbear adds what the options of one server say.
func readDropbear(s *Session, options first) {
	s.Lines = options.lines("enable", "SSHKeepAlive", "IdleTimeout")
	number := func(key string, preset int64) (n int64, ok bool) {
		text := options[key].value
		if _, set := options[key]; !set {
			return preset, true
		}
		n, ok = options.number(key, preset)
		return n, ok && n >= 0 && text != "" && strings.Trim(text, "0123456789") == ""
	}
	keepalive, ok1 := number("SSHKeepAlive", dropbearPreset)
	idle, ok2 := number("IdleTimeout", 0)
	// Source: jshn's and functions.sh's get_bool, by which init scripts read switches.
	off := slices.Contains([]string{"0", "off", "false", "no", "disabled"}, options["enable"].value)
	s.Interval = seconds(keepalive)
	switch {
	case off:
		s.Interval, s.Problem = seconds(0), "enable is off: OpenWrt does not start this server"
	case !ok1:
		s.Interval, s.Problem = nil, "SSHKeepAlive is no number: OpenWrt does not start this server"
	case !ok2:
		s.Interval, s.Problem = nil, "IdleTimeout is no number: OpenWrt does not start this server"
	case idle > 0:
		s.Problem = fmt.Sprintf("IdleTimeout ends a session after %d s without input and output, keepalives or not", idle)
	}
}

func instructDropbear(in *Instructions, _ Session, w Wanted) error {
	if w.TCPKeepAlive != nil && *w.TCPKeepAlive {
		return errNoTCP
	}
	if n, ok := w.seconds(); ok {
		in.step("On the router:\nuci set dropbear.@dropbear[0].SSHKeepAlive=%d\nuci commit dropbear\n/etc/init.d/dropbear restart", n)
	}
	return nil
}

// uciWords splits a line as uci does: words with quotes of either kind, up to a
// comment. Source: uci, file.c.
func uciWords(line string) []string {
	var words []string
	for i := 0; i < len(line); {
		for i < len(line) && (line[i] == ' ' || line[i] == '\t') {
			i++
		}
		if i == len(line) || line[i] == '#' {
			break
		}
		var word strings.Builder
		for quote := byte(0); i < len(line); i++ {
			c := line[i]
			if quote == 0 && (c == ' ' || c == '\t') {
				break
			}
			switch {
			case c == '\\' && quote != '\'' && i+1 < len(line):
				i++
				word.WriteByte(line[i])
			case quote == 0 && (c == '\'' || c == '"'):
				quote = c
			case quote != 0 && c == quote:
				quote = 0
			default:
				word.WriteByte(c)
			}
		}
		words = append(words, word.String())
	}
	return words
}

package sshclients

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/tcpka/tcpka/internal/sshconf"
)

const (
	teraTermSection = "TTSSH"
	teraTermKey     = "HeartBeat"
	// The default since Tera Term 4; 60 before. Source: ttssh2, ttxssh.c,
	// read_ssh_options.
	teraTermPreset = 300
	maxTeraTerm    = math.MaxInt32 * time.Second
)

// parseTeraTerm reads TERATERM.INI, which is for every session. Tera Term does not
// touch SO_KEEPALIVE.
func parseTeraTerm(t text) ([]Session, error) {
	s := Session{Program: sshconf.TeraTerm, Lines: map[string]int{}, TCPKeepAlive: new(false), Interval: seconds(teraTermPreset)}
	if found, ok := teraTermSetting(t); ok {
		n, fits := atoi(strings.TrimLeft(found.value, `"'`))
		s.Lines[teraTermKey] = found.line.number
		s.Interval = seconds(n)
		if !fits || n < 0 {
			s.Interval, s.Problem = nil, "HeartBeat is no number that Tera Term can use"
		}
	}
	return []Session{s}, nil
}

// teraTermSetting is the line that counts: the first of the first section of that
// name, in any case. Windows looks no further.
func teraTermSetting(t text) (found setting, ok bool) {
	inside, over := false, false
	for s := range t.iniSettings() {
		switch {
		case s.key == "":
			over = over || inside
			inside = strings.EqualFold(s.section, teraTermSection)
		case inside && !over && strings.EqualFold(s.key, teraTermKey):
			return s, true
		}
	}
	return setting{}, false
}

func instructTeraTerm(in *Instructions, _ Session, w Wanted) error {
	if w.TCPKeepAlive != nil && *w.TCPKeepAlive {
		return errNoTCP
	}
	if n, ok := w.seconds(); ok {
		in.step("Tera Term, Setup, SSH: Heartbeat: %d seconds; then Setup, Save setup.", n)
	}
	return nil
}

// teraTermKeys is the setting as one of a file.
func teraTermKeys(t text) first {
	keys := first{}
	if s, ok := teraTermSetting(t); ok {
		keys[teraTermKey] = s
	}
	return keys
}

// teraTermWritten are the keys that editTeraTerm changes.
func teraTermWritten(w Wanted) (keys []string) {
	if w.Interval != nil {
		keys = append(keys, teraTermKey)
	}
	return keys
}

// editTeraTerm changes TERATERM.INI. What is written is the number as wanted; Tera
// Term sends a second later than that.
func editTeraTerm(t text, w Wanted) (text, error) {
	if w.TCPKeepAlive != nil && *w.TCPKeepAlive {
		return t, errNoTCP
	}
	seconds, ok := w.seconds()
	if !ok {
		return t, nil
	}
	if err := inRange(*w.Interval, maxTeraTerm); err != nil {
		return t, err
	}
	value := strconv.FormatInt(seconds, 10)
	found, ok := teraTermSetting(t)
	if !ok {
		return insertTeraTerm(t, teraTermKey+"="+value), nil
	}
	if n, fits := atoi(strings.TrimLeft(found.value, `"'`)); fits && strconv.FormatInt(n, 10) == value {
		return t, nil
	}
	number := strings.TrimLeft(found.line.text[found.from:], `"'`)
	from := len(found.line.text) - len(number)
	unsigned := strings.TrimLeft(number, "+-")
	digits := len(number) - len(strings.TrimLeft(unsigned, "0123456789"))
	return t.replace(found.line, from, from+digits, value), nil
}

// insertTeraTerm adds a line at the beginning of the section, or a section with it at
// the end of the file.
func insertTeraTerm(t text, line string) text {
	for s := range t.iniSettings() {
		if s.key == "" && strings.EqualFold(s.section, teraTermSection) {
			return t.insert(s.line.next, "\r\n", line)
		}
	}
	return t.insert(len(t.content), "\r\n", "["+teraTermSection+"]", line)
}

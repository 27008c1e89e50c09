package sshclients

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/tcpka/tcpka/internal/sshconf"
)

// The keys of PuTTY and its kin. The interval is the sum of two, minutes and seconds.
// Source: settings.c, load_open_settings.
const (
	puttyMinutes   = "PingInterval"
	puttySeconds   = "PingIntervalSecs"
	puttyTCP       = "TCPKeepalives"
	puttyHost      = "HostName"
	puttyPreset    = "Default Settings"
	maxPuTTYPeriod = 2147483 * time.Second // PuTTY counts in milliseconds, in an int
)

// parsePuTTY reads a session of PuTTY on Unix: lines KEY=VALUE, of which the first of
// a key counts. The session's name is that of the file, and not known here. Source:
// unix/storage.c, open_settings_r.
func parsePuTTY(t text) ([]Session, error) {
	return []Session{puttySession(sshconf.PuTTY, puttyKeys(t))}, nil
}

func puttyKeys(t text) first {
	keys := first{}
	for l := range t.lines() {
		if key, value, ok := strings.Cut(l.text, "="); ok {
			keys.add(setting{line: l, key: key, value: value, from: len(key) + 1})
		}
	}
	return keys
}

// parseKiTTY reads a session of a KiTTY that keeps its settings beside itself: lines
// KEY\VALUE\, in which what could be mistaken is escaped as in the registry.
func parseKiTTY(t text) ([]Session, error) {
	keys := first{}
	for l := range t.lines() {
		if key, rest, ok := strings.Cut(l.text, `\`); ok {
			keys.add(setting{line: l, key: key, value: unescapePercent(strings.TrimSuffix(rest, `\`))})
		}
	}
	return []Session{puttySession(sshconf.KiTTY, keys)}, nil
}

// puttySession is what the keys of PuTTY or KiTTY mean.
func puttySession(p sshconf.Program, keys first) Session {
	s := Session{
		Program: p,
		Host:    keys[puttyHost].value,
		Lines:   keys.lines(puttyMinutes, puttySeconds, puttyTCP, "AntiIdle"),
	}
	minutes, ok1 := keys.number(puttyMinutes, 0)
	secs, ok2 := keys.number(puttySeconds, 0)
	total := minutes*60 + secs
	switch {
	case !ok1 || !ok2 || total < 0 || time.Duration(total)*time.Second > maxPuTTYPeriod:
		s.Problem = "PingInterval and PingIntervalSecs are out of the range in which the program does what they say"
	default:
		s.Interval = seconds(total)
	}
	tcp, _ := keys.number(puttyTCP, 0)
	s.TCPKeepAlive = new(tcp != 0)
	s.Problem = join(s.Problem, notSSH(keys["Protocol"].value))
	if p == sshconf.KiTTY && strings.Trim(keys["AntiIdle"].value, `"`) != "" {
		s.Problem = join(s.Problem, "AntiIdle types a text into the shell, at an interval that is not in this file")
	}
	return s
}

// puttyWritten are the keys that editPuTTY changes, in their order.
func puttyWritten(w Wanted) (keys []string) {
	if w.Interval != nil {
		keys = append(keys, puttyMinutes, puttySeconds)
	}
	if w.TCPKeepAlive != nil {
		keys = append(keys, puttyTCP)
	}
	return keys
}

// editPuTTY changes a session of PuTTY on Unix.
func editPuTTY(t text, w Wanted) (text, error) {
	if t.encoding != unmarked {
		return t, errors.New("PuTTY does not read files with a byte order mark")
	}
	set := func(key, value string) {
		keys := puttyKeys(t)
		if s, found := keys[key]; found {
			t = t.replace(s.line, s.from, len(s.line.text), value)
			return
		}
		t = t.insert(len(t.content), "\n", key+"="+value)
	}
	now := puttySession(sshconf.PuTTY, puttyKeys(t))
	if w.Interval != nil && (now.Interval == nil || *now.Interval != *w.Interval) {
		if err := inRange(*w.Interval, maxPuTTYPeriod); err != nil {
			return t, err
		}
		n := int(*w.Interval / time.Second)
		set(puttyMinutes, strconv.Itoa(n/60))
		set(puttySeconds, strconv.Itoa(n%60))
	}
	if w.TCPKeepAlive != nil && *now.TCPKeepAlive != *w.TCPKeepAlive {
		set(puttyTCP, map[bool]string{true: "1", false: "0"}[*w.TCPKeepAlive])
	}
	return t, nil
}

// instructPuTTY is for Windows, of KiTTY too.
func instructPuTTY(in *Instructions, s Session, w Wanted) error {
	var values []registryNumber
	title := map[sshconf.Program]string{sshconf.PuTTY: "PuTTY", sshconf.KiTTY: "KiTTY"}[s.Program]
	if n, ok := w.seconds(); ok {
		values = append(values, registryNumber{puttyMinutes, n / 60}, registryNumber{puttySeconds, n % 60})
		in.step("%s, Connection: Seconds between keepalives (0 to turn off): %d; then Session, Save. Or import the file.", title, n)
	}
	if w.TCPKeepAlive != nil {
		values = append(values, registryNumber{puttyTCP, map[bool]int64{true: 1}[*w.TCPKeepAlive]})
		in.step("%s, Connection: Enable TCP keepalives (SO_KEEPALIVE option): %s.", title, onOrOff(*w.TCPKeepAlive))
	}
	in.step("Every saved session has settings of its own; Default Settings counts for new ones.")
	in.File = s.registryText(values...)
	return nil
}

// PuTTYSessionName is the session that a file of that name has. Source: unix/storage.c,
// make_session_filename.
func PuTTYSessionName(file string) string { return unescapePercent(file) }

func escapePercent(s string, must func(i int, c byte) bool) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; must(i, c) {
			b.WriteString("%" + hex[c>>4:c>>4+1] + hex[c&15:c&15+1])
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func unescapePercent(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

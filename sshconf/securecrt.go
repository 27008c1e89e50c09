package sshconf

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// The keys of SecureCRT, as they stand in the files it writes.
const (
	crtNoop       = "Idle NO-OP Check"
	crtNoopPeriod = "Idle NO-OP Timeout"
	crtText       = "Idle Check"
	crtTextPeriod = "Idle Timeout"
)

// parseSecureCRT reads a session: lines D:"KEY"=%08x, S:"KEY"=TEXT. That TCP keepalive
// can be set is not known.
func parseSecureCRT(t text) ([]Session, error) {
	keys := first{}
	for l := range t.lines() {
		kind, rest, ok := strings.Cut(l.text, `:"`)
		key, value, ok2 := strings.Cut(rest, `"=`)
		if !ok || !ok2 || kind != "D" && kind != "S" {
			continue
		}
		if kind == "D" {
			n, err := strconv.ParseUint(strings.TrimSpace(value), 16, 32)
			if err != nil || n > math.MaxInt32 {
				n = math.MaxInt32 + 1 // which atoi refuses
			}
			value = strconv.FormatUint(n, 10)
		}
		keys.add(setting{line: l, key: key, value: value})
	}
	s := Session{
		Program: SecureCRT, Host: keys["Hostname"].value,
		Lines: keys.lines(crtNoop, crtNoopPeriod, crtText, crtTextPeriod),
	}
	var ok bool
	if s.Interval, ok = keys.switched(crtNoop, crtNoopPeriod, 0, 60); !ok {
		s.Problem = "the values of the NO-OP are no numbers that SecureCRT writes"
	}
	if s.Typed, ok = keys.switched(crtText, crtTextPeriod, 0, 300); !ok {
		s.Problem = join(s.Problem, "the values of the anti-idle text are no numbers that SecureCRT writes")
	}
	return []Session{s}, nil
}

// switched is a period with a switch of its own: 0 where that is off, nil where the
// values make no sense.
func (f first) switched(on, period string, presetOn, preset int64) (every *time.Duration, ok bool) {
	check, ok1 := f.number(on, presetOn)
	n, ok2 := f.number(period, preset)
	switch {
	case !ok1 || !ok2 || n < 0:
		return nil, false
	case check == 0:
		return new(time.Duration(0)), true
	}
	return seconds(n), true
}

package calc

import (
	"fmt"
	"strings"
	"time"

	"github.com/tcpka/tcpka/keepalive"
)

// A UnitMistake is a value that looks as if it had been written in another unit than it
// is read in. Only its pattern says so: it may be meant.
type UnitMistake struct {
	ID    string // of the warning
	Value string // "time", "intvl", "user timeout"
	Unit  string // that was probably meant: "milliseconds", "seconds", "minutes"
	Text  string // a sentence without a full stop
}

// UnitMistakes looks for values whose unit was mixed up, and returns the settings as they
// were probably meant. Most libraries take milliseconds, the kernel takes seconds, but
// milliseconds for the user timeout: tcp(7).
func UnitMistakes(s keepalive.Settings) (found []UnitMistake, meant keepalive.Settings) {
	meant = s
	find := func(id, value string, of *time.Duration, to time.Duration, unit, written string) {
		found = append(found, UnitMistake{id, value, unit, fmt.Sprintf("%s is %s: %s written for %s? %s may be meant", value, lasting(*of), unit, written, lasting(to))})
		*of = to
	}
	if inMilliseconds(s.Time, 10_000) {
		find("time_unit", "time", &meant.Time, s.Time/1000, "milliseconds", "seconds")
	}
	if inMilliseconds(s.Intvl, 1000) { // who waits that long for the next probe?
		find("intvl_unit", "intvl", &meant.Intvl, s.Intvl/1000, "milliseconds", "seconds")
	}
	if s.Time > 0 && s.Time <= 5*time.Second && meant.Intvl >= 30*time.Second {
		find("time_unit", "time", &meant.Time, 60*s.Time, "minutes", "seconds")
	}
	switch {
	case s.UserTimeout > 0 && s.UserTimeout <= 300*time.Millisecond: // shorter than a retransmission takes
		find("user_timeout_unit", "user timeout", &meant.UserTimeout, 1000*s.UserTimeout, "seconds", "milliseconds")
	case inMilliseconds(s.UserTimeout, 10_000):
		find("user_timeout_unit", "user timeout", &meant.UserTimeout, s.UserTimeout/1000, "milliseconds", "seconds")
	}
	return found, meant
}

// inMilliseconds reports whether a time from so many seconds on is whole thousands of
// them, and not what one writes for hours or days.
func inMilliseconds(d time.Duration, least int) bool {
	if n := d / (1000 * time.Second); n > 10 && n%5 != 0 {
		return false // nobody writes 33 s
	}
	hours := d%(30*time.Minute) == 0 && d <= 12*time.Hour || d%time.Hour == 0 && d <= 24*time.Hour || d%(24*time.Hour) == 0
	return d >= time.Duration(least)*time.Second && d%(1000*time.Second) == 0 && !hours
}

// lasting is a time in seconds, and where that is hard to read as a duration.
func lasting(d time.Duration) string {
	if d < 10*time.Minute {
		return text(d)
	}
	brief := d.Round(time.Second).String()
	for _, none := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(brief, none) {
			brief = strings.TrimSuffix(brief, none[1:])
		}
	}
	return fmt.Sprintf("%s (%s)", text(d), brief)
}

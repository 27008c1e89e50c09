package cmdline

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"github.com/xhit/go-str2duration/v2"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/keepalive"
)

// ValueFlags are the flags for keepalive values: one word for one thing, in
// every command. They are strings, so that 0600 is 600 and not octal, and an
// error can name the range of what would be written.
func ValueFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "time", Usage: "silence before the first probe: seconds, or `DURATION` such as 10m, 2h, 1d"},
		&cli.StringFlag{Name: "intvl", Usage: "between probes: seconds, or `DURATION`"},
		&cli.StringFlag{Name: "probes", Usage: "unanswered probes before the connection is dropped: a `NUMBER`"},
	}
}

func UserTimeoutFlag() cli.Flag {
	return &cli.StringFlag{Name: "user-timeout", Usage: "TCP_USER_TIMEOUT: seconds, or `DURATION` such as 1500ms; 0 is off"}
}

// ReadValues reads the value flags of c and checks them against the surface they
// are meant for.
func ReadValues(c *cli.Context, surface keepalive.Surface) (keepalive.Change, error) {
	var ch keepalive.Change
	for _, f := range []struct {
		name string
		unit time.Duration
		to   **time.Duration
	}{
		{"time", time.Second, &ch.Time},
		{"intvl", time.Second, &ch.Intvl},
		{"user-timeout", time.Millisecond, &ch.UserTimeout},
	} {
		text, ok := Given(c, f.name)
		if !ok {
			continue
		}
		d, err := ParseDuration(text, f.unit)
		if err == nil {
			*f.to = &d
			err = surface.Check(ch)
		}
		if err != nil {
			return ch, refuse(f.name, text, err, ch, surface)
		}
	}
	if text, ok := Given(c, "probes"); ok {
		n, err := ParseNumber(text)
		if err == nil {
			ch.Probes = &n
			err = surface.Check(ch)
		}
		if err != nil {
			return ch, refuse("probes", text, err, ch, surface)
		}
	}
	return ch, nil
}

// Number reads a flag that takes a whole number from lo to hi; nil where it was not given.
func Number(c *cli.Context, name string, lo, hi int) (*int, error) {
	text, ok := Given(c, name)
	if !ok {
		return nil, nil
	}
	n, err := ParseNumber(text)
	if err == nil && (n < lo || n > hi) {
		err = errRange
	}
	if err != nil {
		return nil, Misuse("--%s %q: %w; accepted are whole numbers from %d to %d", name, text, err, lo, hi)
	}
	return &n, nil
}

// Duration is the same of a duration in whole units; accepted words the range.
func Duration(c *cli.Context, name string, unit, lo, hi time.Duration, accepted string) (*time.Duration, error) {
	text, ok := Given(c, name)
	if !ok {
		return nil, nil
	}
	d, err := DurationOf(name, text, unit, lo, hi, accepted)
	if err != nil {
		return nil, err
	}
	return &d, nil
}

// DurationOf reads one of several durations that are given to a flag.
func DurationOf(name, text string, unit, lo, hi time.Duration, accepted string) (time.Duration, error) {
	d, err := ParseDuration(text, unit)
	if err == nil && (d < lo || d > hi) {
		err = errRange
	}
	if err != nil {
		return 0, Misuse("--%s %q: %w; accepted are %s", name, text, err, accepted)
	}
	return d, nil
}

// SSHValues are the values that ssh and sshd have for their own probes, and whether they
// want those of TCP; nil is not given. Their words are not those of the kernel's: an
// interval of SSH runs from the last data.
type SSHValues struct {
	Interval     *time.Duration
	Count        *int
	TCPKeepAlive *bool
}

// ReadSSHValues reads --interval, --count and --tcp-keepalive.
func ReadSSHValues(c *cli.Context) (v SSHValues, err error) {
	if v.Interval, err = Duration(c, "interval", time.Second, 0, calc.MaxSSHInterval, fmt.Sprintf("whole numbers from 0 to %d s", math.MaxInt32)); err != nil {
		return v, err
	}
	if v.Count, err = Number(c, "count", 0, calc.MaxSSHCount); err != nil {
		return v, err
	}
	if text, ok := Given(c, "tcp-keepalive"); ok {
		if text != "yes" && text != "no" {
			return v, Misuse("--tcp-keepalive %q: yes or no", text)
		}
		v.TCPKeepAlive = new(text == "yes")
	}
	return v, nil
}

// refuse words why a value is not accepted, with the range and the reason.
func refuse(name, text string, err error, ch keepalive.Change, surface keepalive.Surface) error {
	lo, hi, unit := surface.TimeMin, surface.TimeMax, time.Second
	accepted := ""
	switch name {
	case "probes":
		accepted = fmt.Sprintf("%d to %d", surface.ProbesMin, surface.ProbesMax)
	case "user-timeout":
		lo, hi, unit = surface.UserTimeoutMin, surface.UserTimeoutMax, time.Millisecond
		accepted = fmt.Sprintf("%d to %d ms", lo/unit, hi/unit)
	default:
		accepted = fmt.Sprintf("%d to %d s", lo/unit, hi/unit)
	}
	reason := err.Error()
	if _, ok := errors.AsType[*keepalive.RangeError](err); ok {
		reason = harm(name, ch, surface)
	}
	return Misuse("--%s %q: %s; accepted are whole numbers from %s", name, text, reason, accepted)
}

// harm says what a value outside the range would do, or that the kernel would
// not have it, as for a socket.
func harm(name string, ch keepalive.Change, surface keepalive.Surface) string {
	zero := func(d *time.Duration) bool { return d != nil && *d == 0 }
	negative := func(d *time.Duration) bool { return d != nil && *d < 0 }
	switch {
	case surface == keepalive.Socket():
	case name == "time" && zero(ch.Time):
		return "0 would probe every connection as soon as keepalive is switched on"
	case name == "time" && negative(ch.Time):
		return "a negative time would switch keepalive off in effect"
	case name == "intvl" && zero(ch.Intvl):
		return "0 would drop healthy connections whose answer takes longer than some milliseconds"
	case name == "intvl" && negative(ch.Intvl):
		return "a negative intvl would send one probe, and the next months later"
	case name == "probes" && *ch.Probes == 0:
		return "0 would drop healthy idle connections without a single probe"
	}
	return "the kernel refuses it"
}

// ErrEmpty and its sisters say what is wrong with the text of a value.
var (
	ErrEmpty    = errors.New("no value")
	errFraction = errors.New("fractions are not accepted")
	errNumber   = errors.New("not a decimal number")
	errTooLarge = errors.New("too large")
	errRange    = errors.New("out of range")
	errDuration = errors.New("neither a number of seconds nor a duration such as 90s, 10m, 2h4m or 1d")
)

// ParseDuration reads a bare decimal number as seconds, or a duration with
// units; a sign may come first. What is finer than unit is refused.
func ParseDuration(text string, unit time.Duration) (time.Duration, error) {
	switch {
	case text == "":
		return 0, ErrEmpty
	case strings.ContainsAny(text, ".,"):
		return 0, errFraction
	}
	if IsDecimal(text) {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n > int64(maxDuration/time.Second) || n < -int64(maxDuration/time.Second) {
			return 0, errTooLarge
		}
		return time.Duration(n) * time.Second, nil
	}
	d, err := str2duration.ParseDuration(text)
	if err != nil || strings.HasPrefix(text, "+") {
		return 0, errDuration
	}
	if d%unit != 0 {
		return 0, fmt.Errorf("finer than a whole %s", map[time.Duration]string{time.Second: "second", time.Millisecond: "millisecond"}[unit])
	}
	return d, nil
}

const maxDuration = 1<<63 - 1 - time.Nanosecond

// ParseNumber reads a whole decimal number; a minus may come first.
func ParseNumber(text string) (int, error) {
	switch {
	case text == "":
		return 0, ErrEmpty
	case strings.ContainsAny(text, ".,"):
		return 0, errFraction
	case !IsDecimal(text):
		return 0, errNumber
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0, errTooLarge
	}
	return int(n), nil
}

func IsDecimal(text string) bool {
	digits := strings.TrimPrefix(text, "-")
	return digits != "" && strings.Trim(digits, "0123456789") == ""
}

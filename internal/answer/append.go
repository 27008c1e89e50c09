package answer

import (
	"bytes"
	"strconv"
	"time"
)

// AppendSeconds is [Seconds.String] without an allocation.
func AppendSeconds(b []byte, d time.Duration) []byte {
	whole, rest := int64(d/time.Second), int64(d%time.Second)
	if d < 0 {
		b = append(b, '-')
		whole, rest = -whole, -rest
	}
	b = strconv.AppendInt(b, whole, 10)
	if rest == 0 {
		return b
	}
	b = append(b, '.')
	for unit := int64(time.Second / 10); rest > 0; unit /= 10 {
		b = append(b, byte('0'+rest/unit))
		rest %= unit
	}
	return b
}

// AppendBrief is how people say a time that runs: "1h28m", "12m30s", "41s",
// "3.4s". It is cut, not rounded: what is left is never said to be more.
func AppendBrief(b []byte, d time.Duration) []byte {
	if d < 0 {
		b, d = append(b, '-'), -d
	}
	if d < 10*time.Second && d%time.Second != 0 {
		b = strconv.AppendInt(b, int64(d/time.Second), 10)
		return append(b, '.', byte('0'+d%time.Second/(time.Second/10)), 's')
	}
	return appendUnits(b, d, 2)
}

// AppendBriefRange is from when to when: "15m26s..17m29s", or one of them where both
// read the same. The end of a range is rounded up, so that it is not later.
func AppendBriefRange(b []byte, from, to time.Duration) []byte {
	unit := time.Second
	switch {
	case to >= 24*time.Hour:
		unit = time.Hour
	case to >= time.Hour:
		unit = time.Minute
	}
	return appendRange(b, from, to, unit, AppendBrief)
}

// AppendExactRange is the same to the second.
func AppendExactRange(b []byte, from, to time.Duration) []byte {
	return appendRange(b, from, to, time.Second, AppendExact)
}

// appendRange writes a range with cut, which cuts a time of 10 s or more to unit and a
// shorter one to tenths.
func appendRange(b []byte, from, to, unit time.Duration, cut func([]byte, time.Duration) []byte) []byte {
	start := len(b)
	b = cut(b, from)
	end := len(b)
	if b = cut(b, to); bytes.Equal(b[start:end], b[end:]) {
		return b[:end]
	}
	if to < 10*time.Second {
		unit = time.Second / 10
	}
	return cut(append(b[:end], ".."...), (to + unit - 1).Truncate(unit))
}

// AppendExact is the same to the second: "2h11m15s".
func AppendExact(b []byte, d time.Duration) []byte {
	if d < 10*time.Second {
		return AppendBrief(b, d)
	}
	return appendUnits(b, d, 4)
}

// appendUnits appends the largest units of a time, at most so many.
func appendUnits(b []byte, d time.Duration, most int) []byte {
	from := len(b)
	for _, u := range [...]struct {
		size time.Duration
		name byte
	}{{24 * time.Hour, 'd'}, {time.Hour, 'h'}, {time.Minute, 'm'}, {time.Second, 's'}} {
		n := int64(d / u.size)
		d %= u.size
		if n > 0 && most > 0 {
			b = append(strconv.AppendInt(b, n, 10), u.name)
		}
		if n > 0 || len(b) > from {
			most--
		}
	}
	if len(b) == from {
		b = append(b, "0s"...)
	}
	return b
}

// AppendEscaped is [Escape] without an allocation for what is harmless.
func AppendEscaped(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' {
			return append(b, Escape(s)...)
		}
	}
	return append(b, s...)
}

package cmdline

import (
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestDurations(t *testing.T) {
	const s, ms = time.Second, time.Millisecond
	for _, tt := range []struct {
		name, text string
		unit, want time.Duration
		err        string
	}{
		{"a bare number is seconds", "90", s, 90 * s, ""},
		{"also where the unit is finer", "90", ms, 90 * s, ""},
		{"decimal, never octal", "0600", s, 600 * s, ""},
		{"a zero", "0", s, 0, ""},
		{"several zeros", "000", s, 0, ""},
		{"a negative number", "-5", s, -5 * s, ""},
		{"seconds", "90s", s, 90 * s, ""},
		{"minutes", "10m", s, 600 * s, ""},
		{"hours and minutes", "2h4m", s, 2*time.Hour + 4*time.Minute, ""},
		{"a day", "1d", s, 24 * time.Hour, ""},
		{"a week", "1w", s, 168 * time.Hour, ""},
		{"a negative duration", "-1h", s, -time.Hour, ""},
		{"milliseconds that are whole seconds", "60000ms", s, 60 * s, ""},
		{"milliseconds where the unit is", "1500ms", ms, 1500 * ms, ""},
		{"the largest", "9223372036", s, 9223372036 * s, ""},

		{"milliseconds in between", "1500ms", s, 0, "finer than a whole second"},
		{"microseconds", "1us", ms, 0, "finer than a whole millisecond"},
		{"nothing", "", s, 0, "no value"},
		{"a blank", " ", s, 0, "neither a number"},
		{"blanks around", " 60 ", s, 0, "neither a number"},
		{"a blank in between", "1 m", s, 0, "neither a number"},
		{"a fraction", "1.5", s, 0, "fractions are not accepted"},
		{"a fraction that is whole", "60.0", s, 0, "fractions are not accepted"},
		{"a fraction of an hour", "1.5h", s, 0, "fractions are not accepted"},
		{"a decimal comma", "1,5", s, 0, "fractions are not accepted"},
		{"thousands", "7,200", s, 0, "fractions are not accepted"},
		{"hexadecimal", "0x10", s, 0, "neither a number"},
		{"an underscore", "1_000", s, 0, "neither a number"},
		{"an exponent", "1e3", s, 0, "neither a number"},
		{"a plus", "+5", s, 0, "neither a number"},
		{"a plus before a duration", "+5s", s, 0, "neither a number"},
		{"two signs", "--5", s, 0, "neither a number"},
		{"a sign alone", "-", s, 0, "neither a number"},
		{"the last unit missing", "1h30", s, 0, "neither a number"},
		{"no number", "s", s, 0, "neither a number"},
		{"an unknown unit", "5y", s, 0, "neither a number"},
		{"a capital", "5S", s, 0, "neither a number"},
		{"a word", "forever", s, 0, "neither a number"},
		{"digits that are not ASCII", "١٢", s, 0, "neither a number"},
		{"a line end", "60\n", s, 0, "neither a number"},
		{"a byte of zero", "60\x00", s, 0, "neither a number"},
		{"more than can be held", "9223372037", s, 0, "too large"},
		{"less than can be held", "-9223372037", s, 0, "too large"},
		{"more digits than any number has", strings.Repeat("9", 400), s, 0, "too large"},
		{"a duration beyond what can be held", "200000d", s, 0, "neither a number"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseDuration(tt.text, tt.unit)
			if got != tt.want || !says(err, tt.err) {
				t.Errorf("parseDuration(%q, %v) = %v, %v; want %v, %s", tt.text, tt.unit, got, err, tt.want, tt.err)
			}
		})
	}
}

func TestNumbers(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       int
		err        error
	}{
		{"a number", "9", 9, nil},
		{"decimal, never octal", "010", 10, nil},
		{"a zero", "0", 0, nil},
		{"a negative number", "-1", -1, nil},
		{"the largest int", "2147483647", 2147483647, nil},

		{"nothing", "", 0, ErrEmpty},
		{"a fraction", "1.5", 0, errFraction},
		{"a duration", "9s", 0, errNumber},
		{"hexadecimal", "0x9", 0, errNumber},
		{"a plus", "+9", 0, errNumber},
		{"an underscore", "1_0", 0, errNumber},
		{"blanks", " 9", 0, errNumber},
		{"digits that are not ASCII", "١٢", 0, errNumber},
		{"a sign alone", "-", 0, errNumber},
		{"more than an int", "2147483648", 0, errTooLarge},
		{"more digits than any number has", strings.Repeat("9", 400), 0, errTooLarge},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseNumber(tt.text)
			if got != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("ParseNumber(%q) = %d, %v; want %d, %v", tt.text, got, err, tt.want, tt.err)
			}
		})
	}
}

// says reports whether err contains text, or is nil where text is empty.
func says(err error, text string) bool {
	if err == nil || text == "" {
		return err == nil && text == ""
	}
	return strings.Contains(err.Error(), text)
}

// bare is a number as people write it, independently of the code under test.
var bare = regexp.MustCompile(`^-?[0-9]+$`)

func FuzzParseDuration(f *testing.F) {
	for _, seed := range []string{
		"", "0", "600", "0600", "-5", "1.5", "0x10", "99999999999", "90s", "10m", "2h4m", "1d", "1w2d", "60000ms",
		"1500ms", "+5", "-+5s", "1 m", "1h30", "١٢", "1_000", "-9223372036", "9223372036854775807ns", "-0", "5µs", "--", "106751d",
	} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, text string, milliseconds bool) {
		unit, suffix := time.Second, "s"
		if milliseconds {
			unit, suffix = time.Millisecond, "ms"
		}
		d, err := ParseDuration(text, unit)
		if err != nil {
			if d != 0 {
				t.Errorf("%q: %v beside %v", text, d, err)
			}
			return
		}
		if d%unit != 0 {
			t.Errorf("%q is %v: finer than %v", text, d, unit)
		}
		if again, err := ParseDuration(strconv.FormatInt(int64(d/unit), 10)+suffix, unit); again != d || err != nil {
			t.Errorf("%q is %v, and that is %v, %v", text, d, again, err)
		}
		if bare.MatchString(text) {
			n, _ := new(big.Int).SetString(text, 10)
			if n.Mul(n, big.NewInt(int64(time.Second))).Cmp(big.NewInt(int64(d))) != 0 {
				t.Errorf("%q is %v, not as many seconds", text, d)
			}
		} else if want, err := time.ParseDuration(text); err == nil && want != d {
			t.Errorf("%q is %v, the standard library says %v", text, d, want)
		}
		if strings.ContainsAny(text, ".,+_xX \t\n") {
			t.Errorf("%q is accepted as %v", text, d)
		}
	})
}

func FuzzParseNumber(f *testing.F) {
	for _, seed := range []string{"", "0", "9", "010", "-1", "1.5", "0x9", "256", "2147483648", "-2147483648", "+9", " 9", "١٢", "1_0"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := ParseNumber(text)
		if err != nil {
			return
		}
		want, ok := new(big.Int).SetString(text, 10)
		if !ok || !bare.MatchString(text) || want.Cmp(big.NewInt(int64(n))) != 0 {
			t.Errorf("%q is %d", text, n)
		}
		if again, err := ParseNumber(fmt.Sprint(n)); again != n || err != nil {
			t.Errorf("%q is %d, and that is %d, %v", text, n, again, err)
		}
	})
}

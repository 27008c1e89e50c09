package journal

import (
	"testing"
	"time"
)

func TestNextID(t *testing.T) {
	at := func(s string) time.Time {
		v, err := time.Parse(time.DateTime, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, row := range []struct {
		name, last string
		now        time.Time
		want       string
	}{
		{"the first", "", at("2026-01-02 03:04:05"), "1mnedd50"},
		{"a second later", "1mnedd50", at("2026-01-02 03:04:06"), "1mnedd60"},
		{"in the same second", "1mnedd50", at("2026-01-02 03:04:05"), "1mnedd51"},
		{"the 33rd in a second", "1mnedd5z", at("2026-01-02 03:04:05"), "1mnedd60"},
		{"after the clock went back", "1mnedd50", at("2020-01-01 00:00:00"), "1mnedd51"},
		{"after an ID of another make", "x y", at("2026-01-02 03:04:05"), "1mnedd50"},
		{"in the last year", "", at("3058-01-01 00:00:00"), "zz7dv000"},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := nextID(row.last, row.now)
			if got != row.want {
				t.Errorf("got %s, want %s", got, row.want)
			}
			if len(row.last) == 8 && got <= row.last {
				t.Errorf("%s does not sort after %s", got, row.last)
			}
		})
	}
}

func TestIsID(t *testing.T) {
	for _, row := range []struct {
		text string
		want bool
	}{
		{nextID("", time.Unix(1767323045, 0)), true},
		{"zzzzzzzz", true},
		{"", false},
		{"1mnedd5", false},
		{"1mnedd500", false},
		{"1MNEDD50", false},
		{"1mnedd5l", false},
		{"$(reboot", false},
		{"1mn\nedd50", false}, // package base32 passes over line feeds
	} {
		if got := IsID(row.text); got != row.want {
			t.Errorf("%q: %t, want %t", row.text, got, row.want)
		}
	}
}

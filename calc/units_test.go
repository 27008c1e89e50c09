package calc

import (
	"strings"
	"testing"
	"time"

	"github.com/tcpka/tcpka/keepalive"
)

// Units that are mixed up are told by their pattern, and what people write is left alone.
func TestUnitMistakes(t *testing.T) {
	const ms = time.Millisecond
	s := func(time_, intvl int, uto time.Duration) keepalive.Settings {
		return keepalive.Settings{Time: time.Duration(time_) * time.Second, Intvl: time.Duration(intvl) * time.Second, Probes: 9, UserTimeout: uto}
	}
	for _, row := range []struct {
		name     string
		settings keepalive.Settings
		want     string // values and units
		meant    keepalive.Settings
	}{
		{"the kernel's", s(7200, 75, 0), "", s(7200, 75, 0)},
		{"npgsql/doc#284: an interval of 1000", s(30, 1000, 0), "intvl milliseconds", s(30, 1, 0)},
		{"dotnet/corefx#33024: both", s(30000, 10000, 0), "time milliseconds, intvl milliseconds", s(30, 10, 0)},
		{"a minute", s(60000, 75, 0), "time milliseconds", s(60, 75, 0)},
		{"a minute and a half, which is 25 hours", s(90000, 75, 0), "time milliseconds", s(90, 75, 0)},
		{"two hours, which is 83 days", s(7200000, 75000, 0), "time milliseconds, intvl milliseconds", s(7200, 75, 0)},
		{"five hours, ten, a day, ten days", s(18000, 75, 10*time.Hour), "", s(18000, 75, 10*time.Hour)},
		{"a day", s(86400, 3600, 0), "", s(86400, 3600, 0)},
		{"ten days", s(864000, 75, 0), "", s(864000, 75, 0)},
		{"a thousand seconds are a time", s(1000, 75, 0), "", s(1000, 75, 0)},
		{"ten, and the interval left as it is", s(10, 75, 0), "", s(10, 75, 0)},
		{"what a plan comes to", s(33000, 10, 0), "", s(33000, 10, 0)},
		{"no thousands", s(32767, 1234, 0), "", s(32767, 1234, 0)},
		{"two, for minutes", s(2, 75, 0), "time minutes", s(120, 75, 0)},
		{"two, and fast probes", s(2, 2, 0), "", s(2, 2, 0)},
		{"a user timeout in seconds", s(60, 10, 90*ms), "user timeout seconds", s(60, 10, 90*time.Second)},
		{"half a second of it may be meant", s(60, 10, 500*ms), "", s(60, 10, 500*ms)},
		{"a user timeout of 30000, as milliseconds have it, in seconds", s(60, 10, 30000*time.Second), "user timeout milliseconds", s(60, 10, 30*time.Second)},
		{"negative, and zero", s(-60000, 0, 0), "", s(-60000, 0, 0)},
	} {
		found, meant := UnitMistakes(row.settings)
		var got []string
		for _, m := range found {
			got = append(got, m.Value+" "+m.Unit)
		}
		if strings.Join(got, ", ") != row.want || meant != row.meant {
			t.Errorf("%s: %q, meant %+v; want %q, %+v", row.name, got, meant, row.want, row.meant)
		}
	}
	found, _ := UnitMistakes(s(30000, 75, 0))
	if want := "time is 30000 s (8h20m): milliseconds written for seconds? 30 s may be meant"; len(found) != 1 || found[0].Text != want {
		t.Errorf("%+v, want %q", found, want)
	}
}

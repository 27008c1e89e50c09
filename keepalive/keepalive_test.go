package keepalive

import (
	"errors"
	"testing"
	"time"
)

func TestSurfacesAcceptTheirRangeAndNoMore(t *testing.T) {
	s := func(n int64) Change { return Change{Time: new(time.Duration(n) * time.Second)} }
	i := func(n int64) Change { return Change{Intvl: new(time.Duration(n) * time.Second)} }
	p := func(n int) Change { return Change{Probes: &n} }
	u := func(ms int64) Change { return Change{UserTimeout: new(time.Duration(ms) * time.Millisecond)} }
	for _, row := range []struct {
		name    string
		surface Surface
		change  Change
		refused string // the error; empty is accepted
	}{
		{"nothing is always in range", Socket(), Change{}, ""},
		{"the smallest sysctl time", Sysctl(250), s(1), ""},
		{"the largest sysctl time at HZ 250", Sysctl(250), s(8589934), ""},
		{"one second more", Sysctl(250), s(8589935), "time 8589935 s: the sysctl accepts whole numbers from 1 s to 8589934 s"},
		{"the largest at HZ 1000 is smaller", Sysctl(1000), s(2147484), "time 2147484 s: the sysctl accepts whole numbers from 1 s to 2147483 s"},
		{"time 0, which the kernel would take", Sysctl(250), s(0), "time 0 s: the sysctl accepts whole numbers from 1 s to 8589934 s"},
		{"a negative intvl, which the kernel would take", Sysctl(250), i(-5), "intvl -5 s: the sysctl accepts whole numbers from 1 s to 8589934 s"},
		{"half a second", Sysctl(250), Change{Time: new(1500 * time.Millisecond)}, "time 1.5 s: the sysctl accepts whole numbers from 1 s to 8589934 s"},
		{"the most probes of the sysctl", Sysctl(250), p(255), ""},
		{"one more", Sysctl(250), p(256), "probes 256: the sysctl accepts whole numbers from 1 to 255"},
		{"no probes, which the kernel would take", Sysctl(250), p(0), "probes 0: the sysctl accepts whole numbers from 1 to 255"},
		{"a sysctl has no user timeout", Sysctl(250), u(1), "user timeout: the sysctl has none"},
		{"the largest socket time", Socket(), s(32767), ""},
		{"one second more for a socket", Socket(), s(32768), "time 32768 s: the socket option accepts whole numbers from 1 s to 32767 s"},
		{"the largest socket intvl", Socket(), i(32767), ""},
		{"one second more for its intvl", Socket(), i(32768), "intvl 32768 s: the socket option accepts whole numbers from 1 s to 32767 s"},
		{"the most probes of a socket", Socket(), p(127), ""},
		{"one more for a socket", Socket(), p(128), "probes 128: the socket option accepts whole numbers from 1 to 127"},
		{"no user timeout", Socket(), u(0), ""},
		{"the largest user timeout", Socket(), u(2147483647), ""},
		{"one millisecond more", Socket(), u(2147483648), "user timeout 2147483648 ms: the socket option accepts whole numbers from 0 ms to 2147483647 ms"},
		{"half a millisecond", Socket(), Change{UserTimeout: new(500 * time.Microsecond)}, "user timeout 0.5 ms: the socket option accepts whole numbers from 0 ms to 2147483647 ms"},
		{"what the kernel holds can be explained", Kernel(250), Change{Time: new(-time.Second), Intvl: new(time.Duration(0)), Probes: new(0)}, ""},
		{"but not what it refuses", Kernel(250), s(-8589935), "time -8589935 s: the kernel accepts whole numbers from -8589934 s to 8589934 s"},
	} {
		err := row.surface.Check(row.change)
		switch {
		case row.refused == "" && err != nil:
			t.Errorf("%s: %v", row.name, err)
		case row.refused != "" && (err == nil || err.Error() != row.refused):
			t.Errorf("%s:\n got %v\nwant %s", row.name, err, row.refused)
		}
		if _, ok := errors.AsType[*RangeError](err); err != nil && !ok && row.change.UserTimeout == nil {
			t.Errorf("%s: %T is no RangeError", row.name, err)
		}
	}
}

func TestApplyChangesWhatIsGiven(t *testing.T) {
	got := Change{Intvl: new(10 * time.Second), UserTimeout: new(time.Minute), Enabled: new(true)}.Apply(Defaults())
	want := Settings{Time: 2 * time.Hour, Intvl: 10 * time.Second, Probes: 9, UserTimeout: time.Minute}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := (Change{Time: new(time.Second), Probes: new(3)}).Apply(Defaults()); got.Time != time.Second || got.Probes != 3 || got.Intvl != 75*time.Second {
		t.Errorf("got %+v", got)
	}
	if !(Change{}).Empty() || (Change{Probes: new(0)}).Empty() || (Change{Enabled: new(false)}).Empty() {
		t.Error("Empty is true for nothing and for nothing else")
	}
}

package connections

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/sockets"
)

// Afterwards it is said of the sockets that were changed that they leave the
// sysctl: an interrupt may have left others as they were.
func TestWarningsAreTrueAfterwards(t *testing.T) {
	one := func() *tuning {
		return &tuning{
			Socket: sockets.Socket{
				Keepalive: sockets.On, ValuesKnown: true, TimeFrom: sockets.FromSysctl,
				Settings: keepalive.Settings{Time: 7200 * time.Second, Intvl: 75 * time.Second, Probes: 9},
			},
			change: keepalive.Change{Time: new(600 * time.Second)},
		}
	}
	changed, left := one(), one()
	p := &Plan{rooms: []*Room{{kernel: calc.Kernel{HZ: 250}, changing: []*tuning{changed, left}}}}
	first := func() string { return p.warnings(p.numbers())[0].Text }
	if text := first(); !strings.HasPrefix(text, "2 sockets ") {
		t.Errorf("before: %s", text)
	}
	changed.result, changed.after = sockets.Done, changed.values()
	changed.after.Time, changed.after.TimeFrom = 600*time.Second, sockets.FromSocket
	if text := first(); !strings.HasPrefix(text, "1 socket ") {
		t.Errorf("after: %s", text)
	}
}

// A user timeout counts from when the waiting began: also where the peer answers and its
// window is closed.
func TestAUserTimeoutThatRunsAlready(t *testing.T) {
	for _, tt := range []struct {
		name string
		t    tuning
		want bool
	}{
		{"a closed window", tuning{Socket: sockets.Socket{Timer: sockets.TimerProbe0}, change: keepalive.Change{UserTimeout: new(time.Second)}}, true},
		{"data that was sent again", tuning{Socket: sockets.Socket{Timer: sockets.TimerRetransmit, Unanswered: 1}, change: keepalive.Change{UserTimeout: new(time.Second)}}, true},
		{"data that was just sent", tuning{Socket: sockets.Socket{Timer: sockets.TimerRetransmit}, change: keepalive.Change{UserTimeout: new(time.Second)}}, false},
		{"an idle connection", tuning{Socket: sockets.Socket{Timer: sockets.TimerKeepalive}, change: keepalive.Change{UserTimeout: new(time.Second)}}, false},
		{"another option", tuning{Socket: sockets.Socket{Timer: sockets.TimerProbe0}, change: keepalive.Change{Time: new(time.Second)}}, false},
		{"it is switched off", tuning{Socket: sockets.Socket{Timer: sockets.TimerProbe0, Settings: keepalive.Settings{UserTimeout: time.Second}}, change: keepalive.Change{UserTimeout: new(time.Duration(0))}}, false},
		{"it becomes longer", tuning{Socket: sockets.Socket{Timer: sockets.TimerProbe0, Settings: keepalive.Settings{UserTimeout: time.Second}}, change: keepalive.Change{UserTimeout: new(time.Minute)}}, false},
		{"it becomes shorter", tuning{Socket: sockets.Socket{Timer: sockets.TimerProbe0, Settings: keepalive.Settings{UserTimeout: time.Minute}}, change: keepalive.Change{UserTimeout: new(time.Second)}}, true},
	} {
		p := &Plan{rooms: []*Room{{kernel: calc.Kernel{HZ: 250}, changing: []*tuning{&tt.t}}}}
		warned := slices.ContainsFunc(p.warnings(p.numbers()), func(w calc.Warning) bool { return w.ID == "ends_waiting" })
		if warned != tt.want {
			t.Errorf("%s: warned %t", tt.name, warned)
		}
	}
}

// The journal is told which of the changes that it has were made, by their places: also
// where one turned out to be of an option that the socket does not have.
func TestWhichRecordedChangesWereMade(t *testing.T) {
	one := func() *tuning {
		return &tuning{
			Socket: sockets.Socket{Keepalive: sockets.Off, ValuesKnown: true, UserTimeoutKnown: true},
			change: keepalive.Change{Enabled: new(true), Time: new(600 * time.Second), UserTimeout: new(time.Second)},
		}
	}
	lacking, failed, done := one(), one(), one()
	p := &Plan{rooms: []*Room{{changing: []*tuning{lacking, failed, done}}}}
	changes, applied := p.Record()
	var keys []string
	for c := range changes {
		keys = append(keys, c.Key)
	}
	if want := []string{"SO_KEEPALIVE", "TCP_KEEPIDLE", "TCP_USER_TIMEOUT"}; !slices.Equal(keys, slices.Concat(want, want, want)) {
		t.Fatalf("recorded %q", keys)
	}
	after := sockets.Values{Keepalive: sockets.On, Settings: keepalive.Settings{Time: 600 * time.Second}}
	lacking.change.UserTimeout = nil
	lacking.result, lacking.after = sockets.Done, after
	failed.result, failed.after = sockets.Failed, failed.values()
	done.result, done.after = sockets.Done, after
	done.after.UserTimeout = time.Second
	if got := applied(); !slices.Equal(got, []int{0, 1, 6, 7, 8}) {
		t.Errorf("made are %v", got)
	}
	for _, other := range []*tuning{lacking, failed} {
		other.change, other.result, other.after = done.change, done.result, done.after
	}
	if got := applied(); got != nil {
		t.Errorf("all were made, and it says %v", got)
	}
}

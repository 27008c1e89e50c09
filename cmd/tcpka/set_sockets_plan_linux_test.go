package main

import (
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
	p := &socketPlan{rooms: []*socketRoom{{kernel: calc.Kernel{HZ: 250}, changing: []*tuning{changed, left}}}}
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

package check

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/internal/connection"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/sockets"
)

// A timer that was armed by other values is late for the program where it is in time
// for TCP; and a user timeout is not asked for.
func TestCheckOfMPTCPOnItsWay(t *testing.T) {
	multi := sockets.Socket{
		State: sockets.Established, Keepalive: sockets.On, ValuesKnown: true, Inode: 1,
		Settings: keepalive.Settings{Time: 20 * time.Second, Intvl: 10 * time.Second, Probes: 3},
		TimeFrom: sockets.FromSocket, IntvlFrom: sockets.FromSocket, ProbesFrom: sockets.FromSocket,
		Timer: sockets.TimerKeepalive, Left: time.Minute, Idle: time.Second, IdleKnown: true,
		Local: netip.MustParseAddrPort("10.0.0.1:22"), Remote: netip.MustParseAddrPort("10.0.0.2:99"),
	}
	plain := multi
	plain.UserTimeoutKnown = true
	stuck := multi
	stuck.Timer, stuck.Left, stuck.Idle, stuck.Unanswered, stuck.RTO = sockets.TimerRetransmit, time.Second, 2*time.Second, 2, time.Second
	stuckTCP := stuck
	stuckTCP.UserTimeoutKnown = true
	for _, row := range []struct {
		name      string
		socket    sockets.Socket
		id        string // empty: all is well
		text, fix string
	}{
		{"TCP, an old timer that is in time", plain, "", "", ""},
		{"MPTCP, an old timer that is too late", multi, calc.FlawOldTimer, " later (net.mptcp.close_timeout is 60), wanted is within 120 s", "sudo tcpka set --rearm"},
		{"TCP, data in flight", stuckTCP, calc.FlawInFlight, ", wanted is within 120 s", "sudo tcpka set sockets --local 10.0.0.1:22 --remote 10.0.0.2:99 --user-timeout 50s"},
		{"MPTCP, data in flight", stuck, calc.FlawInFlight, "; MPTCP has no user timeout that would end it sooner", ""},
	} {
		ck := &checker{Invocation: &cmdline.Invocation{}, groups: map[groupKey]*group{}, goal: calc.Goal{DetectWithin: 2 * time.Minute}}
		ck.Detect, ck.filter.States = ck.goal.DetectWithin, sockets.StatesOf(sockets.Established)
		v := &view{name: "host", kernel: calc.DefaultKernel(), settings: keepalive.Defaults(), mptcp: connection.Outliving{Looked: true, Duration: time.Minute, Known: true}}
		ck.connection(v, &row.socket)
		for _, g := range ck.order {
			g.ways = ck.waysTo(g)
		}
		findings := ck.answer().Findings
		if row.id == "" && len(findings) == 0 {
			continue
		}
		if len(findings) != 1 {
			t.Errorf("%s: %+v", row.name, findings)
			continue
		}
		f, fix := findings[0], ""
		if f.Fix != nil {
			fix = *f.Fix
		}
		if f.ID != row.id || !strings.HasSuffix(f.Text, row.text) || fix != row.fix {
			t.Errorf("%s: %s: %s, fix %q", row.name, f.ID, f.Text, fix)
		}
	}
}

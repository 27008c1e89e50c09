package calc_test

import (
	"testing"
	"time"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/keepalive"
)

// Sysctls that drop healthy connections drop healthy sessions, too, where
// TCPKeepAlive is on and no SSH probe breaks the silence before.
func TestSSHSessionsDroppedByTheSysctls(t *testing.T) {
	k := calc.DefaultKernel()
	noProbes := keepalive.Settings{Time: sec(600), Intvl: sec(75)}
	off := ssh("", 0, 3)
	off.TCPKeepAlive = false
	for _, c := range []struct {
		what           string
		end            calc.SSH
		set            keepalive.Settings
		alive, stopped time.Duration // 0: never
		warned         bool
	}{
		{"the kernel's defaults", ssh("", 0, 3), keepalive.Defaults(), 0, 0, false},
		{"no SSH probes", ssh("", 0, 3), noProbes, sec(600), sec(600), true},
		{"no SSH probes, and TCPKeepAlive off", off, noProbes, 0, 0, false},
		{"SSH probes that come before", ssh("9.1", 60, 3), noProbes, 0, sec(240), false},
		{"SSH probes that come after", sshd("9.9", 1000, 3), noProbes, sec(600), sec(600), true},
		{"sshd that probes at twice its interval comes after", sshd("9.2", 400, 3), noProbes, sec(600), sec(600), true},
		{"ssh that gives up before", ssh("9.1", 60, 0), noProbes, sec(60), sec(60), false},
	} {
		all := c.end.Situations(k, c.set)
		for id, want := range map[string]time.Duration{calc.SSHPeerAlive: c.alive, calc.SSHPeerStopped: c.stopped} {
			if got := situation(t, all, id); got.Never != (want == 0) || !got.Never && got.Exact != want {
				t.Errorf("%s: %s: got %+v, want %v", c.what, id, got, want)
			}
		}
		warned := false
		for _, w := range c.end.Warnings(k, c.set) {
			warned = warned || w.ID == "tcp_drops_healthy"
		}
		if warned != c.warned {
			t.Errorf("%s: warned %t", c.what, warned)
		}
	}
}

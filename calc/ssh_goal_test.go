package calc_test

import (
	"testing"
	"time"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/keepalive"
)

// TestSSHProxied: behind ProxyCommand or ProxyJump ssh has no TCP of its own, so nothing
// is predicted from any, whatever the settings.
func TestSSHProxied(t *testing.T) {
	k := calc.DefaultKernel()
	for _, set := range []keepalive.Settings{keepalive.Defaults(), {Time: 10 * time.Second, Intvl: time.Second, Probes: 3}, {Time: 10 * time.Second, Intvl: time.Second, Probes: 3, UserTimeout: time.Second}} {
		for _, end := range []calc.SSH{ssh("", 0, 3), ssh("", 60, 3), ssh("", 60, 0), ssh("8.3", 60, 3)} {
			end.Proxied = true
			if _, ok := end.RefreshTCP(k, set); ok {
				t.Errorf("%+v: TCP refreshes it", end)
			}
			if _, _, ok := end.GivenUp(k, set); ok {
				t.Errorf("%+v: TCP gives up on it", end)
			}
			for _, s := range end.Situations(k, set) {
				if !s.Never && s.DecidedBy != calc.ByServerAliveCountMax {
					t.Errorf("%+v, %s: decided by %s", end, s.ID, s.DecidedBy)
				}
			}
			for _, w := range end.Warnings(k, set) {
				if w.ID == "tcp_drops_healthy" || w.ID == "tcp_gives_up_first" {
					t.Errorf("%+v: %s", end, w.Text)
				}
			}
		}
	}
}

// TestRefreshTCP: a TCP probe breaks the silence only of a session that is still there,
// and of which there is a socket.
func TestRefreshTCP(t *testing.T) {
	off := ssh("", 0, 3)
	off.TCPKeepAlive = false
	for name, tt := range map[string]struct {
		end calc.SSH
		ok  bool
	}{
		"TCPKeepAlive alone":                             {ssh("", 0, 3), true},
		"off":                                            {off, false},
		"ssh ends it before":                             {ssh("", 60, 0), false},
		"ssh ends it after the first":                    {ssh("", 9000, 0), true},
		"sshd before 8.2 ends it before":                 {sshd("8.1", 60, 0), false},
		"sshd from 8.2 on does not, with the same 0":     {sshd("8.2", 60, 0), true},
		"the probes of ssh are sooner, which is as well": {ssh("", 60, 3), true},
	} {
		if _, ok := tt.end.RefreshTCP(calc.DefaultKernel(), keepalive.Defaults()); ok != tt.ok {
			t.Errorf("%s: %t, want %t", name, ok, tt.ok)
		}
	}
}

// TestGivenUp: what SSH sends is data, so that it is retransmission that ends a session
// whose peer is gone, where SSH itself has no rule or a later one.
func TestGivenUp(t *testing.T) {
	k := calc.DefaultKernel()
	flight := k.DataInFlight(0, 0).Latest + 500*time.Millisecond
	for name, tt := range map[string]struct {
		end  calc.SSH
		want time.Duration // 0: that is not what ends it
	}{
		"sshd that never drops, 300/0":            {sshd("9.9", 300, 0), 300*time.Second + flight},
		"at twice the interval":                   {sshd("9.2", 300, 0), 600*time.Second + flight},
		"its own rule is later than TCP's":        {ssh("", 900, 3), 900*time.Second + flight},
		"its own rule is first":                   {ssh("", 60, 3), 0},
		"it sends nothing":                        {ssh("", 0, 3), 0},
		"it drops the living":                     {ssh("", 60, 0), 0},
		"keepalive is first, and ends it by then": {sshd("9.9", 20000, 0), 0},
	} {
		got, by, ok := tt.end.GivenUp(k, keepalive.Defaults())
		if got != tt.want || ok != (tt.want != 0) || ok && by != "tcp_retries2" {
			t.Errorf("%s: %s by %q, %t, want %s", name, got, by, ok, tt.want)
		}
	}
}

// TestKeepSSH: what is wanted already and does no harm to the goal is not taken back.
func TestKeepSSH(t *testing.T) {
	for name, tt := range map[string]struct {
		goal          calc.Goal
		has, want     calc.SSH
		interval, max int // planned
	}{
		"a count of 0 is mended, and the probes stay": {calc.Goal{}, ssh("", 60, 0), ssh("", 60, 3), 0, 3},
		"a shorter interval stays":                    {calc.Goal{PathTimeout: sec(350)}, ssh("", 15, 0), ssh("", 15, 3), 116, 3},
		"a longer one does not":                       {calc.Goal{PathTimeout: sec(350)}, ssh("", 400, 3), ssh("", 116, 3), 116, 3},
		"more probes stay":                            {calc.Goal{PathTimeout: sec(350)}, ssh("", 400, 9), ssh("", 116, 9), 116, 3},
		"but where a death has to be noticed in time": {calc.Goal{DetectWithin: sec(120)}, ssh("", 60, 9), ssh("", 29, 3), 29, 3},
		"and a shorter interval has room for more":    {calc.Goal{DetectWithin: sec(120)}, ssh("", 5, 9), ssh("", 5, 9), 29, 3},
		"what has none is as planned":                 {calc.Goal{PathTimeout: sec(350)}, ssh("", 0, 3), ssh("", 116, 3), 116, 3},
	} {
		planned := calc.SSH{Side: calc.SSHServer, Interval: sec(tt.interval), CountMax: tt.max}
		got := calc.KeepSSH(tt.goal, tt.has, planned)
		if got.Interval != tt.want.Interval || got.CountMax != tt.want.CountMax {
			t.Errorf("%s: %s/%d, want %s/%d", name, got.Interval, got.CountMax, tt.want.Interval, tt.want.CountMax)
		}
	}
}

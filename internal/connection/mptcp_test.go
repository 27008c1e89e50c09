package connection

import (
	"testing"
	"time"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/sockets"
)

// What is not known is not said to be never.
func TestWhenMPTCPIsNoticed(t *testing.T) {
	multi := sockets.Socket{
		State: sockets.Established, Keepalive: sockets.On, ValuesKnown: true, Inode: 1,
		Settings: keepalive.Settings{Time: 600 * time.Second, Intvl: 10 * time.Second, Probes: 3},
		Timer:    sockets.TimerKeepalive, Left: 50 * time.Second, IdleKnown: true,
	}
	plain, listener, connecting := multi, multi, multi
	plain.UserTimeoutKnown = true
	listener.State, listener.Timer = sockets.Listen, sockets.TimerNone
	connecting.State, connecting.Timer = sockets.SynSent, sockets.TimerRetransmit
	for _, row := range []struct {
		name   string
		socket sockets.Socket
		mptcp  Outliving
		want   time.Duration // 0: not known
	}{
		{"MPTCP", multi, Outliving{true, time.Minute, true}, 690 * time.Second},
		{"MPTCP of a kernel that does not say", multi, Outliving{Looked: true}, 0},
		{"TCP", plain, Outliving{true, time.Minute, true}, 630 * time.Second},
		{"what may accept either", listener, Outliving{true, time.Minute, true}, 0},
		{"what may become either", connecting, Outliving{true, time.Minute, true}, 0},
	} {
		d := Describer{Kernel: calc.Kernel{HZ: 250}, Always: true, MPTCP: row.mptcp}
		got := d.Describe(&row.socket)
		if got.Detection != row.want || got.DetectionKnown != (row.want != 0) || got.DetectionUnknown != (row.want == 0) {
			t.Errorf("%s: %v, known %v, unknown %v; want %v", row.name, got.Detection, got.DetectionKnown, got.DetectionUnknown, row.want)
		}
	}
}

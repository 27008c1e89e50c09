package connection

import (
	"testing"
	"time"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/sockets"
)

// The keepalive timer of a socket that its program has closed is the end of
// FIN-WAIT-2, whatever SO_KEEPALIVE was: no probe goes out.
func TestAClosedSocketIsNotProbed(t *testing.T) {
	s := sockets.Socket{
		State: sockets.FinWait2, Keepalive: sockets.On, ValuesKnown: true, UserTimeoutKnown: true,
		Settings: keepalive.Settings{Time: 600 * time.Second, Intvl: 10 * time.Second, Probes: 3},
		Timer:    sockets.TimerKeepalive, Left: 50 * time.Second, IdleKnown: true,
	}
	d := Describer{Kernel: calc.Kernel{HZ: 250}, Always: true}
	if row := d.Describe(&s); row.NextKnown || row.DetectionKnown || row.Dies.Known || !row.LeftKnown {
		t.Errorf("closed: %+v", row)
	}
	s.Inode = 1
	if row := d.Describe(&s); !row.NextKnown || !row.DetectionKnown || !row.Dies.Known {
		t.Errorf("still open: %+v", row)
	}
}

// What ends a connection whose peer is alive is said, whichever value it is.
func TestWhatDropsAHealthyConnection(t *testing.T) {
	for _, row := range []struct {
		name string
		keepalive.Settings
		on   sockets.OnOff
		want Switch
	}{
		{"probes 0", keepalive.Settings{Time: 60 * time.Second, Intvl: 5 * time.Second}, sockets.On, SwitchOn},
		{"time and intvl 0", keepalive.Settings{Probes: 3}, sockets.On, SwitchOn},
		{"probes 0, and a user timeout that decides", keepalive.Settings{Time: 60 * time.Second, Intvl: 5 * time.Second, UserTimeout: 90 * time.Second}, sockets.On, SwitchOff},
		{"a time below zero", keepalive.Settings{Time: -5 * time.Second, Intvl: 5 * time.Second}, sockets.On, SwitchOff},
		{"probes 0, off", keepalive.Settings{Time: 60 * time.Second, Intvl: 5 * time.Second}, sockets.Off, SwitchOff},
	} {
		s := sockets.Socket{State: sockets.Established, Inode: 1, Keepalive: row.on, ValuesKnown: true, UserTimeoutKnown: true, Settings: row.Settings}
		d := Describer{Kernel: calc.Kernel{HZ: 250}}
		if got := d.Describe(&s).Drops; got != row.want {
			t.Errorf("%s: %v, want %v", row.name, got, row.want)
		}
	}
}

func TestWhichTimersAreLate(t *testing.T) {
	sysctl := keepalive.Settings{Time: 60 * time.Second, Intvl: 5 * time.Second, Probes: 9}
	for _, row := range []struct {
		name   string
		socket sockets.Socket
		want   bool
	}{
		{"armed for longer", sockets.Socket{Keepalive: sockets.On, Timer: sockets.TimerKeepalive, Left: 62 * time.Second}, true},
		{"armed by the same", sockets.Socket{Keepalive: sockets.On, Timer: sockets.TimerKeepalive, Left: 60 * time.Second}, false},
		{"being probed at an older interval", sockets.Socket{Keepalive: sockets.On, Timer: sockets.TimerKeepalive, Left: 70 * time.Second, Unanswered: 1}, false},
		{"another timer", sockets.Socket{Keepalive: sockets.On, Timer: sockets.TimerRetransmit, Left: 62 * time.Second}, false},
		{"off", sockets.Socket{Keepalive: sockets.Off, Timer: sockets.TimerKeepalive, Left: 62 * time.Second}, false},
		{"off in effect: the timer is as the values say", sockets.Socket{Settings: keepalive.Settings{Time: -5 * time.Second}, Keepalive: sockets.On, Timer: sockets.TimerKeepalive, Left: 198 * 24 * time.Hour}, false},
	} {
		sysctl := sysctl
		if row.socket.Time != 0 {
			sysctl.Time = row.socket.Time
		}
		if got := IsLate(&row.socket, sysctl); got != row.want {
			t.Errorf("%s: %v", row.name, got)
		}
	}
}

package sockopt_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/sockopt"
)

// What package net does after Control ran.
func TestControlHoldsOnlyWithANegativeKeepAlive(t *testing.T) {
	for _, row := range []struct {
		name      string
		keepAlive time.Duration
		config    net.KeepAliveConfig
		want      sockopt.State
	}{
		{"left to the default", 0, net.KeepAliveConfig{}, on(15, 15, 9, 9000)},
		{"a period of its own", 45 * time.Second, net.KeepAliveConfig{}, on(45, 15, 9, 9000)},
		{"negative", -1, net.KeepAliveConfig{}, on(600, 60, 5, 9000)},
		{"negative, but a config is enabled", -1, net.KeepAliveConfig{Enable: true}, on(15, 15, 9, 9000)},
		{"a config that leaves every value", 0, net.KeepAliveConfig{Enable: true, Idle: -1, Interval: -1, Count: -1}, on(600, 60, 5, 9000)},
	} {
		t.Run(row.name, func(t *testing.T) {
			lc := net.ListenConfig{KeepAlive: row.keepAlive, KeepAliveConfig: row.config, Control: sockopt.Control(everyOption)}
			lc.SetMultipathTCP(false)
			ln, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			d := net.Dialer{KeepAlive: row.keepAlive, KeepAliveConfig: row.config, Control: sockopt.Control(everyOption)}
			dialed, accepted := connect(t, d, ln)
			wantState(t, ln.(*net.TCPListener), on(600, 60, 5, 9000))
			wantState(t, dialed, row.want)
			wantState(t, accepted, row.want)
		})
	}
}

func TestControlRefusesOtherNetworks(t *testing.T) {
	lc := net.ListenConfig{Control: sockopt.Control(everyOption)}
	if _, err := lc.ListenPacket(context.Background(), "udp", "127.0.0.1:0"); !errors.Is(err, sockopt.ErrNotTCP) {
		t.Errorf("udp: %v, want ErrNotTCP", err)
	}
	if _, err := lc.Listen(context.Background(), "unix", t.TempDir()+"/s"); !errors.Is(err, sockopt.ErrNotTCP) {
		t.Errorf("unix: %v, want ErrNotTCP", err)
	}
}

// Package net answers an error of Control on an MPTCP socket by trying again
// with a TCP one.
func TestAUserTimeoutMakesTheListenerPlainTCP(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		multipathListener(t) // or skip
		without := everyOption
		without.UserTimeout = nil
		for _, row := range []struct {
			name     string
			change   keepalive.Change
			want     sockopt.State
			protocol int
		}{
			{"without a user timeout", without, on(600, 60, 5, 0), unix.IPPROTO_MPTCP},
			{"with a user timeout", everyOption, on(600, 60, 5, 9000), unix.IPPROTO_TCP},
		} {
			t.Run(row.name, func(t *testing.T) {
				lc := net.ListenConfig{Control: sockopt.Control(row.change)}
				ln, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				defer ln.Close()
				wantState(t, ln.(*net.TCPListener), row.want)
				var protocol int
				if err := control(t, ln.(*net.TCPListener), func(fd int) (err error) {
					protocol, err = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL)
					return err
				}); err != nil {
					t.Fatal(err)
				}
				if protocol != row.protocol {
					t.Errorf("protocol %d, want %d", protocol, row.protocol)
				}
			})
		}
	})
}

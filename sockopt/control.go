package sockopt

import (
	"syscall"

	"github.com/tcpka/tcpka/keepalive"
)

// Control returns a function for the Control field of [net.Dialer] and
// [net.ListenConfig] that gives every socket they make the values of change,
// before it connects or listens. Connections inherit them from the listener
// that accepts them.
//
// Package net then sets keepalive by itself, on each dialed and each accepted
// connection: on, 15 s, 15 s, 9 probes. That overwrites everything here but the
// user timeout, unless the Dialer or ListenConfig has a negative KeepAlive (and
// KeepAliveConfig.Enable is false, as it is by default):
//
//	d := net.Dialer{KeepAlive: -1, Control: sockopt.Control(change)}
//
// The function fails as [Set] does, and the dial or listen with it: with
// [ErrNotTCP] for udp and unix networks, for example. A user timeout is
// different: an MPTCP socket, which Go makes for every listener it can, refuses
// it, and Go then tries again with a plain TCP one. SetMultipathTCP(false) says
// so from the start.
func Control(change keepalive.Change) func(network, address string, c syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) error {
		return Set(c, change)
	}
}

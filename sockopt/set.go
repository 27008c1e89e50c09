package sockopt

import (
	"fmt"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/keepalive"
)

// Set gives c the values of change that are not nil. A value outside the range
// of [keepalive.Socket] is a [*keepalive.RangeError] and nothing is changed;
// then it answers as [Get] does.
//
// The options are set in this order, whatever the socket's state:
//
//  1. TCP_KEEPINTVL, TCP_KEEPCNT, TCP_USER_TIMEOUT: stored, and used when the
//     keepalive timer fires next. They come first so that no probe goes out
//     under a mixture of old and new.
//  2. SO_KEEPALIVE: from off to on it arms the timer a full time from now,
//     however long the socket was silent; on again, it does nothing; off, it
//     stops the timer.
//  3. TCP_KEEPIDLE: where SO_KEEPALIVE is now on, it arms the timer anew, this
//     time from the last segment that came from the peer.
//
// So a socket that was silent for longer than the new time probes at once, one
// that was just switched on as well. That finds a dead peer soonest; a caller
// that sets thousands of sockets may want to spread their times. Without a time
// in change a running timer keeps its deadline, even if a sysctl was lowered
// since; off and on again moves it. Source: net/ipv4/tcp.c,
// tcp_sock_set_keepidle_locked; net/ipv4/tcp_timer.c, tcp_set_keepalive.
//
// If the kernel refuses an option, those set before it get their earlier values
// back. Two things cannot be taken back, then or ever: a value that followed the
// sysctl is from now on the socket's own (to unset it would be to set 0, which
// is EINVAL), and keepalive that was switched off and on again counts from then.
//
// A user timeout for an MPTCP socket is ENOPROTOOPT, and nothing is changed. The
// listeners of package net are such sockets, see
// [net.ListenConfig.SetMultipathTCP]; a connection that fell back to TCP is not.
func Set(c syscall.RawConn, change keepalive.Change) error {
	return control(c, func(fd int) error { return SetFD(fd, change) })
}

// SetFD is [Set] for a descriptor.
func SetFD(fd int, change keepalive.Change) error {
	if err := keepalive.Socket().Check(change); err != nil {
		return err
	}
	protocol, err := tcpProtocol(fd)
	if err != nil {
		return err
	}
	if change.UserTimeout != nil && lacksUserTimeout(fd, protocol) {
		// What the kernel would say, before two options are set instead of after.
		return fmt.Errorf("set %s of an MPTCP socket: %w", tcpUserTimeout.name, unix.ENOPROTOOPT)
	}
	before, err := read(fd, protocol)
	if err != nil {
		return err
	}
	steps := plan(before, change)
	for i, s := range steps {
		if err := s.option.set(fd, s.new); err != nil {
			return restore(fd, steps[:i], err)
		}
	}
	return nil
}

// step is one option to set.
type step struct {
	option   option
	old, new int
}

// plan lists what change sets, in the order that [Set] promises.
func plan(before State, change keepalive.Change) []step {
	var steps []step
	if v := change.Intvl; v != nil {
		steps = append(steps, step{tcpKeepintvl, seconds(before.Intvl), seconds(*v)})
	}
	if v := change.Probes; v != nil {
		steps = append(steps, step{tcpKeepcnt, before.Probes, *v})
	}
	if v := change.UserTimeout; v != nil {
		steps = append(steps, step{tcpUserTimeout, int(before.UserTimeout.Milliseconds()), int(v.Milliseconds())})
	}
	if v := change.Enabled; v != nil {
		steps = append(steps, step{soKeepalive, flag(before.Enabled), flag(*v)})
	}
	if v := change.Time; v != nil {
		steps = append(steps, step{tcpKeepidle, seconds(before.Time), seconds(*v)})
	}
	return steps
}

// restore takes steps back, the last first, because of err. It returns err, and
// with it what the kernel did not let it write back: a sysctl's value that is
// outside the range of the option.
func restore(fd int, steps []step, err error) error {
	for _, s := range slices.Backward(steps) {
		if s.old == s.new {
			continue
		}
		if lost := s.option.set(fd, s.old); lost != nil {
			err = fmt.Errorf("%w; restore: %w", err, lost)
		}
	}
	return err
}

func seconds(d time.Duration) int { return int(d / time.Second) }

func flag(on bool) int {
	if on {
		return 1
	}
	return 0
}

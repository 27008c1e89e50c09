// Package keepalive holds the words of TCP keepalive that every other package
// of this module shares: the settings, a change to them, and the limits of each
// surface that accepts them.
//
// The names are the kernel's: time, intvl and probes are
// net.ipv4.tcp_keepalive_time, _intvl and _probes, and on a socket
// TCP_KEEPIDLE, TCP_KEEPINTVL and TCP_KEEPCNT. See tcp(7).
package keepalive

import "time"

// Settings are the keepalive values in force for one connection, or the ones a
// namespace gives to connections that have none of their own.
//
// The kernel accepts values in a sysctl that nobody should set (0 probes,
// negative times). Settings can hold them, so that they can be shown and
// explained; [Surface.Check] is what refuses them before a write.
type Settings struct {
	// Time is how long a connection must be silent before the first probe.
	// Whole seconds. Zero probes at once; negative switches keepalive off in
	// effect, because the kernel reads it as a time months away.
	Time time.Duration

	// Intvl is the time from one unanswered probe to the next, and from the
	// last one to the end. Whole seconds.
	Intvl time.Duration

	// Probes is how many probes may go unanswered before the connection is
	// dropped. The kernel ignores it while UserTimeout is set. Zero drops a
	// healthy connection that was silent for Time.
	Probes int

	// UserTimeout is TCP_USER_TIMEOUT: how long sent data or probes may stay
	// unanswered. Whole milliseconds; zero is off. No sysctl sets it.
	UserTimeout time.Duration
}

// Defaults returns the values a kernel starts with, and every new network
// namespace too, whatever its parent holds: 2 hours, 75 seconds, 9 probes, no
// user timeout. Source: include/net/tcp.h, TCP_KEEPALIVE_TIME,
// TCP_KEEPALIVE_INTVL, TCP_KEEPALIVE_PROBES.
func Defaults() Settings {
	return Settings{Time: 2 * time.Hour, Intvl: 75 * time.Second, Probes: 9}
}

// Change says which values to change. Nil leaves a value as it is.
type Change struct {
	Enabled     *bool // SO_KEEPALIVE; sockets only
	Time        *time.Duration
	Intvl       *time.Duration
	Probes      *int
	UserTimeout *time.Duration // sockets only; zero switches it off
}

// Empty reports whether c changes nothing.
func (c Change) Empty() bool {
	return c == Change{}
}

// Apply returns s with the values of c in place of its own. Enabled has no
// counterpart in Settings and is not looked at.
func (c Change) Apply(s Settings) Settings {
	if c.Time != nil {
		s.Time = *c.Time
	}
	if c.Intvl != nil {
		s.Intvl = *c.Intvl
	}
	if c.Probes != nil {
		s.Probes = *c.Probes
	}
	if c.UserTimeout != nil {
		s.UserTimeout = *c.UserTimeout
	}
	return s
}

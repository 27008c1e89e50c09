package keepalive

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// The limits of the socket options. Source: include/net/tcp.h,
// MAX_TCP_KEEPIDLE, MAX_TCP_KEEPINTVL, MAX_TCP_KEEPCNT; net/ipv4/tcp.c,
// do_tcp_setsockopt.
const (
	MaxSocketTime   = 32767 * time.Second
	MaxSocketIntvl  = 32767 * time.Second
	MaxSocketProbes = 127
	// MaxUserTimeout is the largest TCP_USER_TIMEOUT, about 24.8 days.
	MaxUserTimeout = math.MaxInt32 * time.Millisecond
)

// MaxSysctlProbes is the largest net.ipv4.tcp_keepalive_probes: one byte.
// Source: net/ipv4/sysctl_net_ipv4.c, ipv4_net_table.
const MaxSysctlProbes = 255

// MaxSysctlTime is the largest net.ipv4.tcp_keepalive_time and _intvl on a
// kernel that ticks hz times a second: the kernel keeps them as an int of
// ticks. At HZ 250 it is 8589934 s. The smallest it accepts is the negative of
// this; nothing below 1 s is of use. Source: kernel/sysctl.c,
// proc_dointvec_jiffies.
func MaxSysctlTime(hz int) time.Duration {
	return math.MaxInt32 / time.Duration(hz) * time.Second
}

// A Surface is a place that accepts keepalive settings, with the range of each.
// The ranges differ: a sysctl holds more than a socket option, and holds values
// that do harm.
type Surface struct {
	Name string // as it reads in an error: "the sysctl", "the socket option"

	TimeMin, TimeMax               time.Duration // also the range of Intvl
	ProbesMin, ProbesMax           int
	UserTimeoutMin, UserTimeoutMax time.Duration // both zero: it has no user timeout
}

// Sysctl is the range tcpka writes to the three sysctls of a kernel that ticks
// hz times a second. The kernel itself also takes 0 and negative values: they
// kill healthy connections or switch keepalive off, and are left out.
func Sysctl(hz int) Surface {
	return Surface{
		Name:    "the sysctl",
		TimeMin: time.Second, TimeMax: MaxSysctlTime(hz),
		ProbesMin: 1, ProbesMax: MaxSysctlProbes,
	}
}

// Socket is the range of the socket options. The kernel answers EINVAL outside
// it.
func Socket() Surface {
	return Surface{
		Name:    "the socket option",
		TimeMin: time.Second, TimeMax: MaxSocketTime,
		ProbesMin: 1, ProbesMax: MaxSocketProbes,
		UserTimeoutMax: MaxUserTimeout,
	}
}

// Kernel is everything a connection can be given by either surface on a kernel
// that ticks hz times a second, harmful values included: what can be explained.
func Kernel(hz int) Surface {
	return Surface{
		Name:    "the kernel",
		TimeMin: -MaxSysctlTime(hz), TimeMax: MaxSysctlTime(hz),
		ProbesMin: 0, ProbesMax: MaxSysctlProbes,
		UserTimeoutMax: MaxUserTimeout,
	}
}

// Check refuses a value outside the surface's range, or finer than its unit,
// with a [*RangeError], and a user timeout where the surface has none. It
// reports the first it finds, in the order time, intvl, probes, user timeout.
func (s Surface) Check(c Change) error {
	if err := s.checkDuration("time", c.Time, s.TimeMin, s.TimeMax, time.Second); err != nil {
		return err
	}
	if err := s.checkDuration("intvl", c.Intvl, s.TimeMin, s.TimeMax, time.Second); err != nil {
		return err
	}
	if p := c.Probes; p != nil && (*p < s.ProbesMin || *p > s.ProbesMax) {
		return &RangeError{s.Name, "probes", strconv.Itoa(*p), strconv.Itoa(s.ProbesMin), strconv.Itoa(s.ProbesMax)}
	}
	if c.UserTimeout != nil && s.UserTimeoutMax == 0 {
		return fmt.Errorf("user timeout: %s has none", s.Name)
	}
	return s.checkDuration("user timeout", c.UserTimeout, s.UserTimeoutMin, s.UserTimeoutMax, time.Millisecond)
}

func (s Surface) checkDuration(what string, v *time.Duration, lo, hi, unit time.Duration) error {
	if v == nil || *v >= lo && *v <= hi && *v%unit == 0 {
		return nil
	}
	suffix := " s"
	if unit == time.Millisecond {
		suffix = " ms"
	}
	text := func(d time.Duration) string {
		return strconv.FormatFloat(float64(d)/float64(unit), 'f', -1, 64) + suffix
	}
	return &RangeError{s.Name, what, text(*v), text(lo), text(hi)}
}

// RangeError is a value that a surface does not accept.
type RangeError struct {
	Surface  string // "the sysctl"
	What     string // "time", "intvl", "probes" or "user timeout"
	Value    string // as refused, with its unit
	Min, Max string // the accepted range, both ends included
}

func (e *RangeError) Error() string {
	return fmt.Sprintf("%s %s: %s accepts whole numbers from %s to %s", e.What, e.Value, e.Surface, e.Min, e.Max)
}

// Package calc turns keepalive settings into times: when a dead peer is
// noticed, how often an idle path is refreshed, what becomes of a connection in
// every other situation. It is pure arithmetic, with no I/O and no clock; the
// rules are those of the Linux kernel, each with its source, and the tests of
// this module measure them on the kernel they run on.
//
// Times are sums of [time.Duration] and saturate at its largest value, about
// 292 years, which no setting that the kernel accepts can honestly reach.
package calc

import (
	"math"
	"time"

	"github.com/tcpka/tcpka/keepalive"
)

// Kernel is what a prediction needs to know of the kernel and its namespace,
// beside the keepalive settings.
type Kernel struct {
	// HZ is how often the kernel's clock ticks in a second (CONFIG_HZ). It
	// decides how late a timer can be. Zero stands for 250.
	HZ int

	Retries2          int           // net.ipv4.tcp_retries2
	RTOMax            time.Duration // net.ipv4.tcp_rto_max_ms; zero stands for 120 s
	SynRetries        int           // net.ipv4.tcp_syn_retries
	SynLinearTimeouts int           // net.ipv4.tcp_syn_linear_timeouts
	SynackRetries     int           // net.ipv4.tcp_synack_retries
	OrphanRetries     int           // net.ipv4.tcp_orphan_retries; 0 means 8
}

// DefaultKernel returns the values a new namespace of a current kernel has, at
// HZ 250. See Documentation/networking/ip-sysctl.rst.
func DefaultKernel() Kernel {
	return Kernel{
		HZ:                250,
		Retries2:          15,
		RTOMax:            120 * time.Second,
		SynRetries:        6,
		SynLinearTimeouts: 4,
		SynackRetries:     5,
	}
}

// What decided a prediction. Besides these it can be the name of a sysctl.
const (
	ByProbes      = "probes"       // tcp_keepalive_probes or TCP_KEEPCNT
	ByUserTimeout = "user_timeout" // TCP_USER_TIMEOUT
	ByNothing     = "never"        // it does not end
)

// A Prediction is when something ends, counted from the moment its rule names.
//
// The clock is the kernel's own, which ticks HZ times a second and stands still
// in between (CLOCK_MONOTONIC_COARSE of clock_gettime(2)). A finer clock can
// place the start up to one tick later, and so see the end up to one tick sooner.
type Prediction struct {
	// Exact is the rule with timers that fire on time. The kernel's timers are
	// late, never early, so a measurement lies between Earliest and Latest. What
	// they leave out is a machine that stalls.
	Exact, Earliest, Latest time.Duration

	// Never: it does not end, and the three times mean nothing.
	Never bool

	DecidedBy string // [ByProbes], [ByUserTimeout], [ByNothing] or a sysctl
	Probes    int    // keepalive probes sent before the end, timers on time
	Errno     string // what the application gets, "ETIMEDOUT"; empty: nothing
}

func never() Prediction { return Prediction{Never: true, DecidedBy: ByNothing} }

const forever = time.Duration(math.MaxInt64)

// add is a + b, both not negative, saturating.
func add(a, b time.Duration) time.Duration {
	if a > forever-b {
		return forever
	}
	return a + b
}

// sub is a - b, not below zero.
func sub(a, b time.Duration) time.Duration { return max(a-b, 0) }

// times is n × d, neither negative, saturating.
func times(n int64, d time.Duration) time.Duration {
	if d > 0 && n > int64(forever/d) {
		return forever
	}
	return time.Duration(n) * d
}

// ceilDiv is a / b rounded up; b is positive.
func ceilDiv(a, b time.Duration) int64 {
	if a <= 0 {
		return 0
	}
	return int64((a-1)/b) + 1
}

// Refresh is how often an idle connection with a living peer carries a probe
// and its answer, and so how long a middlebox on the path has to remember it:
// the larger of time and intvl, and latest with the timer's slack. ok is false
// where no probe ever goes out regularly.
//
// Source: net/ipv4/tcp_timer.c, tcp_keepalive_timer: after a probe the timer is
// armed for intvl, and whoever finds the connection not silent for time then
// waits for the rest.
func (k Kernel) Refresh(s keepalive.Settings) (period, latest time.Duration, ok bool) {
	switch {
	case s.Time < 0 || s.Intvl < 0:
		return 0, 0, false
	case s.Probes == 0 && s.UserTimeout == 0: // dropped before the first probe
		return 0, 0, false
	case s.Time == 0 && s.Intvl == 0:
		return 0, 0, false
	}
	period = max(s.Time, k.interval(s.Intvl))
	return period, add(period, k.Slack(period)), true
}

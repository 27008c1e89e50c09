package procfs

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// HZ returns how often this kernel ticks in a second: 100, 250, 300 or 1000 on
// the common ones. It bounds what the sysctls hold, see
// [keepalive.MaxSysctlTime], and says how late timers may be.
//
// It comes from the resolution of CLOCK_MONOTONIC_COARSE, which is one tick;
// sysconf(_SC_CLK_TCK) is 100 whatever the kernel does. It belongs to the machine,
// not to a namespace or an image. See clock_getres(2).
func HZ() (int, error) {
	var tick unix.Timespec
	if err := unix.ClockGetres(unix.CLOCK_MONOTONIC_COARSE, &tick); err != nil {
		return 0, fmt.Errorf("resolution of CLOCK_MONOTONIC_COARSE: %w", err)
	}
	hz := perSecond(tick.Nano())
	if hz < 1 {
		return 0, errors.New("resolution of CLOCK_MONOTONIC_COARSE: not a tick")
	}
	return hz, nil
}

// perSecond rounds, because the kernel has rounded the tick: 3333333 ns is 300 a
// second. Zero means that it cannot be said.
func perSecond(tickNanos int64) int {
	if tickNanos <= 0 {
		return 0
	}
	return int((1e9 + tickNanos/2) / tickNanos)
}

package selftest

import (
	"time"

	"golang.org/x/sys/unix"
)

// clock is the kernel's clock, which moves with its ticks: predictions count from
// a tick. See [calc.Prediction]. Between the ticks it is [stall.Now].
func clock() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC_COARSE, &ts); err != nil {
		panic(err) // it is there since Linux 2.6.32
	}
	return time.Duration(ts.Nano())
}

// tick waits for the next tick, and is when that was: what is done at once then is armed
// before another one, and would else count from one too early.
func tick() time.Duration {
	for before := clock(); ; {
		if now := clock(); now != before {
			return now
		}
	}
}

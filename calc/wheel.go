package calc

import "time"

// The kernel keeps its timers in a wheel of levels. A level has 64 buckets, and
// a bucket is 8 times as wide as one of the level below; a timer goes into the
// first level that reaches far enough and fires at the end of its bucket. So it
// is never early, and late by up to one bucket, at most an eighth of the wait.
// Source: kernel/time/timer.c, the comment at its head and calc_wheel_index.
const (
	wheelReach = 63 // buckets of a level that a timer can be ahead
	wheelShift = 3  // bits by which a level is coarser than the one below
)

// tick is one jiffy.
func (k Kernel) tick() time.Duration {
	if k.HZ <= 0 {
		return time.Second / 250
	}
	return time.Second / time.Duration(k.HZ)
}

// ticks is d in jiffies, rounded up as msecs_to_jiffies does.
func (k Kernel) ticks(d time.Duration) int64 {
	hz := int64(k.HZ)
	if hz <= 0 {
		hz = 250
	}
	whole, rest := int64(d/time.Second), int64(d%time.Second)
	return whole*hz + (rest*hz+int64(time.Second)-1)/int64(time.Second)
}

// wheelLevels is how many levels the wheel has: 9 where the clock ticks more
// than 100 times a second. Source: kernel/time/timer.c, LVL_DEPTH.
func (k Kernel) wheelLevels() int {
	if k.HZ > 0 && k.HZ <= 100 {
		return 8
	}
	return 9
}

// Slack is the most by which a kernel timer of length d fires late. A negative
// d has none.
func (k Kernel) Slack(d time.Duration) time.Duration {
	j, level := k.ticks(max(d, 0)), 0
	for start := int64(wheelReach); j >= start && level < k.wheelLevels()-1; start <<= wheelShift {
		level++
	}
	return times(1<<(wheelShift*level), k.tick())
}

// longestTimer is the wheel's capacity, 48 days at HZ 250: a timer set for
// longer fires then. The first probe does not care, because the kernel looks how
// long the connection was silent and waits on; an interval beyond it is cut
// short. Source: kernel/time/timer.c, WHEEL_TIMEOUT_MAX.
func (k Kernel) longestTimer() time.Duration {
	top := wheelShift * (k.wheelLevels() - 1)
	return times(wheelReach<<top-1<<top, k.tick())
}

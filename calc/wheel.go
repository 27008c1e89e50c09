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

func (k Kernel) hz() int64 {
	if k.HZ <= 0 {
		return 250
	}
	return int64(k.HZ)
}

// ticks is d in ticks of the kernel's clock, rounded up as msecs_to_jiffies
// does.
func (k Kernel) ticks(d time.Duration) int64 {
	whole, rest := int64(d/time.Second), int64(d%time.Second)
	return whole*k.hz() + (rest*k.hz()+int64(time.Second)-1)/int64(time.Second)
}

// span is n ticks as a duration, rounded up.
func (k Kernel) span(n int64) time.Duration {
	whole, rest := n/k.hz(), n%k.hz()
	return add(times(whole, time.Second), time.Duration((rest*int64(time.Second)+k.hz()-1)/k.hz()))
}

// tick is one tick, the shortest time the kernel's timers know.
func (k Kernel) tick() time.Duration { return k.span(1) }

// wheelLevels is how many levels the wheel has: 9 where the clock ticks more
// than 100 times a second. Source: kernel/time/timer.c, LVL_DEPTH.
func (k Kernel) wheelLevels() int {
	if k.hz() <= 100 {
		return 8
	}
	return 9
}

// Slack is the most by which a kernel timer of length d fires late: the width of
// its bucket, and what d lacks to a whole tick. A negative d counts as 0.
func (k Kernel) Slack(d time.Duration) time.Duration {
	d = max(d, 0)
	n, level := k.ticks(d), 0
	for start := int64(wheelReach); n >= start && level < k.wheelLevels()-1; start <<= wheelShift {
		level++
	}
	return k.span(n+1<<(wheelShift*level)) - d
}

// longestTimer is the wheel's capacity, 48 days at HZ 250: a timer set for
// longer fires then. Source: kernel/time/timer.c, WHEEL_TIMEOUT_MAX.
func (k Kernel) longestTimer() time.Duration {
	top := wheelShift * (k.wheelLevels() - 1)
	return k.span(wheelReach<<top - 1<<top)
}

// interval is how long the kernel really waits between two unanswered probes: a
// timer of no length fires with the next tick, and one beyond the wheel's
// capacity is cut short. The first probe is not, because the kernel looks how
// long the connection was silent and waits on.
func (k Kernel) interval(intvl time.Duration) time.Duration {
	return min(max(intvl, k.tick()), k.longestTimer())
}

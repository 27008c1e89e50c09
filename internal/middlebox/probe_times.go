package middlebox

import (
	"math"
	"slices"
	"time"
)

// The limits of what a probe is asked for.
const (
	// MinSilence is the shortest silence that can be measured: TCP_KEEPIDLE is a
	// second at least.
	MinSilence = time.Second
	// MaxSilence is the longest that is worth to be waited for. Of the catalogue
	// none remembers a connection for longer.
	MaxSilence = 7 * 24 * time.Hour
)

// ProbeTimes are n times up to longest, each about as many times the one before:
// twice, with 8 of them. They begin with a 128th of longest, or a second.
func ProbeTimes(longest time.Duration, n int) []time.Duration {
	first := max(longest>>7, MinSilence)
	return tidy(append(between(first, longest, n-2), first, longest), MinSilence, longest)
}

// refine are up to n times that divide the range from lo to hi, both excluded,
// evenly by their ratio.
func refine(lo, hi time.Duration, n int) []time.Duration {
	if lo < MinSilence {
		return tidy(append(between(MinSilence, hi, n-1), MinSilence), MinSilence, hi-time.Millisecond)
	}
	return tidy(between(lo, hi, n), lo+time.Millisecond, hi-time.Millisecond)
}

func between(lo, hi time.Duration, n int) []time.Duration {
	var times []time.Duration
	for i := 1; i <= n; i++ {
		times = append(times, time.Duration(float64(lo)*math.Pow(float64(hi)/float64(lo), float64(i)/float64(n+1))))
	}
	return times
}

// tidy rounds times to what people can read, without leaving the range from lo
// to hi, and puts them in order, each once.
func tidy(times []time.Duration, lo, hi time.Duration) []time.Duration {
	units := []time.Duration{time.Second, 100 * time.Millisecond, time.Millisecond}
	if hi < 10*time.Second {
		units = units[1:]
	}
	var list []time.Duration
	for _, t := range times {
		for _, unit := range units {
			if r := t.Round(unit); lo <= r && r <= hi {
				t = r
				break
			}
		}
		if lo <= t && t <= hi {
			list = append(list, t)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

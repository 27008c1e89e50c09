package nstest

import (
	"os"
	"time"

	"github.com/tcpka/tcpka/internal/stall"
)

// LateEnv says how much later than on other machines things may happen on this
// one, for example 500ms where a program plays the processor. Only what may be
// late in a test is allowed more time by it, nothing may come sooner.
const LateEnv = "TCPKA_LATE"

// Late is the value of [LateEnv]. Not set it is nothing.
func Late() time.Duration {
	d, _ := time.ParseDuration(os.Getenv(LateEnv))
	return d
}

// Lateness is what this machine adds to a time that a test measures. A test that
// measures adds it, and what it allows on a quiet machine, to the late side.
type Lateness struct{ stalls *stall.Watcher }

// WatchLateness watches until the process ends: begin it before what is measured.
func WatchLateness() Lateness { return Lateness{stall.Watch(10 * time.Millisecond)} }

// Now is the clock of [Lateness.Between], CLOCK_MONOTONIC.
func Now() time.Duration { return stall.Now() }

// Between is the stalls of this process in a span of [Now], and [Late].
func (l Lateness) Between(from, to time.Duration) time.Duration {
	return l.stalls.Between(from, to) + Late()
}

// Since is [Lateness.Between] from then until now.
func (l Lateness) Since(then time.Time) time.Duration {
	now := Now()
	return l.Between(now-time.Since(then), now)
}

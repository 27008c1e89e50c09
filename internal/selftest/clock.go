package selftest

import (
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// clock is the kernel's clock, which moves with its ticks: predictions count from
// a tick. See [calc.Prediction].
func clock() time.Duration { return readClock(unix.CLOCK_MONOTONIC_COARSE) }

// fineClock is the same between the ticks.
func fineClock() time.Duration { return readClock(unix.CLOCK_MONOTONIC) }

func readClock(id int32) time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(id, &ts); err != nil {
		panic(err) // both are there since Linux 2.6.32
	}
	return time.Duration(ts.Nano())
}

// stalls are the times at which this process did not run when it should have, for
// so long that the machine may have stood still. That the scheduler is late now and
// then is in [Allowance].
type stalls struct {
	done chan struct{}
	mu   sync.Mutex
	seen []stall
}

type stall struct{ at, late time.Duration }

// watchStalls sees them until their end is called.
func watchStalls() *stalls {
	const nap, notable = 5 * time.Millisecond, 100 * time.Millisecond
	s := &stalls{done: make(chan struct{})}
	go func() {
		for {
			due := fineClock() + nap
			select {
			case <-s.done:
				return
			case <-time.After(nap):
			}
			if now := fineClock(); now-due > notable {
				s.mu.Lock()
				s.seen = append(s.seen, stall{now, now - due})
				s.mu.Unlock()
			}
		}
	}()
	return s
}

func (s *stalls) end() { close(s.done) }

// between is how long they were together.
func (s *stalls) between(from, to time.Duration) (sum time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.seen {
		if one.at > from && one.at-one.late < to {
			sum += one.late
		}
	}
	return sum
}

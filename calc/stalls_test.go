//go:build linux

package calc_test

import (
	"sync"
	"time"
)

// stalls are the times at which this process did not run when it should have.
type stalls struct {
	mu   sync.Mutex
	seen []stall
}

type stall struct{ at, late time.Duration }

// watchStalls sees them until the process ends.
func watchStalls() *stalls {
	const nap, notable = 5 * ms, 10 * ms
	st := new(stalls)
	go func() {
		for {
			due := fineClock() + nap
			time.Sleep(nap)
			if now := fineClock(); now-due > notable {
				st.mu.Lock()
				st.seen = append(st.seen, stall{now, now - due})
				st.mu.Unlock()
			}
		}
	}()
	return st
}

// between is how long they were together.
func (st *stalls) between(from, to time.Duration) (sum time.Duration) {
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, one := range st.seen {
		if one.at > from && one.at-one.late < to {
			sum += one.late
		}
	}
	return sum
}

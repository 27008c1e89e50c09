// Package stall measures for how long a process did not run when it should have:
// the machine was busy, or stood still. What the kernel's timers do is measured by
// a process, which may see it later by as much. It never sees anything sooner.
package stall

import (
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// nap is how long the watcher sleeps at a time.
const nap = 5 * time.Millisecond

// Now is CLOCK_MONOTONIC, the clock of a [Watcher].
func Now() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic(err) // it is there since Linux 2.6.32
	}
	return time.Duration(ts.Nano())
}

// A Watcher sleeps a little again and again, and takes down when it wakes too late.
type Watcher struct {
	notable time.Duration
	done    chan struct{}

	mu   sync.Mutex
	seen []stall
	due  time.Duration // the end of this nap
}

type stall struct{ at, late time.Duration }

// Watch begins to watch. What is not longer than notable does not count.
func Watch(notable time.Duration) *Watcher {
	w := &Watcher{notable: notable, done: make(chan struct{}), due: Now() + nap}
	go func() {
		for {
			select {
			case <-w.done:
				return
			case <-time.After(nap):
				w.awake(Now())
			}
		}
	}()
	return w
}

func (w *Watcher) awake(now time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if late := now - w.due; late > w.notable {
		w.seen = append(w.seen, stall{now, late})
	}
	w.due = now + nap
}

// End stops to watch. What was seen stays known.
func (w *Watcher) End() { close(w.done) }

// Between is how long the stalls were together that touch this span of [Now]. One
// that goes on counts until now.
func (w *Watcher) Between(from, to time.Duration) time.Duration {
	return w.between(from, to, Now())
}

func (w *Watcher) between(from, to, now time.Duration) (sum time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	add := func(one stall) {
		if one.at > from && one.at-one.late < to {
			sum += one.late
		}
	}
	for _, one := range w.seen {
		add(one)
	}
	if late := now - w.due; late > w.notable {
		add(stall{now, late})
	}
	return sum
}

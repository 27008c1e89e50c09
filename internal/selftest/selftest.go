// Package selftest measures what package calc predicts, on the kernel it runs on:
// connections with small values are made in network namespaces of their own, one
// end is made to vanish, and what becomes of the other is compared with the
// prediction. It touches nothing else. What it needs is what [room.Apart] needs.
package selftest

import (
	"sync"
	"time"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/room"
	"github.com/tcpka/tcpka/internal/stall"
	"github.com/tcpka/tcpka/keepalive"
)

const (
	// Allowance is how much later than predicted an end may be seen, because the
	// machine may be busy. What a timer of this process was late by meanwhile is
	// added to it. Nothing is allowed on the early side.
	Allowance = 250 * time.Millisecond

	// notable is a stall that is more than the scheduler's being late now and then,
	// which is in Allowance.
	notable = 100 * time.Millisecond

	// Patience is how long a connection is watched that is predicted to live.
	Patience = 6 * time.Second

	// limit ends the whole, whatever the kernel does.
	limit = 27 * time.Second
)

// A Case is one connection and what happens to it.
type Case struct {
	Situation string // one of calc's
	Name      string // what is special about it; empty: nothing
	Settings  keepalive.Settings
	Sysctls   []Sysctl // of its namespace, beside the kernel's defaults

	play func(*stage) watched
}

// Sysctl is one below net.ipv4.
type Sysctl struct {
	Name  string
	Value int
}

// A Result is what became of a case.
type Result struct {
	Case
	Predicted calc.Prediction

	Ended    bool
	Measured time.Duration // until it ended, or for as long as it was watched
	Errno    string        // what the application got: "ETIMEDOUT"; empty is nothing
	Probes   int           // keepalive probes sent since the peer vanished; -1: not counted
	Stalled  time.Duration // for as long this process did not run when it should have

	Err error  // it could not be measured; the rest means nothing
	Why string // what is not as predicted; empty: all is
}

// Possible is nil where this process may make the namespaces that it takes, and
// else says why not; [os.ErrPermission] is the usual reason.
func Possible() error { return room.Apart(func() {}) }

// A Lab runs the cases.
type Lab struct {
	// Predict replaces what calc predicts, to see that a wrong prediction is
	// noticed. Nil changes nothing.
	Predict func(Case, calc.Prediction) calc.Prediction
}

// Run plays all cases at once and takes no more than half a minute.
func (l Lab) Run() []Result {
	cases := Cases()
	results := make([]Result, len(cases))
	deadline := stall.Now() + limit
	stalls := stall.Watch(notable)
	defer stalls.End()
	var wg sync.WaitGroup
	for i, c := range cases {
		wg.Go(func() { results[i] = l.measure(c, deadline, stalls) })
	}
	wg.Wait()
	return results
}

func (l Lab) measure(c Case, deadline time.Duration, stalls *stall.Watcher) (r Result) {
	r.Case = c
	err := room.Apart(func() {
		st := &stage{settings: c.Settings, deadline: deadline, stalls: stalls}
		defer func() {
			st.strike()
			switch e := recover().(type) {
			case nil:
			case failed:
				r.Err = e.error
			default:
				panic(e)
			}
		}()
		st.setUp(c.Sysctls)
		w := c.play(st)
		if l.Predict != nil {
			w.predicted = l.Predict(c, w.predicted)
		}
		st.watch(w, &r)
		r.Why = r.verdict()
	})
	if err != nil {
		r.Err = err
	}
	return r
}

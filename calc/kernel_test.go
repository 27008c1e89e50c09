//go:build linux

package calc_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/nstest"
)

// The calculator against the kernel it runs on. Every row has a network
// namespace of its own, and all run at once. A row joins two sockets on
// loopback, lets one of them vanish and sees what becomes of the other.

// patience is how long a row that predicts never is watched.
const patience = 6 * s

// A row is one case.
type row struct {
	name    string
	sysctls string // of its namespace, below net.ipv4: "tcp_retries2=3"
	play    func(*room) run
}

// A run is what a row has set going.
type run struct {
	predicted calc.Prediction
	from      time.Duration // when the prediction counts from, on the kernel's clock
	fd        int           // the socket that is watched, or,
	id        diagIdentity  // where it has none,
	state     uint8         // the socket that should leave this state
	probes    int           // TCPKeepAlive at the end; -1: any number
	loose     bool          // it may end sooner: only Latest counts
}

func TestPredictionsAgainstTheKernel(t *testing.T) {
	t.Parallel()
	nstest.Run(t, func(t *testing.T) {
		cases := rows()
		results := make([]result, len(cases))
		lateness := nstest.WatchLateness()
		var wg sync.WaitGroup
		for i := range cases {
			wg.Go(func() { results[i] = cases[i].measure(lateness) })
		}
		wg.Wait()
		for i, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				// Where timers are late, one may be so late that the expiry before
				// the last is the end; where this process is, what a row does between
				// two of them may come too late. A rule that is wrong is so each time.
				for range 3 {
					if !results[i].disturbed || len(results[i].wrong(lateness)) == 0 {
						break
					}
					t.Log(results[i].saw(), "and again:", results[i].wrong(lateness))
					results[i] = c.measure(lateness)
				}
				results[i].check(t, lateness)
			})
		}
	})
}

// A scheduling allowance, on the late side only: the machine that runs the tests
// may be busy. Its lateness is added.
const allowance = 250 * ms

func (r result) check(t *testing.T, lateness nstest.Lateness) {
	if r.skip != "" {
		nstest.Missing(t, r.skip)
	}
	t.Log(r.saw())
	for _, problem := range r.wrong(lateness) {
		t.Error(problem)
	}
}

func (r result) saw() string {
	p := r.predicted
	switch {
	case r.skip != "":
		return r.skip
	case r.none != "":
		return r.none
	case r.fail != "":
		return "measured nothing"
	case p.Never:
		return fmt.Sprintf("predicted never, watched for %.3f s", r.took.Seconds())
	}
	return fmt.Sprintf("predicted %.3f s, from %.3f to %.3f, measured %.3f, %s", p.Exact.Seconds(), p.Earliest.Seconds(), p.Latest.Seconds(), r.took.Seconds(), r.errno)
}

// wrong is what differs from the prediction.
func (r result) wrong(lateness nstest.Lateness) (problems []string) {
	bad := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	p := r.predicted
	switch late := allowance + lateness.Between(r.from, r.from+r.took); {
	case r.skip != "" || r.none != "":
		return nil
	case r.fail != "":
		return []string{r.fail}
	case p.Never:
		if r.ended {
			bad("it ended after %v with %s", r.took, r.errno)
		}
	case !r.ended:
		return []string{"it has not ended"}
	case r.took < p.Earliest && !r.loose:
		bad("%v too early", p.Earliest-r.took)
	case r.still > p.Latest+late:
		bad("%v too late, of which %v may be the machine's", r.still-p.Latest, late)
	}
	if !p.Never && r.errno != p.Errno {
		bad("%q, predicted %q", r.errno, p.Errno)
	}

	// TCPAbortOnTimeout counts what the kernel gave up, not what a RST ended, nor
	// a request that never became a connection.
	kills := 0
	if p.Errno == "ETIMEDOUT" || r.state == tcpFinWait1 {
		kills = 1
	}
	if r.kills != kills {
		bad("TCPAbortOnTimeout is %d, want %d", r.kills, kills)
	}
	fewer := p.Earliest < p.Exact // a late expiry may have ended it
	if r.run.probes >= 0 && r.probes != r.run.probes && !(fewer && r.probes < r.run.probes) {
		bad("TCPKeepAlive is %d, want %d", r.probes, r.run.probes)
	}
	return problems
}

func rows() []row {
	return slices.Concat(idleRows(), changedRows(), sendingRows(), liveRows())
}

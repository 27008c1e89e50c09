package middlebox

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

const (
	// ProbeConnections is how many connections a [Prober] has at a time if it is
	// not told otherwise.
	ProbeConnections = 8

	// sshConnections is all it makes to a server that greets like SSH: such a
	// server counts connections on which nobody logs in, and punishes the address
	// they come from. See sshd_config(5), MaxStartups and PerSourcePenalties.
	sshConnections = 2

	// sshSilence is the longest silence there: after two minutes sshd closes by
	// default. See sshd_config(5), LoginGraceTime.
	sshSilence = 110 * time.Second

	// maxRounds is how often the bounds are refined at most, the first round
	// included.
	maxRounds = 5

	// harvestWithin is how long answers are waited for after an interruption.
	harvestWithin = time.Second
)

// A Prober measures how long the path to a server remembers a connection on
// which nothing is said. It makes several, leaves each silent for another time,
// and then has the kernel send keepalive probes on it. Nothing else is ever
// sent, and no privilege is needed.
//
// It cannot see that a box on the path forgot a connection and took it up again,
// as it was, with the first packet: Linux does so by default where nothing but
// its connection tracking is in the way. See nf_conntrack_tcp_loose. Nor does it
// see past what ends TCP connections, such as a proxy: that answers itself.
type Prober struct {
	// To are the addresses of the server. The first that takes a connection is
	// used for all.
	To []netip.AddrPort

	// Times are how long to be silent. Where there are none they are
	// [ProbeTimes] of Max, and once the path forgets one of them, those between
	// it and the one before, until the bounds are within 2 % or a second of each
	// other, or Max is over.
	Times []time.Duration
	Max   time.Duration

	Connections int  // at a time, where Times has none; 0 is ProbeConnections
	Insist      bool // do not spare a server that greets like SSH

	// Hold leaves the silence and the probes to the far end, a [Responder].
	Hold bool

	// In runs what makes sockets, for example in another network namespace. nil
	// just runs it.
	In func(func() error) error

	// Watch, if it is not nil, is told from time to time how it goes.
	Watch func(Progress)
}

// Progress is what a [Prober] has found out so far.
type Progress struct {
	Bounds Bounds
	Round  int
	Silent int           // connections that are silent
	Left   time.Duration // until the last of this round is probed
}

// Measured is what a [Prober] found out.
type Measured struct {
	Address  netip.AddrPort
	Samples  []Sample // in the order of their rounds, and of the time wanted
	Greeting []byte   // the beginning of what the server says first; comes from outside
	SSH      bool     // it greets like SSH
	Spared   bool     // and so was not asked all that it would have been

	Interrupted bool  // before all was known
	Checked     bool  // after the path failed, a new connection worked
	Gone        error // it did not: the failure may not be the path's forgetting
}

// Run measures. When ctx ends it looks what it can still get within a second,
// and returns what it knows. It fails where there is nothing to measure: with
// the errors of connect(2), [ErrNoAnswer], [ErrSpeaks], [*HungUpError].
func (p Prober) Run(ctx context.Context) (Measured, error) {
	r := &run{Prober: p, start: clock(), interrupt: ctx.Done()}
	first, err := r.approach(p.To)
	if err != nil {
		return r.Measured, err
	}
	if p.Hold {
		r.hold(first)
		return r.Measured, nil
	}
	r.round(first, r.firstTimes())
	for range maxRounds - 1 {
		times := r.moreTimes()
		if len(times) == 0 {
			break
		}
		if r.round(nil, times); r.Gone != nil {
			break
		}
	}
	r.check()
	return r.Measured, nil
}

// run is a Prober at work.
type run struct {
	Prober
	Measured
	start     time.Duration
	interrupt <-chan struct{}
	rounds    int
}

func (r *run) interrupted() bool {
	select {
	case <-r.interrupt:
		r.Interrupted = true
	default:
	}
	return r.Interrupted
}

func (r *run) dial(to netip.AddrPort) (c *conn, err error) {
	connect := func() error {
		c, err = dial(to)
		return err
	}
	if r.In != nil {
		err = r.In(connect)
	} else {
		err = connect()
	}
	if err == nil {
		c.hold = r.Hold
	}
	return c, err
}

// approach makes the first connection, and makes itself sure that the far end
// answers on it.
func (r *run) approach(to []netip.AddrPort) (*conn, error) {
	var errs []error
	for _, at := range to {
		c, err := r.dial(at)
		if err != nil {
			errs = append(errs, fmt.Errorf("connect to %s: %w", at, err))
			continue
		}
		for c.state < ready || c.state == watching && clock()-c.began < settleFor {
			if err := poll([]*conn{c}); err != nil {
				return nil, err
			}
			c.step()
			if r.interrupted() {
				c.abandon()
				return nil, context.Canceled
			}
		}
		r.Address, r.Greeting, r.SSH = at, c.greeting, at.Port() == 22 || greetsLikeSSH(c.greeting)
		if r.Hold && c.spoke {
			c.abandon()
			return nil, fmt.Errorf("connection to %s: %w", at, ErrSpeaks)
		}
		if c.state != done {
			return c, nil
		}
		if c.since == (span{}) { // it never was connected
			errs = append(errs, fmt.Errorf("connect to %s: %w", at, c.sample.Err))
			continue
		}
		if c.sample.Err == nil { // held, and closed by the far end
			c.sample.Err = &HungUpError{}
		}
		return nil, fmt.Errorf("connection to %s: %w", at, c.sample.Err)
	}
	return nil, errors.Join(errs...)
}

// spare reports whether the server is not to be asked more than a little.
func (r *run) spare() bool { return r.SSH && !r.Insist }

func (r *run) connections() int {
	if r.Connections > 0 {
		return r.Connections
	}
	return ProbeConnections
}

func (r *run) firstTimes() []time.Duration {
	times := slices.Compact(slices.Sorted(slices.Values(r.Times)))
	if !r.spare() {
		if len(times) == 0 {
			times = ProbeTimes(r.Max, r.connections())
		}
		return times
	}
	r.Spared = true
	if len(times) == 0 {
		longest := min(r.Max, sshSilence)
		times = ProbeTimes(longest, 2)
		times[0] = max(longest/2, MinSilence)
	}
	if len(times) > sshConnections {
		times = []time.Duration{times[0], times[len(times)-1]}
	}
	return times
}

// moreTimes are those of another round; none if there is to be none.
func (r *run) moreTimes() []time.Duration {
	b, safe := BoundsOf(r.Samples), Safe(r.Samples)
	if b.Failed == 0 || len(r.Times) > 0 || r.spare() || r.Interrupted ||
		b.Failed-safe <= max(b.Failed/50, time.Second) {
		return nil
	}
	times := refine(safe, b.Failed, r.connections())
	if len(times) == 0 || clock()-r.start+times[len(times)-1] > r.Max {
		return nil
	}
	return times
}

// round has a connection silent for each of times; first, if it is not nil, for
// the longest. Once one shows that the path forgets, or that it cannot be silent
// for longer, those with longer times are given up.
func (r *run) round(first *conn, times []time.Duration) {
	r.rounds++
	var conns []*conn
	for i, t := range times {
		c := first
		if first == nil || i < len(times)-1 {
			var err error
			if c, err = r.dial(r.Address); err != nil {
				c = &conn{state: done, sample: Sample{Outcome: Unmade, Err: err}}
			}
		}
		c.sample.Wanted = t
		conns = append(conns, c)
	}
	var stop time.Duration // 0 is not yet
	r.drive(conns, func(now time.Duration) (stopped bool) {
		for _, c := range conns {
			if c.state == ready {
				c.hush(c.sample.Wanted)
			}
			if o := c.sample.Outcome; o.failed() || o == HungUp || o == Spoke {
				abandonLonger(conns, c.sample.Wanted)
			}
		}
		if stop == 0 && r.interrupted() {
			stop = now + harvestWithin
			for _, c := range conns {
				if c.state == silent && now-c.since.late > MinSilence {
					c.probe(probing)
				}
			}
		}
		return stop != 0 && (now > stop || !slices.ContainsFunc(conns, func(c *conn) bool { return c.state == probing }))
	})
	made := false
	for _, c := range conns {
		made = made || c.sample.Outcome != Unmade
	}
	if failed := BoundsOf(r.Samples).Failed != 0; failed && made {
		r.Checked = true
	} else if failed {
		r.Gone = conns[0].sample.Err
	}
	for _, c := range conns {
		r.Samples = append(r.Samples, c.sample)
	}
}

func abandonLonger(conns []*conn, wanted time.Duration) {
	for _, c := range conns {
		if c.sample.Wanted > wanted {
			c.abandon()
		}
	}
}

// drive steps conns until all are done or stopped says so.
func (r *run) drive(conns []*conn, stopped func(now time.Duration) bool) {
	for slices.ContainsFunc(conns, func(c *conn) bool { return c.state != done }) {
		if err := poll(conns); err != nil {
			r.Gone = err
			break
		}
		for _, c := range conns {
			if c.state != done {
				c.step()
			}
		}
		if stopped(clock()) {
			break
		}
		r.tell(conns)
	}
	for _, c := range conns {
		c.abandon()
	}
}

func (r *run) tell(conns []*conn) {
	if r.Watch == nil {
		return
	}
	samples, now := slices.Clone(r.Samples), clock()
	p := Progress{Round: r.rounds}
	for _, c := range conns {
		if c.state == done {
			samples = append(samples, c.sample)
			continue
		}
		p.Silent++
		left := c.sample.Wanted
		if c.state >= silent {
			left -= now - c.since.late
		}
		p.Left = max(p.Left, left)
	}
	p.Bounds = BoundsOf(samples)
	r.Watch(p)
}

// hold keeps connections for the far end to measure.
func (r *run) hold(first *conn) {
	conns := []*conn{first}
	for range r.connections() - 1 {
		c, err := r.dial(r.Address)
		if err != nil {
			c = &conn{state: done, sample: Sample{Outcome: Unmade, Err: err}}
		}
		conns = append(conns, c)
	}
	end := r.start + r.Max + (probesPerVerdict+5)*time.Second
	r.drive(conns, func(now time.Duration) bool { return now > end || r.interrupted() })
	for _, c := range conns {
		r.Samples = append(r.Samples, c.sample)
	}
}

// check finds out whether the far end can still be reached at all, after the
// path failed and nothing has shown it since.
func (r *run) check() {
	if BoundsOf(r.Samples).Failed == 0 || r.Checked || r.Gone != nil || r.spare() || r.Interrupted {
		return
	}
	c, err := r.approach([]netip.AddrPort{r.Address})
	if c != nil {
		c.abandon()
	}
	r.Checked, r.Gone = err == nil, err
	if errors.Is(err, context.Canceled) {
		r.Gone = nil
	}
}

package connections

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/change"
	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/internal/connection"
	"github.com/tcpka/tcpka/sockets"
)

// Apply changes the sockets, and looks afterwards whether they stay so.
//
// With a jitter, those that will be probed at once are left for later, and then
// changed a few at a time. To give each a slightly different time instead would
// leave them with different times for ever.
func (p *Plan) Apply(interrupted <-chan os.Signal) error {
	var later []spread
	for _, r := range p.rooms {
		var now []*tuning
		overdue := map[uint64]bool{} // connections
		for _, t := range r.changing {
			overdue[t.connection()] = overdue[t.connection()] || t.overdue()
		}
		for _, t := range r.changing {
			switch {
			case t.change.Empty(): // only its timer is to start anew
			case p.Jitter > 0 && overdue[t.connection()]:
				later = append(later, spread{r, t})
			default:
				now = append(now, t)
			}
		}
		if err := p.retune(r, now); err != nil {
			return err
		}
		if err := r.rearm(); err != nil {
			return err
		}
	}
	err := p.spread(later, interrupted)
	var shared sockets.Shared
	defer shared.Close()
	for _, r := range p.rooms {
		if r.err == nil && len(r.changing) > 0 {
			err = errors.Join(err, r.ns.Do(func() error { return lookAgain(&shared, r.sysctl, p.Listen, r.changing) }))
		}
	}
	return errors.Join(err, p.Failures())
}

// rearm starts the timers anew that run by an older time, of the sockets that have
// their values by now: nothing else is set for that but SO_KEEPALIVE, off and on.
func (r *Room) rearm() error {
	var late []*tuning
	for _, t := range r.changing {
		if t.late && (t.change.Empty() || t.result == sockets.Done) {
			late = append(late, t)
		}
	}
	if r.err != nil || len(late) == 0 {
		return nil
	}
	return r.ns.Do(func() error { return rearm(r.sysctl, late) })
}

func (p *Plan) retune(r *Room, list []*tuning) error {
	if r.err != nil || len(list) == 0 {
		return nil
	}
	q := sockets.RetuneQuery{Sysctl: r.sysctl, Listen: p.Listen}
	if err := r.ns.Do(func() error { return retune(q, list) }); err != nil {
		return err
	}
	// What was connecting may have become MPTCP: that it has no user timeout is
	// seen only now.
	var others []*tuning
	for _, t := range list {
		without := t.change
		without.UserTimeout = nil
		if t.result == sockets.Failed && errors.Is(t.err, unix.ENOPROTOOPT) && t.change.UserTimeout != nil && !without.Empty() {
			t.change = without
			r.noUTO++
			others = append(others, t)
		}
	}
	if len(others) == 0 {
		return nil
	}
	return r.ns.Do(func() error { return retune(q, others) })
}

// spread is a socket that waits for its turn.
type spread struct {
	room *Room
	*tuning
}

// connection identifies what has the values: the socket by its cookie, or the MPTCP
// connection by its inode, which its subflows share. No cookie is as high as the
// complement of an inode: they count up from 1.
func (t *tuning) connection() uint64 {
	if connection.IsMPTCP(&t.Socket) {
		return ^uint64(t.Inode)
	}
	return t.Cookie
}

// sameConnection: what is set on one is set on the other.
func (s spread) sameConnection(o spread) bool {
	return s.room == o.room && s.connection() == o.connection()
}

// joinSubflows lets those of one connection follow each other, where the first is.
func joinSubflows(list []spread) {
	type connection struct {
		room *Room
		id   uint64
	}
	first := make(map[connection]int, len(list))
	of := func(s spread) connection { return connection{s.room, s.connection()} }
	for i, s := range list {
		if _, ok := first[of(s)]; !ok {
			first[of(s)] = i
		}
	}
	slices.SortStableFunc(list, func(a, b spread) int { return first[of(a)] - first[of(b)] })
}

// The time between two rounds, and how many of them there are at most: each costs
// a walk over all sockets.
const (
	minRound  = 250 * time.Millisecond
	maxRounds = 240
)

// spread changes sockets over the time of the jitter, in an order of chance, until
// something comes from interrupted.
func (p *Plan) spread(list []spread, interrupted <-chan os.Signal) error {
	if len(list) == 0 {
		return nil
	}
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	joinSubflows(list)
	rounds := min(len(list), int(p.Jitter/minRound), maxRounds)
	progress := p.progress(len(list))
	defer progress(-1)
	start := time.Now()
	for i, done := 0, 0; i < rounds; i++ {
		timer := time.NewTimer(time.Until(start.Add(p.Jitter * time.Duration(i) / time.Duration(rounds))))
		select {
		case <-timer.C:
		case sig := <-interrupted:
			timer.Stop()
			p.stopped = true
			return fmt.Errorf("%w by %v: %d of %d sockets that were to be spread were changed", change.ErrStopped, sig, done, len(list))
		}
		upTo := max(done, len(list)*(i+1)/rounds)
		for upTo < len(list) && list[upTo].sameConnection(list[upTo-1]) {
			upTo++
		}
		for _, r := range p.rooms {
			var now []*tuning
			for _, s := range list[done:upTo] {
				if s.room == r {
					now = append(now, s.tuning)
				}
			}
			if err := p.retune(r, now); err != nil {
				return err
			}
		}
		done = upTo
		progress(done)
	}
	return nil
}

// progress returns what is to be told how many of n are done, and -1 at the end.
// On a terminal one line says it.
func (p *Plan) progress(n int) func(done int) {
	f := cmdline.Terminal(p.Stderr)
	if f == nil {
		p.Notice("%d overdue sockets are changed over %s; an interrupt leaves the rest as it is", n, p.Jitter)
		return func(int) {}
	}
	return func(done int) {
		if done < 0 {
			fmt.Fprint(f, "\r\x1b[K")
			return
		}
		fmt.Fprintf(f, "\r\x1b[K%d of %d overdue sockets over %s; Ctrl-C leaves the rest as it is", done, n, p.Jitter)
	}
}

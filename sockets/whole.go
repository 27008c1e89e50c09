package sockets

import (
	"errors"
	"time"
)

// A walk that the kernel ends and begins again in the middle of a hash bucket goes
// on by position there. Where a socket before that position is gone meanwhile, the
// next one is left out; where one has come, one comes twice. Nothing tells. So the
// walk is made again, until it brings nothing that was there during the one
// before. Source: net/ipv4/tcp_diag.c, tcp_diag_dump (before Linux 6.18
// net/ipv4/inet_diag.c, inet_diag_dump_icsk); before Linux 6.17 also
// net/ipv4/tcp_ipv4.c, bpf_iter_tcp_resume.
const (
	maxWalks      = 10  // at most, where sockets come and go all the time
	maxInterrupts = 100 // how often one may say itself that it is not whole
)

// untilWhole calls visit once for each socket of the walks. Mostly there are two,
// where sockets come and go meanwhile three.
func untilWhole(visit func(*Socket) error, walk func(n int, visit func(*Socket) error) (interrupted bool, err error)) error {
	var seen cookieSet
	var before time.Time // when the walk before this one began
	for n, clean := 1, 0; ; n++ {
		begun := time.Now()
		found, missed := false, false
		interrupted, err := walk(n, func(s *Socket) error {
			if !seen.add(s.Cookie) {
				return nil
			}
			found = true
			missed = missed || n > 1 && s.isOlderThan(time.Since(before))
			return visit(s)
		})
		if err != nil {
			return err
		}
		before = begun
		switch {
		case interrupted && n == maxInterrupts:
			return errors.New("the sockets change faster than they can be read")
		case interrupted:
			continue
		case n > 1 && !found || n >= maxWalks:
			return nil
		case missed:
			clean = 0
		case n > 1:
			clean++
		}
		// Sockets that have just come say nothing, and may come all the time. So
		// it takes two such walks.
		if clean == 2 {
			return nil
		}
	}
}

// isOlderThan reports whether it is certain that s was there so long ago. Its peer
// may have been heard of since; a listener says nothing, and few come.
func (s *Socket) isOlderThan(age time.Duration) bool {
	return s.State == Listen || s.IdleKnown && s.Idle >= age
}

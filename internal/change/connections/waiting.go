package connections

import (
	"github.com/tcpka/tcpka/internal/connection"
	"github.com/tcpka/tcpka/sockets"
)

// isWaiting reports whether a connection is in the queue of a listener: no process has
// it, so that nobody can change it. It took its values from the listener when it was
// made. Source: net/core/sock.c, sk_clone_lock.
func isWaiting(s *sockets.Socket) bool {
	return s.Inode == 0 && !connection.Closed(s) && Tunable(false).Has(s.State)
}

// queued adds those in the queues of the listeners that change to the ones that are
// waiting, whatever else the filter asks: they have no owner, and are no listeners.
func (r *Room) queued(shared *lists) error {
	ports := map[uint16]bool{}
	for _, t := range r.changing {
		if t.State == sockets.Listen && !t.change.Empty() {
			ports[t.Local.Port()] = true
		}
	}
	if len(ports) == 0 {
		return nil
	}
	q := sockets.Query{Shared: &shared.queued, Sysctl: r.sysctl, Filter: sockets.Filter{States: Tunable(false)}}
	rep, err := sockets.List(q, func(s *sockets.Socket) error {
		if isWaiting(s) && ports[s.Local.Port()] {
			r.waiting[s.Cookie] = true
		}
		return nil
	})
	return unstuck(rep, err)
}

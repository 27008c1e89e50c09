package sockets

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tcpka/tcpka/sockets/bpf"
)

// StuckError is why the sockets of a namespace are not walked with their locks: some
// process keeps one. Any user can, by a page fault during send(2) that nobody answers,
// and whoever then asks for the lock waits for as long, beyond SIGKILL: a walk of BPF
// (net/ipv4/tcp_ipv4.c, bpf_iter_tcp_seq_show), INET_DIAG_INFO (net/ipv4/tcp.c,
// tcp_get_info), getsockopt(2) and setsockopt(2). Source: net/core/sock.c, __lock_sock.
type StuckError struct {
	Sockets []Stuck // none: it is not seen which
	// Waiting is the process of a walk before, which hangs; 0 is none.
	Waiting int
}

// Stuck is a descriptor of a socket whose lock is kept.
type Stuck struct {
	Owner
	Inode uint32 // [Socket.Inode]
}

func (s Stuck) String() string {
	return fmt.Sprintf("process %d has kept the lock of the socket that is its descriptor %d for over a second", s.PID, s.FD)
}

// remedy is what releases the lock. A process that serves the FUSE its own thread waits
// for does not end by SIGKILL: the thread keeps the server's /dev/fuse open. Source:
// fs/fuse/dev.c, request_wait_answer.
func (s Stuck) remedy() string {
	return fmt.Sprintf("to end that process releases it: kill -9 %d; if it stays, it waits for FUSE: write 1 to /sys/fs/fuse/connections/N/abort, N from /proc/%d/task/*/mountinfo", s.PID, s.PID)
}

func (e *StuckError) Error() string {
	if len(e.Sockets) == 0 {
		return fmt.Sprintf("process %d, a walk before this one, waits for the lock of a socket that some process keeps; which, the descriptors do not show", e.Waiting)
	}
	var b strings.Builder
	const most = 3
	for i, s := range e.Sockets {
		switch {
		case i == most:
			fmt.Fprintf(&b, "; and %d more", len(e.Sockets)-most)
		case i < most:
			fmt.Fprintf(&b, "%s; ", s)
		}
	}
	return strings.TrimSuffix(b.String(), "; ") + ": whoever asks for the lock hangs; " + e.Sockets[0].remedy()
}

// has reports whether the socket with an inode is one of them.
func (e *StuckError) has(inode uint32) bool {
	return e != nil && slices.ContainsFunc(e.Sockets, func(s Stuck) bool { return s.Inode == inode })
}

// looks are the pauses between the looks at a socket that was found locked. A process
// that sends has the lock now and then; it is stuck if it has it at every look over a
// second, and no byte moved from one to the next. The first pause clears one that is
// only busy.
var looks = [...]time.Duration{10 * time.Millisecond, 40 * time.Millisecond, 150 * time.Millisecond, 300 * time.Millisecond, 600 * time.Millisecond}

// lookAge is how old the last look may be when a walk begins.
const lookAge = time.Second

// look reads the owners, if the last time is too long ago, and which of them keep the
// lock of their socket. It asks for no lock.
func (s *Shared) look(it *bpf.Iterators) error {
	if s.owners != nil && time.Since(s.looked) < lookAge {
		return nil
	}
	table, locked := new(ownerTable), []bpf.Owner(nil)
	err := it.EachOwner(0, func(o *bpf.Owner) {
		table.add(int(o.PID), o.Name(), o.Inode, o.FD)
		if o.Locked != 0 {
			locked = append(locked, *o)
		}
	})
	if err != nil {
		return err
	}
	table.index()
	s.owners = table
	for _, pause := range looks {
		if len(locked) == 0 {
			break
		}
		time.Sleep(pause)
		if locked, err = still(it, locked); err != nil {
			return err
		}
	}
	s.stuck, s.looked = nil, time.Now()
	for _, o := range locked {
		s.stuck = append(s.stuck, Stuck{Owner{PID: int(o.PID), FD: int(o.FD), Comm: string(o.Name())}, o.Inode})
	}
	return nil
}

// fewLooks is of how many processes each is looked at by itself.
const fewLooks = 16

// still returns those that are locked as they were.
func still(it *bpf.Iterators, locked []bpf.Owner) ([]bpf.Owner, error) {
	type descriptor struct{ pid, fd, inode uint32 }
	before, pids := map[descriptor]uint32{}, []uint32(nil)
	for _, o := range locked {
		before[descriptor{o.PID, o.FD, o.Inode}] = o.Locked
		if !slices.Contains(pids, o.PID) && len(pids) <= fewLooks {
			pids = append(pids, o.PID)
		}
	}
	var left []bpf.Owner
	keep := func(o *bpf.Owner) {
		if o.Locked != 0 && o.Locked == before[descriptor{o.PID, o.FD, o.Inode}] {
			left = append(left, *o)
		}
	}
	if len(pids) > fewLooks {
		err := it.EachOwner(0, keep)
		return left, err
	}
	for _, pid := range pids {
		if err := it.EachOwner(pid, keep); err != nil {
			return nil, err
		}
	}
	return left, nil
}

// stuckHere are those that a walk in the network namespace of the calling thread would
// come by, or that have one of the inodes; nil is none.
func (s *Shared) stuckHere(inodes map[uint32]bool) (*StuckError, error) {
	if len(s.stuck) == 0 {
		return nil, nil
	}
	here := map[uint32]bool{}
	if err := inodesHere(here); err != nil {
		return nil, err
	}
	var e StuckError
	for _, one := range s.stuck {
		if here[one.Inode] || inodes[one.Inode] {
			e.Sockets = append(e.Sockets, one)
		}
	}
	if len(e.Sockets) == 0 {
		return nil, nil
	}
	return &e, nil
}

// enter is [bpf.Enter].
func enter() (leave func(), _ *StuckError) {
	leave, waiting := bpf.Enter()
	if waiting != 0 {
		return leave, &StuckError{Waiting: waiting}
	}
	return leave, nil
}

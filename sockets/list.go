package sockets

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/sockets/bpf"
)

// Source is a reader of sockets.
type Source uint8

const (
	// Auto is BPF, or where that cannot be had Diag.
	Auto Source = iota
	// BPF sees everything. It needs CAP_BPF and CAP_PERFMON in the initial user
	// namespace, and a kernel with type information.
	BPF
	// Diag puts together what sock_diag(7), /proc and getsockopt(2) on borrowed
	// descriptors show. With CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH that is all
	// but the origin of values that equal the sysctl, and the values of sockets
	// that no process holds. Without, it is the caller's own sockets, and of the
	// others whether keepalive is on, where the timer tells.
	Diag
)

func (s Source) String() string { return [...]string{"auto", "bpf", "sock_diag"}[s] }

// Query is what to list.
type Query struct {
	// Sysctl holds the values of the namespace: they are in effect where a socket
	// has none of its own.
	Sysctl keepalive.Settings

	Filter  Filter
	Cgroups bool // fill in [Socket.Cgroup]; a filter by cgroup does, too

	Source Source     // Auto, or the one to use, whatever comes of it
	Loader bpf.Loader // Auto, or the one to use for BPF

	// Shared, where it is not nil, spares the lists of several namespaces to
	// begin anew each.
	Shared *Shared
}

// Shared is what lists of several namespaces, one after the other, have in common:
// the programs and the table of owners, which has those of all namespaces. The
// lists must have the same filter and reader. A socket that is newer than the
// first list has no owner. The zero value is ready.
type Shared struct {
	iterators *bpf.Iterators
	refused   error // why there are none
	owners    *ownerTable
	stuck     []Stuck   // of all network namespaces
	looked    time.Time // for the two before

	rings *ownerTable // what only an io_uring holds

	walked *ownerTable // by /proc
	hidden []int
}

// Close unloads the programs.
func (s *Shared) Close() error {
	if s.iterators == nil {
		return nil
	}
	return s.iterators.Close()
}

// load is [bpf.Load], once.
func (s *Shared) load(q Query) (*bpf.Iterators, error) {
	if s.iterators == nil && s.refused == nil {
		s.iterators, s.refused = bpf.Load(q.Filter.query(), q.Loader)
	}
	return s.iterators, s.refused
}

// procOwners is the function of that name, once.
func (s *Shared) procOwners() (*ownerTable, []int, error) {
	if s.walked == nil {
		table, hidden, err := procOwners("/proc")
		if err != nil {
			return nil, nil, err
		}
		s.walked, s.hidden = table, hidden
	}
	return s.walked, s.hidden, nil
}

// Report is what there is to say about a list.
type Report struct {
	Source Source // the one that was used: never Auto
	// WhyNotBPF is set where Source is Diag because BPF could not be had, or would
	// have hung: then it is Stuck.
	WhyNotBPF error
	// Stuck are sockets whose lock a process keeps; nil is none, or that nobody could
	// look: that takes BPF. Of the others there is what needs no walk: Incomplete says
	// what is not known. Who wants to change something should not.
	Stuck *StuckError
	// Incomplete is what is not known of some of the sockets that were listed, and
	// of those that were not for what is not known of them.
	Incomplete []Gap
}

// Gap is something that could not be known.
type Gap struct {
	What    string // "the owners", or Undecided
	Sockets int    // of how many sockets
	Why     string
	Owner   *Owner // the descriptor that is the reason; nil is none
	Remedy  string // what would reveal it; "" for nothing
}

// Undecided is the [Gap.What] of sockets that were left out because the filter goes
// by something that is not known of them.
const Undecided = "whether the filter wants any"

func (g Gap) String() string {
	s := fmt.Sprintf("%s of %d sockets: %s", g.What, g.Sockets, g.Why)
	if g.Sockets == 1 {
		s = fmt.Sprintf("%s of 1 socket: %s", g.What, g.Why)
	}
	if g.Remedy != "" {
		s += "; " + g.Remedy
	}
	return s
}

// List calls visit for each TCP socket in the network namespace of the calling
// thread that the filter wants, in no particular order. The socket and its
// owners are valid until visit returns. When visit returns an error, List ends
// and returns it.
//
// Owners are looked for in all processes that the caller sees, in whatever
// namespace. A socket that comes or goes meanwhile may be listed or not; one that
// stays is listed once. Nothing is kept of the sockets but 20 bytes for each
// descriptor, and another 11 to 21 for the cookie by Diag, and by BPF before Linux
// 6.17: there the walk is made at least twice.
func List(q Query, visit func(*Socket) error) (Report, error) {
	if q.Shared == nil {
		q.Shared = new(Shared)
		defer q.Shared.Close()
	}
	if q.Source == Diag {
		return listDiag(q, nil, visit)
	}
	iterators, err := q.Shared.load(q)
	if err == nil {
		return listBPF(q, iterators, visit)
	}
	if q.Source == BPF {
		return Report{Source: BPF}, err
	}
	r, errDiag := listDiag(q, nil, visit)
	r.WhyNotBPF = err
	return r, errDiag
}

// hz is how many jiffies the running kernel has in a second: the resolution of
// its coarse clocks is one. Source: kernel/time/posix-timers.c,
// posix_get_coarse_res.
func hz() (int64, error) {
	var res unix.Timespec
	if err := unix.ClockGetres(unix.CLOCK_MONOTONIC_COARSE, &res); err != nil {
		return 0, fmt.Errorf("clock_getres: %w", err)
	}
	ns := res.Nano()
	if ns <= 0 || ns > int64(time.Second) {
		return 0, errors.New("clock_getres: no resolution")
	}
	return (int64(time.Second) + ns/2) / ns, nil
}

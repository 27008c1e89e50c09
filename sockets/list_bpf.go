package sockets

import (
	"errors"
	"io"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/sockets/bpf"
)

// buffers is how many buffers of rows are read ahead, 32 KiB and 292 sockets
// each.
const buffers = 48

// listBPF reads the owners, which takes no lock and shows whether a socket's is kept,
// then the rows, and joins them by the inode. Where one is kept there are no rows.
func listBPF(q Query, it *bpf.Iterators, visit func(*Socket) error) (Report, error) {
	report := Report{Source: BPF}
	jiffies, err := hz()
	if err != nil {
		return report, err
	}
	if err := q.Shared.look(it); err != nil {
		return report, err
	}
	stuck, err := q.Shared.stuckHere(nil)
	if err != nil {
		return report, err
	}
	if stuck == nil {
		var leave func()
		leave, stuck = enter()
		defer leave()
	}
	if stuck != nil && q.Source == BPF {
		return report, stuck
	}
	if stuck != nil {
		return listDiag(q, stuck, visit)
	}
	first, err := beginWalk(it)
	if err != nil {
		return report, err
	}
	defer first.end()
	join := joiner{
		decode:  decoder{hz: jiffies, sysctl: q.Sysctl},
		table:   q.Shared.owners,
		visitor: visitor{query: &q, visit: visit},
	}
	if it.Once {
		err = first.each(join.row)
	} else {
		err = join.untilWhole(it, first)
	}
	if err != nil {
		return report, err
	}
	if join.ownerless > 0 {
		report.Incomplete = append(report.Incomplete, Gap{What: "the owners", Sockets: join.ownerless, Why: notSeen})
	}
	if n := join.leftOut[byOwners]; n > 0 {
		report.Incomplete = append(report.Incomplete, Gap{What: Undecided, Sockets: n, Why: notSeen})
	}
	if n := join.leftOut[byCgroup]; n > 0 {
		report.Incomplete = append(report.Incomplete, Gap{What: Undecided, Sockets: n, Why: join.visitor.cgroups.unknown()})
	}
	return report, nil
}

// notSeen is why a socket with a file has no owner although all were looked at.
const notSeen = "held by the kernel or an io_uring, by processes of another PID namespace, in transit, or just made"

// walk is a walk over the rows, which are read ahead.
type walk struct {
	rows  *bpf.Reader[bpf.Row]
	ahead *prefetch
}

// beginWalk begins one in the namespace of the calling thread.
func beginWalk(it *bpf.Iterators) (*walk, error) {
	rows, err := it.Rows()
	if err != nil {
		return nil, err
	}
	return &walk{rows, readAhead(rows)}, nil
}

func (w *walk) each(do func(*bpf.Row) error) error {
	for batch := range w.ahead.full {
		for i := range batch {
			if err := do(&batch[i]); err != nil {
				return err
			}
		}
		w.ahead.free <- batch[:cap(batch)]
	}
	return w.ahead.err
}

func (w *walk) end() {
	w.ahead.stop()
	w.rows.Close()
}

// joiner puts rows and owners together.
type joiner struct {
	decode    decoder
	table     *ownerTable
	visitor   visitor
	recent    recentCookies
	socket    Socket        // of the row at hand
	ownerless int           // of those that are listed
	leftOut   [unknowns]int // of those that are not, by what the filter goes by
}

func (j *joiner) row(r *bpf.Row) error {
	if !j.recent.add(r.Cookie) {
		return nil
	}
	j.decode.row(&j.socket, r)
	return j.join(&j.socket)
}

// untilWhole is for kernels whose walk may leave sockets out. The first has begun.
func (j *joiner) untilWhole(it *bpf.Iterators, first *walk) error {
	return untilWhole(j.join, func(n int, visit func(*Socket) error) (bool, error) {
		w := first
		if n > 1 {
			var err error
			if w, err = beginWalk(it); err != nil {
				return false, err
			}
			defer w.end()
		}
		return false, w.each(func(r *bpf.Row) error {
			j.decode.row(&j.socket, r)
			return visit(&j.socket)
		})
	})
}

// join passes on a socket with its owners.
func (j *joiner) join(s *Socket) error {
	if s.Owners = j.table.find(s.Owners[:0], s.Inode); s.Inode != 0 && len(s.Owners) == 0 {
		s.Owners = j.visitor.query.Shared.findIn(s.Owners, s.Inode)
	}
	listed, err := j.visitor.socket(s)
	f, ownerless := &j.visitor.query.Filter, s.Inode != 0 && len(s.Owners) == 0
	switch {
	case listed && ownerless:
		j.ownerless++
	case !listed && s.hasKeepalive() && (ownerless || len(f.Cgroups) > 0 && s.Cgroup == ""):
		j.leftOut[f.undecided(s, f.anyOwner())]++
	}
	return err
}

// visitor is what all readers do with a socket.
type visitor struct {
	query   *Query
	cgroups cgroupPaths
	visit   func(*Socket) error
}

// socket passes s on if it is wanted.
func (v *visitor) socket(s *Socket) (listed bool, err error) {
	if v.query.Cgroups || len(v.query.Filter.Cgroups) > 0 {
		s.Cgroup = v.cgroups.path(s.CgroupID)
	}
	if !v.query.Filter.Match(s) {
		return false, nil
	}
	return true, v.visit(s)
}

// prefetch reads rows in a goroutine of its own.
type prefetch struct {
	full, free chan []bpf.Row
	quit       chan struct{}
	err        error // to be read when full is closed
}

func readAhead(r *bpf.Reader[bpf.Row]) *prefetch {
	p := &prefetch{make(chan []bpf.Row, buffers), make(chan []bpf.Row, buffers), make(chan struct{}), nil}
	go func() {
		defer close(p.full)
		for made := 0; ; {
			var buf []bpf.Row
			select {
			case buf = <-p.free:
			default:
				if made < buffers {
					made++
					buf = bpf.Buffer[bpf.Row]()
					break
				}
				select {
				case buf = <-p.free:
				case <-p.quit:
					return
				}
			}
			batch, err := r.Read(buf)
			if err != nil {
				if !errors.Is(err, io.EOF) {
					p.err = err
				}
				return
			}
			select {
			case p.full <- batch:
			case <-p.quit:
				return
			}
		}
	}()
	return p
}

// stop ends the reading, and waits for it.
func (p *prefetch) stop() {
	close(p.quit)
	for range p.full {
	}
}

// decoder makes a Socket of a row.
type decoder struct {
	hz     int64
	sysctl keepalive.Settings
}

// row fills in all of s but the owners and the cgroup's path.
func (d *decoder) row(s *Socket, r *bpf.Row) {
	*s = Socket{
		State:      State(r.State),
		Local:      addrPort(r.Family, &r.Local, r.LocalPort),
		Remote:     addrPort(r.Family, &r.Remote, r.RemotePort),
		Owners:     s.Owners,
		UID:        r.UID,
		Inode:      r.Inode,
		Cookie:     r.Cookie,
		CgroupID:   r.Cgroup,
		Timer:      Timer(r.Timer),
		Unanswered: int(r.Unanswered),
	}
	if s.Timer != TimerNone {
		s.Left = d.duration(r.Expires)
	}
	if r.Flags&bpf.Full == 0 {
		if s.Timer == TimerTimeWait {
			s.Keepalive = Off // nothing is left that could send a probe
		}
		return
	}
	s.Keepalive = onOff(r.Flags&bpf.Keepalive != 0)
	s.Settings = d.sysctl
	s.ValuesKnown, s.UserTimeoutKnown = true, r.Flags&bpf.MPTCP == 0
	s.TimeFrom, s.IntvlFrom, s.ProbesFrom = FromSysctl, FromSysctl, FromSysctl
	if r.Time != 0 {
		s.Time, s.TimeFrom = d.duration(int64(r.Time)), FromSocket
	}
	if r.Intvl != 0 {
		s.Intvl, s.IntvlFrom = d.duration(int64(r.Intvl)), FromSocket
	}
	if r.Probes != 0 {
		s.Probes, s.ProbesFrom = int(r.Probes), FromSocket
	}
	if s.UserTimeoutKnown {
		s.UserTimeout = time.Duration(r.UserTimeout) * time.Millisecond
	}
	if s.State.connected() {
		s.Idle, s.IdleKnown = d.duration(int64(r.Idle)), true
		s.RTO = d.duration(int64(r.RTO))
		s.Backoff = int(r.Backoff)
		s.LastData = d.duration(int64(r.Data))
		s.Window = onOff(r.Flags&bpf.WindowClosed == 0)
	}
	s.RTOMax, s.SynRetries = d.duration(int64(r.RTOMax)), int(r.SynRetries)
	switch {
	case r.Flags&bpf.Stopped != 0:
		s.Clock = ClockStopped
	case r.Flags&bpf.Running != 0 && s.Timer == TimerProbe0:
		s.Clock, s.Spent = ClockRunning, d.duration(int64(r.Spent))
	case r.Flags&bpf.Running != 0:
		s.Clock, s.Spent = ClockRunning, time.Duration(r.Spent)*time.Millisecond
	}
}

func (d *decoder) duration(jiffies int64) time.Duration {
	return time.Duration(jiffies * int64(time.Second) / d.hz)
}

func addrPort(family uint8, addr *[16]byte, port uint16) netip.AddrPort {
	if family == unix.AF_INET6 {
		return netip.AddrPortFrom(netip.AddrFrom16(*addr), port)
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(addr[:4])), port)
}

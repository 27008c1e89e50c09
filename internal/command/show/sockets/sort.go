package sockets

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/internal/connection"
	"github.com/tcpka/tcpka/internal/nearest"
)

// order is one of the keys, or none.
type order struct {
	by       func(a, b *connection.Socket) int
	known    func(*connection.Socket) bool // nil: always; what is not known comes last
	backward bool
}

type sortKey struct {
	name  string
	by    func(a, b *connection.Socket) int
	known func(*connection.Socket) bool
}

// sortable are the keys: the names in JSON, without the unit.
func sortable() []sortKey {
	duration := func(name string, of func(*connection.Socket) (time.Duration, bool)) sortKey {
		return sortKey{name,
			func(a, b *connection.Socket) int {
				x, _ := of(a)
				y, _ := of(b)
				return cmp.Compare(x, y)
			},
			func(s *connection.Socket) bool { _, ok := of(s); return ok },
		}
	}
	owned := func(s *connection.Socket) bool { return len(s.Owners) > 0 }
	values := func(s *connection.Socket) bool { return s.ValuesKnown }
	return []sortKey{
		{"state", func(a, b *connection.Socket) int { return cmp.Compare(a.State, b.State) }, nil},
		{"local", func(a, b *connection.Socket) int { return compareEnds(a.Local, b.Local) }, nil},
		{"remote", func(a, b *connection.Socket) int { return compareEnds(a.Remote, b.Remote) }, nil},
		{"pid", func(a, b *connection.Socket) int { return cmp.Compare(a.Owners[0].PID, b.Owners[0].PID) }, owned},
		{"comm", func(a, b *connection.Socket) int { return cmp.Compare(a.Owners[0].Comm, b.Owners[0].Comm) }, owned},
		{"uid", func(a, b *connection.Socket) int { return cmp.Compare(a.UID, b.UID) }, nil},
		{"keepalive", func(a, b *connection.Socket) int { return cmp.Compare(a.Keepalive, b.Keepalive) },
			func(s *connection.Socket) bool { return s.Keepalive != connection.SwitchUnknown }},
		duration("time", func(s *connection.Socket) (time.Duration, bool) { return s.Time, s.ValuesKnown }),
		duration("intvl", func(s *connection.Socket) (time.Duration, bool) { return s.Intvl, s.ValuesKnown }),
		{"probes", func(a, b *connection.Socket) int { return cmp.Compare(a.Probes, b.Probes) }, values},
		duration("user_timeout", func(s *connection.Socket) (time.Duration, bool) { return s.UserTimeout, s.UserTimeoutKnown }),
		duration("timer", func(s *connection.Socket) (time.Duration, bool) { return s.Left, s.LeftKnown }),
		{"unanswered", func(a, b *connection.Socket) int { return cmp.Compare(a.Unanswered, b.Unanswered) }, nil},
		duration("idle", func(s *connection.Socket) (time.Duration, bool) { return s.Idle, s.IdleKnown }),
		duration("last_data", func(s *connection.Socket) (time.Duration, bool) { return s.LastData, s.IdleKnown }),
		duration("next_probe", func(s *connection.Socket) (time.Duration, bool) { return s.Next, s.NextKnown }),
		duration("detection", func(s *connection.Socket) (time.Duration, bool) { return s.Detection, s.DetectionKnown }),
		duration("dies_in", func(s *connection.Socket) (time.Duration, bool) { return s.Dies.Exact, s.Dies.Known }),
		{"port", func(a, b *connection.Socket) int {
			return cmp.Or(cmp.Compare(a.Local.Port(), b.Local.Port()), cmp.Compare(a.Remote.Port(), b.Remote.Port()))
		}, nil},
		{"netns", func(a, b *connection.Socket) int { return cmp.Compare(a.Netns, b.Netns) }, nil},
		{"cgroup", func(a, b *connection.Socket) int { return cmp.Compare(a.Cgroup, b.Cgroup) },
			func(s *connection.Socket) bool { return s.Cgroup != "" }},
		{"inode", func(a, b *connection.Socket) int { return cmp.Compare(a.Inode, b.Inode) }, nil},
		{"cookie", func(a, b *connection.Socket) int { return cmp.Compare(a.Cookie, b.Cookie) }, nil},
	}
}

func compareEnds(a, b netip.AddrPort) int { return a.Compare(b) }

func SortKeys() []string {
	var names []string
	for _, k := range sortable() {
		names = append(names, k.name)
	}
	return names
}

// headings are those of the tables that are not the name of a key, in small letters.
var headings = map[string]string{
	"program": "comm", "owners": "comm", "lost": "unanswered",
	"uto": "user_timeout", "left": "timer", "next": "next_probe", "detects": "detection", "dies in": "dies_in", "data": "last_data",
}

// orderOf reads --sort: a key, with a - in front for the other way round, as in
// ps --sort. The full names of the JSON fields do as well, and the headings.
func orderOf(c *cli.Context) (order, error) {
	text, ok := cmdline.Given(c, "sort")
	if !ok {
		return order{}, nil
	}
	return orderBy(text)
}

func orderBy(text string) (order, error) {
	name, backward := strings.CutPrefix(text, "-")
	key := strings.ReplaceAll(strings.ToLower(name), "-", "_")
	for _, unit := range []string{"_seconds", "_ms", "_probes"} {
		if short, cut := strings.CutSuffix(key, unit); cut {
			key = short
			break
		}
	}
	if k, ok := headings[key]; ok {
		key = k
	}
	for _, k := range sortable() {
		if k.name == key {
			return order{k.by, k.known, backward}, nil
		}
	}
	f := cmdline.Misuse("--sort %q: no such key", text)
	if near := nearest.Names(name, SortKeys()); len(near) > 0 {
		return order{}, f.WithHint("did you mean %s?", near[0])
	}
	return order{}, f.WithHint("the keys are %s", strings.Join(SortKeys(), ", "))
}

// compare puts a before b if it is negative.
func (o order) compare(a, b *connection.Socket) int {
	if o.known != nil {
		switch x, y := o.known(a), o.known(b); {
		case !x && !y:
			return 0
		case !x:
			return 1
		case !y:
			return -1
		}
	}
	if o.backward {
		a, b = b, a
	}
	return o.by(a, b)
}

// sorter holds all sockets back until there are no more.
type sorter struct {
	Writer
	order order
	rows  []*connection.Socket
	free  []connection.Socket // what the next rows go into
}

func (s *sorter) Socket(row *connection.Socket) error {
	if len(s.free) == 0 {
		s.free = make([]connection.Socket, 256)
	}
	s.free[0] = keep(row)
	s.rows, s.free = append(s.rows, &s.free[0]), s.free[1:]
	return nil
}

// keep is a copy that stays.
func keep(row *connection.Socket) connection.Socket {
	kept := *row
	kept.Owners = slices.Clone(row.Owners)
	return kept
}

func (s *sorter) End(end End) error {
	slices.SortStableFunc(s.rows, s.order.compare)
	for _, row := range s.rows {
		if err := s.Writer.Socket(row); err != nil {
			return err
		}
	}
	return s.Writer.End(end)
}

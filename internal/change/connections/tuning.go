package connections

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/change"
	"github.com/tcpka/tcpka/internal/connection"
	"github.com/tcpka/tcpka/internal/journal"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/sockets"
)

// tuning is a socket on its way to other values.
type tuning struct {
	sockets.Socket                  // as it was found
	change         keepalive.Change // what of it is to be another
	recorded       keepalive.Change // the same as the journal has it: an option may turn out not to be there
	late           bool             // its timer is to start anew, once it has its values

	result  sockets.Result // 0 is not tried
	err     error
	rearmed rearming
	after   sockets.Values
	back    bool // someone set it to something else soon after
}

// rearming is what became of a timer that was to start anew; 0 is not tried.
type rearming struct {
	result sockets.Result
	err    error
}

// newTuning keeps a socket that a list visits.
func newTuning(s *sockets.Socket) *tuning {
	t := &tuning{Socket: *s}
	t.Owners = slices.Clone(s.Owners)
	return t
}

// values are those that the socket had when it was found.
func (t *tuning) values() sockets.Values {
	return sockets.Values{
		Keepalive: t.Keepalive, Settings: t.Settings, UserTimeoutKnown: t.UserTimeoutKnown,
		TimeFrom: t.TimeFrom, IntvlFrom: t.IntvlFrom, ProbesFrom: t.ProbesFrom,
	}
}

// comm is the name of the program that holds the socket, by its lowest PID.
func (t *tuning) comm() *string {
	if len(t.Owners) == 0 {
		return nil
	}
	return &t.Owners[0].Comm
}

// isMPTCP is the function of that name; a connection may have become MPTCP since
// it was found.
func (t *tuning) isMPTCP() bool {
	return connection.IsMPTCP(&t.Socket) || t.tried() && !t.after.UserTimeoutKnown
}

// socketOption is one of the five as set sockets and undo name it. The numbers
// are those of setsockopt(2).
type socketOption struct {
	name   string
	value  func(sockets.Values) int
	origin func(sockets.Values) sockets.Origin
	wanted func(keepalive.Change) *int
	want   func(*keepalive.Change, int)
}

// socketOptions are the five, in the order in which they are listed.
var socketOptions = []socketOption{
	{
		"SO_KEEPALIVE",
		func(v sockets.Values) int { return bit(v.Keepalive == sockets.On) }, isOwn,
		func(c keepalive.Change) *int {
			if c.Enabled == nil {
				return nil
			}
			return new(bit(*c.Enabled))
		},
		func(c *keepalive.Change, n int) { c.Enabled = new(n != 0) },
	},
	{
		"TCP_KEEPIDLE",
		func(v sockets.Values) int { return int(v.Time / time.Second) },
		func(v sockets.Values) sockets.Origin { return v.TimeFrom },
		func(c keepalive.Change) *int { return units(c.Time, time.Second) },
		func(c *keepalive.Change, n int) { c.Time = new(time.Duration(n) * time.Second) },
	},
	{
		"TCP_KEEPINTVL",
		func(v sockets.Values) int { return int(v.Intvl / time.Second) },
		func(v sockets.Values) sockets.Origin { return v.IntvlFrom },
		func(c keepalive.Change) *int { return units(c.Intvl, time.Second) },
		func(c *keepalive.Change, n int) { c.Intvl = new(time.Duration(n) * time.Second) },
	},
	{
		"TCP_KEEPCNT",
		func(v sockets.Values) int { return v.Probes },
		func(v sockets.Values) sockets.Origin { return v.ProbesFrom },
		func(c keepalive.Change) *int { return c.Probes },
		func(c *keepalive.Change, n int) { c.Probes = &n },
	},
	{
		"TCP_USER_TIMEOUT",
		func(v sockets.Values) int { return int(v.UserTimeout.Milliseconds()) }, isOwn,
		func(c keepalive.Change) *int { return units(c.UserTimeout, time.Millisecond) },
		func(c *keepalive.Change, n int) { c.UserTimeout = new(time.Duration(n) * time.Millisecond) },
	},
}

// isOwn: no sysctl stands behind the option.
func isOwn(sockets.Values) sockets.Origin { return sockets.FromSocket }

func bit(on bool) int {
	if on {
		return 1
	}
	return 0
}

// units counts a duration in a unit; nil stays nil.
func units(d *time.Duration, unit time.Duration) *int {
	if d == nil {
		return nil
	}
	return new(int(*d / unit))
}

// differing is the part of a change that is not so already.
func (t *tuning) differing(want keepalive.Change) keepalive.Change {
	var c keepalive.Change
	now := t.values()
	for _, o := range socketOptions {
		if n := o.wanted(want); n != nil && *n != o.value(now) {
			o.want(&c, *n)
		}
	}
	return c
}

// report lists the options that change. d is when a dead peer is noticed.
func (t *tuning) report(ns string, d *change.OldNew) []change.Change {
	before := t.values()
	socket := change.SocketOption{
		Cookie: fmt.Sprintf("%#x", t.Cookie), Comm: t.comm(),
		Local: t.Local.String(), Remote: t.Remote.String(), Listening: t.State == sockets.Listen,
	}
	if len(t.Owners) > 0 {
		socket.PID = &t.Owners[0].PID
	}
	var failure *string
	if t.result != 0 && t.err != nil {
		failure = new(t.err.Error())
	}
	var changes []change.Change
	for _, o := range socketOptions {
		want := o.wanted(t.change)
		if want == nil {
			continue
		}
		option := socket
		option.Option = o.name
		if origin := o.origin(before); origin != sockets.FromUnknown {
			option.Inherited = new(origin == sockets.FromSysctl)
		}
		c := change.Change{
			Target: change.TargetSocket, Netns: &ns, Key: o.name, Detection: d, SocketOption: &option,
			Old: new(strconv.Itoa(o.value(before))), New: new(strconv.Itoa(*want)),
		}
		if c.Applied = t.applied(o); !c.Applied {
			option.Error = failure
		}
		changes = append(changes, c)
	}
	return changes
}

// record lists the same for the journal. A value of which it is not known whether
// it is the sysctl's, because it equals it, is recorded as if it were.
func (t *tuning) record(ns *journal.Netns) []journal.Change {
	t.recorded = t.change
	before := t.values()
	e := journal.Endpoint{Cookie: t.Cookie, Local: t.Local.String(), Remote: t.Remote.String()}
	if len(t.Owners) > 0 {
		e.PID, e.FD = t.Owners[0].PID, t.Owners[0].FD
	}
	if t.isMPTCP() {
		e.MPTCP = t.Inode
	}
	var changes []journal.Change
	for _, o := range socketOptions {
		if want := o.wanted(t.change); want != nil {
			changes = append(changes, journal.Change{
				Kind: journal.Socket, Netns: ns, Endpoint: &e, Key: o.name,
				Old: new(strconv.Itoa(o.value(before))), New: new(strconv.Itoa(*want)),
				Inherited: o.origin(before) != sockets.FromSocket, Unsure: o.origin(before) == sockets.FromUnknown,
			})
		}
	}
	return changes
}

// applied reports whether the socket has the new value of an option.
func (t *tuning) applied(o socketOption) bool {
	want := o.wanted(t.change)
	return want != nil && t.tried() && o.value(t.after) == *want
}

// tried reports whether options were set on the socket, or tried to.
func (t *tuning) tried() bool {
	return (t.result == sockets.Done || t.result == sockets.Failed) && t.after.Keepalive != sockets.Unknown
}

// detection is when a dead peer is noticed, before and after; nil is not known.
// It is the program that notices, as in show sockets.
func (t *tuning) detection(k calc.Kernel, mptcp *connection.Outliving) *change.OldNew {
	more := time.Duration(0)
	if t.isMPTCP() {
		var known bool
		if more, known = mptcp.Certain(t.State); !known {
			return nil
		}
	}
	was, will := t.Keepalive == sockets.On, t.Keepalive == sockets.On
	if t.change.Enabled != nil {
		will = *t.change.Enabled
	}
	d := change.Detection(k, t.Settings, t.change.Apply(t.Settings))
	if !was {
		d.Old = nil
	}
	if !will {
		d.New = nil
	}
	for _, at := range []*answer.Seconds{d.Old, d.New} {
		if at != nil {
			*at += answer.Seconds(more)
		}
	}
	return &d
}

// latest is when a dead peer is noticed by the new values at the latest; nil where that
// is never, or not known.
func (t *tuning) latest(k calc.Kernel, mptcp *connection.Outliving) *answer.Seconds {
	d := t.detection(k, mptcp)
	if d == nil || d.New == nil {
		return nil
	}
	p := k.IdlePeerGone(t.change.Apply(t.Settings))
	return new(*d.New + answer.Seconds(p.Latest-p.Exact))
}

// retune changes the sockets, in the calling thread's namespace.
func retune(q sockets.RetuneQuery, list []*tuning) error {
	targets := make([]sockets.Target, len(list))
	byCookie := make(map[uint64]*tuning, len(list))
	for i, t := range list {
		targets[i] = sockets.Target{Cookie: t.Cookie, Inode: t.Inode, Owners: t.Owners, Change: t.change}
		byCookie[t.Cookie] = t
	}
	_, err := sockets.Retune(q, targets, func(o *sockets.Outcome) error {
		t := byCookie[o.Target.Cookie]
		t.result, t.err, t.after = o.Result, o.Err, o.After
		return nil
	})
	return err
}

// rearm starts the timers of the sockets anew, in the calling thread's namespace.
func rearm(sysctl keepalive.Settings, list []*tuning) error {
	targets := make([]sockets.Target, len(list))
	byCookie := make(map[uint64]*tuning, len(list))
	for i, t := range list {
		targets[i] = sockets.Target{Cookie: t.Cookie, Inode: t.Inode, Owners: t.Owners, Rearm: true}
		byCookie[t.Cookie] = t
	}
	_, err := sockets.Retune(sockets.RetuneQuery{Sysctl: sysctl}, targets, func(o *sockets.Outcome) error {
		byCookie[o.Target.Cookie].rearmed = rearming{o.Result, o.Err}
		return nil
	})
	return err
}

// lookAgain looks whether the sockets still have what was set: a program may set its
// own values at any time, and some do as soon as they come by.
func lookAgain(shared *sockets.Shared, sysctl keepalive.Settings, listen bool, list []*tuning) error {
	done := make(map[uint64]*tuning, len(list))
	for _, t := range list {
		if t.result == sockets.Done {
			done[t.Cookie] = t
		}
	}
	q := sockets.Query{Shared: shared, Sysctl: sysctl, Filter: sockets.Filter{States: Tunable(listen)}}
	_, err := sockets.List(q, func(s *sockets.Socket) error {
		t := done[s.Cookie]
		if t == nil || !s.ValuesKnown {
			return nil
		}
		now := newTuning(s)
		for _, o := range socketOptions {
			if want, value := o.wanted(t.change), o.value(now.values()); want != nil && value != *want {
				t.back = true
				again := ""
				if value == o.value(t.values()) {
					again = " again"
				}
				t.err = fmt.Errorf("%s is %d%s: someone else set it", o.name, value, again)
			}
		}
		if t.back {
			t.after = now.values()
		}
		return nil
	})
	return err
}

// Tunable are the states in which a socket is changed, while a program holds it.
func Tunable(listen bool) sockets.States {
	states := sockets.StatesOf(sockets.Established, sockets.FinWait2, sockets.CloseWait)
	if listen {
		states |= sockets.StatesOf(sockets.Listen)
	}
	return states
}

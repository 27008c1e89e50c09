package sockets_test

import (
	"errors"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/sockets"
	"github.com/tcpka/tcpka/sockets/bpf"
)

var (
	tuneByKernel     = sockets.RetuneQuery{Way: sockets.ByBPF, Loader: bpf.ByKernel}
	tuneByLibrary    = sockets.RetuneQuery{Way: sockets.ByBPF, Loader: bpf.ByLibrary}
	tuneByDescriptor = sockets.RetuneQuery{Way: sockets.ByDescriptor}
)

// target names a socket of this process.
func target(h held, c keepalive.Change) sockets.Target {
	return sockets.Target{
		Cookie: h.cookie, Inode: h.inode, Change: c,
		Owners: []sockets.Owner{{PID: os.Getpid(), FD: h.fd}},
	}
}

// retune returns the outcomes by cookie.
func retune(t *testing.T, q sockets.RetuneQuery, targets ...sockets.Target) (map[uint64]sockets.Outcome, sockets.RetuneReport) {
	t.Helper()
	if q.Sysctl == (keepalive.Settings{}) {
		q.Sysctl = keepalive.Defaults()
	}
	outcomes := map[uint64]sockets.Outcome{}
	r, err := sockets.Retune(q, targets, func(o *sockets.Outcome) error {
		if _, twice := outcomes[o.Target.Cookie]; twice {
			t.Errorf("%v: socket %#x came twice", q.Way, o.Target.Cookie)
		}
		outcomes[o.Target.Cookie] = *o
		return nil
	})
	if err != nil {
		t.Fatalf("retune by %v: %+v", q.Way, err)
	}
	if len(outcomes) != len(targets) || r.Done+r.Gone+r.Ineligible+r.Failed != len(targets) {
		t.Errorf("%v: %d outcomes of %d targets: %+v", q.Way, len(outcomes), len(targets), r)
	}
	return outcomes, r
}

func retuneOne(t *testing.T, q sockets.RetuneQuery, target sockets.Target) sockets.Outcome {
	t.Helper()
	outcomes, _ := retune(t, q, target)
	return outcomes[target.Cookie]
}

// everyChange has all five, and different ones for each i.
func everyChange(i int) keepalive.Change {
	return keepalive.Change{
		Enabled:     new(i%3 > 0),
		Time:        new(time.Duration(1000+i) * time.Second),
		Intvl:       new(time.Duration(10+i%30000) * time.Second),
		Probes:      new(1 + i%127),
		UserTimeout: new(time.Duration(100000+i) * time.Millisecond),
	}
}

// Several hundred sockets of mixed settings, every other a target with values of
// its own: the targets have them then and nothing else has changed.

func TestRootRetuneChangesTheTargetsAndNothingElse(t *testing.T) {
	nstest.RunRoot(t, func(t *testing.T) { changesTheTargets(t, tuneByKernel, tuneByLibrary, tuneByDescriptor) })
}

func TestRetuneChangesTheTargetsAndNothingElse(t *testing.T) {
	nstest.Run(t, func(t *testing.T) { changesTheTargets(t, tuneByDescriptor) })
}

func changesTheTargets(t *testing.T, queries ...sockets.RetuneQuery) {
	all := furnish(t, 500)
	for round, q := range queries {
		q.Listen = true
		var targets []sockets.Target
		for i, h := range all {
			if i%2 == round%2 {
				continue
			}
			targets = append(targets, target(h, everyChange(round*2000+i)))
		}
		outcomes, report := retune(t, q, targets...)
		if report.Done != len(targets) || report.WhyNotBPF != nil {
			t.Fatalf("%v: %+v, want %d done", q.Way, report, len(targets))
		}
		for i, h := range all {
			now := look(t, h.fd, h.state, h.own)
			o, isTarget := outcomes[h.cookie]
			if !isTarget {
				if now != h {
					t.Errorf("%v: no target, and changed: %+v\nwas %+v", q.Way, now, h)
				}
				continue
			}
			c := o.Target.Change
			want := h
			want.settings, want.on, want.own = c.Apply(h.settings), onOff(*c.Enabled), [3]bool{true, true, true}
			now.own = want.own
			if now != want {
				t.Errorf("%v: %+v\nwant %+v", q.Way, now, want)
			}
			checkValues(t, q, o.Before, h)
			checkValues(t, q, o.After, want)
			if !o.Changed() || o.Way != q.Way || o.State != h.state {
				t.Errorf("%v: %+v", q.Way, o)
			}
			if pinned := h.own != [3]bool{true, true, true}; pinned != o.Pinned() && q.Way == sockets.ByBPF {
				t.Errorf("%v: pinned: %v, of %+v", q.Way, o.Pinned(), h)
			}
			all[i] = want
		}
	}
}

func onOff(on bool) sockets.OnOff {
	if on {
		return sockets.On
	}
	return sockets.Off
}

// checkValues compares what Retune read with what the owner sees.
func checkValues(t *testing.T, q sockets.RetuneQuery, v sockets.Values, h held) {
	t.Helper()
	if v.Keepalive != h.on || v.Settings != h.settings || v.UserTimeoutKnown != h.hasUserTimeout {
		t.Errorf("%v: values %+v, the owner's %+v", q.Way, v, h)
	}
	defaults := keepalive.Defaults()
	for i, from := range []sockets.Origin{v.TimeFrom, v.IntvlFrom, v.ProbesFrom} {
		differs := []bool{v.Time != defaults.Time, v.Intvl != defaults.Intvl, v.Probes != defaults.Probes}[i]
		switch {
		case from == sockets.FromUnknown && q.Way == sockets.ByDescriptor && !differs:
		case from == sockets.FromSocket && h.own[i]:
		case from == sockets.FromSysctl && !h.own[i]:
		default:
			t.Errorf("%v: origin of value %d is %v: %+v", q.Way, i, from, h)
		}
	}
}

func TestRetuneRefusesBeforeAnythingIsWritten(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		fd, server, err := nstest.Pair(unix.AF_INET, nil)
		if err != nil {
			t.Fatal(err)
		}
		good := target(look(t, fd, sockets.Established, [3]bool{}), everyChange(1))
		h := look(t, server, sockets.Established, [3]bool{})
		for name, bad := range map[string]sockets.Target{
			"a time of 0":                  target(h, keepalive.Change{Time: new(time.Duration(0))}),
			"a time that is too long":      target(h, keepalive.Change{Time: new(32768 * time.Second)}),
			"128 probes":                   target(h, keepalive.Change{Probes: new(128)}),
			"half a second":                target(h, keepalive.Change{Intvl: new(time.Second / 2)}),
			"a negative user timeout":      target(h, keepalive.Change{UserTimeout: new(-time.Second)}),
			"no cookie":                    {Change: everyChange(1)},
			"a socket named twice":         good,
			"a change and a rearm at once": {Cookie: h.cookie, Change: everyChange(1), Rearm: true},
		} {
			_, err := sockets.Retune(sockets.RetuneQuery{Sysctl: keepalive.Defaults()}, []sockets.Target{good, bad}, func(o *sockets.Outcome) error {
				t.Errorf("%s: %+v", name, o)
				return nil
			})
			if err == nil {
				t.Errorf("%s: no error", name)
			}
			if r := new(keepalive.RangeError); errors.As(err, &r) && r.What == "" {
				t.Errorf("%s: %v", name, err)
			}
		}
		if now := look(t, fd, sockets.Established, [3]bool{}); now.on != sockets.Off || now.settings != keepalive.Defaults() {
			t.Errorf("something was set: %+v", now)
		}
	})
}

// all are the ways to change sockets. The first three need root.
var everyWay = []sockets.RetuneQuery{tuneByKernel, tuneByLibrary, tuneByDescriptor}

// Each test of what all ways have to do runs twice, as for List.
func withEveryWay(t *testing.T, f func(t *testing.T, q sockets.RetuneQuery)) {
	nstest.RunRoot(t, func(t *testing.T) {
		for _, q := range everyWay {
			f(t, q)
		}
	})
}

func withoutPrivilege(t *testing.T, f func(t *testing.T, q sockets.RetuneQuery)) {
	nstest.Run(t, func(t *testing.T) { f(t, tuneByDescriptor) })
}

func TestRootRetuneListener(t *testing.T) { withEveryWay(t, retuneListener) }
func TestRetuneListener(t *testing.T)     { withoutPrivilege(t, retuneListener) }

// What is accepted later inherits everything.
func retuneListener(t *testing.T, q sockets.RetuneQuery) {
	fd, at := listener(t, unix.AF_INET, unix.IPPROTO_TCP)
	h := look(t, fd, sockets.Listen, [3]bool{})
	x := target(h, keepalive.Change{
		Enabled: new(true), Time: new(100 * time.Second), Intvl: new(10 * time.Second),
		Probes: new(3), UserTimeout: new(90 * time.Second),
	})
	if o := retuneOne(t, q, x); o.Result != sockets.Ineligible || o.State != sockets.Listen || o.Changed() {
		t.Errorf("%v: not asked for: %+v", q.Way, o)
	}
	if now := look(t, fd, h.state, h.own); now != h {
		t.Errorf("%v: changed: %+v", q.Way, now)
	}
	q.Listen = true
	if o := retuneOne(t, q, x); o.Result != sockets.Done || !o.Pinned() {
		t.Errorf("%v: %+v", q.Way, o)
	}
	_, accepted := pair(t, unix.AF_INET, unix.IPPROTO_TCP, fd, at)
	a := look(t, accepted, sockets.Established, [3]bool{true, true, true})
	if a.on != sockets.On || a.settings != x.Change.Apply(keepalive.Defaults()) {
		t.Errorf("%v: accepted: %+v", q.Way, a)
	}
	x.Change, x.Rearm = keepalive.Change{}, true
	if o := retuneOne(t, q, x); o.Result != sockets.Ineligible || o.Err == nil {
		t.Errorf("%v: a listener was armed anew: %+v", q.Way, o)
	}
}

func TestRootRetuneTwiceIsOnce(t *testing.T) { withEveryWay(t, retuneTwice) }
func TestRetuneTwiceIsOnce(t *testing.T)     { withoutPrivilege(t, retuneTwice) }

func retuneTwice(t *testing.T, q sockets.RetuneQuery) {
	client, _, err := nstest.Pair(unix.AF_INET, nil)
	if err != nil {
		t.Fatal(err)
	}
	x := target(look(t, client, sockets.Established, [3]bool{}), everyChange(1))
	first, again := retuneOne(t, q, x), retuneOne(t, q, x)
	if first.Result != sockets.Done || !first.Changed() || !first.Pinned() {
		t.Errorf("%v: %+v", q.Way, first)
	}
	if again.Result != sockets.Done || again.Changed() || again.Pinned() || again.Before != first.After {
		t.Errorf("%v: %+v", q.Way, again)
	}
	// What equals the sysctl may follow it, and is set all the same.
	x = target(look(t, client, sockets.Established, [3]bool{}), keepalive.Change{Probes: new(9)})
	if o := retuneOne(t, q, x); o.Result != sockets.Done || o.After.Probes != 9 || o.After.ProbesFrom != sockets.FromSocket || o.Pinned() {
		t.Errorf("%v: %+v", q.Way, o)
	}
}

func TestRootRetuneToWhatTheSysctlSays(t *testing.T) { withEveryWay(t, toWhatTheSysctlSays) }
func TestRetuneToWhatTheSysctlSays(t *testing.T)     { withoutPrivilege(t, toWhatTheSysctlSays) }

// It is a value like any other, and is the socket's own from then on.
func toWhatTheSysctlSays(t *testing.T, q sockets.RetuneQuery) {
	sysctls := func(time, intvl, probes string) {
		nstest.Sysctl(t, "net.ipv4.tcp_keepalive_time", time)
		nstest.Sysctl(t, "net.ipv4.tcp_keepalive_intvl", intvl)
		nstest.Sysctl(t, "net.ipv4.tcp_keepalive_probes", probes)
	}
	sysctls("7200", "75", "9")
	client, _, err := nstest.Pair(unix.AF_INET, nil)
	if err != nil {
		t.Fatal(err)
	}
	h := look(t, client, sockets.Established, [3]bool{})
	o := retuneOne(t, q, target(h, keepalive.Change{Time: new(2 * time.Hour), Intvl: new(75 * time.Second), Probes: new(9)}))
	if o.Result != sockets.Done || !o.Pinned() || o.After.Settings != keepalive.Defaults() {
		t.Errorf("%v: %+v", q.Way, o)
	}
	sysctls("600", "60", "5")
	if now := look(t, client, h.state, h.own); now.settings != keepalive.Defaults() {
		t.Errorf("%v: it follows the sysctls still: %+v", q.Way, now)
	}
}

func TestRootRetuneLeavesTheOthersAlone(t *testing.T) { withEveryWay(t, ineligible) }
func TestRetuneLeavesTheOthersAlone(t *testing.T)     { withoutPrivilege(t, ineligible) }

// Sockets that are on their way in or out are never changed, whoever holds them.
func ineligible(t *testing.T, q sockets.RetuneQuery) {
	fd, at := listener(t, unix.AF_INET, unix.IPPROTO_TCP)
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1); err != nil {
		t.Fatal(err)
	}
	var targets []sockets.Target
	wantState := map[uint64]sockets.State{}
	add := func(cookie uint64, state sockets.State, owners ...sockets.Owner) {
		// Off, which would leave an orphan in FIN-WAIT-2 behind for ever.
		x := sockets.Target{Cookie: cookie, Owners: owners, Change: keepalive.Change{Enabled: new(false), Time: new(time.Hour)}}
		targets = append(targets, x)
		wantState[cookie] = state
	}
	self := func(fd int) sockets.Owner { return sockets.Owner{PID: os.Getpid(), FD: fd} }
	cookie := func(fd int) uint64 {
		t.Helper()
		c, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	// Closed by its program, and the timer of the keepalive is that of its end.
	orphan, peer := pair(t, unix.AF_INET, unix.IPPROTO_TCP, fd, at)
	if err := unix.SetsockoptInt(orphan, unix.IPPROTO_TCP, unix.TCP_LINGER2, 100); err != nil {
		t.Fatal(err)
	}
	add(cookie(orphan), sockets.FinWait2)
	unix.Shutdown(orphan, unix.SHUT_WR)
	await(t, orphan, sockets.FinWait2)
	unix.Close(orphan)

	// Ended, and remembered for a minute.
	first, second := pair(t, unix.AF_INET, unix.IPPROTO_TCP, fd, at)
	add(cookie(first), sockets.TimeWait)
	unix.Close(first)
	await(t, second, sockets.CloseWait)
	unix.Close(second)

	// Connecting.
	full, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_TCP)
	if err != nil {
		t.Fatal(err)
	}
	if err := nstest.DropAll(full); err != nil {
		t.Fatal(err)
	}
	if err := unix.Connect(full, at); err != unix.EINPROGRESS {
		t.Fatal(err)
	}
	add(cookie(full), sockets.SynSent, self(full))

	// Connected and not accepted: by way of a list, as nobody has it.
	waiting, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Connect(waiting, at); err != nil {
		t.Fatal(err)
	}
	listQuery := sockets.Query{Source: sockets.Diag, Filter: sockets.Filter{States: sockets.AllStates}}
	if q.Way == sockets.ByBPF {
		listQuery = byKernel
		listQuery.Filter.States = sockets.AllStates
	}
	arrived := func() map[uint64]sockets.Socket {
		l := list(t, listQuery).sockets
		for range 5000 {
			if s := l[cookieOf(targets, 1)]; s.State == sockets.TimeWait {
				break
			}
			time.Sleep(time.Millisecond)
			l = list(t, listQuery).sockets
		}
		return l
	}
	before := arrived()
	for c, s := range before {
		if s.State == sockets.Established && s.Inode == 0 {
			add(c, sockets.Established)
		}
	}
	if len(targets) != 4 {
		t.Fatalf("%d targets", len(targets))
	}

	outcomes, report := retune(t, q, targets...)
	if report.Ineligible != len(targets) {
		t.Errorf("%v: %+v", q.Way, report)
	}
	after := list(t, listQuery).sockets
	for _, x := range targets {
		o := outcomes[x.Cookie]
		if o.Result != sockets.Ineligible || o.Err == nil || o.Changed() || o.State != wantState[x.Cookie] {
			t.Errorf("%v: want it ineligible in %v: %+v", q.Way, wantState[x.Cookie], o)
		}
		b, a := before[x.Cookie], after[x.Cookie]
		if b.Keepalive != a.Keepalive || b.Settings != a.Settings || b.Timer != a.Timer {
			t.Errorf("%v: in %v: %+v\nwas %+v", q.Way, wantState[x.Cookie], a, b)
		}
	}
	// The same ones are no better for a rearm.
	for i := range targets {
		targets[i].Change, targets[i].Rearm = keepalive.Change{}, true
	}
	if _, report := retune(t, q, targets...); report.Ineligible != len(targets) {
		t.Errorf("%v: rearm: %+v", q.Way, report)
	}
	for _, fd := range []int{peer, full, waiting, fd} {
		unix.Close(fd)
	}
}

func cookieOf(targets []sockets.Target, i int) uint64 { return targets[i].Cookie }

func TestRootRetuneWhatIsGone(t *testing.T) { withEveryWay(t, retuneGone) }
func TestRetuneWhatIsGone(t *testing.T)     { withoutPrivilege(t, retuneGone) }

// A socket that was closed is gone, even where its descriptor is another now.
func retuneGone(t *testing.T, q sockets.RetuneQuery) {
	client, server, err := nstest.Pair(unix.AF_INET, nil)
	if err != nil {
		t.Fatal(err)
	}
	was := look(t, client, sockets.Established, [3]bool{})
	stays := look(t, server, sockets.Established, [3]bool{})
	unix.SetsockoptLinger(client, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}) // with a RST: no TIME-WAIT
	unix.Close(client)
	heir, _, err := nstest.Pair(unix.AF_INET, nil)
	if err != nil {
		t.Fatal(err)
	}
	if heir != client {
		if err := unix.Dup3(heir, client, unix.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
	}
	h := look(t, client, sockets.Established, [3]bool{})
	never := target(h, everyChange(2))
	never.Cookie += 1 << 40
	outcomes, report := retune(t, q, target(was, everyChange(1)), never)
	if report.Gone != 2 {
		t.Errorf("%v: %+v: %+v", q.Way, report, outcomes)
	}
	for _, o := range outcomes {
		if o.Result != sockets.Gone || o.Err == nil || o.State != 0 || o.Way != sockets.AnyWay || o.Changed() {
			t.Errorf("%v: %+v", q.Way, o)
		}
	}
	if now := look(t, client, h.state, h.own); now != h {
		t.Errorf("%v: the heir of the descriptor was changed: %+v", q.Way, now)
	}
	if o := retuneOne(t, q, target(stays, everyChange(1))); q.Way == sockets.ByBPF && o.Result != sockets.Gone {
		t.Errorf("%v: the peer, which got a RST: %+v", q.Way, o)
	}
}

func TestRootRetuneFindsAWay(t *testing.T) {
	nstest.RunRoot(t, func(t *testing.T) {
		all := furnish(t, 60)
		var targets []sockets.Target
		for i, h := range all {
			if h.state == sockets.Established {
				targets = append(targets, target(h, everyChange(i)))
			}
		}
		ways := func(outcomes map[uint64]sockets.Outcome) map[sockets.Way]int {
			n := map[sockets.Way]int{}
			for _, o := range outcomes {
				if o.Result != sockets.Done {
					t.Errorf("%+v", o)
				}
				n[o.Way]++
			}
			return n
		}
		few, _ := retune(t, sockets.RetuneQuery{}, targets[:5]...)
		if n := ways(few); n[sockets.ByDescriptor] != 5 {
			t.Errorf("a few: %v", n)
		}
		many, _ := retune(t, sockets.RetuneQuery{}, targets...)
		if n := ways(many); n[sockets.ByBPF] != len(targets) {
			t.Errorf("many: %v", n)
		}
		// Owners that do not have them any more, or none.
		x := targets[5]
		x.Owners = []sockets.Owner{{PID: os.Getpid(), FD: 1 << 20}}
		y := targets[6]
		y.Owners = nil
		for _, x := range [][]sockets.Target{{x}, {y}, {x, y}} {
			o, _ := retune(t, sockets.RetuneQuery{}, x...)
			if n := ways(o); n[sockets.ByBPF] != len(x) {
				t.Errorf("by a stale owner: %v", n)
			}
		}
	})
}

func TestRetuneWithoutBPF(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		all := furnish(t, 60)
		var targets []sockets.Target
		for i, h := range all {
			if h.state == sockets.Established {
				targets = append(targets, target(h, everyChange(i)))
			}
		}
		_, report := retune(t, sockets.RetuneQuery{}, targets...)
		if report.Done != len(targets) || !errors.Is(report.WhyNotBPF, os.ErrPermission) {
			t.Errorf("%+v, want %d done and permission denied", report, len(targets))
		}
		_, err := sockets.Retune(sockets.RetuneQuery{Way: sockets.ByBPF}, targets, func(*sockets.Outcome) error { return nil })
		if !errors.Is(err, os.ErrPermission) {
			t.Errorf("by force: %v", err)
		}
	})
}

func TestRetuneEndsWithTheVisitor(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		client, server, err := nstest.Pair(unix.AF_INET, nil)
		if err != nil {
			t.Fatal(err)
		}
		a, b := look(t, client, sockets.Established, [3]bool{}), look(t, server, sockets.Established, [3]bool{})
		enough := errors.New("enough")
		n := 0
		_, err = sockets.Retune(tuneByDescriptor, []sockets.Target{target(a, everyChange(1)), target(b, everyChange(1))}, func(*sockets.Outcome) error {
			n++
			return enough
		})
		if err != enough || n != 1 {
			t.Errorf("%v after %d", err, n)
		}
		if now := look(t, server, b.state, b.own); now != b {
			t.Errorf("changed after the end: %+v", now)
		}
		if r, err := sockets.Retune(sockets.RetuneQuery{}, nil, nil); err != nil || r != (sockets.RetuneReport{}) {
			t.Errorf("no targets: %+v, %v", r, err)
		}
	})
}

func TestRootRetuneMPTCP(t *testing.T) {
	t.Parallel()
	withEveryWay(t, retuneMPTCP)
}

func TestRetuneMPTCP(t *testing.T) { withoutPrivilege(t, retuneMPTCP) }

// The target is a subflow, the descriptor the MPTCP socket: only what is set on
// that is there for its program.
func retuneMPTCP(t *testing.T, q sockets.RetuneQuery) {
	if fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_MPTCP); err != nil {
		nstest.Missing(t, "the kernel has no MPTCP: "+err.Error())
	} else {
		unix.Close(fd)
	}
	fd, at := listener(t, unix.AF_INET, unix.IPPROTO_MPTCP)
	client, server := pair(t, unix.AF_INET, unix.IPPROTO_MPTCP, fd, at)
	plain, fallen := pair(t, unix.AF_INET, unix.IPPROTO_TCP, fd, at)
	subflow := func(h held) sockets.Socket {
		t.Helper()
		for _, s := range list(t, byDiag).sockets {
			if s.Inode == h.inode {
				return s
			}
		}
		t.Fatalf("no subflow of %+v", h)
		return sockets.Socket{}
	}
	change := keepalive.Change{Enabled: new(true), Time: new(100 * time.Second), Intvl: new(10 * time.Second), Probes: new(3)}
	for _, end := range []int{client, server} {
		h := look(t, end, sockets.Established, [3]bool{})
		x := target(h, change)
		x.Cookie = subflow(h).Cookie
		if !h.mptcp || x.Cookie == h.cookie {
			t.Fatalf("no MPTCP: %+v", h)
		}
		if q.Way == sockets.ByBPF {
			if o := retuneOne(t, q, x); o.Result != sockets.Failed || o.Err == nil || o.Changed() {
				t.Errorf("%v, by force: %+v", q.Way, o)
			}
			if s := subflow(h); s.Settings != keepalive.Defaults() || s.Keepalive != sockets.Off {
				t.Errorf("%v changed the subflow: %+v", q.Way, s)
			}
		}
		for _, way := range []sockets.Way{sockets.AnyWay, sockets.ByDescriptor} {
			timed := x
			timed.Change.UserTimeout = new(time.Minute)
			o := retuneOne(t, sockets.RetuneQuery{Way: way, Loader: q.Loader}, timed)
			refused := new(sockets.OptionError)
			if !errors.As(o.Err, &refused) || refused.Option != "TCP_USER_TIMEOUT" || !errors.Is(o.Err, unix.ENOPROTOOPT) || o.Changed() {
				t.Errorf("%v: a user timeout: %+v", way, o)
			}
			if now := look(t, end, h.state, h.own); now != h {
				t.Errorf("%v: changed: %+v", way, now)
			}
		}
		// Among so many others that BPF is the first choice.
		targets := []sockets.Target{x}
		for range fewTargets {
			targets = append(targets, sockets.Target{Cookie: x.Cookie + uint64(len(targets))<<40, Change: change})
		}
		outcomes, report := retune(t, sockets.RetuneQuery{Loader: q.Loader}, targets...)
		o := outcomes[x.Cookie]
		if report.Done != 1 || report.Gone != fewTargets || o.Way != sockets.ByDescriptor || o.Before.UserTimeoutKnown {
			t.Errorf("%v: %+v, %+v", q.Way, report, o)
		}
		now := look(t, end, h.state, h.own)
		if s := subflow(h); now.settings != change.Apply(keepalive.Defaults()) || now.on != sockets.On ||
			s.Settings != now.settings || s.Keepalive != sockets.On || o.After.Settings != now.settings {
			t.Errorf("%v: %+v\nsubflow %+v\noutcome %+v", q.Way, now, s, o)
		}
		x.Change, x.Rearm = keepalive.Change{}, true
		if o := retuneOne(t, sockets.RetuneQuery{}, x); o.Result != sockets.Done || o.Changed() {
			t.Errorf("rearm: %+v", o)
		}
		// Without the inode there is no telling that it is the subflow's.
		x.Inode = 0
		if o := retuneOne(t, tuneByDescriptor, x); o.Result != sockets.Failed {
			t.Errorf("without the inode: %+v", o)
		}
	}
	// What came to an MPTCP listener without MPTCP is a socket like any other.
	for _, end := range []int{plain, fallen} {
		h := look(t, end, sockets.Established, [3]bool{})
		x := target(h, change)
		x.Change.UserTimeout = new(time.Minute)
		if o := retuneOne(t, q, x); o.Result != sockets.Done || o.Way != q.Way {
			t.Errorf("%v: without MPTCP: %+v", q.Way, o)
		}
	}
}

func TestRootRetuneMPTCPListener(t *testing.T) { withEveryWay(t, retuneMPTCPListener) }
func TestRetuneMPTCPListener(t *testing.T)     { withoutPrivilege(t, retuneMPTCPListener) }

// A Go server listens so, if its kernel can: mostly for clients that cannot.
func retuneMPTCPListener(t *testing.T, q sockets.RetuneQuery) {
	if q.Way == sockets.ByBPF {
		q.Way = sockets.AnyWay
	}
	q.Listen = true
	if fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_MPTCP); err != nil {
		nstest.Missing(t, "the kernel has no MPTCP: "+err.Error())
	} else {
		unix.Close(fd)
	}
	fd, at := listener(t, unix.AF_INET, unix.IPPROTO_MPTCP)
	h := look(t, fd, sockets.Listen, [3]bool{})
	x := target(h, keepalive.Change{Enabled: new(true), Time: new(100 * time.Second), Intvl: new(10 * time.Second), Probes: new(3)})
	all := sockets.Query{Source: sockets.Diag, Filter: sockets.Filter{States: sockets.AllStates}}
	for _, s := range list(t, all).sockets {
		if s.Inode == h.inode {
			x.Cookie = s.Cookie
		}
	}
	if x.Cookie == h.cookie {
		t.Fatalf("no MPTCP: %+v", h)
	}
	targets := []sockets.Target{x}
	for range fewTargets {
		targets = append(targets, sockets.Target{Cookie: x.Cookie + uint64(len(targets))<<40, Change: x.Change})
	}
	outcomes, _ := retune(t, q, targets...)
	if o := outcomes[x.Cookie]; o.Result != sockets.Done || o.Way != sockets.ByDescriptor || o.State != sockets.Listen {
		t.Errorf("%v: %+v", q.Way, o)
	}
	want := x.Change.Apply(keepalive.Defaults())
	if now := look(t, fd, h.state, h.own); now.settings != want || now.on != sockets.On {
		t.Errorf("%v: %+v", q.Way, now)
	}
	for _, protocol := range []int{unix.IPPROTO_TCP, unix.IPPROTO_MPTCP} {
		_, accepted := pair(t, unix.AF_INET, protocol, fd, at)
		a := look(t, accepted, sockets.Established, [3]bool{})
		if a.mptcp != (protocol == unix.IPPROTO_MPTCP) || a.settings != want || a.on != sockets.On {
			t.Errorf("%v: accepted by protocol %d: %+v", q.Way, protocol, a)
		}
	}
}

const fewTargets = 20 // more than Retune calls few

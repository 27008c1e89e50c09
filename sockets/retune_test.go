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
			if h.state == sockets.FinWait2 || i%2 == round%2 {
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

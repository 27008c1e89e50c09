package sockets

import (
	"errors"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/sockets/bpf"
)

// Retune lets nothing through that the kernel would refuse, so these tests go
// round its check.

func TestRootRefusedOptionIsUndone(t *testing.T) {
	nstest.RunRoot(t, func(t *testing.T) {
		refusedOption(t, RetuneQuery{Way: ByBPF, Loader: bpf.ByKernel})
		refusedOption(t, RetuneQuery{Way: ByBPF, Loader: bpf.ByLibrary})
		refusedOption(t, RetuneQuery{Way: ByDescriptor})
	})
}

func TestRefusedOptionIsUndone(t *testing.T) {
	nstest.Run(t, func(t *testing.T) { refusedOption(t, RetuneQuery{Way: ByDescriptor}) })
}

func refusedOption(t *testing.T, q RetuneQuery) {
	const tooLong = 40000 * time.Second
	sysctl := keepalive.Settings{Time: 2 * time.Hour, Intvl: 75 * time.Second, Probes: 9}
	nstest.Sysctl(t, "net.ipv4.tcp_keepalive_intvl", "75")
	change := keepalive.Change{
		Enabled: new(true), Intvl: new(10 * time.Second), Probes: new(3),
		UserTimeout: new(time.Minute), Time: new(tooLong),
	}
	own := map[int]int{unix.TCP_KEEPIDLE: 100, unix.TCP_KEEPINTVL: 20, unix.TCP_KEEPCNT: 5, unix.TCP_USER_TIMEOUT: 1234}
	ownValues := keepalive.Settings{Time: 100 * time.Second, Intvl: 20 * time.Second, Probes: 5, UserTimeout: 1234 * time.Millisecond}
	for _, row := range []struct {
		name   string
		own    map[int]int
		on     bool
		change keepalive.Change
		intvl  string // the sysctl
		option string
		want   keepalive.Settings
		pinned bool
	}{
		{"values of its own come back", own, false, change, "75", "TCP_KEEPIDLE", ownValues, false},
		{"on, they come back too", own, true, change, "75", "TCP_KEEPIDLE", ownValues, false},
		{
			"what was switched off is on again", own, true,
			keepalive.Change{Enabled: new(false), Time: new(tooLong)}, "75", "TCP_KEEPIDLE", ownValues, false,
		},
		{
			"the first that is refused ends it", own, true,
			keepalive.Change{Intvl: new(tooLong), Probes: new(200), Time: new(time.Second)}, "75", "TCP_KEEPINTVL", ownValues, false,
		},
		{
			"the second does", own, true,
			keepalive.Change{Intvl: new(time.Second), Probes: new(200), Time: new(time.Second)}, "75", "TCP_KEEPCNT", ownValues, false,
		},
		{"what followed the sysctl has its value and does not follow it any more", nil, true, change, "75", "TCP_KEEPIDLE", sysctl, true},
		{
			"what the option cannot hold does not come back, and is shown", nil, false, change, "100000", "TCP_KEEPIDLE",
			keepalive.Settings{Time: 2 * time.Hour, Intvl: 10 * time.Second, Probes: 9}, true,
		},
	} {
		nstest.Sysctl(t, "net.ipv4.tcp_keepalive_intvl", row.intvl)
		q.Sysctl = sysctl
		if row.intvl == "100000" {
			q.Sysctl.Intvl = 100000 * time.Second
		}
		fd, _, err := nstest.Pair(unix.AF_INET, nil)
		if err != nil {
			t.Fatal(err)
		}
		for option, v := range row.own {
			if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, option, v); err != nil {
				t.Fatal(err)
			}
		}
		if row.on {
			if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1); err != nil {
				t.Fatal(err)
			}
		}
		cookie, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
		if err != nil {
			t.Fatal(err)
		}
		target := Target{Cookie: cookie, Change: row.change, Owners: []Owner{{PID: os.Getpid(), FD: fd}}}
		var o Outcome
		report, err := retune(q, []Target{target}, func(got *Outcome) error { o = *got; return nil })
		if err != nil || report.Failed != 1 {
			t.Errorf("%v: %s: %+v, %v", q.Way, row.name, report, err)
		}
		refused := new(OptionError)
		if !errors.As(o.Err, &refused) || refused.Option != row.option || !errors.Is(o.Err, unix.EINVAL) || o.Result != Failed {
			t.Errorf("%v: %s: %v, want EINVAL from %s", q.Way, row.name, o.Err, row.option)
		}
		on, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE)
		if err != nil || (on != 0) != row.on || o.After.Keepalive != onOff(row.on) {
			t.Errorf("%v: %s: on is %d, after: %v", q.Way, row.name, on, o.After.Keepalive)
		}
		there := keepalive.Settings{}
		for option, put := range map[int]func(int){
			unix.TCP_KEEPIDLE:     func(n int) { there.Time = time.Duration(n) * time.Second },
			unix.TCP_KEEPINTVL:    func(n int) { there.Intvl = time.Duration(n) * time.Second },
			unix.TCP_KEEPCNT:      func(n int) { there.Probes = n },
			unix.TCP_USER_TIMEOUT: func(n int) { there.UserTimeout = time.Duration(n) * time.Millisecond },
		} {
			n, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, option)
			if err != nil {
				t.Fatal(err)
			}
			put(n)
		}
		if there != row.want || o.After.Settings != row.want || o.Pinned() != row.pinned {
			t.Errorf("%v: %s:\n got %+v\nwant %+v\nsaid %+v, pinned %v", q.Way, row.name, there, row.want, o.After, o.Pinned())
		}
		if o.Changed() != row.pinned {
			t.Errorf("%v: %s: changed: %v", q.Way, row.name, o.Changed())
		}
	}
}

func TestDifferenceLeadsBack(t *testing.T) {
	v := Values{Keepalive: On, UserTimeoutKnown: true, Settings: keepalive.Settings{Time: time.Hour, Intvl: time.Minute, Probes: 5, UserTimeout: time.Second}}
	if c := difference(v, v); !c.Empty() {
		t.Errorf("none: %+v", c)
	}
	w := Values{Keepalive: Off, UserTimeoutKnown: true, Settings: keepalive.Settings{Time: 2 * time.Hour, Intvl: time.Second, Probes: 9}}
	c := difference(v, w)
	if got := c.Apply(v.Settings); got != w.Settings || *c.Enabled {
		t.Errorf("%+v, %+v", got, c)
	}
	// The sysctls can hold what the options cannot.
	w.Settings = keepalive.Settings{Time: -time.Second, Intvl: 40000 * time.Second, Probes: 0, UserTimeout: time.Second}
	if c := difference(v, w); c.Time != nil || c.Intvl != nil || c.Probes != nil || c.UserTimeout != nil {
		t.Errorf("%+v", c)
	}
}

package sockets_test

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/sockets"
)

// probes is how many keepalive probes this namespace has sent.
func probes(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/thread-self/net/netstat")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(b), "\n")
	for i := 0; i+1 < len(lines); i += 2 {
		values := strings.Fields(lines[i+1])
		for j, name := range strings.Fields(lines[i]) {
			if name == "TCPKeepAlive" {
				n, err := strconv.Atoi(values[j])
				if err != nil {
					t.Fatal(err)
				}
				return n
			}
		}
	}
	t.Fatal("no counter TCPKeepAlive")
	return 0
}

// left is how long the keepalive timer of a socket still runs.
func left(t *testing.T, h held) time.Duration {
	t.Helper()
	s := list(t, byDiag).sockets[h.cookie]
	if s.Timer != sockets.TimerKeepalive {
		t.Errorf("no keepalive timer: %+v", s)
	}
	return s.Left
}

func TestRootRearm(t *testing.T) { withEveryWay(t, rearm) }
func TestRearm(t *testing.T)     { withoutPrivilege(t, rearm) }

// A sysctl that was lowered does not reach a timer that runs, until it is armed
// anew. The socket follows the sysctl afterwards as before.
func rearm(t *testing.T, q sockets.RetuneQuery) {
	nstest.Sysctl(t, "net.ipv4.tcp_keepalive_time", "7200")
	connect := func(on bool) held {
		fd, _, err := nstest.Pair(unix.AF_INET, func(fd int) error {
			if !on {
				return nil
			}
			return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
		})
		if err != nil {
			t.Fatal(err)
		}
		return look(t, fd, sockets.Established, [3]bool{})
	}
	follows, off, other := connect(true), connect(false), connect(true)
	nstest.Sysctl(t, "net.ipv4.tcp_keepalive_time", "600")
	if l := left(t, follows); l < 7000*time.Second {
		t.Fatalf("%v: the sysctl alone moved the timer: %v", q.Way, l)
	}
	q.Sysctl = keepalive.Defaults()
	q.Sysctl.Time = 600 * time.Second

	x, y := target(follows, keepalive.Change{}), target(off, keepalive.Change{})
	x.Rearm, y.Rearm = true, true
	outcomes, _ := retune(t, q, x, y)
	o := outcomes[x.Cookie]
	if o.Result != sockets.Done || o.Err != nil || o.Changed() || o.Pinned() || o.After.Time != 600*time.Second || o.After.TimeFrom == sockets.FromSocket {
		t.Errorf("%v: %+v", q.Way, o)
	}
	if o := outcomes[y.Cookie]; o.Result != sockets.Ineligible || o.Err == nil || o.Changed() || o.Before.Keepalive != sockets.Off {
		t.Errorf("%v: off: %+v", q.Way, o)
	}
	if l := left(t, follows); l > 600*time.Second || l < 0 {
		t.Errorf("%v: not armed anew: %v", q.Way, l)
	}
	if l := left(t, other); l < 7000*time.Second {
		t.Errorf("%v: another was armed anew: %v", q.Way, l)
	}
	if now := look(t, off.fd, off.state, off.own); now.on != sockets.Off {
		t.Errorf("%v: switched on: %+v", q.Way, now)
	}
	// It follows the sysctl still.
	nstest.Sysctl(t, "net.ipv4.tcp_keepalive_time", "500")
	if now := look(t, follows.fd, follows.state, follows.own); now.settings.Time != 500*time.Second || now.on != sockets.On {
		t.Errorf("%v: pinned: %+v", q.Way, now)
	}
	if q.Way == sockets.ByBPF {
		listed := list(t, byKernel).sockets
		if s := listed[x.Cookie]; s.TimeFrom != sockets.FromSysctl || s.IntvlFrom != sockets.FromSysctl || s.ProbesFrom != sockets.FromSysctl {
			t.Errorf("pinned: %+v", s)
		}
	}
}

func TestRootRetuneOverdue(t *testing.T) {
	t.Parallel()
	withEveryWay(t, overdue)
}
func TestRetuneOverdue(t *testing.T) {
	t.Parallel()
	withoutPrivilege(t, overdue)
}

// A time that is shorter than the silence lets a socket that is on probe at once;
// one that is switched on waits a full time first.
func overdue(t *testing.T, q sockets.RetuneQuery) {
	const n = 20
	var on, off []held
	for i := range 2 * n {
		fd, _, err := nstest.Pair(unix.AF_INET, func(fd int) error {
			return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1-i%2)
		})
		if err != nil {
			t.Fatal(err)
		}
		if h := look(t, fd, sockets.Established, [3]bool{}); h.on == sockets.On {
			on = append(on, h)
		} else {
			off = append(off, h)
		}
	}
	for _, h := range append(on, off...) { // until all are silent for more than 2 s
		for {
			info, err := unix.GetsockoptTCPInfo(h.fd, unix.IPPROTO_TCP, unix.TCP_INFO)
			if err != nil {
				t.Fatal(err)
			}
			if min(info.Last_data_recv, info.Last_ack_recv) > 2000 {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	before := probes(t)
	var targets []sockets.Target
	for _, h := range off {
		targets = append(targets, target(h, keepalive.Change{Enabled: new(true), Time: new(time.Hour), Intvl: new(time.Hour)}))
	}
	if _, r := retune(t, q, targets...); r.Done != n {
		t.Errorf("%v: %+v", q.Way, r)
	}
	listed := list(t, byDiag).sockets
	for _, h := range off {
		// From now, not from the last segment: that was two seconds before.
		if s := listed[h.cookie]; s.Timer != sockets.TimerKeepalive || s.Left > time.Hour || s.Left+s.Idle < time.Hour+time.Second {
			t.Errorf("%v: switched on, the timer: %+v", q.Way, s)
		}
	}
	targets = targets[:0]
	for _, h := range on {
		targets = append(targets, target(h, keepalive.Change{Time: new(time.Second), Intvl: new(time.Hour)}))
	}
	if _, r := retune(t, q, targets...); r.Done != n {
		t.Errorf("%v: %+v", q.Way, r)
	}
	for range 10000 {
		if probes(t)-before >= n {
			break
		}
		time.Sleep(time.Millisecond)
	}
	// And no more: the next are an hour away.
	if sent := probes(t) - before; sent != n {
		t.Errorf("%v: %d probes, want %d", q.Way, sent, n)
	}
	for _, h := range append(on, off...) {
		unix.Close(h.fd)
	}
}

func TestRootRetuneWhileProbing(t *testing.T) {
	t.Parallel()
	withEveryWay(t, whileProbing)
}
func TestRetuneWhileProbing(t *testing.T) {
	t.Parallel()
	withoutPrivilege(t, whileProbing)
}

// A time that is there already is not set again: the kernel would probe at once,
// and once more each time.
func whileProbing(t *testing.T, q sockets.RetuneQuery) {
	fd, deaf, err := nstest.Pair(unix.AF_INET, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := nstest.DropAll(deaf); err != nil {
		t.Fatal(err)
	}
	h := look(t, fd, sockets.Established, [3]bool{})
	x := target(h, keepalive.Change{Enabled: new(true), Time: new(time.Second), Intvl: new(time.Hour), Probes: new(100)})
	if o := retuneOne(t, q, x); o.Result != sockets.Done {
		t.Fatalf("%v: %+v", q.Way, o)
	}
	probed := func() sockets.Socket { return list(t, byDiag).sockets[h.cookie] }
	for range 5000 {
		if probed().Unanswered > 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	for range 3 {
		if o := retuneOne(t, q, x); o.Result != sockets.Done || o.Changed() {
			t.Errorf("%v: %+v", q.Way, o)
		}
	}
	if s := probed(); s.Unanswered != 1 || s.Left < 50*time.Minute {
		t.Errorf("%v: %d probes, the next in %v", q.Way, s.Unanswered, s.Left)
	}
	unix.Close(fd)
}

func TestRootRetuneOff(t *testing.T) {
	t.Parallel()
	withEveryWay(t, switchOff)
}
func TestRetuneOff(t *testing.T) {
	t.Parallel()
	withoutPrivilege(t, switchOff)
}

// Off comes first: a time that is overdue sends nothing then.
func switchOff(t *testing.T, q sockets.RetuneQuery) {
	fd, _, err := nstest.Pair(unix.AF_INET, func(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1) })
	if err != nil {
		t.Fatal(err)
	}
	h := look(t, fd, sockets.Established, [3]bool{})
	for {
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			t.Fatal(err)
		}
		if min(info.Last_data_recv, info.Last_ack_recv) > 1500 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	before := probes(t)
	x := target(h, keepalive.Change{Enabled: new(false), Time: new(time.Second)})
	o := retuneOne(t, q, x)
	now := look(t, fd, h.state, h.own)
	if o.Result != sockets.Done || o.After.Keepalive != sockets.Off || now.on != sockets.Off || now.settings.Time != time.Second {
		t.Errorf("%v: %+v, %+v", q.Way, o, now)
	}
	if s := list(t, byDiag).sockets[h.cookie]; s.Timer != sockets.TimerNone {
		t.Errorf("%v: a timer runs: %+v", q.Way, s)
	}
	if n := probes(t) - before; n != 0 {
		t.Errorf("%v: %d probes", q.Way, n)
	}
}

func TestRootRetuneWhileSocketsComeAndGo(t *testing.T) {
	t.Parallel()
	withEveryWay(t, retuneWhileSocketsComeAndGo)
}

func TestRetuneWhileSocketsComeAndGo(t *testing.T) {
	t.Parallel()
	withoutPrivilege(t, retuneWhileSocketsComeAndGo)
}

// Connections are made and closed beside the targets, and some targets too: each
// of those that stay is changed, and of the others none is mistaken.
func retuneWhileSocketsComeAndGo(t *testing.T, q sockets.RetuneQuery) {
	fd, at := listener(t, unix.AF_INET, unix.IPPROTO_TCP)
	var stay []held
	for range 200 {
		client, server := pair(t, unix.AF_INET, unix.IPPROTO_TCP, fd, at)
		stay = append(stay, look(t, client, sockets.Established, [3]bool{}), look(t, server, sockets.Established, [3]bool{}))
	}
	stop := make(chan struct{})
	var churn sync.WaitGroup
	churn.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			c, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				continue
			}
			unix.SetsockoptLinger(c, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
			if unix.Connect(c, at) == nil {
				if s, _, err := unix.Accept4(fd, unix.SOCK_CLOEXEC); err == nil {
					unix.Close(s)
				}
			}
			unix.Close(c)
		}
	})
	total := sockets.RetuneReport{}
	for round := range 10 {
		var targets []sockets.Target
		var asked []keepalive.Change
		for i, h := range stay {
			asked = append(asked, everyChange(round*1000+i))
			targets = append(targets, target(h, asked[i]))
		}
		var leaving []held
		for range 50 {
			client, _, err := nstest.Pair(unix.AF_INET, nil)
			if err != nil {
				t.Fatal(err)
			}
			leaving = append(leaving, look(t, client, sockets.Established, [3]bool{}))
		}
		for i, h := range leaving { // among the others
			targets[i*5], targets = target(h, everyChange(1)), append(targets, targets[i*5])
		}
		churn.Go(func() {
			for _, h := range leaving {
				time.Sleep(200 * time.Microsecond)
				unix.SetsockoptLinger(h.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
				unix.Close(h.fd)
			}
		})
		outcomes, report := retune(t, q, targets...)
		if report.Failed > 0 {
			// The way by descriptor cannot tell one that is being closed
			// from one that somebody else has now; BPF can.
			for _, o := range outcomes {
				if o.Result == sockets.Failed && (q.Way == sockets.ByBPF || o.Err == nil) {
					t.Errorf("%v: %+v", q.Way, o)
				}
			}
		}
		total.Done, total.Gone = total.Done+report.Done, total.Gone+report.Gone
		for i, h := range stay {
			c, now := asked[i], look(t, h.fd, h.state, h.own)
			if o := outcomes[h.cookie]; o.Result != sockets.Done || now.settings != c.Apply(h.settings) || now.on != onOff(*c.Enabled) || o.After.Settings != now.settings {
				t.Fatalf("%v: %+v\n%+v", q.Way, o, now)
			}
		}
	}
	close(stop)
	churn.Wait()
	if total.Done < 10*len(stay) {
		t.Errorf("%v: %+v", q.Way, total)
	}
	t.Logf("%v: %+v", q.Way, total)
	for _, h := range stay {
		unix.Close(h.fd)
	}
	unix.Close(fd)
}

//go:build linux

package main

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/internal/stall"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/procfs"
	"github.com/tcpka/tcpka/sockets"
)

// TestRootServers changes the connections of servers that run: it looks at what
// they hold, with ss too, and cuts a client off to see when the server notices.
// The server must not be started again, nor a connection be lost.
func TestRootServers(t *testing.T) {
	nstest.Parallel(t)
	for _, s := range servers {
		t.Run(s.name, func(t *testing.T) {
			nstest.Parallel(t)
			nstest.RunRoot(t, func(t *testing.T) {
				furnish(t)
				users(t)
				s.test(t)
			})
		})
	}
}

const fast, slow = "2 1 2", "77 7 7" // time, intvl, probes

func (s server) test(t *testing.T) {
	ss := nstest.Program(t, "ss")
	s.start(t, directory(t))

	one := s.dial(t, s.port)
	one.ask(t)
	before := s.accepted(t, one.port(t))
	if got := keepaliveOf(before); got != s.unchanged {
		t.Fatalf("before: %s, want %s", got, s.unchanged)
	}

	retuned(t, "--local", s.address(), "--time", "2", "--intvl", "1", "--probes", "2", "--on")
	after := s.accepted(t, one.port(t))
	if got := keepaliveOf(after); got != fast {
		t.Errorf("after: %s, want %s", got, fast)
	}
	if before.Cookie != after.Cookie || fmt.Sprint(before.Owners) != fmt.Sprint(after.Owners) {
		t.Errorf("it is another socket, or another process: %+v was %+v", after, before)
	}
	s.settled(t, one.port(t))
	out, err := exec.Command(ss, "-tnoH", "state", "established", "sport", "=", s.address()[strings.Index(s.address(), ":"):]).CombinedOutput()
	// ss 6.1 says ms for seconds.
	if err != nil || !regexp.MustCompile(`timer:\(keepalive,([0-9]{1,3}ms|[0-2](\.[0-9]+)?(sec|ms)),[01]\)`).Match(out) {
		t.Errorf("ss -o: %v, %s", err, out)
	}
	one.ask(t)

	retuned(t, "--local", s.address(), "--listen", "--state", "listen", "--time", "77", "--intvl", "7", "--probes", "7", "--on")
	two := s.dial(t, s.port)
	two.ask(t)
	if got := keepaliveOf(s.accepted(t, two.port(t))); got != s.inherited {
		t.Errorf("what it accepts of a listener that was changed: %s, want %s", got, s.inherited)
	}

	s.cutOff(t, one, after.Owners[0])
	two.ask(t)
}

// retuned runs tcpka set sockets.
func retuned(t *testing.T, args ...string) {
	t.Helper()
	out, err := exec.Command("tcpka", append([]string{"set", "sockets", "--yes"}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("tcpka set sockets %s: %v\n%s", args, err, out)
	}
}

// accepted is the server's end of the connection from a port.
func (s server) accepted(t *testing.T, from uint16) (found sockets.Socket) {
	t.Helper()
	local := netip.MustParseAddrPort(s.address())
	report, err := sockets.List(sockets.Query{Sysctl: keepalive.Defaults()}, func(one *sockets.Socket) error {
		if one.State == sockets.Established && one.Local == local && one.Remote.Port() == from {
			found = *one
			found.Owners = append([]sockets.Owner(nil), one.Owners...)
		}
		return nil
	})
	if err != nil || len(found.Owners) == 0 || !found.ValuesKnown {
		t.Fatalf("the server's end: %v, %+v, %+v", err, report, found)
	}
	return found
}

// established reports whether a connection still is.
func (s server) established(t *testing.T, cookie uint64) (found bool) {
	t.Helper()
	q := sockets.Query{Sysctl: keepalive.Defaults(), Filter: sockets.Filter{States: sockets.StatesOf(sockets.Established)}}
	if _, err := sockets.List(q, func(one *sockets.Socket) error { found = found || one.Cookie == cookie; return nil }); err != nil {
		t.Fatal(err)
	}
	return found
}

// settled waits until the client has acknowledged what the server last sent, which
// it may put off: until then no keepalive timer is seen.
func (s server) settled(t *testing.T, from uint16) {
	t.Helper()
	for until := time.Now().Add(5 * time.Minute); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
		if s.accepted(t, from).Timer == sockets.TimerKeepalive {
			return
		}
	}
	t.Fatal("data stays in flight")
}

func keepaliveOf(s sockets.Socket) string {
	if s.Keepalive != sockets.On {
		return s.Keepalive.String()
	}
	return fmt.Sprint(int(s.Time.Seconds()), int(s.Intvl.Seconds()), s.Probes)
}

// cutOff makes a client deaf and waits until the server closes the connection. It
// has to be when calc says.
func (s server) cutOff(t *testing.T, c client, owner sockets.Owner) {
	t.Helper()
	hz, err := procfs.HZ()
	if err != nil {
		t.Fatal(err)
	}
	port := c.port(t)
	stalls, begin := stall.Watch(10*time.Millisecond), stall.Now()
	defer stalls.End()
	s.settled(t, port)
	if err := nstest.DropAll(c.fd(t)); err != nil {
		t.Fatal(err)
	}
	from := tick()
	live := s.accepted(t, port)
	p := calc.Kernel{HZ: hz}.Dies(calc.Live{
		Settings: live.Settings, Enabled: true, Timer: calc.Timer(live.Timer),
		Expires: live.Left, Unanswered: live.Unanswered, Idle: live.Idle, RTO: live.RTO,
	})
	if p.Never {
		t.Fatalf("predicted never: %+v", live)
	}

	// When the connection ends is the kernel's; how soon the server closes it then is its own.
	var took time.Duration
	for s.established(t, live.Cookie) {
		if took = time.Since(from); took > p.Latest+5*time.Minute {
			t.Fatalf("the connection has not ended after %v, predicted %v", took, p.Exact)
		}
		time.Sleep(5 * time.Millisecond)
	}
	took = time.Since(from)
	fd, socket := fmt.Sprintf("/proc/%d/fd/%d", owner.PID, owner.FD), fmt.Sprintf("socket:[%d]", live.Inode)
	for until := time.Now().Add(5 * time.Minute); ; time.Sleep(5 * time.Millisecond) {
		if name, _ := os.Readlink(fd); name != socket {
			break
		}
		if time.Now().After(until) {
			t.Fatal("the server has not noticed")
		}
	}
	const allowance = 250 * time.Millisecond
	late := stalls.Between(begin, stall.Now()) + allowance + nstest.Late()
	t.Logf("predicted %.3f s, from %.3f to %.3f, it ended after %.3f", p.Exact.Seconds(), p.Earliest.Seconds(), p.Latest.Seconds(), took.Seconds())
	switch {
	case took < p.Earliest:
		t.Errorf("%v too early", p.Earliest-took)
	case took > p.Latest+late:
		t.Errorf("%v too late, of which %v may be the machine's", took-p.Latest, late)
	}
}

// tick is when the kernel's clock ticked last: what its timers count from.
func tick() time.Time {
	var coarse, fine unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC_COARSE, &coarse); err != nil {
		panic(err)
	}
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &fine); err != nil {
		panic(err)
	}
	return time.Now().Add(time.Duration(coarse.Nano() - fine.Nano()))
}

// TestRootRunAServer: a server that sets its own values keeps them under run, and
// not under run --force.
func TestRootRunAServer(t *testing.T) {
	nstest.Parallel(t)
	nstest.RunRoot(t, func(t *testing.T) {
		furnish(t)
		users(t)
		nstest.Cgroup(t)
		for i, row := range []struct{ force, want string }{
			{"--force=false", "300 100 3"},
			{"--force", "45 5 4"},
		} {
			s := redis
			s.port += i
			args := append([]string{"run", row.force, "--time", "45", "--intvl", "5", "--probes", "4", "--", nstest.Program(t, "redis-server")},
				redisArgs(s.port, directory(t))...)
			serving(t, exec.Command("tcpka", args...))
			c := s.dial(t, s.port)
			c.ask(t)
			if got := keepaliveOf(s.accepted(t, c.port(t))); got != row.want {
				t.Errorf("run %s: %s, want %s", row.force, got, row.want)
			}
		}
	})
}

// users makes of the empty /etc one that servers start with.
func users(t *testing.T) {
	t.Helper()
	for name, text := range map[string]string{
		"/etc/passwd": "root:x:0:0::/root:/bin/sh\nsshd:x:65533:65534::/run/sshd:/bin/false\nnobody:x:65534:65534::/:/bin/sh\n",
		"/etc/group":  "root:x:0:\nnogroup:x:65534:\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir("/run/sshd", 0o755); err != nil {
		t.Fatal(err)
	}
}

func (s server) address() string { return "127.0.0.1:" + strconv.Itoa(s.port) }

package middlebox

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
)

// TestMain lets more tests run at once than there are processors: these sleep.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// farEnd accepts connections at an address of a namespace, leaves each to behave,
// and counts them. They stay open until the process ends.
func farEnd(t *testing.T, in func(func() error) error, at netip.AddrPort, behave func(fd int)) (addr netip.AddrPort, accepted *atomic.Int32) {
	t.Helper()
	var listener int
	err := in(func() (err error) {
		listener, addr, err = Listen(at)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	accepted = new(atomic.Int32)
	go func() {
		for {
			if _, err := unix.Poll([]unix.PollFd{{Fd: int32(listener), Events: unix.POLLIN}}, -1); err != nil && err != unix.EINTR {
				return
			}
			if fd, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC); err == nil {
				accepted.Add(1)
				go behave(fd)
			}
		}
	}()
	return addr, accepted
}

func here(f func() error) error { return f() }

var loopback = netip.MustParseAddrPort("127.0.0.1:0")

func mute(int) {}

// must is for what a far end does to its own socket.
func must(t *testing.T, err error) {
	if err != nil {
		t.Error(err)
	}
}

func option(t *testing.T, fd, level, name, value int) {
	must(t, unix.SetsockoptInt(fd, level, name, value))
}

// jitter is what the way through the kernel can add to a silence, and its ticks.
const jitter = 50 * time.Millisecond

// brackets checks that the bounds enclose the limit that was set, however late
// the machine was.
func brackets(t *testing.T, name string, b Bounds, limit time.Duration, how Expiry) {
	t.Helper()
	if b.Survived == 0 || b.Failed == 0 || b.Survived >= limit+jitter || b.Failed <= limit-jitter || b.How != how {
		t.Errorf("%s: %+v, want bounds of %v, %s", name, b, limit, how)
	}
}

// A measured is what a Prober found out in one row of a test.
type measured struct {
	Measured
	Bounds
	err  error
	took time.Duration
}

func probeAll(t *testing.T, rows map[string]Prober) map[string]measured {
	var mu sync.Mutex
	var wg sync.WaitGroup
	results := map[string]measured{}
	for name, p := range rows {
		wg.Go(func() {
			ctx, start := context.Background(), clock()
			m, err := p.Run(ctx)
			mu.Lock()
			defer mu.Unlock()
			results[name] = measured{m, BoundsOf(m.Samples), err, clock() - start}
		})
	}
	wg.Wait()
	for name, m := range results {
		t.Logf("%s: %v %+v, error %v", name, m.took.Round(time.Millisecond), m.Bounds, m.err)
		for _, s := range m.Samples {
			t.Logf("    %+v", s)
		}
	}
	return results
}

// TestTheBoundsBracketTheLimitOfARouter measures real NATs that forget after 4
// seconds, in each of the ways in which Linux does.
func TestTheBoundsBracketTheLimitOfARouter(t *testing.T) {
	t.Parallel()
	nstest.Run(t, func(t *testing.T) {
		const limit = 4
		var rows = map[string]Prober{}
		add := func(name string, loose bool, rules string, p Prober) {
			r := nstest.NewRouter(t, len(rows), limit, loose, rules)
			at, _ := farEnd(t, r.InServer, netip.AddrPortFrom(r.Server, 7000), mute)
			p.To = []netip.AddrPort{at}
			rows[name] = p
		}
		times := seconds(1, 2, 6)
		add("silent", false, nstest.Swallows, Prober{Times: times})
		add("silent, although it is loose", true, nstest.Swallows, Prober{Times: times})
		add("reset by the box", true, nstest.Resets, Prober{Times: times})
		add("reset by the server, which gets it untranslated", false, nstest.Forgives, Prober{Times: times})
		add("forgiving", true, nstest.Forgives, Prober{Times: times})
		add("refined", true, nstest.Resets, Prober{Max: 12 * time.Second})

		got := probeAll(t, rows)
		for name, m := range got {
			if m.err != nil || m.Gone != nil || m.Interrupted || len(m.Samples) < 3 {
				t.Errorf("%s: %+v, %v", name, m.Measured, m.err)
			}
			switch name {
			case "silent", "silent, although it is loose":
				brackets(t, name, m.Bounds, limit*time.Second, Silent)
			case "forgiving": // it cannot be seen
				if m.Failed != 0 || m.Survived < times[2] {
					t.Errorf("%s: %+v", name, m.Bounds)
				}
			default:
				brackets(t, name, m.Bounds, limit*time.Second, Reset)
			}
			for _, s := range m.Samples {
				if s.Unasked {
					t.Errorf("%s: a reset came unasked: %+v", name, s)
				}
				// The seconds until the kernel gives up are not silence.
				if s.Outcome.failed() && s.Silence > s.Wanted+(probesPerVerdict-1)*time.Second {
					t.Errorf("%s: the wait for an answer counts: %+v", name, s)
				}
			}
			if name != "forgiving" && !m.Checked {
				t.Errorf("%s: nobody looked whether the server is still there", name)
			}
		}
		if m := got["refined"]; len(m.Samples) <= len(ProbeTimes(12*time.Second, ProbeConnections)) {
			t.Errorf("refined: no second round in %+v", m.Samples)
		}
	})
}

// TestWhatTheFarEndDoes measures on loopback, which forgets nothing: whatever
// ends or disturbs a silence is the far end.
func TestWhatTheFarEndDoes(t *testing.T) {
	t.Parallel()
	nstest.Run(t, func(t *testing.T) {
		rows, accepted := map[string]Prober{}, map[string]*atomic.Int32{}
		add := func(name string, p Prober, behave func(fd int)) {
			at, n := farEnd(t, here, loopback, behave)
			p.To = append(p.To, at)
			rows[name], accepted[name] = p, n
		}
		times := seconds(1, 2, 4)
		add("closes after 3 s", Prober{Times: times}, func(fd int) {
			time.Sleep(3 * time.Second)
			unix.Close(fd)
		})
		add("resets after 3 s", Prober{Times: times}, func(fd int) {
			time.Sleep(3 * time.Second)
			must(t, unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}))
			unix.Close(fd)
		})
		add("has keepalive of its own, of 2 s", Prober{Times: times}, func(fd int) {
			option(t, fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 2)
			option(t, fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 2)
			option(t, fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
		})
		add("talks all the time", Prober{Times: times}, func(fd int) {
			chunk := bytes.Repeat([]byte("talk"), 1<<10)
			for range 150 {
				unix.Write(fd, chunk)
				time.Sleep(100 * time.Millisecond)
			}
		})
		add("greets late, once", Prober{Times: times}, func(fd int) {
			time.Sleep(2 * time.Second)
			unix.Write(fd, []byte("hello\r\n"))
		})
		add("greets like SSH", Prober{Max: 3 * time.Second}, greet)
		add("greets like SSH, asked for five", Prober{Times: seconds(1, 1.5, 2, 2.5, 3)}, greet)
		add("greets like SSH, and is not spared", Prober{Times: seconds(1, 1.5, 2, 2.5, 3), Insist: true}, greet)
		add("greets like SSH, and is to measure", Prober{Hold: true, Max: time.Minute}, greet)
		add("hangs up", Prober{Times: times}, func(fd int) { unix.Close(fd) })
		add("speaks and hangs up", Prober{Times: times}, func(fd int) {
			unix.Write(fd, []byte("421 too many \x1b[31mconnections\r\n"))
			unix.Close(fd)
		})
		add("resets at once", Prober{Times: times}, func(fd int) {
			must(t, unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}))
			unix.Close(fd)
		})
		add("answers no probe", Prober{Times: times}, func(fd int) { must(t, nstest.DropAll(fd)) })
		add("takes two connections only", Prober{Times: times}, limited(2))
		add("is at its second address", Prober{Times: times[:1], To: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:1")}}, mute)
		rows["is not there"] = Prober{Times: times, To: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:1"), netip.MustParseAddrPort("[::1]:1")}}
		at6, _ := farEnd(t, here, netip.MustParseAddrPort("[::1]:0"), mute)
		rows["is on IPv6"] = Prober{Times: times[:1], To: []netip.AddrPort{at6}}
		rows["is in an unknown zone"] = Prober{Times: times, To: []netip.AddrPort{netip.MustParseAddrPort("[fe80::1%nosuch0]:7")}}

		got := probeAll(t, rows)

		outcome := func(name string, o Outcome) (n int) {
			for _, s := range got[name].Samples {
				if s.Outcome == o {
					n++
				}
			}
			return n
		}
		if m := got["closes after 3 s"]; m.err != nil || m.Closed < 3*time.Second || m.Survived == 0 || m.Survived >= m.Closed || m.Failed != 0 {
			t.Errorf("closes after 3 s: %+v %v", m.Bounds, m.err)
		}
		if m := got["resets after 3 s"]; m.err != nil || m.How != Reset || m.Failed == 0 || !slices.ContainsFunc(m.Samples, func(s Sample) bool { return s.Unasked }) {
			t.Errorf("resets: %+v %v", m.Bounds, m.err)
		}
		for _, name := range []string{"has keepalive of its own, of 2 s", "talks all the time"} {
			if m := got[name]; m.err != nil || m.Failed != 0 || m.Survived >= 4*time.Second || outcome(name, Spoke) == 0 {
				t.Errorf("%s: %+v %v", name, m.Bounds, m.err)
			}
		}
		if m := got["greets late, once"]; m.err != nil || m.Survived < 4*time.Second || outcome("greets late, once", Answered) != 3 {
			t.Errorf("greets late: %+v %v", m.Bounds, m.err)
		}
		for name, want := range map[string]int32{"greets like SSH": 2, "greets like SSH, asked for five": 2, "greets like SSH, and is not spared": 5} {
			m := got[name]
			if n := accepted[name].Load(); m.err != nil || !m.SSH || m.Spared != (want == 2) || n != want || len(m.Samples) != int(want) || m.Survived < 3*time.Second {
				t.Errorf("%s: %d connections; %+v %v", name, n, m.Measured, m.err)
			}
		}
		if m := got["takes two connections only"]; m.err != nil || m.Survived < 4*time.Second || m.Closed != 0 || outcome("takes two connections only", Unmade) != 1 {
			t.Errorf("takes two connections only: %+v %v", m.Measured, m.err)
		}
		for name, want := range map[string]HungUpError{
			"hangs up":            {},
			"speaks and hangs up": {Greeting: []byte("421 too many \x1b[31mconnections\r\n")},
			"resets at once":      {Reset: true},
		} {
			if want.Reset && errors.Is(got[name].err, unix.ECONNRESET) {
				continue // it was there before connect returned
			}
			hungUp, ok := errors.AsType[*HungUpError](got[name].err)
			if !ok || hungUp.Reset != want.Reset || !bytes.Equal(hungUp.Greeting, want.Greeting) {
				t.Errorf("%s: %v", name, got[name].err)
			}
		}
		if err := got["answers no probe"].err; !errors.Is(err, ErrNoAnswer) {
			t.Errorf("answers no probe: %v", err)
		}
		if err := got["greets like SSH, and is to measure"].err; !errors.Is(err, ErrSpeaks) || accepted["greets like SSH, and is to measure"].Load() != 1 {
			t.Errorf("is to measure: %v", err)
		}
		if err := got["is not there"].err; !errors.Is(err, unix.ECONNREFUSED) {
			t.Errorf("is not there: %v", err)
		}
		for _, name := range []string{"is on IPv6", "is at its second address"} {
			if m := got[name]; m.err != nil || m.Survived < time.Second || m.Address != rows[name].To[len(rows[name].To)-1] || outcome(name, Answered) != 1 {
				t.Errorf("%s: %+v %v", name, m.Measured, m.err)
			}
		}
		if got["is in an unknown zone"].err == nil {
			t.Error("an unknown zone is no error")
		}
	})
}

func greet(fd int) { unix.Write(fd, []byte("SSH-2.0-OpenSSH_9.9\r\n")) }

// limited hangs up on all connections but the first few.
func limited(most int32) func(fd int) {
	n := new(atomic.Int32)
	return func(fd int) {
		if n.Add(1) > most {
			unix.Close(fd)
		}
	}
}

// A server that is gone when the path seems to have forgotten makes the result
// doubtful, and it says so.
func TestAServerThatIsGone(t *testing.T) {
	t.Parallel()
	nstest.Run(t, func(t *testing.T) {
		var listener int
		var at netip.AddrPort
		r := nstest.NewRouter(t, 0, 4, false, nstest.Swallows)
		must(t, r.InServer(func() (err error) {
			listener, at, err = Listen(netip.AddrPortFrom(r.Server, 7000))
			return err
		}))
		time.AfterFunc(3*time.Second, func() {
			for err := error(nil); err == nil; { // what is not accepted would be reset
				_, _, err = unix.Accept4(listener, unix.SOCK_CLOEXEC)
			}
			unix.Close(listener)
		})
		m, err := Prober{To: []netip.AddrPort{at}, Times: seconds(1, 6)}.Run(t.Context())
		if err != nil || !errors.Is(m.Gone, unix.ECONNREFUSED) || m.Checked || BoundsOf(m.Samples).How != Silent {
			t.Errorf("%+v %v", m, err)
		}
	})
}

// What is silent when it is interrupted is probed at once.
func TestAnInterruptionKeepsWhatIsKnown(t *testing.T) {
	t.Parallel()
	nstest.Run(t, func(t *testing.T) {
		at, _ := farEnd(t, here, loopback, mute)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(5*time.Second, cancel)
		m, err := Prober{To: []netip.AddrPort{at}, Max: time.Hour}.Run(ctx)
		if b := BoundsOf(m.Samples); err != nil || !m.Interrupted || b.Survived < 2*time.Second || b.Survived > time.Minute {
			t.Errorf("%+v %v", m, err)
		}

		silent, _ := farEnd(t, here, loopback, func(fd int) { must(t, nstest.DropAll(fd)) })
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if _, err := (Prober{To: []netip.AddrPort{silent}, Max: time.Hour}).Run(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("interrupted before anything is known: %v", err)
		}
	})
}

// TestIPv6Zone connects to a link-local address by the name of its interface.
func TestIPv6Zone(t *testing.T) {
	t.Parallel()
	nstest.Run(t, func(t *testing.T) {
		r := nstest.NewRouter(t, 0, 60, true, nstest.Forgives) // for its cable
		zoned := netip.MustParseAddrPort("[fe80::7%c0]:0")
		r.Here("addr add fe80::7/64 dev c0 nodad\n")
		at, _ := farEnd(t, here, zoned, mute)
		m, err := Prober{To: []netip.AddrPort{at}, Times: seconds(1)}.Run(t.Context())
		if err != nil || m.Address.Addr().Zone() != "c0" || BoundsOf(m.Samples).Survived < time.Second {
			t.Errorf("%+v %v", m, err)
		}
	})
}

// IPVS is a box of its own kind: a load balancer in the kernel.
func TestTheBoundsBracketTheLimitOfIPVS(t *testing.T) {
	t.Parallel()
	nstest.RunRoot(t, func(t *testing.T) {
		if _, err := os.Stat(ipvsTable); err != nil {
			t.Skip("this kernel has no IPVS")
		}
		const limit = 4
		r := nstest.NewRouter(t, 0, 3600, true, nstest.Forgives)
		at, _ := farEnd(t, r.InServer, netip.AddrPortFrom(r.Server, 7000), mute)
		virtual := r.IPVS(at, limit)
		m, err := Prober{To: []netip.AddrPort{virtual}, Times: seconds(1, 2, 6)}.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		b := BoundsOf(m.Samples)
		brackets(t, "ipvs", b, limit*time.Second, b.How) // it resets or drops, as it is set up
	})
}

package middlebox

import (
	"bytes"
	"context"
	"net/netip"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
)

// TestTheOtherDirection has a Responder behind a router measure what still gets
// through from there, on connections that a Prober holds, and listen where one
// measures itself.
func TestTheOtherDirection(t *testing.T) {
	t.Parallel()
	nstest.Run(t, func(t *testing.T) {
		const limit = 5
		var mu sync.Mutex
		visits := map[string][]Visit{}
		rows := map[string]Prober{}
		ctx, cancel := context.WithCancel(t.Context())
		var responders sync.WaitGroup
		add := func(name string, rules string, p Prober) {
			r := nstest.NewRouter(t, len(rows), limit, false, rules)
			var fd int
			must(t, r.InServer(func() (err error) {
				var at netip.AddrPort
				fd, at, err = Listen(netip.AddrPortFrom(r.Server, 7000))
				p.To = []netip.AddrPort{at}
				return err
			}))
			rows[name] = p
			responders.Go(func() {
				must(t, Responder{Times: seconds(3, 3.5, 7), Max: 10 * time.Second, Report: func(v Visit) {
					mu.Lock()
					visits[name] = append(visits[name], v)
					mu.Unlock()
				}}.Serve(ctx, fd))
			})
		}
		add("silent", nstest.Swallows, Prober{Hold: true, Connections: 3, Max: 3 * time.Second})
		add("reset by the box, which gets it untranslated", nstest.Forgives, Prober{Hold: true, Connections: 3, Max: 3 * time.Second})
		add("theirs", nstest.Swallows, Prober{Times: seconds(1, 2, 7)})

		got := probeAll(t, rows)
		cancel()
		responders.Wait()
		for name, list := range visits {
			var samples []Sample
			for _, v := range list {
				t.Logf("%s: %+v", name, v)
				samples = append(samples, v.Sample)
				if v.Theirs != (name == "theirs") {
					t.Errorf("%s: %+v", name, v)
				}
			}
			m := got[name]
			switch name {
			case "silent":
				brackets(t, name, BoundsOf(samples), limit*time.Second, Silent)
			case "reset by the box, which gets it untranslated":
				brackets(t, name, BoundsOf(samples), limit*time.Second, Reset)
			case "theirs":
				brackets(t, name, m.Bounds, limit*time.Second, Silent)
				// Their probes came through, after what they say, or not at all.
				if s := BoundsOf(samples).Survived; s < time.Second || s > limit*time.Second+jitter {
					t.Errorf("%s: heard after %v", name, s)
				}
				continue
			}
			// The near end saw the same of what survived, and was told of nothing else.
			if m.err != nil || m.Failed != 0 || m.Survived < 3*time.Second || m.Survived > limit*time.Second+jitter {
				t.Errorf("%s: the near end saw %+v %v", name, m.Bounds, m.err)
			}
		}
		if len(visits) != 3 {
			t.Errorf("visits to %d of 3", len(visits))
		}
	})
}

// A Responder keeps no data and closes what speaks, and has a limit for each
// host.
func TestAResponderIsNoServer(t *testing.T) {
	t.Parallel()
	nstest.Run(t, func(t *testing.T) {
		fd, at, err := Listen(loopback)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() {
			ended <- Responder{Times: seconds(3), Max: time.Minute, Report: func(v Visit) {
				if v.Outcome != Unfinished {
					t.Errorf("%+v", v)
				}
			}}.Serve(ctx, fd)
		}()
		_, to, _ := sockaddr(at)
		closedSoon := func(fd int) bool {
			unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 900_000})
			n, err := unix.Read(fd, make([]byte, 1))
			return n == 0 && err == nil || err == unix.ECONNRESET
		}
		connect := func() int {
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err == nil {
				err = unix.Connect(fd, to)
			}
			if err != nil {
				t.Fatal(err)
			}
			return fd
		}
		talker := connect()
		unix.Write(talker, bytes.Repeat([]byte("GET / HTTP/1.1\r\n"), 1000))
		if !closedSoon(talker) {
			t.Error("it keeps a connection that speaks")
		}
		for range maxVisitsPerHost {
			connect()
		}
		if !closedSoon(connect()) {
			t.Errorf("it takes more than %d connections of a host", maxVisitsPerHost)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

//go:build linux

package main

import (
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/internal/stall"
)

func TestShowSocketsKnowsWholeLives(t *testing.T) {
	nstest.Parallel(t)
	nstest.Run(t, func(t *testing.T) { wholeLives(t, false) })
}

func TestRootShowSocketsKnowsWholeLives(t *testing.T) {
	nstest.Parallel(t)
	nstest.RunRoot(t, func(t *testing.T) { wholeLives(t, true) })
}

// A kind of socket with something that nobody takes.
type lifeKind struct {
	name                        string
	userTimeout, syncnt, rtoMax int  // options, if not 0
	later                       bool // written to when the second thing happened, not the first
	closed, full, connect       bool
}

// Sockets with data that nobody takes, in each way in which that can be: what the kernel
// waits is then no measure of the time that it has spent. The row holds at each moment
// of their lives; by BPF, where root is, it counts down, too.
func wholeLives(t *testing.T, byBPF bool) {
	nstest.Sysctl(t, "net.ipv4.tcp_retries2", "5")       // 12.6 s
	nstest.Sysctl(t, "net.ipv4.tcp_orphan_retries", "4") // 6.2 s
	kinds := []lifeKind{
		{name: "data in flight"},
		{name: "data in flight, written later", later: true},
		{name: "a user timeout", userTimeout: 8000},
		{name: "a user timeout, written later", userTimeout: 5000, later: true},
		{name: "TCP_RTO_MAX_MS", rtoMax: 1000},
		{name: "closed", closed: true},
		{name: "a closed window", full: true, later: true},
		{name: "a closed window, a user timeout", full: true, userTimeout: 6000, later: true},
		{name: "connecting, TCP_SYNCNT", syncnt: 1, connect: true},
	}
	type life struct {
		lifeKind
		fd           int
		at           unix.Sockaddr
		short        bool // so are its waits
		errno, want  int
		cookie       string
		looks        []glance
		alive, ended time.Duration // seen last, and found gone
	}
	var all []*life
	var first, then []func()
	for n, world := range []struct {
		name        string
		first, then func(*nstest.Router)
		connects    bool
		short       bool
		errno       unix.Errno // what the program gets where data is in flight
	}{
		{"the peer is silent", (*nstest.Router).Block, nil, true, false, unix.ETIMEDOUT},
		{"the peer is powered off", (*nstest.Router).PowerOff, nil, false, true, unix.EHOSTUNREACH},
		{"a router says unreachable", (*nstest.Router).Refuse, nil, false, true, unix.EHOSTUNREACH},
		{"unreachable after a while", (*nstest.Router).Block, (*nstest.Router).PowerOff, false, false, unix.EHOSTUNREACH},
		{"the own queue is full", (*nstest.Router).Block, (*nstest.Router).Congest, false, false, unix.ETIMEDOUT},
	} {
		r := nstest.NewRouter(t, n, 3600, true, nstest.Forgives)
		var lives []*life
		for _, kind := range kinds {
			if kind.connect && !world.connects || kind.full && world.name == "the own queue is full" {
				continue
			}
			l := &life{lifeKind: kind, short: world.short, want: int(world.errno)}
			l.name = world.name + ": " + kind.name
			at := listenBehind(t, r)
			var err error
			if l.fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP); err != nil {
				t.Fatal(err)
			}
			for option, value := range map[int]int{unix.TCP_USER_TIMEOUT: kind.userTimeout, unix.TCP_SYNCNT: kind.syncnt, 44: kind.rtoMax} { // TCP_RTO_MAX_MS
				if value == 0 {
					continue
				}
				if err := unix.SetsockoptInt(l.fd, unix.IPPROTO_TCP, option, value); err == unix.ENOPROTOOPT {
					t.Logf("%s: this kernel has no TCP_RTO_MAX_MS", l.name)
				} else if err != nil {
					t.Fatal(err)
				}
			}
			if !kind.connect {
				if err := unix.Connect(l.fd, at); err != nil {
					t.Fatal(err)
				}
			}
			if err := unix.SetNonblock(l.fd, true); err != nil {
				t.Fatal(err)
			}
			if kind.full {
				fillWindow(t, l.fd)
			}
			number, err := unix.GetsockoptUint64(l.fd, unix.SOL_SOCKET, unix.SO_COOKIE)
			if err != nil {
				t.Fatal(err)
			}
			l.cookie = fmt.Sprintf("%#x", number)
			l.at = at
			lives = append(lives, l)
		}
		begin := func(later bool) {
			for _, l := range lives {
				if l.later != later {
					continue
				}
				if l.connect {
					if err := unix.Connect(l.fd, l.at); err != unix.EINPROGRESS {
						t.Fatal(err)
					}
					continue
				}
				if _, err := unix.Write(l.fd, []byte("x")); err != nil && err != unix.EAGAIN {
					t.Fatal(l.name, err)
				}
				if l.closed {
					unix.Close(l.fd)
				}
			}
		}
		first = append(first, func() { world.first(r); begin(false) })
		then = append(then, func() {
			if world.then != nil {
				world.then(r)
			}
			begin(true)
		})
		all = append(all, lives...)
	}

	for _, begin := range first {
		begin()
	}
	time.Sleep(500 * time.Millisecond)
	for _, begin := range then {
		begin()
	}

	stalls := stall.Watch(10 * time.Millisecond)
	defer stalls.End()
	for left, until := len(all), stall.Now()+90*time.Second; left > 0 && stall.Now() < until; time.Sleep(150 * time.Millisecond) {
		from := stall.Now()
		rows, _ := showSockets(t)
		to := stall.Now()
		for _, l := range all {
			row := rows[l.cookie]
			if l.ended != 0 {
				continue
			}
			if !l.closed {
				if n, _ := unix.Poll([]unix.PollFd{{Fd: int32(l.fd)}}, 0); n > 0 {
					l.ended, left = stall.Now(), left-1
					var err error
					if l.errno, err = unix.GetsockoptInt(l.fd, unix.SOL_SOCKET, unix.SO_ERROR); err != nil {
						t.Fatal(err)
					}
					continue
				}
			} else if row == nil {
				l.ended, left = to, left-1
				continue
			}
			l.alive = from
			if row == nil {
				continue
			}
			earliest, ok1 := row["dies_in_earliest_seconds"].(float64)
			exact, ok2 := row["dies_in_seconds"].(float64)
			latest, ok3 := row["dies_in_latest_seconds"].(float64)
			if ok2 && (exact < earliest || exact > latest) {
				t.Errorf("%s: %v is not between %v and %v", l.name, exact, earliest, latest)
			}
			l.looks = append(l.looks, glance{from, to, inSeconds(earliest), inSeconds(latest), !ok1 || !ok2 || !ok3})
		}
	}
	for _, l := range all {
		if want := unix.Errno(l.want); !l.closed && unix.Errno(l.errno) != want && !l.full {
			t.Errorf("%s: it ended with %v, want %v", l.name, unix.Errno(l.errno), want)
		}
		if l.ended == 0 {
			t.Errorf("%s: it has not ended", l.name)
			continue
		}
		known := 0
		for _, look := range l.looks {
			if look.unknown {
				if byBPF && look.to < l.alive {
					t.Errorf("%s: nothing was predicted %v before the end", l.name, l.ended-look.from)
				}
				continue
			}
			known++
			if !byBPF && stalls.Between(look.from, look.to) > 0 {
				continue // without BPF a socket is read in several steps: these were of two moments
			}
			late := 400*time.Millisecond + nstest.Late() + stalls.Between(look.from, l.ended)
			if l.ended < look.from+look.earliest || l.alive > look.to+look.latest+late {
				t.Errorf("%s: it ended %v after a look, which said %v to %v", l.name, l.ended-look.from, look.earliest, look.latest)
			}
			if byBPF && l.ended > look.from+look.earliest+5*time.Second+late && l.short && !l.full {
				t.Errorf("%s: it ended %v after a look, which said %v at the earliest: that does not count down", l.name, l.ended-look.from, look.earliest)
			}
		}
		if known == 0 && (byBPF || !l.closed) { // the values of an orphan only BPF reads
			t.Errorf("%s: nothing was predicted", l.name)
		}
		if len(l.looks) > 0 {
			t.Logf("%s: ended after %v, as predicted %d times", l.name, l.ended-l.looks[0].from, known)
		}
	}
}

// listenBehind is a listener of a router's server that takes little and reads nothing.
func listenBehind(t *testing.T, r *nstest.Router) (at unix.Sockaddr) {
	t.Helper()
	err := r.InServer(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
		if err != nil {
			return err
		}
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 4096); err != nil {
			return err
		}
		if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: r.Server.As4()}); err != nil {
			return err
		}
		if err := unix.Listen(fd, 1); err != nil {
			return err
		}
		at, err = unix.Getsockname(fd)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// fillWindow writes until the peer takes no more, and nothing is in flight.
func fillWindow(t *testing.T, fd int) {
	t.Helper()
	for range 1000 {
		unix.Write(fd, make([]byte, 4096))
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			t.Fatal(err)
		}
		if info.Unacked == 0 && info.Snd_wnd == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("the window stays open")
}

//go:build linux

package main

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/internal/stall"
)

func TestShowSocketsSaysWhenTheyDie(t *testing.T) {
	nstest.Parallel(t)
	nstest.Run(t, showSocketsDying)
}

func TestRootShowSocketsSaysWhenTheyDie(t *testing.T) {
	nstest.Parallel(t)
	nstest.RunRoot(t, showSocketsDying)
}

// Sockets whose peer is gone end when their row said they would, whenever in
// their last seconds it was looked at.
func showSocketsDying(t *testing.T) {
	type dying struct {
		name   string
		fd     int
		cookie string
		by     string
		looks  []glance // what the rows said
		ended  time.Duration
	}
	// A glance is a row: the socket ends between from+earliest and to+latest.
	var all []*dying
	for _, c := range []struct {
		name string
		by   string
		wish wish
	}{
		{"idle", "probes", wish{on: true, time: 1, intvl: 1, probes: 3, deaf: true}},
		{"idle, intvl larger than time", "probes", wish{on: true, time: 1, intvl: 2, probes: 1, deaf: true}},
		{"idle, a user timeout", "user_timeout", wish{on: true, time: 1, intvl: 1, probes: 9, ms: 2500, deaf: true}},
		{"data in flight, a user timeout", "user_timeout", wish{on: true, time: 1, intvl: 1, probes: 1, ms: 3000, deaf: true, written: true}},
		{"data in flight, keepalive off", "user_timeout", wish{ms: 2000, deaf: true, written: true}},
	} {
		fd, _, err := c.wish.connect()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, &dying{name: c.name, by: c.by, fd: fd})
	}
	// One that still connects.
	listener, at, err := nstest.Listen(unix.AF_INET)
	if err != nil {
		t.Fatal(err)
	}
	if err := nstest.DropAll(listener); err != nil {
		t.Fatal(err)
	}
	connecting, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_TCP)
	if err != nil {
		t.Fatal(err)
	}
	if err := (wish{ms: 2500}).set(connecting); err != nil {
		t.Fatal(err)
	}
	if err := unix.Connect(connecting, at); err != unix.EINPROGRESS {
		t.Fatal(err)
	}
	all = append(all, &dying{name: "connecting, a user timeout", by: "user_timeout", fd: connecting})

	begin := stall.Now()
	stalls := stall.Watch(10 * time.Millisecond)
	defer stalls.End()
	var watching sync.WaitGroup
	for _, d := range all {
		number, err := unix.GetsockoptUint64(d.fd, unix.SOL_SOCKET, unix.SO_COOKIE)
		if err != nil {
			t.Fatal(err)
		}
		d.cookie = fmt.Sprintf("%#x", number)
		watching.Go(func() {
			for range 300 { // seconds: until it is plain that it does not end
				if n, _ := unix.Poll([]unix.PollFd{{Fd: int32(d.fd)}}, 1000); n > 0 {
					d.ended = stall.Now()
					return
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { watching.Wait(); close(done) }()
	for looking := true; looking; {
		from := stall.Now()
		rows, _ := showSockets(t)
		to := stall.Now()
		for _, d := range all {
			row := rows[d.cookie]
			earliest, ok1 := row["dies_in_earliest_seconds"].(float64)
			exact, ok2 := row["dies_in_seconds"].(float64)
			latest, ok3 := row["dies_in_latest_seconds"].(float64)
			if !ok1 || !ok2 || !ok3 {
				if row != nil {
					d.looks = append(d.looks, glance{from: from, to: to, unknown: true})
				}
				continue
			}
			if exact < earliest || exact > latest {
				t.Errorf("%s: %v is not between %v and %v", d.name, exact, earliest, latest)
			}
			if row["decided_by"] != d.by {
				t.Errorf("%s: decided by %v, want %s", d.name, row["decided_by"], d.by)
			}
			d.looks = append(d.looks, glance{from, to, inSeconds(earliest), inSeconds(latest), false})
		}
		select {
		case <-done:
			looking = false
		case <-time.After(150 * time.Millisecond):
		}
	}
	for _, d := range all {
		if d.ended == 0 {
			t.Errorf("%s: it has not ended", d.name)
			continue
		}
		known := 0
		for _, l := range d.looks {
			if l.to >= d.ended {
				continue
			}
			if l.unknown {
				t.Errorf("%s: nothing was predicted %v before the end", d.name, d.ended-l.from)
				continue
			}
			known++
			// Late on this machine: what the kernel cannot know. See calc/kernel_test.go.
			late := 250*time.Millisecond + nstest.Late() + stalls.Between(l.from, d.ended)
			if d.ended < l.from+l.earliest || d.ended > l.to+l.latest+late {
				t.Errorf("%s: it ended %v after the look began and %v after it, which said %v to %v", d.name,
					d.ended-l.from, d.ended-l.to, l.earliest, l.latest)
			}
		}
		if known == 0 {
			t.Errorf("%s: nothing was predicted", d.name)
		}
		t.Logf("%s: ended after %v, as predicted %d times", d.name, d.ended-begin, known)
	}
}

type glance struct {
	from, to, earliest, latest time.Duration
	unknown                    bool
}

func inSeconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

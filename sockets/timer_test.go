package sockets_test

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/sockets"
)

func TestRootTimers(t *testing.T) {
	t.Parallel()
	nstest.RunRoot(t, func(t *testing.T) { timers(t, byKernel, byLibrary, byDiag) })
}

func TestTimers(t *testing.T) {
	t.Parallel()
	nstest.Run(t, func(t *testing.T) { timers(t, byDiag) })
}

// Each timer, on sockets that all have keepalive on, beside what TCP_INFO says.
func timers(t *testing.T, readers ...sockets.Query) {
	fd, at := listener(t, unix.AF_INET, unix.IPPROTO_TCP)
	connect := func() (client, server int) {
		client, server = pair(t, unix.AF_INET, unix.IPPROTO_TCP, fd, at)
		for _, o := range []struct{ level, option, value int }{
			{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 1},
			{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 1},
			{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 100},
			{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
		} {
			if err := unix.SetsockoptInt(client, o.level, o.option, o.value); err != nil {
				t.Fatal(err)
			}
		}
		if err := unix.SetNonblock(client, true); err != nil {
			t.Fatal(err)
		}
		return client, server
	}
	info := func(fd int) *unix.TCPInfo {
		t.Helper()
		i, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	send := func(fd int) {
		t.Helper()
		if _, err := unix.Write(fd, []byte("x")); err != nil {
			t.Fatal(err)
		}
	}

	probing, deaf := connect()
	if err := nstest.DropAll(deaf); err != nil {
		t.Fatal(err)
	}
	retransmitting, deaf := connect()
	if err := nstest.DropAll(deaf); err != nil {
		t.Fatal(err)
	}
	send(retransmitting)
	full, _ := connect() // nobody reads
	for buf := make([]byte, 64<<10); ; {
		if _, err := unix.Write(full, buf); err == unix.EAGAIN {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	answered, _ := connect()

	for i := 0; ; i++ {
		if info(probing).Probes >= 2 && info(retransmitting).Retransmits >= 2 && info(full).Unacked == 0 && info(full).Backoff >= 2 {
			break
		}
		if i == 1000 {
			t.Fatal("no timer fires")
		}
		time.Sleep(10 * time.Millisecond)
	}
	send(answered) // so it has heard of its peer just now, though not by data
	for _, q := range readers {
		for _, row := range []struct {
			name       string
			fd         int
			timer      sockets.Timer
			unanswered func(*unix.TCPInfo) uint8
			left       time.Duration // at most
			idle       [2]time.Duration
		}{
			{"probing", probing, sockets.TimerKeepalive, func(i *unix.TCPInfo) uint8 { return i.Probes }, 2 * time.Second, [2]time.Duration{2 * time.Second, time.Minute}},
			{"retransmitting", retransmitting, sockets.TimerRetransmit, func(i *unix.TCPInfo) uint8 { return i.Retransmits }, time.Minute, [2]time.Duration{time.Second, time.Minute}},
			{"waiting for the window", full, sockets.TimerProbe0, func(*unix.TCPInfo) uint8 { return 0 }, time.Minute, [2]time.Duration{0, time.Minute}},
			{"answered", answered, sockets.TimerKeepalive, func(*unix.TCPInfo) uint8 { return 0 }, 2 * time.Second, [2]time.Duration{0, 2 * time.Second}},
		} {
			h := look(t, row.fd, sockets.Established, [3]bool{true, true, true})
			before := info(row.fd)
			s := list(t, q).sockets[h.cookie]
			after := info(row.fd)
			if s.Timer != row.timer || s.Left < -time.Second || s.Left > row.left {
				t.Errorf("%v: %s: timer %v, %v left", q.Source, row.name, s.Timer, s.Left)
			}
			if n := s.Unanswered; n < int(row.unanswered(before)) || n > int(row.unanswered(after)) && row.fd != full {
				t.Errorf("%v: %s: %d unanswered, TCP_INFO says %d and then %d", q.Source, row.name, n, row.unanswered(before), row.unanswered(after))
			}
			if s.Keepalive != sockets.On || s.Settings != h.settings {
				t.Errorf("%v: %s: keepalive %v, %+v", q.Source, row.name, s.Keepalive, s.Settings)
			}
			idle, then := idleOf(before), idleOf(after) // shorter then: a probe was answered meanwhile
			if s.Idle < row.idle[0] || s.Idle > row.idle[1] || row.fd != full && then >= idle && s.Idle < idle-10*time.Millisecond {
				t.Errorf("%v: %s: idle for %v, TCP_INFO says %v", q.Source, row.name, s.Idle, idle)
			}
			if data := time.Duration(before.Last_data_recv) * time.Millisecond; !s.IdleKnown || s.LastData < data-10*time.Millisecond || s.LastData > time.Duration(after.Last_data_recv+10)*time.Millisecond {
				t.Errorf("%v: %s: no data for %v, TCP_INFO says %v", q.Source, row.name, s.LastData, data)
			}
			// The backoff doubles it between two looks.
			if us := uint32(s.RTO.Microseconds()); us < before.Rto || us > after.Rto {
				t.Errorf("%v: %s: rto %v, TCP_INFO says %d and then %d µs", q.Source, row.name, s.RTO, before.Rto, after.Rto)
			}
			if s.Backoff < int(before.Backoff) || s.Backoff > int(after.Backoff) {
				t.Errorf("%v: %s: backoff %d, TCP_INFO says %d and then %d", q.Source, row.name, s.Backoff, before.Backoff, after.Backoff)
			}
		}
	}
}

func TestRootLongTimers(t *testing.T) {
	nstest.RunRoot(t, func(t *testing.T) { longTimers(t, byKernel, byLibrary, byDiag) })
}

func TestLongTimers(t *testing.T) {
	nstest.Run(t, func(t *testing.T) { longTimers(t, byDiag) })
}

// Timers that no socket option can express. A time below zero is over at once, and from
// then on close to 2^32 jiffies. Source: net/ipv4/tcp_timer.c, tcp_keepalive_timer.
func longTimers(t *testing.T, readers ...sockets.Query) {
	const key = "net.ipv4.tcp_keepalive_time"
	arm := func(value string) held {
		nstest.Sysctl(t, key, value)
		fd, _, err := nstest.Pair(unix.AF_INET, func(fd int) error {
			return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
		})
		if err != nil {
			t.Fatal(err)
		}
		return look(t, fd, sockets.Established, [3]bool{})
	}
	month, negative := arm("2592000"), arm("-5")
	for i := 0; left(t, negative) < time.Hour; i++ { // it fires once, and is armed again
		if i == 1000 {
			t.Fatal("the timer does not fire")
		}
		time.Sleep(10 * time.Millisecond)
	}
	nstest.Sysctl(t, key, "600")
	for _, q := range readers {
		all := list(t, q).sockets
		const grace = time.Minute // how long this may have taken
		if left, want := all[month.cookie].Left, 30*24*time.Hour; left > want || left < want-grace {
			t.Errorf("%v: %v left of %v", q.Source, left, want)
		}
		want := time.Duration(1<<32)*jiffy(t) - 5*time.Second
		if q.Source == sockets.Diag {
			want %= 1 << 32 * time.Millisecond
		}
		if left := all[negative.cookie].Left; left > want || left < want-grace {
			t.Errorf("%v: %v left of %v", q.Source, left, want)
		}
	}
}

func jiffy(t *testing.T) time.Duration {
	t.Helper()
	var res unix.Timespec
	if err := unix.ClockGetres(unix.CLOCK_MONOTONIC_COARSE, &res); err != nil {
		t.Fatal(err)
	}
	return time.Duration(res.Nano())
}

func idleOf(i *unix.TCPInfo) time.Duration {
	return time.Duration(min(i.Last_ack_recv, i.Last_data_recv)) * time.Millisecond
}

//go:build linux

package calc_test

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/keepalive"
)

// liveRows are predicted from what sock_diag(7) shows of a connection some way on.
func liveRows() []row {
	return []row{
		{name: "live: idle, peer gone", sysctls: "", play: func(r *room) run {
			v := set(2, 1, 3)
			client, server := r.pair(unix.AF_INET, options(v))
			r.must(nstest.DropAll(server))
			time.Sleep(s)
			return r.dies(client, v)
		}},
		{name: "live: idle, data came after the timer was set", sysctls: "", play: func(r *room) run {
			v := set(3, 1, 1)
			client, server := r.pair(unix.AF_INET, options(v))
			time.Sleep(s)
			r.write(server, 1)
			r.wait(func() bool { return r.info(server).Unacked == 0 })
			r.must(nstest.DropAll(server))
			return r.dies(client, v)
		}},
		{name: "live: a probe was not answered", sysctls: "", play: after(set(1, 3, 2), calc.TimerKeepalive, 1)},
		{name: "live: no probe was answered", sysctls: "", play: after(set(1, 2, 2), calc.TimerKeepalive, 2)},
		{name: "live: a user timeout, and a probe was not answered", sysctls: "", play: after(uto(1, 2, 9, 4*s), calc.TimerKeepalive, 1)},
		{name: "live: after an answered probe, intvl larger than time", sysctls: "", play: func(r *room) run {
			v := set(1, 3, 1)
			client, server := r.pair(unix.AF_INET, options(v))
			r.answeredProbe(client)
			r.must(nstest.DropAll(server))
			return r.dies(client, v)
		}},
		{name: "live: data just sent", sysctls: "tcp_retries2=3", play: func(r *room) run {
			client, server := r.pair(unix.AF_INET, nil)
			r.must(nstest.DropAll(server))
			r.write(client, 1)
			return r.dies(client, keepalive.Settings{})
		}},
		{name: "live: data retransmitted twice", sysctls: "tcp_retries2=3", play: after(keepalive.Settings{}, calc.TimerRetransmit, 2)},
		{name: "live: data retransmitted, rto_max 1 s", sysctls: "tcp_retries2=8 tcp_rto_max_ms=1000", play: after(keepalive.Settings{}, calc.TimerRetransmit, 4)},
		{name: "live: data retransmitted, a user timeout", sysctls: "", play: after(keepalive.Settings{UserTimeout: 3 * s}, calc.TimerRetransmit, 1)},
		{name: "live: closed", sysctls: "tcp_orphan_retries=3", play: func(r *room) run {
			client, server := r.pair(unix.AF_INET, nil)
			r.must(nstest.DropAll(server))
			id := r.identity(client)
			r.write(client, 1)
			r.must(unix.Close(client))
			var live calc.Live
			var from time.Duration
			r.wait(func() bool { from = clock(); live, _ = r.diag(id); return live.Unanswered >= 1 })
			live.Closed = true
			return run{predicted: r.Dies(live), from: from, id: id, state: tcpFinWait1}
		}},
		{name: "live: connecting", sysctls: "tcp_syn_retries=2", play: func(r *room) run {
			fd, _ := r.connect(0)
			r.wait(func() bool { return r.info(fd).Total_retrans >= 2 })
			time.Sleep(300 * ms)
			return r.dies(fd, keepalive.Settings{})
		}},
		{name: "live: connecting, a user timeout", sysctls: "", play: func(r *room) run {
			fd, _ := r.connect(2500 * ms)
			r.wait(func() bool { return r.info(fd).Total_retrans >= 1 })
			return r.dies(fd, keepalive.Settings{UserTimeout: 2500 * ms})
		}},
		{name: "live: zero window, peer gone", sysctls: "tcp_retries2=3", play: func(r *room) run {
			client, server := r.fullWindow(0)
			r.must(nstest.DropAll(server))
			r.write(client, 1)
			return r.dies(client, keepalive.Settings{})
		}},
		{name: "live: zero window, peer gone after it answered for a while", sysctls: "tcp_retries2=2", play: func(r *room) run {
			client, server := r.fullWindow(0)
			r.write(client, 1)
			r.wait(func() bool { return r.info(client).Backoff == 2 && r.info(client).Probes == 0 })
			r.must(nstest.DropAll(server))
			return r.dies(client, keepalive.Settings{})
		}},
		{name: "live: zero window, a user timeout", sysctls: "", play: func(r *room) run {
			client, server := r.fullWindow(3 * s)
			r.must(nstest.DropAll(server))
			r.write(client, 1)
			time.Sleep(s)
			return r.dies(client, keepalive.Settings{UserTimeout: 3 * s})
		}},
	}
}

// after is a socket with the settings v and a peer that is gone, as it is when so
// many probes or retransmissions had no answer.
func after(v keepalive.Settings, timer calc.Timer, unanswered int) func(*room) run {
	return func(r *room) run {
		prepare := options(v)
		if timer != calc.TimerKeepalive {
			prepare = func(fd int) error { return setUserTimeout(fd, v.UserTimeout) }
		}
		client, server := r.pair(unix.AF_INET, prepare)
		r.must(nstest.DropAll(server))
		if timer == calc.TimerRetransmit {
			r.write(client, 1)
		}
		id := r.identity(client)
		r.wait(func() bool { l, _ := r.diag(id); return l.Timer == timer && l.Unanswered >= unanswered })
		return r.dies(client, v)
	}
}

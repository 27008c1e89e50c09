//go:build linux

package calc_test

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/keepalive"
)

// idleRows are connections on which nothing is sent but probes.
func idleRows() []row {
	gone := func(v keepalive.Settings) func(*room) run {
		return func(r *room) run {
			client, server := r.pair(unix.AF_INET, options(v))
			r.must(nstest.DropAll(server))
			return r.silent(client, r.IdlePeerGone(v))
		}
	}
	alive := func(v keepalive.Settings, prepare func(fd int) error) func(*room) run {
		return func(r *room) run {
			if v.Time == 0 && v.Intvl == 0 && nstest.Late() > 0 {
				panic(pointless{reason: "a race of 20 ms between probes and answers, where timers are late"})
			}
			client, _ := r.pair(unix.AF_INET, nil)
			from := clock()
			r.must(prepare(client))
			return run{predicted: r.IdlePeerAlive(v), from: from, fd: client, probes: -1}
		}
	}
	answered := func(v keepalive.Settings) func(*room) run {
		return func(r *room) run {
			client, server := r.pair(unix.AF_INET, options(v))
			r.answeredProbe(client)
			r.must(nstest.DropAll(server))
			return r.silent(client, r.IdleAfterAnsweredProbe(v))
		}
	}
	rebooted := func(v keepalive.Settings) func(*room) run {
		return func(r *room) run {
			client, server := r.pair(unix.AF_INET, options(v))
			r.must(nstest.Forget(server))
			return r.silent(client, r.IdlePeerRebooted(v))
		}
	}
	tick := time.Second / time.Duration(hz())

	return []row{
		{name: "idle, peer gone: 2/1/3", sysctls: "", play: gone(set(2, 1, 3))},
		{name: "idle, peer gone: 1/3/2", sysctls: "", play: gone(set(1, 3, 2))},
		{name: "idle, peer gone: 3/1/2", sysctls: "", play: gone(set(3, 1, 2))},
		{name: "idle, peer gone: 1/1/5", sysctls: "", play: gone(set(1, 1, 5))},
		{name: "idle, peer gone: one probe", sysctls: "", play: gone(set(1, 4, 1))},
		{name: "idle, peer gone: user timeout 1 ms, below the first probe", sysctls: "", play: gone(uto(2, 3, 2, ms))},
		{name: "idle, peer gone: user timeout at the first probe", sysctls: "", play: gone(uto(2, 3, 9, 2*s))},
		{name: "idle, peer gone: user timeout at an expiry", sysctls: "", play: gone(uto(2, 1, 9, 4*s))},
		{name: "idle, peer gone: user timeout 1 ms above an expiry", sysctls: "", play: gone(uto(2, 3, 2, 5001*ms))},
		{name: "idle, peer gone: user timeout between two expiries", sysctls: "", play: gone(uto(1, 3, 9, 5500*ms))},
		{name: "idle, peer gone: user timeout within the lateness of the expiry before", sysctls: "", play: gone(uto(2, 1, 3, 6*s+3*tick))},
		{name: "idle, peer gone: user timeout half a second above an expiry", sysctls: "", play: gone(uto(2, 1, 9, 5500*ms))},
		{name: "idle, peer gone: user timeout of time + probes × intvl", sysctls: "", play: gone(uto(2, 1, 4, 6*s))},
		{name: "idle, peer gone: user timeout far beyond probes", sysctls: "", play: gone(uto(1, 1, 3, 12*s))},
		{name: "idle, peer gone: its sysctls", sysctls: "tcp_keepalive_time=2 tcp_keepalive_intvl=1 tcp_keepalive_probes=2", play: func(r *room) run {
			client, server := r.pair(unix.AF_INET, switchOn)
			r.must(nstest.DropAll(server))
			return r.silent(client, r.IdlePeerGone(set(2, 1, 2)))
		}},
		{name: "idle, peer gone: its own values beside other sysctls", sysctls: "tcp_keepalive_time=100 tcp_keepalive_intvl=100 tcp_keepalive_probes=100", play: gone(set(1, 2, 1))},
		{name: "idle, peer gone: intvl and probes of a sysctl that changes later", sysctls: "tcp_keepalive_time=2", play: func(r *room) run {
			client, server := r.pair(unix.AF_INET, switchOn)
			r.must(nstest.DropAll(server))
			r.sysctls("tcp_keepalive_intvl=1 tcp_keepalive_probes=1")
			return r.silent(client, r.IdlePeerGone(set(2, 1, 1)))
		}},
		{name: "idle, peer gone: an accepted socket has its listener's values", sysctls: "", play: func(r *room) run {
			v := set(1, 1, 2)
			listener, at := r.listen()
			r.must(options(v)(listener))
			peer := r.socket()
			r.must(unix.Connect(peer, at))
			fd, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
			r.must(err)
			r.must(nstest.DropAll(peer))
			return r.silent(fd, r.IdlePeerGone(v))
		}},
		{name: "idle, peer gone: data came after the timer was set", sysctls: "", play: func(r *room) run {
			v := set(3, 1, 1)
			client, server := r.pair(unix.AF_INET, options(v))
			time.Sleep(s)
			r.write(server, 1)
			r.wait(func() bool { return r.info(server).Unacked == 0 })
			r.must(nstest.DropAll(server))
			return r.silent(client, r.IdlePeerGone(v))
		}},
		{name: "idle, peer gone: IPv6", sysctls: "", play: func(r *room) run {
			v := set(2, 1, 2)
			client, server := r.pair(unix.AF_INET6, options(v))
			r.must(nstest.DropAll(server))
			return r.silent(client, r.IdlePeerGone(v))
		}},
		{name: "idle, peer gone: FIN_WAIT2 with the descriptor open", sysctls: "", play: func(r *room) run {
			v := set(2, 1, 2)
			client, server := r.pair(unix.AF_INET, options(v))
			r.must(unix.Shutdown(client, unix.SHUT_WR))
			r.wait(func() bool { return r.info(client).State == tcpFinWait2 })
			r.must(nstest.DropAll(server))
			return r.silent(client, r.IdlePeerGone(v))
		}},
		{name: "idle, peer gone: CLOSE_WAIT with the descriptor open", sysctls: "", play: func(r *room) run {
			v := set(2, 1, 2)
			client, server := r.pair(unix.AF_INET, options(v))
			r.must(unix.Shutdown(server, unix.SHUT_WR))
			r.wait(func() bool { return r.info(client).State == tcpCloseWait && r.info(server).State == tcpFinWait2 })
			r.must(nstest.DropAll(server))
			return r.silent(client, r.IdlePeerGone(v))
		}},
		{name: "idle, peer gone: probes 0", sysctls: "tcp_keepalive_probes=0", play: gone(set(2, 1, 0))},
		{name: "idle, peer gone: probes 0 and a user timeout", sysctls: "tcp_keepalive_probes=0", play: gone(uto(1, 1, 0, 2500*ms))},
		{name: "idle, peer gone: intvl 0", sysctls: "tcp_keepalive_intvl=0", play: gone(set(1, 0, 20))},
		{name: "idle, peer gone: intvl 0 and a user timeout", sysctls: "tcp_keepalive_intvl=0", play: func(r *room) run {
			gone := gone(uto(1, 0, 3, 1300*ms))(r)
			gone.probes = -1 // one or two ticks apart
			return gone
		}},
		{name: "idle, peer gone: time 0", sysctls: "tcp_keepalive_time=0", play: func(r *room) run {
			v := set(0, 1, 2)
			client, server := r.pair(unix.AF_INET, nil)
			r.must(nstest.DropAll(server))
			from := clock()
			r.must(options(v)(client))
			p := r.IdlePeerGone(v)
			return run{predicted: p, from: from, fd: client, probes: p.Probes}
		}},
		{name: "idle, peer gone: a negative time", sysctls: "tcp_keepalive_time=-1", play: gone(set(-1, 1, 1))},
		{name: "idle, peer gone: a negative intvl", sysctls: "tcp_keepalive_intvl=-1", play: func(r *room) run {
			gone := gone(set(1, -1, 2))(r)
			gone.probes++
			return gone
		}},
		{name: "idle, peer gone, keepalive off", sysctls: "", play: func(r *room) run {
			client, server := r.pair(unix.AF_INET, func(fd int) error {
				return errors.Join(options(uto(1, 1, 1, s))(fd), switchOff(fd))
			})
			r.must(nstest.DropAll(server))
			return run{predicted: never, from: r.lastHeard(client), fd: client}
		}},

		{name: "idle, peer gone after an answered probe: 1/3/2", sysctls: "", play: answered(set(1, 3, 2))},
		{name: "idle, peer gone after an answered probe: 3/1/2", sysctls: "", play: answered(set(3, 1, 2))},
		{name: "idle, peer gone after an answered probe: a user timeout", sysctls: "", play: answered(uto(1, 2, 9, 3*s))},

		{name: "idle, peer rebooted", sysctls: "", play: rebooted(set(2, 1, 3))},
		{name: "idle, peer rebooted: a user timeout", sysctls: "", play: rebooted(uto(2, 1, 3, ms))},

		{name: "idle, peer alive: probes without end", sysctls: "", play: alive(set(1, 1, 1), options(set(1, 1, 1)))},
		{name: "idle, peer alive: user timeout 1 ms", sysctls: "", play: alive(uto(1, 1, 1, ms), options(uto(1, 1, 1, ms)))},
		{name: "idle, peer alive: probes 0 drops it", sysctls: "tcp_keepalive_probes=0", play: alive(set(2, 1, 0), options(set(2, 1, 0)))},
		{name: "idle, peer alive: intvl 0", sysctls: "tcp_keepalive_intvl=0", play: alive(set(1, 0, 9), options(set(1, 0, 9)))},
		{name: "idle, peer alive: time and intvl 0 drop it", sysctls: "tcp_keepalive_time=0 tcp_keepalive_intvl=0", play: alive(set(0, 0, 5), options(set(0, 0, 5)))},
		{name: "idle, peer alive: time and intvl 0 and a user timeout of 250 ms", sysctls: "tcp_keepalive_time=0 tcp_keepalive_intvl=0", play: alive(uto(0, 0, 5, 250*ms), options(uto(0, 0, 5, 250*ms)))},
		{name: "idle, peer alive: time and intvl 0 and a user timeout of 520 ms", sysctls: "tcp_keepalive_time=0 tcp_keepalive_intvl=0", play: alive(uto(0, 0, 5, 520*ms), options(uto(0, 0, 5, 520*ms)))},
	}
}

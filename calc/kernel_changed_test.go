//go:build linux

package calc_test

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
)

// changedRows are idle connections whose values are changed while they are open.
func changedRows() []row {
	return []row{
		{name: "changed: a sysctl lowered, time stays what the timer was set to", sysctls: "tcp_keepalive_time=4 tcp_keepalive_intvl=1 tcp_keepalive_probes=1", play: func(r *room) run {
			client, server := r.pair(unix.AF_INET, switchOn)
			r.must(nstest.DropAll(server))
			r.sysctls("tcp_keepalive_time=1")
			return r.silent(client, r.IdlePeerGone(set(4, 1, 1)))
		}},
		{name: "changed: a sysctl raised, time is the new one", sysctls: "tcp_keepalive_time=1 tcp_keepalive_intvl=1 tcp_keepalive_probes=1", play: func(r *room) run {
			client, server := r.pair(unix.AF_INET, switchOn)
			r.must(nstest.DropAll(server))
			r.sysctls("tcp_keepalive_time=3")
			return r.silent(client, r.IdlePeerGone(set(3, 1, 1)))
		}},
		{name: "changed: a sysctl lowered, and keepalive off and on: time from then", sysctls: "tcp_keepalive_time=100 tcp_keepalive_intvl=1 tcp_keepalive_probes=1", play: func(r *room) run {
			client, server := r.pair(unix.AF_INET, switchOn)
			r.must(nstest.DropAll(server))
			r.sysctls("tcp_keepalive_time=2")
			from := clock()
			r.must(switchOff(client))
			r.must(switchOn(client))
			return run{predicted: r.IdlePeerGone(set(2, 1, 1)), from: from, fd: client, probes: 1}
		}},
		{name: "changed: TCP_KEEPIDLE, from the last segment", sysctls: "", play: func(r *room) run {
			client, server := r.pair(unix.AF_INET, options(set(100, 1, 1)))
			r.must(nstest.DropAll(server))
			time.Sleep(s)
			r.must(unix.SetsockoptInt(client, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 3))
			return r.silent(client, r.IdlePeerGone(set(3, 1, 1)))
		}},
		{name: "changed: TCP_KEEPIDLE below the silence, a probe at once", sysctls: "", play: func(r *room) run {
			client, server := r.pair(unix.AF_INET, options(set(100, 1, 1)))
			r.must(nstest.DropAll(server))
			time.Sleep(2 * s)
			from := clock()
			r.must(unix.SetsockoptInt(client, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 1))
			return run{predicted: r.IdlePeerGone(set(0, 1, 1)), from: from, fd: client, probes: 1}
		}},
		{name: "changed: keepalive on after a silence, time from then", sysctls: "", play: func(r *room) run {
			client, server := r.pair(unix.AF_INET, func(fd int) error { return errors.Join(options(set(2, 1, 1))(fd), switchOff(fd)) })
			r.must(nstest.DropAll(server))
			time.Sleep(2 * s)
			from := clock()
			r.must(switchOn(client))
			return run{predicted: r.IdlePeerGone(set(2, 1, 1)), from: from, fd: client, probes: 1}
		}},
		{name: "changed: keepalive on where it is on, nothing", sysctls: "", play: func(r *room) run {
			client, server := r.pair(unix.AF_INET, options(set(4, 1, 1)))
			r.must(nstest.DropAll(server))
			time.Sleep(2 * s)
			r.must(switchOn(client))
			return r.silent(client, r.IdlePeerGone(set(4, 1, 1)))
		}},
	}
}

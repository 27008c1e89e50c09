//go:build linux

package calc_test

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/keepalive"
)

// sendingRows are connections that wait for an answer to something else than a probe,
// where keepalive has no say.
func sendingRows() []row {
	inFlight := func(v keepalive.Settings, bytes int) func(*room) run {
		return func(r *room) run {
			client, server := r.pair(unix.AF_INET, options(v))
			r.must(nstest.DropAll(server))
			rto := rtoOf(r.info(client))
			from := clock()
			r.write(client, bytes)
			return run{predicted: r.DataInFlight(v.UserTimeout, rto), from: from, fd: client}
		}
	}
	closed := func(userTimeout time.Duration, bytes int) func(*room) run {
		return func(r *room) run {
			client, server := r.pair(unix.AF_INET, options(keepalive.Settings{UserTimeout: userTimeout}))
			r.must(nstest.DropAll(server))
			rto := rtoOf(r.info(client))
			id := r.identity(client)
			from := clock()
			r.write(client, bytes)
			r.must(unix.Close(client))
			return run{predicted: r.ClosedWithDataUnsent(userTimeout, rto), from: from, id: id, state: tcpFinWait1}
		}
	}
	window := func(userTimeout time.Duration, peer func(server int) error) func(*room) run {
		return func(r *room) run {
			client, server := r.fullWindow(userTimeout)
			r.must(peer(server))
			rto := rtoOf(r.info(client))
			from := clock()
			r.write(client, 1)
			return run{predicted: r.ZeroWindow(userTimeout, rto), from: from, fd: client}
		}
	}
	connecting := func(userTimeout time.Duration) func(*room) run {
		return func(r *room) run {
			fd, from := r.connect(userTimeout)
			return run{predicted: r.Connecting(userTimeout), from: from, fd: fd}
		}
	}
	accepting := func(r *room) run {
		_, at := r.listen()
		from := clock()
		hole, err := nstest.HalfOpen(at)
		r.must(err)
		client, err := unix.Getsockname(hole)
		r.must(err)
		return run{predicted: r.Accepting(), from: from, id: identity(at, client), state: tcpSynRecv}
	}
	nothing := func(int) error { return nil }

	return []row{
		{name: "data in flight: tcp_retries2 0", sysctls: "tcp_retries2=0", play: inFlight(set(3, 1, 1), 1)},
		{name: "data in flight: tcp_retries2 3", sysctls: "tcp_retries2=3", play: inFlight(set(3, 1, 1), 1)},
		{name: "data in flight: several packets", sysctls: "tcp_retries2=3", play: inFlight(set(3, 1, 1), 200_000)},
		{name: "data in flight: a user timeout", sysctls: "tcp_retries2=3", play: inFlight(uto(3, 1, 1, 2*s), 1)},
		{name: "data in flight: user timeout 1 ms", sysctls: "tcp_retries2=3", play: inFlight(uto(3, 1, 1, ms), 1)},
		{name: "data in flight: a user timeout beyond tcp_retries2", sysctls: "tcp_retries2=0", play: inFlight(uto(3, 1, 1, 5*s), 1)},
		{name: "data in flight: rto_max 1 s", sysctls: "tcp_retries2=8 tcp_rto_max_ms=1000", play: inFlight(set(3, 1, 1), 1)},

		{name: "closed: tcp_orphan_retries 1", sysctls: "tcp_orphan_retries=1", play: closed(0, 1)},
		{name: "closed: tcp_orphan_retries 3", sysctls: "tcp_orphan_retries=3", play: closed(0, 1)},
		{name: "closed: nothing but the FIN", sysctls: "tcp_orphan_retries=1", play: closed(0, 0)},
		{name: "closed: tcp_orphan_retries 0 and rto_max 1 s", sysctls: "tcp_orphan_retries=0 tcp_rto_max_ms=1000", play: closed(0, 1)},
		{name: "closed: a user timeout", sysctls: "tcp_orphan_retries=3", play: closed(1500*ms, 1)},

		{name: "zero window, peer alive", sysctls: "tcp_retries2=2", play: window(0, nothing)},
		{name: "zero window, peer alive: a user timeout", sysctls: "", play: window(3*s, nothing)},
		{name: "zero window, peer gone: a user timeout", sysctls: "", play: window(3*s, nstest.DropAll)},

		{name: "connecting: tcp_syn_retries 1", sysctls: "tcp_syn_retries=1", play: connecting(0)},
		{name: "connecting: tcp_syn_retries 2", sysctls: "tcp_syn_retries=2", play: connecting(0)},
		{name: "connecting: no linear timeouts", sysctls: "tcp_syn_retries=2 tcp_syn_linear_timeouts=0", play: connecting(0)},
		{name: "connecting: rto_max 1 s", sysctls: "tcp_syn_retries=3 tcp_rto_max_ms=1000", play: connecting(0)},
		{name: "connecting: user timeout 1 ms", sysctls: "", play: connecting(ms)},
		{name: "connecting: a user timeout between two repetitions", sysctls: "", play: connecting(2500 * ms)},
		{name: "connecting: a user timeout beyond 2^(retries+1)-1 s", sysctls: "tcp_syn_retries=1", play: connecting(60 * s)},

		{name: "accepting: tcp_synack_retries 0", sysctls: "tcp_synack_retries=0", play: accepting},
		{name: "accepting: tcp_synack_retries 2", sysctls: "tcp_synack_retries=2", play: accepting},
		{name: "accepting: tcp_synack_retries 2, rto_max 1 s", sysctls: "tcp_synack_retries=2 tcp_rto_max_ms=1000", play: accepting},
		{name: "accepting: from a client's last SYN", sysctls: "tcp_synack_retries=0", play: func(r *room) run {
			_, at := r.listen()
			client := r.socket()
			r.must(nstest.DropAll(client))
			r.must(unix.SetNonblock(client, true))
			if err := unix.Connect(client, at); err != unix.EINPROGRESS {
				r.must(err)
			}
			here, err := unix.Getsockname(client)
			r.must(err)
			// Longer than a second until the next SYN.
			r.wait(func() bool { return int(r.info(client).Total_retrans) > r.SynLinearTimeouts })
			return run{predicted: r.Accepting(), from: clock(), id: identity(at, here), state: tcpSynRecv, loose: true}
		}},
	}
}

package selftest

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/room"
	"github.com/tcpka/tcpka/keepalive"
)

// Cases are the situations of tcpka explain, each at least once, with values so
// small that all end within a quarter of a minute.
func Cases() []Case {
	return []Case{
		{calc.IdlePeerAlive, "", set(1, 1, 2), nil, alive},
		{calc.IdlePeerAlive, "healthy, and dropped", set(2, 1, 0), sysctl("tcp_keepalive_probes", 0), alive},
		{calc.IdlePeerGone, "", set(2, 1, 3), nil, gone},
		{calc.IdlePeerGone, "intvl above time", set(1, 3, 2), nil, gone},
		{calc.IdlePeerGone, "below time", uto(2, 2, 9, time.Second), nil, gone},
		{calc.IdlePeerGone, "between two probes", uto(1, 2, 9, 6*time.Second), nil, gone},
		{calc.IdlePeerGone, "from the sysctls", set(2, 1, 2), []Sysctl{
			{"tcp_keepalive_time", 2}, {"tcp_keepalive_intvl", 1}, {"tcp_keepalive_probes", 2}}, following},
		{calc.IdlePeerGone, "from the sysctls, time lowered to 1 later", set(5, 1, 1), []Sysctl{
			{"tcp_keepalive_time", 5}, {"tcp_keepalive_intvl", 1}, {"tcp_keepalive_probes", 1}}, loweredTooLate},
		{calc.IdleAfterAnsweredProbe, "", set(1, 3, 2), nil, afterAnsweredProbe},
		{calc.IdlePeerRebooted, "", set(2, 1, 3), nil, rebooted},
		{calc.IdleWithoutKeepalive, "", set(1, 1, 1), nil, withoutKeepalive},
		{calc.DataInFlight, "", set(1, 1, 1), sysctl("tcp_retries2", 3), inFlight},
		{calc.DataInFlight, "", uto(1, 1, 1, 2*time.Second), nil, inFlight},
		{calc.ZeroWindowPeerAlive, "", set(1, 1, 1), nil, zeroWindow},
		{calc.ZeroWindowPeerAlive, "", uto(1, 1, 1, 3*time.Second), nil, zeroWindow},
		{calc.Connecting, "", set(1, 1, 1), sysctl("tcp_syn_retries", 1), connecting},
		{calc.Connecting, "", uto(1, 1, 1, 2500*time.Millisecond), nil, connecting},
		{calc.Accepting, "", set(1, 1, 1), sysctl("tcp_synack_retries", 1), accepting},
		{calc.ClosedWithDataUnsent, "", set(1, 1, 1), sysctl("tcp_orphan_retries", 1), closed},
	}
}

func set(time_, intvl, probes int) keepalive.Settings {
	return keepalive.Settings{Time: time.Duration(time_) * time.Second, Intvl: time.Duration(intvl) * time.Second, Probes: probes}
}

func uto(time_, intvl, probes int, userTimeout time.Duration) keepalive.Settings {
	s := set(time_, intvl, probes)
	s.UserTimeout = userTimeout
	return s
}

func sysctl(name string, value int) []Sysctl { return []Sysctl{{name, value}} }

func alive(st *stage) watched {
	client, _ := st.pair(st.options)
	return st.silent(client, st.kernel.IdlePeerAlive(st.settings))
}

func gone(st *stage) watched {
	client, server := st.pair(st.options)
	st.must(room.DropAll(server))
	return st.silent(client, st.kernel.IdlePeerGone(st.settings))
}

// following is gone for a socket that has no values of its own.
func following(st *stage) watched {
	client, server := st.pair(switchOn)
	st.must(room.DropAll(server))
	return st.silent(client, st.kernel.IdlePeerGone(st.settings))
}

// loweredTooLate is following where the timer runs already when the sysctl of
// time becomes smaller.
func loweredTooLate(st *stage) watched {
	client, server := st.pair(switchOn)
	st.must(room.DropAll(server))
	st.sysctls(sysctl("tcp_keepalive_time", 1))
	return st.silent(client, st.kernel.IdlePeerGone(st.settings))
}

func afterAnsweredProbe(st *stage) watched {
	client, server := st.pair(st.options)
	st.wait(func() bool { return st.probesSent() > 0 && idleOf(st.info(client)) < time.Second/2 })
	st.must(room.DropAll(server))
	return st.silent(client, st.kernel.IdleAfterAnsweredProbe(st.settings))
}

func rebooted(st *stage) watched {
	client, server := st.pair(st.options)
	st.forget(server)
	return st.silent(client, st.kernel.IdlePeerRebooted(st.settings))
}

func withoutKeepalive(st *stage) watched {
	client, server := st.pair(func(fd int) error {
		if err := st.options(fd); err != nil {
			return err
		}
		return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0)
	})
	st.must(room.DropAll(server))
	never := calc.Prediction{Never: true, DecidedBy: calc.ByNothing}
	return watched{predicted: never, from: st.lastHeard(client), fd: client}
}

func inFlight(st *stage) watched {
	client, server := st.pair(st.options)
	st.must(room.DropAll(server))
	rto := rtoOf(st.info(client))
	from := tick()
	st.write(client, 1)
	return watched{predicted: st.kernel.DataInFlight(st.settings.UserTimeout, rto), from: from, fd: client}
}

func zeroWindow(st *stage) watched {
	client := st.fullWindow()
	rto := rtoOf(st.info(client))
	from := tick()
	st.write(client, 1)
	return watched{predicted: st.kernel.ZeroWindow(st.settings.UserTimeout, rto), from: from, fd: client}
}

func connecting(st *stage) watched {
	listener, at := st.listen()
	st.must(room.DropAll(listener))
	client := st.socket()
	st.must(st.options(client))
	st.must(unix.SetNonblock(client, true))
	from := tick()
	if err := unix.Connect(client, at); err != unix.EINPROGRESS {
		st.must(err)
	}
	return watched{predicted: st.kernel.Connecting(st.settings.UserTimeout), from: from, fd: client}
}

func accepting(st *stage) watched {
	listener, at := st.listen()
	st.must(st.options(listener))
	from := tick()
	hole, err := room.HalfOpen(at)
	st.must(err)
	st.keep(hole)
	client, err := unix.Getsockname(hole)
	st.must(err)
	return watched{predicted: st.kernel.Accepting(), from: from, lost: st.watchable(at, client), state: synRecv}
}

func closed(st *stage) watched {
	client, server := st.pair(st.options)
	st.must(room.DropAll(server))
	local, err := unix.Getsockname(client)
	st.must(err)
	remote, err := unix.Getpeername(client)
	st.must(err)
	lost, rto := st.watchable(local, remote), rtoOf(st.info(client))
	from := tick()
	st.write(client, 1)
	st.close(client)
	return watched{predicted: st.kernel.ClosedWithDataUnsent(st.settings.UserTimeout, rto), from: from, lost: lost, state: finWait1}
}

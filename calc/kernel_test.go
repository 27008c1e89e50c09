//go:build linux

package calc_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/keepalive"
)

// The calculator against the kernel it runs on. Every row has a network
// namespace of its own, and all run at once. A row joins two sockets on
// loopback, lets one of them vanish and sees what becomes of the other.

// patience is how long a row that predicts never is watched.
const patience = 6 * s

// A row is one case.
type row struct {
	name    string
	sysctls string // of its namespace, below net.ipv4: "tcp_retries2=3"
	play    func(*room) run
}

// A run is what a row has set going.
type run struct {
	predicted calc.Prediction
	from      time.Duration // when the prediction counts from, on the kernel's clock
	fd        int           // the socket that is watched, or,
	id        diagIdentity  // where it has none,
	state     uint8         // the socket that should leave this state
	probes    int           // TCPKeepAlive at the end; -1: any number
	loose     bool          // it may end sooner: only Latest counts
}

func TestPredictionsAgainstTheKernel(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		cases := rows()
		results := make([]result, len(cases))
		stalls := watchStalls()
		var wg sync.WaitGroup
		for i := range cases {
			wg.Go(func() { results[i] = cases[i].measure() })
		}
		wg.Wait()
		for i, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				// Where timers are late, one may be so late that the expiry before
				// the last is the end. A rule that is wrong is so each time.
				for range 3 {
					if nstest.Late() == 0 || len(results[i].wrong(stalls)) == 0 {
						break
					}
					t.Log(results[i].saw(), "and again:")
					results[i] = c.measure()
				}
				results[i].check(t, stalls)
			})
		}
	})
}

// A scheduling allowance, on the late side only: the machine that runs the tests
// may be busy, or stand still for a while. What a timer of the same process was
// late by is added to it, and what the machine says of itself.
const allowance = 250 * ms

func (r result) check(t *testing.T, stalls *stalls) {
	if r.skip != "" {
		nstest.Missing(t, r.skip)
	}
	t.Log(r.saw())
	for _, problem := range r.wrong(stalls) {
		t.Error(problem)
	}
}

func (r result) saw() string {
	p := r.predicted
	switch {
	case r.skip != "":
		return r.skip
	case r.none != "":
		return r.none
	case r.fail != "":
		return "measured nothing"
	case p.Never:
		return fmt.Sprintf("predicted never, watched for %.3f s", r.took.Seconds())
	}
	return fmt.Sprintf("predicted %.3f s, from %.3f to %.3f, measured %.3f, %s", p.Exact.Seconds(), p.Earliest.Seconds(), p.Latest.Seconds(), r.took.Seconds(), r.errno)
}

// wrong is what differs from the prediction.
func (r result) wrong(stalls *stalls) (problems []string) {
	bad := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	p := r.predicted
	switch late := allowance + nstest.Late() + stalls.between(r.from, r.from+r.took); {
	case r.skip != "" || r.none != "":
		return nil
	case r.fail != "":
		return []string{r.fail}
	case p.Never:
		if r.ended {
			bad("it ended after %v with %s", r.took, r.errno)
		}
	case !r.ended:
		return []string{"it has not ended"}
	case r.took < p.Earliest && !r.loose:
		bad("%v too early", p.Earliest-r.took)
	case r.still > p.Latest+late:
		bad("%v too late, of which %v may be the machine's", r.still-p.Latest, late)
	}
	if !p.Never && r.errno != p.Errno {
		bad("%q, predicted %q", r.errno, p.Errno)
	}

	// TCPAbortOnTimeout counts what the kernel gave up, not what a RST ended, nor
	// a request that never became a connection.
	kills := 0
	if p.Errno == "ETIMEDOUT" || r.state == tcpFinWait1 {
		kills = 1
	}
	if r.kills != kills {
		bad("TCPAbortOnTimeout is %d, want %d", r.kills, kills)
	}
	fewer := p.Earliest < p.Exact // a late expiry may have ended it
	if r.run.probes >= 0 && r.probes != r.run.probes && !(fewer && r.probes < r.run.probes) {
		bad("TCPKeepAlive is %d, want %d", r.probes, r.run.probes)
	}
	return problems
}

func rows() []row {
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
				panic(pointless{"a race of 20 ms between probes and answers, where timers are late"})
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
	tick := time.Second / time.Duration(hz())

	return []row{
		{"idle, peer gone: 2/1/3", "", gone(set(2, 1, 3))},
		{"idle, peer gone: 1/3/2", "", gone(set(1, 3, 2))},
		{"idle, peer gone: 3/1/2", "", gone(set(3, 1, 2))},
		{"idle, peer gone: 1/1/5", "", gone(set(1, 1, 5))},
		{"idle, peer gone: one probe", "", gone(set(1, 4, 1))},
		{"idle, peer gone: user timeout 1 ms, below the first probe", "", gone(uto(2, 3, 2, ms))},
		{"idle, peer gone: user timeout at the first probe", "", gone(uto(2, 3, 9, 2*s))},
		{"idle, peer gone: user timeout at an expiry", "", gone(uto(2, 1, 9, 4*s))},
		{"idle, peer gone: user timeout 1 ms above an expiry", "", gone(uto(2, 3, 2, 5001*ms))},
		{"idle, peer gone: user timeout between two expiries", "", gone(uto(1, 3, 9, 5500*ms))},
		{"idle, peer gone: user timeout within the lateness of the expiry before", "", gone(uto(2, 1, 3, 6*s+3*tick))},
		{"idle, peer gone: user timeout half a second above an expiry", "", gone(uto(2, 1, 9, 5500*ms))},
		{"idle, peer gone: user timeout of time + probes × intvl", "", gone(uto(2, 1, 4, 6*s))},
		{"idle, peer gone: user timeout far beyond probes", "", gone(uto(1, 1, 3, 12*s))},
		{"idle, peer gone: its sysctls", "tcp_keepalive_time=2 tcp_keepalive_intvl=1 tcp_keepalive_probes=2", func(r *room) run {
			client, server := r.pair(unix.AF_INET, switchOn)
			r.must(nstest.DropAll(server))
			return r.silent(client, r.IdlePeerGone(set(2, 1, 2)))
		}},
		{"idle, peer gone: its own values beside other sysctls", "tcp_keepalive_time=100 tcp_keepalive_intvl=100 tcp_keepalive_probes=100", gone(set(1, 2, 1))},
		{"idle, peer gone: intvl and probes of a sysctl that changes later", "tcp_keepalive_time=2", func(r *room) run {
			client, server := r.pair(unix.AF_INET, switchOn)
			r.must(nstest.DropAll(server))
			r.sysctls("tcp_keepalive_intvl=1 tcp_keepalive_probes=1")
			return r.silent(client, r.IdlePeerGone(set(2, 1, 1)))
		}},
		{"idle, peer gone: an accepted socket has its listener's values", "", func(r *room) run {
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
		{"idle, peer gone: data came after the timer was set", "", func(r *room) run {
			v := set(3, 1, 1)
			client, server := r.pair(unix.AF_INET, options(v))
			time.Sleep(s)
			r.write(server, 1)
			r.wait(func() bool { return r.info(server).Unacked == 0 })
			r.must(nstest.DropAll(server))
			return r.silent(client, r.IdlePeerGone(v))
		}},
		{"idle, peer gone: IPv6", "", func(r *room) run {
			v := set(2, 1, 2)
			client, server := r.pair(unix.AF_INET6, options(v))
			r.must(nstest.DropAll(server))
			return r.silent(client, r.IdlePeerGone(v))
		}},
		{"idle, peer gone: FIN_WAIT2 with the descriptor open", "", func(r *room) run {
			v := set(2, 1, 2)
			client, server := r.pair(unix.AF_INET, options(v))
			r.must(unix.Shutdown(client, unix.SHUT_WR))
			r.wait(func() bool { return r.info(client).State == tcpFinWait2 })
			r.must(nstest.DropAll(server))
			return r.silent(client, r.IdlePeerGone(v))
		}},
		{"idle, peer gone: CLOSE_WAIT with the descriptor open", "", func(r *room) run {
			v := set(2, 1, 2)
			client, server := r.pair(unix.AF_INET, options(v))
			r.must(unix.Shutdown(server, unix.SHUT_WR))
			r.wait(func() bool { return r.info(client).State == tcpCloseWait && r.info(server).State == tcpFinWait2 })
			r.must(nstest.DropAll(server))
			return r.silent(client, r.IdlePeerGone(v))
		}},
		{"idle, peer gone: probes 0", "tcp_keepalive_probes=0", gone(set(2, 1, 0))},
		{"idle, peer gone: probes 0 and a user timeout", "tcp_keepalive_probes=0", gone(uto(1, 1, 0, 2500*ms))},
		{"idle, peer gone: intvl 0", "tcp_keepalive_intvl=0", gone(set(1, 0, 20))},
		{"idle, peer gone: intvl 0 and a user timeout", "tcp_keepalive_intvl=0", func(r *room) run {
			gone := gone(uto(1, 0, 3, 1300*ms))(r)
			gone.probes = -1 // one or two ticks apart
			return gone
		}},
		{"idle, peer gone: time 0", "tcp_keepalive_time=0", func(r *room) run {
			v := set(0, 1, 2)
			client, server := r.pair(unix.AF_INET, nil)
			r.must(nstest.DropAll(server))
			from := clock()
			r.must(options(v)(client))
			p := r.IdlePeerGone(v)
			return run{predicted: p, from: from, fd: client, probes: p.Probes}
		}},
		{"idle, peer gone: a negative time", "tcp_keepalive_time=-1", gone(set(-1, 1, 1))},
		{"idle, peer gone: a negative intvl", "tcp_keepalive_intvl=-1", func(r *room) run {
			gone := gone(set(1, -1, 2))(r)
			gone.probes++
			return gone
		}},
		{"idle, peer gone, keepalive off", "", func(r *room) run {
			client, server := r.pair(unix.AF_INET, func(fd int) error {
				return errors.Join(options(uto(1, 1, 1, s))(fd), switchOff(fd))
			})
			r.must(nstest.DropAll(server))
			return run{predicted: never, from: r.lastHeard(client), fd: client}
		}},

		{"changed: a sysctl lowered, time stays what the timer was set to", "tcp_keepalive_time=4 tcp_keepalive_intvl=1 tcp_keepalive_probes=1", func(r *room) run {
			client, server := r.pair(unix.AF_INET, switchOn)
			r.must(nstest.DropAll(server))
			r.sysctls("tcp_keepalive_time=1")
			return r.silent(client, r.IdlePeerGone(set(4, 1, 1)))
		}},
		{"changed: a sysctl raised, time is the new one", "tcp_keepalive_time=1 tcp_keepalive_intvl=1 tcp_keepalive_probes=1", func(r *room) run {
			client, server := r.pair(unix.AF_INET, switchOn)
			r.must(nstest.DropAll(server))
			r.sysctls("tcp_keepalive_time=3")
			return r.silent(client, r.IdlePeerGone(set(3, 1, 1)))
		}},
		{"changed: a sysctl lowered, and keepalive off and on: time from then", "tcp_keepalive_time=100 tcp_keepalive_intvl=1 tcp_keepalive_probes=1", func(r *room) run {
			client, server := r.pair(unix.AF_INET, switchOn)
			r.must(nstest.DropAll(server))
			r.sysctls("tcp_keepalive_time=2")
			from := clock()
			r.must(switchOff(client))
			r.must(switchOn(client))
			return run{predicted: r.IdlePeerGone(set(2, 1, 1)), from: from, fd: client, probes: 1}
		}},
		{"changed: TCP_KEEPIDLE, from the last segment", "", func(r *room) run {
			client, server := r.pair(unix.AF_INET, options(set(100, 1, 1)))
			r.must(nstest.DropAll(server))
			time.Sleep(s)
			r.must(unix.SetsockoptInt(client, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 3))
			return r.silent(client, r.IdlePeerGone(set(3, 1, 1)))
		}},
		{"changed: TCP_KEEPIDLE below the silence, a probe at once", "", func(r *room) run {
			client, server := r.pair(unix.AF_INET, options(set(100, 1, 1)))
			r.must(nstest.DropAll(server))
			time.Sleep(2 * s)
			from := clock()
			r.must(unix.SetsockoptInt(client, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 1))
			return run{predicted: r.IdlePeerGone(set(0, 1, 1)), from: from, fd: client, probes: 1}
		}},
		{"changed: keepalive on after a silence, time from then", "", func(r *room) run {
			client, server := r.pair(unix.AF_INET, func(fd int) error { return errors.Join(options(set(2, 1, 1))(fd), switchOff(fd)) })
			r.must(nstest.DropAll(server))
			time.Sleep(2 * s)
			from := clock()
			r.must(switchOn(client))
			return run{predicted: r.IdlePeerGone(set(2, 1, 1)), from: from, fd: client, probes: 1}
		}},
		{"changed: keepalive on where it is on, nothing", "", func(r *room) run {
			client, server := r.pair(unix.AF_INET, options(set(4, 1, 1)))
			r.must(nstest.DropAll(server))
			time.Sleep(2 * s)
			r.must(switchOn(client))
			return r.silent(client, r.IdlePeerGone(set(4, 1, 1)))
		}},

		{"idle, peer gone after an answered probe: 1/3/2", "", answered(set(1, 3, 2))},
		{"idle, peer gone after an answered probe: 3/1/2", "", answered(set(3, 1, 2))},
		{"idle, peer gone after an answered probe: a user timeout", "", answered(uto(1, 2, 9, 3*s))},

		{"idle, peer rebooted", "", rebooted(set(2, 1, 3))},
		{"idle, peer rebooted: a user timeout", "", rebooted(uto(2, 1, 3, ms))},

		{"idle, peer alive: probes without end", "", alive(set(1, 1, 1), options(set(1, 1, 1)))},
		{"idle, peer alive: user timeout 1 ms", "", alive(uto(1, 1, 1, ms), options(uto(1, 1, 1, ms)))},
		{"idle, peer alive: probes 0 drops it", "tcp_keepalive_probes=0", alive(set(2, 1, 0), options(set(2, 1, 0)))},
		{"idle, peer alive: intvl 0", "tcp_keepalive_intvl=0", alive(set(1, 0, 9), options(set(1, 0, 9)))},
		{"idle, peer alive: time and intvl 0 drop it", "tcp_keepalive_time=0 tcp_keepalive_intvl=0", alive(set(0, 0, 5), options(set(0, 0, 5)))},
		{"idle, peer alive: time and intvl 0 and a user timeout of 250 ms", "tcp_keepalive_time=0 tcp_keepalive_intvl=0", alive(uto(0, 0, 5, 250*ms), options(uto(0, 0, 5, 250*ms)))},
		{"idle, peer alive: time and intvl 0 and a user timeout of 520 ms", "tcp_keepalive_time=0 tcp_keepalive_intvl=0", alive(uto(0, 0, 5, 520*ms), options(uto(0, 0, 5, 520*ms)))},

		{"data in flight: tcp_retries2 0", "tcp_retries2=0", inFlight(set(3, 1, 1), 1)},
		{"data in flight: tcp_retries2 3", "tcp_retries2=3", inFlight(set(3, 1, 1), 1)},
		{"data in flight: several packets", "tcp_retries2=3", inFlight(set(3, 1, 1), 200_000)},
		{"data in flight: a user timeout", "tcp_retries2=3", inFlight(uto(3, 1, 1, 2*s), 1)},
		{"data in flight: user timeout 1 ms", "tcp_retries2=3", inFlight(uto(3, 1, 1, ms), 1)},
		{"data in flight: a user timeout beyond tcp_retries2", "tcp_retries2=0", inFlight(uto(3, 1, 1, 5*s), 1)},
		{"data in flight: rto_max 1 s", "tcp_retries2=8 tcp_rto_max_ms=1000", inFlight(set(3, 1, 1), 1)},

		{"closed: tcp_orphan_retries 1", "tcp_orphan_retries=1", closed(0, 1)},
		{"closed: tcp_orphan_retries 3", "tcp_orphan_retries=3", closed(0, 1)},
		{"closed: nothing but the FIN", "tcp_orphan_retries=1", closed(0, 0)},
		{"closed: tcp_orphan_retries 0 and rto_max 1 s", "tcp_orphan_retries=0 tcp_rto_max_ms=1000", closed(0, 1)},
		{"closed: a user timeout", "tcp_orphan_retries=3", closed(1500*ms, 1)},

		{"zero window, peer alive", "tcp_retries2=2", window(0, nothing)},
		{"zero window, peer alive: a user timeout", "", window(3*s, nothing)},
		{"zero window, peer gone: a user timeout", "", window(3*s, nstest.DropAll)},

		{"connecting: tcp_syn_retries 1", "tcp_syn_retries=1", connecting(0)},
		{"connecting: tcp_syn_retries 2", "tcp_syn_retries=2", connecting(0)},
		{"connecting: no linear timeouts", "tcp_syn_retries=2 tcp_syn_linear_timeouts=0", connecting(0)},
		{"connecting: rto_max 1 s", "tcp_syn_retries=3 tcp_rto_max_ms=1000", connecting(0)},
		{"connecting: user timeout 1 ms", "", connecting(ms)},
		{"connecting: a user timeout between two repetitions", "", connecting(2500 * ms)},
		{"connecting: a user timeout beyond 2^(retries+1)-1 s", "tcp_syn_retries=1", connecting(60 * s)},

		{"accepting: tcp_synack_retries 0", "tcp_synack_retries=0", accepting},
		{"accepting: tcp_synack_retries 2", "tcp_synack_retries=2", accepting},
		{"accepting: tcp_synack_retries 2, rto_max 1 s", "tcp_synack_retries=2 tcp_rto_max_ms=1000", accepting},
		{"accepting: from a client's last SYN", "tcp_synack_retries=0", func(r *room) run {
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

		{"live: idle, peer gone", "", func(r *room) run {
			v := set(2, 1, 3)
			client, server := r.pair(unix.AF_INET, options(v))
			r.must(nstest.DropAll(server))
			time.Sleep(s)
			return r.dies(client, v)
		}},
		{"live: idle, data came after the timer was set", "", func(r *room) run {
			v := set(3, 1, 1)
			client, server := r.pair(unix.AF_INET, options(v))
			time.Sleep(s)
			r.write(server, 1)
			r.wait(func() bool { return r.info(server).Unacked == 0 })
			r.must(nstest.DropAll(server))
			return r.dies(client, v)
		}},
		{"live: a probe was not answered", "", after(set(1, 3, 2), calc.TimerKeepalive, 1)},
		{"live: no probe was answered", "", after(set(1, 2, 2), calc.TimerKeepalive, 2)},
		{"live: a user timeout, and a probe was not answered", "", after(uto(1, 2, 9, 4*s), calc.TimerKeepalive, 1)},
		{"live: after an answered probe, intvl larger than time", "", func(r *room) run {
			v := set(1, 3, 1)
			client, server := r.pair(unix.AF_INET, options(v))
			r.answeredProbe(client)
			r.must(nstest.DropAll(server))
			return r.dies(client, v)
		}},
		{"live: data just sent", "tcp_retries2=3", func(r *room) run {
			client, server := r.pair(unix.AF_INET, nil)
			r.must(nstest.DropAll(server))
			r.write(client, 1)
			return r.dies(client, keepalive.Settings{})
		}},
		{"live: data retransmitted twice", "tcp_retries2=3", after(keepalive.Settings{}, calc.TimerRetransmit, 2)},
		{"live: data retransmitted, rto_max 1 s", "tcp_retries2=8 tcp_rto_max_ms=1000", after(keepalive.Settings{}, calc.TimerRetransmit, 4)},
		{"live: data retransmitted, a user timeout", "", after(keepalive.Settings{UserTimeout: 3 * s}, calc.TimerRetransmit, 1)},
		{"live: closed", "tcp_orphan_retries=3", func(r *room) run {
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
		{"live: connecting", "tcp_syn_retries=2", func(r *room) run {
			fd, _ := r.connect(0)
			r.wait(func() bool { return r.info(fd).Total_retrans >= 2 })
			time.Sleep(300 * ms)
			return r.dies(fd, keepalive.Settings{})
		}},
		{"live: connecting, a user timeout", "", func(r *room) run {
			fd, _ := r.connect(2500 * ms)
			r.wait(func() bool { return r.info(fd).Total_retrans >= 1 })
			return r.dies(fd, keepalive.Settings{UserTimeout: 2500 * ms})
		}},
		{"live: zero window, peer gone", "tcp_retries2=3", func(r *room) run {
			client, server := r.fullWindow(0)
			r.must(nstest.DropAll(server))
			r.write(client, 1)
			return r.dies(client, keepalive.Settings{})
		}},
		{"live: zero window, peer gone after it answered for a while", "tcp_retries2=2", func(r *room) run {
			client, server := r.fullWindow(0)
			r.write(client, 1)
			r.wait(func() bool { return r.info(client).Backoff == 2 && r.info(client).Probes == 0 })
			r.must(nstest.DropAll(server))
			return r.dies(client, keepalive.Settings{})
		}},
		{"live: zero window, a user timeout", "", func(r *room) run {
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

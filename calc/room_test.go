//go:build linux

package calc_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/keepalive"
)

// TCP states. Source: include/net/tcp_states.h.
const (
	tcpSynSent   = 2
	tcpSynRecv   = 3
	tcpFinWait1  = 4
	tcpFinWait2  = 5
	tcpCloseWait = 8
)

// A room is a network namespace and the kernel that predicts what happens in it.
// Its methods end the row that calls them if something goes wrong. Sockets stay
// open until the process ends, so that no other row gets their numbers.
type room struct {
	calc.Kernel
	deaf    unix.Sockaddr // the listener that does not answer
	netlink int           // the socket of sock_diag, if it is not 0
}

// A result is what became of a row.
type result struct {
	run
	skip, none    string // why it was not played
	fail          string
	missed        bool
	disturbed     bool          // the machine was later meanwhile than what is allowed anyway
	took          time.Duration // until it was seen to have ended
	still         time.Duration // when it was last seen not to have
	ended         bool
	errno         string
	probes, kills int // TCPKeepAlive and TCPAbortOnTimeout of the namespace
}

// What a row ends with before its time.
type (
	failed    struct{ error }
	skipped   struct{ reason string } // the machine lacks something
	pointless struct{ reason string } // there is nothing that could be tested
	missed    struct{}                // it ended before it was looked at
)

// measure plays the row in a namespace of its own; again, where the machine stood
// still for longer than what there was to see.
func (w row) measure(lateness nstest.Lateness) (res result) {
	for range 5 {
		begin := nstest.Now()
		res = w.once(lateness)
		res.disturbed = lateness.Between(begin, nstest.Now()) > allowance
		if !res.missed {
			break
		}
	}
	return res
}

func (w row) once(lateness nstest.Lateness) (res result) {
	err := nstest.Apart(func() {
		r := new(room)
		defer func() {
			switch e := recover().(type) {
			case nil:
			case failed:
				res.fail = e.Error()
			case missed:
				res.missed, res.fail = true, "it always ended before it was looked at"
			case skipped:
				res.skip = e.reason
			case pointless:
				res.none = e.reason
			default:
				panic(e)
			}
		}()
		r.sysctls(w.sysctls)
		r.readKernel()
		res.run = w.play(r)
		r.watch(&res, lateness)
		res.probes, res.kills = r.counters()
		// The kernel counts it after it has told the owner. Source:
		// net/ipv4/tcp_timer.c, tcp_write_err.
		for until := nstest.Now() + s; res.errno == "ETIMEDOUT" && res.kills == 0 && nstest.Now() < until; {
			res.probes, res.kills = r.counters()
		}
	})
	if err != nil {
		res.fail = err.Error()
	}
	return res
}

// watch waits for the end, or until it is overdue.
func (r *room) watch(res *result, lateness nstest.Lateness) {
	overdue := max(res.predicted.Latest, 0) + res.from + 5*s
	if res.predicted.Never {
		overdue = clock() + patience
	}
	for !res.ended {
		until := overdue
		if !res.predicted.Never {
			until += lateness.Between(res.from, nstest.Now())
		}
		if nstest.Now() >= until {
			break
		}
		res.still = nstest.Now() - res.from
		if res.state == 0 {
			res.ended = r.ready(res.fd, until)
		} else {
			_, state := r.diag(res.id)
			res.ended = state != res.state
			time.Sleep(2 * ms)
		}
		res.took = nstest.Now() - res.from
	}
	if res.state == 0 { // poll tells at once
		res.still = res.took
		if res.ended {
			n, err := unix.GetsockoptInt(res.fd, unix.SOL_SOCKET, unix.SO_ERROR)
			r.must(err)
			res.errno = unix.ErrnoName(unix.Errno(n))
		}
	}
}

// ready waits for an error of the socket.
func (r *room) ready(fd int, until time.Duration) bool {
	left := max(until-nstest.Now(), 0)
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd)}}, int(left/ms)+1)
	if err != unix.EINTR {
		r.must(err)
	}
	return n > 0
}

func (r *room) must(err error) {
	if err != nil {
		panic(failed{error: err})
	}
}

// wait waits for something that will happen soon.
func (r *room) wait(happened func() bool) {
	for until := nstest.Now() + 60*s; !happened(); time.Sleep(5 * ms) {
		if nstest.Now() > until {
			r.must(errors.New("what the row waits for did not happen"))
		}
	}
}

const ipv4Sysctls = "/proc/sys/net/ipv4/"

// sysctls writes "name=value name=value".
func (r *room) sysctls(list string) {
	for _, kv := range strings.Fields(list) {
		name, value, _ := strings.Cut(kv, "=")
		f, err := os.OpenFile(ipv4Sysctls+name, os.O_WRONLY, 0)
		if errors.Is(err, fs.ErrNotExist) && (name == "tcp_rto_max_ms" || name == "tcp_syn_linear_timeouts") {
			panic(pointless{reason: "this kernel has no " + name}) // 6.12 has not the one, 6.1 neither
		}
		r.must(err)
		_, err = f.WriteString(value)
		r.must(errors.Join(err, f.Close()))
	}
}

// readKernel fills in what the namespace has.
func (r *room) readKernel() {
	read := func(name string, absent int) int {
		b, err := os.ReadFile(ipv4Sysctls + name)
		if errors.Is(err, fs.ErrNotExist) {
			return absent
		}
		r.must(err)
		n, err := strconv.Atoi(strings.TrimSpace(string(b)))
		r.must(err)
		return n
	}
	r.Kernel = calc.Kernel{
		HZ:                hz(),
		Retries2:          read("tcp_retries2", -1),
		RTOMax:            time.Duration(read("tcp_rto_max_ms", 120_000)) * ms,
		SynRetries:        read("tcp_syn_retries", -1),
		SynLinearTimeouts: read("tcp_syn_linear_timeouts", 0),
		SynackRetries:     read("tcp_synack_retries", -1),
		OrphanRetries:     read("tcp_orphan_retries", -1),
	}
}

// hz is how often this kernel's clock ticks in a second.
func hz() int {
	var ts unix.Timespec
	if err := unix.ClockGetres(unix.CLOCK_MONOTONIC_COARSE, &ts); err != nil {
		panic(err)
	}
	return int((s + time.Duration(ts.Nano())/2) / time.Duration(ts.Nano()))
}

// clock is the kernel's clock, which moves with its ticks. Between them it is
// [nstest.Now].
func clock() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC_COARSE, &ts); err != nil {
		panic(err)
	}
	return time.Duration(ts.Nano())
}

// counters are TCPKeepAlive and TCPAbortOnTimeout of the namespace.
func (r *room) counters() (probes, kills int) {
	b, err := os.ReadFile("/proc/thread-self/net/netstat")
	r.must(err)
	lines := strings.Split(string(b), "\n")
	for i := 0; i+1 < len(lines); i += 2 {
		names, values := strings.Fields(lines[i]), strings.Fields(lines[i+1])
		for j, name := range names {
			switch name {
			case "TCPKeepAlive":
				probes, err = strconv.Atoi(values[j])
			case "TCPAbortOnTimeout":
				kills, err = strconv.Atoi(values[j])
			}
			r.must(err)
		}
	}
	return probes, kills
}

// switchOn is keepalive with the values of the sysctls.
func switchOn(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1) }

func switchOff(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0) }

func setUserTimeout(fd int, d time.Duration) error {
	return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(d/ms))
}

// options is keepalive with the values v. What no socket option can say, the
// sysctls of the room must.
func options(v keepalive.Settings) func(fd int) error {
	return func(fd int) error {
		for option, value := range map[int]int{
			unix.TCP_KEEPIDLE:  int(v.Time / s),
			unix.TCP_KEEPINTVL: int(v.Intvl / s),
			unix.TCP_KEEPCNT:   v.Probes,
		} {
			if value > 0 {
				if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, option, value); err != nil {
					return err
				}
			}
		}
		return errors.Join(setUserTimeout(fd, v.UserTimeout), switchOn(fd))
	}
}

func (r *room) pair(family int, prepare func(client int) error) (client, server int) {
	client, server, err := nstest.Pair(family, prepare)
	r.must(err)
	return client, server
}

func (r *room) listen() (int, unix.Sockaddr) {
	fd, at, err := nstest.Listen(unix.AF_INET)
	r.must(err)
	return fd, at
}

func (r *room) socket() int {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	r.must(err)
	return fd
}

// connect starts to connect to an address that does not answer.
func (r *room) connect(userTimeout time.Duration) (fd int, from time.Duration) {
	listener, at := r.listen()
	r.must(nstest.DropAll(listener))
	r.deaf = at
	fd = r.socket()
	r.must(setUserTimeout(fd, userTimeout))
	r.must(unix.SetNonblock(fd, true))
	from = clock()
	if err := unix.Connect(fd, at); err != unix.EINPROGRESS {
		r.must(fmt.Errorf("connect: %w", err))
	}
	return fd, from
}

// fullWindow is a connection whose server takes no more data, with nothing in
// flight or queued.
func (r *room) fullWindow(userTimeout time.Duration) (client, server int) {
	listener, at := r.listen()
	r.must(unix.SetsockoptInt(listener, unix.SOL_SOCKET, unix.SO_RCVBUF, 4096))
	client = r.socket()
	r.must(setUserTimeout(client, userTimeout))
	r.must(unix.Connect(client, at))
	server, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
	r.must(err)
	r.wait(func() bool {
		i := r.info(client)
		if i.Unacked > 0 {
			return false
		}
		if i.Snd_wnd > 0 {
			r.write(client, int(i.Snd_wnd))
		}
		return i.Snd_wnd == 0
	})
	return client, server
}

func (r *room) write(fd, bytes int) {
	if bytes > 0 {
		r.must(unix.Sendto(fd, make([]byte, bytes), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, nil))
	}
}

func (r *room) info(fd int) *unix.TCPInfo {
	i, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	r.must(err)
	return i
}

func rtoOf(i *unix.TCPInfo) time.Duration { return time.Duration(i.Rto) * time.Microsecond }

func idleOf(i *unix.TCPInfo) time.Duration {
	return time.Duration(min(i.Last_data_recv, i.Last_ack_recv)) * ms
}

// lastHeard is when a socket last received a segment that counts.
func (r *room) lastHeard(fd int) time.Duration {
	now := clock()
	return now - idleOf(r.info(fd))
}

// silent is an idle socket whose peer has just stopped to answer.
func (r *room) silent(fd int, p calc.Prediction) run {
	from := r.lastHeard(fd)
	for {
		before, _ := r.counters()
		unanswered := int(r.info(fd).Probes)
		if sent, _ := r.counters(); sent == before { // else a probe went out just now
			return run{predicted: p, from: from, fd: fd, probes: sent - unanswered + p.Probes}
		}
	}
}

// answeredProbe waits until a probe was answered on a connection whose time is a
// second at least.
func (r *room) answeredProbe(fd int) {
	r.wait(func() bool {
		probes, _ := r.counters()
		return probes > 0 && idleOf(r.info(fd)) < s/2
	})
}

// dies predicts what becomes of a socket as it is now.
func (r *room) dies(fd int, v keepalive.Settings) run {
	id := r.identity(fd)
	live, _ := r.diag(id)
	var from time.Duration
	for same := false; !same; { // a timer may fire while the kernel puts the answer together
		before := live
		from = clock()
		live, _ = r.diag(id)
		same = live.Timer == before.Timer && live.Unanswered == before.Unanswered && live.RTO == before.RTO
	}
	live.Settings = v
	on, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE)
	r.must(err)
	live.Enabled = on != 0
	return run{predicted: r.Dies(live), from: from, fd: fd, probes: -1}
}

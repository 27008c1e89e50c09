//go:build linux

package calc_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
	"unsafe"

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
func (w row) measure() (res result) {
	for range 5 {
		if res = w.once(); !res.missed {
			break
		}
	}
	return res
}

func (w row) once() (res result) {
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
		r.watch(&res)
		res.probes, res.kills = r.counters()
		// The kernel counts it after it has told the owner. Source:
		// net/ipv4/tcp_timer.c, tcp_write_err.
		for until := fineClock() + s; res.errno == "ETIMEDOUT" && res.kills == 0 && fineClock() < until; {
			res.probes, res.kills = r.counters()
		}
	})
	if err != nil {
		res.fail = err.Error()
	}
	return res
}

// watch waits for the end, or until it is overdue.
func (r *room) watch(res *result) {
	until := max(res.predicted.Latest, 0) + res.from + 5*s
	if res.predicted.Never {
		until = clock() + patience
	}
	for !res.ended && fineClock() < until {
		res.still = fineClock() - res.from
		if res.state == 0 {
			res.ended = r.ready(res.fd, until)
		} else {
			_, state := r.diag(res.id)
			res.ended = state != res.state
			time.Sleep(2 * ms)
		}
		res.took = fineClock() - res.from
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
	left := max(until-fineClock(), 0)
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd)}}, int(left/ms)+1)
	if err != unix.EINTR {
		r.must(err)
	}
	return n > 0
}

func (r *room) must(err error) {
	if err != nil {
		panic(failed{err})
	}
}

// wait waits for something that will happen soon.
func (r *room) wait(happened func() bool) {
	for until := fineClock() + 20*s; !happened(); time.Sleep(5 * ms) {
		if fineClock() > until {
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
			panic(pointless{"this kernel has no " + name}) // 6.12 has not the one, 6.1 neither
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

// clock is the kernel's clock, which moves with its ticks.
func clock() time.Duration { return readClock(unix.CLOCK_MONOTONIC_COARSE) }

// fineClock is the same between the ticks.
func fineClock() time.Duration { return readClock(unix.CLOCK_MONOTONIC) }

func readClock(id int32) time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(id, &ts); err != nil {
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

// The messages of sock_diag(7). Source: include/uapi/linux/inet_diag.h.
type (
	diagIdentity struct {
		sourcePort, destPort [2]byte
		source, dest         [16]byte
		device               uint32
		cookie               [2]uint32
	}
	diagRequest struct {
		header           unix.NlMsghdr
		family, protocol uint8
		extensions       uint8
		_                uint8
		states           uint32
		id               diagIdentity
	}
	diagMessage struct {
		family, state, timer, retrans uint8
		id                            diagIdentity
		expires, rqueue, wqueue       uint32
		uid, inode                    uint32
	}
)

const inetDiagInfo = 2 // INET_DIAG_INFO

// identity is how sock_diag(7) finds a connected IPv4 socket, even when its
// descriptor is closed.
func (r *room) identity(fd int) diagIdentity {
	local, err := unix.Getsockname(fd)
	r.must(err)
	remote, err := unix.Getpeername(fd)
	if errors.Is(err, unix.ENOTCONN) {
		if r.deaf == nil {
			panic(missed{})
		}
		remote, err = r.deaf, nil // still connecting
	}
	r.must(err)
	return identity(local, remote)
}

func identity(local, remote unix.Sockaddr) diagIdentity {
	id := diagIdentity{cookie: [2]uint32{^uint32(0), ^uint32(0)}} // any
	put := func(at unix.Sockaddr, port *[2]byte, addr *[16]byte) {
		in4 := at.(*unix.SockaddrInet4)
		binary.BigEndian.PutUint16(port[:], uint16(in4.Port))
		copy(addr[:], in4.Addr[:])
	}
	put(local, &id.sourcePort, &id.source)
	put(remote, &id.destPort, &id.dest)
	return id
}

// diag asks sock_diag(7) for a socket and its state, which is 0 if there is no
// such socket.
func (r *room) diag(id diagIdentity) (live calc.Live, state uint8) {
	if r.netlink == 0 {
		fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
		if errors.Is(err, unix.EPROTONOSUPPORT) {
			panic(skipped{"this kernel has no sock_diag"})
		}
		r.must(err)
		r.netlink = fd
		one, _ := r.pair(unix.AF_INET, nil)
		if _, state := r.diag(r.identity(one)); state == 0 {
			panic(skipped{"this kernel has no tcp_diag"})
		}
	}
	req := diagRequest{
		family: unix.AF_INET, protocol: unix.IPPROTO_TCP,
		extensions: 1 << (inetDiagInfo - 1), states: ^uint32(0), id: id,
	}
	req.header = unix.NlMsghdr{Len: uint32(unsafe.Sizeof(req)), Type: unix.SOCK_DIAG_BY_FAMILY, Flags: unix.NLM_F_REQUEST}
	r.must(unix.Sendto(r.netlink, unsafe.Slice((*byte)(unsafe.Pointer(&req)), unsafe.Sizeof(req)), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}))
	buf := make([]byte, 8192)
	n, _, err := unix.Recvfrom(r.netlink, buf, 0)
	r.must(err)
	buf = buf[:n]
	if header := (*unix.NlMsghdr)(unsafe.Pointer(&buf[0])); header.Type == unix.NLMSG_ERROR {
		errno := unix.Errno(-*(*int32)(unsafe.Pointer(&buf[unix.NLMSG_HDRLEN])))
		if errno == unix.ENOENT {
			return calc.Live{}, 0
		}
		r.must(fmt.Errorf("sock_diag: %w", errno))
	}
	msg := (*diagMessage)(unsafe.Pointer(&buf[unix.NLMSG_HDRLEN]))
	live = calc.Live{
		Timer:      calc.Timer(msg.timer),
		Expires:    time.Duration(msg.expires) * ms,
		Unanswered: int(msg.retrans),
		Connecting: msg.state == tcpSynSent,
	}
	for attrs := buf[unix.NLMSG_HDRLEN+int(unsafe.Sizeof(*msg)):]; len(attrs) >= unix.SizeofRtAttr; {
		a := (*unix.RtAttr)(unsafe.Pointer(&attrs[0]))
		if a.Type == inetDiagInfo {
			var info unix.TCPInfo
			copy(unsafe.Slice((*byte)(unsafe.Pointer(&info)), unsafe.Sizeof(info)), attrs[unix.SizeofRtAttr:a.Len])
			live.Idle, live.RTO, live.Backoff = idleOf(&info), rtoOf(&info), int(info.Backoff)
		}
		attrs = attrs[min(len(attrs), (int(a.Len)+3)&^3):]
	}
	return live, msg.state
}

// stalls are the times at which this process did not run when it should have.
type stalls struct {
	mu   sync.Mutex
	seen []stall
}

type stall struct{ at, late time.Duration }

// watchStalls sees them until the process ends.
func watchStalls() *stalls {
	const nap, notable = 5 * ms, 10 * ms
	st := new(stalls)
	go func() {
		for {
			due := fineClock() + nap
			time.Sleep(nap)
			if now := fineClock(); now-due > notable {
				st.mu.Lock()
				st.seen = append(st.seen, stall{now, now - due})
				st.mu.Unlock()
			}
		}
	}()
	return st
}

// between is how long they were together.
func (st *stalls) between(from, to time.Duration) (sum time.Duration) {
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, one := range st.seen {
		if one.at > from && one.at-one.late < to {
			sum += one.late
		}
	}
	return sum
}

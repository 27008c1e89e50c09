package selftest

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/room"
	"github.com/tcpka/tcpka/internal/rootfs"
	"github.com/tcpka/tcpka/internal/stall"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/procfs"
)

// uncounted as [watched.sent]: it does not matter how many probes there are.
const uncounted = -1

// A stage is a network namespace with one case in it. Its methods end the case
// by a panic with failed where something goes wrong that is not the case's.
type stage struct {
	kernel   calc.Kernel
	settings keepalive.Settings
	deadline time.Duration
	stalls   *stall.Watcher
	fds      []int
}

type failed struct{ error }

// watched is what a case has set going.
type watched struct {
	predicted calc.Prediction
	from      time.Duration // when it counts from, on clock
	fd        int           // the socket that should get an error, or,
	lost      connection    // where nobody has it,
	state     uint8         // the connection that should leave this state
	sent      int           // TCPKeepAlive when the peer vanished, or uncounted
}

func (st *stage) must(err error) {
	if err != nil {
		panic(failed{err})
	}
}

// setUp prepares the namespace and reads what it then has.
func (st *stage) setUp(sysctls []Sysctl) {
	st.sysctls(sysctls)
	fs := procfs.New(rootfs.FS{})
	related, err := fs.Related()
	st.must(err)
	hz, err := procfs.HZ()
	st.must(err)
	st.kernel = calc.Kernel{
		HZ:                hz,
		Retries2:          related.Retries2,
		RTOMax:            related.RTOMax,
		SynRetries:        related.SynRetries,
		SynLinearTimeouts: related.SynLinearTimeouts,
		SynackRetries:     related.SynackRetries,
		OrphanRetries:     related.OrphanRetries,
	}
}

// sysctls writes to the namespace of this thread, which is the stage's own.
func (st *stage) sysctls(list []Sysctl) {
	for _, one := range list {
		f, err := os.OpenFile("/proc/sys/net/ipv4/"+one.Name, os.O_WRONLY, 0)
		st.must(err)
		_, err = f.WriteString(strconv.Itoa(one.Value))
		st.must(errors.Join(err, f.Close()))
	}
}

// strike closes what the case has left open.
func (st *stage) strike() {
	for _, fd := range st.fds {
		unix.Close(fd)
	}
}

func (st *stage) keep(fds ...int) { st.fds = append(st.fds, fds...) }

func (st *stage) drop(fd int) {
	st.fds = slices.DeleteFunc(st.fds, func(other int) bool { return other == fd })
}

func (st *stage) close(fd int) {
	st.drop(fd)
	st.must(unix.Close(fd))
}

func (st *stage) forget(fd int) {
	st.drop(fd)
	st.must(room.Forget(fd))
}

func (st *stage) pair(prepare func(client int) error) (client, server int) {
	client, server, err := room.Pair(unix.AF_INET, prepare)
	st.must(err)
	st.keep(client, server)
	return client, server
}

func (st *stage) listen() (int, unix.Sockaddr) {
	fd, at, err := room.Listen(unix.AF_INET)
	st.must(err)
	st.keep(fd)
	return fd, at
}

func (st *stage) socket() int {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	st.must(err)
	st.keep(fd)
	return fd
}

func switchOn(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1) }

// options gives a socket the settings of the case. What no socket option can say,
// the sysctls of the case must.
func (st *stage) options(fd int) error {
	for _, o := range [...]struct{ option, value int }{
		{unix.TCP_KEEPIDLE, int(st.settings.Time / time.Second)},
		{unix.TCP_KEEPINTVL, int(st.settings.Intvl / time.Second)},
		{unix.TCP_KEEPCNT, st.settings.Probes},
		{unix.TCP_USER_TIMEOUT, int(st.settings.UserTimeout / time.Millisecond)},
	} {
		if o.value > 0 {
			if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, o.option, o.value); err != nil {
				return err
			}
		}
	}
	return switchOn(fd)
}

// fullWindow is a connection whose server lives and takes no more data, with
// nothing in flight or queued.
func (st *stage) fullWindow() (client int) {
	listener, at := st.listen()
	st.must(unix.SetsockoptInt(listener, unix.SOL_SOCKET, unix.SO_RCVBUF, 4096))
	client = st.socket()
	st.must(st.options(client))
	st.must(unix.Connect(client, at))
	server, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
	st.must(err)
	st.keep(server)
	if st.info(client).Snd_wnd == 0 {
		st.must(errors.New("this kernel does not tell the peer's window: before Linux 5.4"))
	}
	st.wait(func() bool {
		i := st.info(client)
		if i.Unacked == 0 && i.Snd_wnd > 0 {
			st.write(client, int(i.Snd_wnd))
		}
		return i.Unacked == 0 && i.Snd_wnd == 0
	})
	return client
}

func (st *stage) write(fd, bytes int) {
	st.must(unix.Sendto(fd, make([]byte, bytes), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, nil))
}

func (st *stage) info(fd int) *unix.TCPInfo {
	i, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	st.must(err)
	return i
}

func rtoOf(i *unix.TCPInfo) time.Duration { return time.Duration(i.Rto) * time.Microsecond }

func idleOf(i *unix.TCPInfo) time.Duration {
	return time.Duration(min(i.Last_data_recv, i.Last_ack_recv)) * time.Millisecond
}

// lastHeard is when a socket last received a segment that counts.
func (st *stage) lastHeard(fd int) time.Duration {
	for {
		now := clock()
		if idle := idleOf(st.info(fd)); clock() == now { // else it may be of the next tick
			return now - idle
		}
	}
}

// silent is an idle socket whose peer has just stopped to answer.
func (st *stage) silent(fd int, p calc.Prediction) watched {
	from := st.lastHeard(fd)
	return watched{predicted: p, from: from, fd: fd, sent: st.probesSent() - int(st.info(fd).Probes)}
}

// probesSent is the counter TCPKeepAlive of the namespace.
func (st *stage) probesSent() int {
	b, err := os.ReadFile("/proc/thread-self/net/netstat")
	st.must(err)
	lines := strings.Split(string(b), "\n")
	for i := 0; i+1 < len(lines); i += 2 {
		names, values := strings.Fields(lines[i]), strings.Fields(lines[i+1])
		if at := slices.Index(names, "TCPKeepAlive"); at > 0 && at < len(values) {
			n, err := strconv.Atoi(values[at])
			st.must(err)
			return n
		}
	}
	st.must(errors.New("/proc/net/netstat: no TCPKeepAlive"))
	return 0
}

// wait waits for something that comes by itself.
func (st *stage) wait(done func() bool) {
	for !done() {
		if stall.Now() > st.deadline {
			st.must(errors.New("what should come first did not"))
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// watch waits for the end, or until it is long overdue.
func (st *stage) watch(w watched, r *Result) {
	r.Predicted = w.predicted
	until := w.from + w.predicted.Latest + 5*time.Second
	if w.predicted.Never {
		until = clock() + Patience
	}
	for !r.Ended && stall.Now() < min(until+r.Stalled, st.deadline) {
		r.Ended = st.ended(w, min(until+r.Stalled, st.deadline))
		r.Measured = clock() - w.from // the tick that ended it, not when this process was woken
		r.Stalled = st.stalls.Between(w.from, w.from+r.Measured)
	}
	if w.state == 0 && r.Ended {
		n, err := unix.GetsockoptInt(w.fd, unix.SOL_SOCKET, unix.SO_ERROR)
		st.must(err)
		if r.Errno = unix.ErrnoName(unix.Errno(n)); n != 0 && r.Errno == "" {
			r.Errno = fmt.Sprintf("errno %d", n)
		}
	}
	if r.Probes = uncounted; w.sent != uncounted {
		r.Probes = st.probesSent() - w.sent
	}
}

// ended waits for the end, and hardly longer than until then.
func (st *stage) ended(w watched, until time.Duration) bool {
	if w.state == 0 { // poll(2) tells at once
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(w.fd)}}, int(max(until-stall.Now(), 0)/time.Millisecond)+1)
		if err != unix.EINTR {
			st.must(err)
		}
		return n > 0
	}
	for {
		is, err := w.lost.in(w.state)
		st.must(err)
		if !is || stall.Now() > until {
			return !is
		}
		time.Sleep(2 * time.Millisecond)
	}
}

package middlebox

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// probesPerVerdict unanswered probes, a second apart, mean that the path
	// swallows them: one or two may be lost on any path.
	probesPerVerdict = 5

	// connectWithin is how long a connection may take to come about.
	connectWithin = 15 * time.Second

	// settleFor is how long the far end must have said nothing before it is asked
	// whether it answers probes, and settleWithin how long that is waited for.
	settleFor    = MinSilence
	settleWithin = 5 * time.Second

	// maxRestarts is how often the far end may speak before it is taken to do so
	// always.
	maxRestarts = 4

	// tick is the grain of what the kernel says about times, at HZ 100.
	tick = 10 * time.Millisecond
)

// state is what a connection is in.
type state int

const (
	connecting state = iota
	settling         // until the greeting is over
	checking         // a probe is out, to see whether the far end answers any
	ready            // it does
	silent           // until the wanted silence is over
	probing          // a probe is out, to see whether the path forgot
	watching         // until the far end ends it
	done
)

// span is a moment that is known only to lie between two.
type span struct{ early, late time.Duration }

// conn is a connection that is measured. It is polled by one goroutine, sends no
// data, and keeps none of what comes but the beginning of a greeting.
//
// The kernel probes when it is told to: keepalive is off until then, is switched
// on with TCP_KEEPIDLE a second, which is past, and sends at once. What it
// answers is read from its counts of segments: those of the far end's own probes
// are among them, although they do not count as activity for keepalive. Source:
// net/ipv4/tcp.c, tcp_sock_set_keepidle_locked, tcp_get_info.
type conn struct {
	fd     int
	remote netip.AddrPort
	state  state
	sample Sample

	began   time.Duration // when the state began
	looked  time.Duration // when the counts were read
	in, out uint32        // segments until then

	made     time.Duration // when the connection came about
	since    span          // when the last segment passed
	left     span          // when the probe did; late is 0 until it is seen
	inBefore uint32        // segments in front of the probe
	limit    time.Duration // a silence that would end after this is not begun again
	restarts int
	longest  time.Duration // the longest silence that the far end ended

	hold     bool // nothing is asked: the far end is to speak
	greeting []byte
	spoke    bool // the far end sent data
}

// clock goes on while the machine sleeps, as the path's does.
func clock() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		panic(err) // Linux has it since 2.6.39
	}
	return time.Duration(ts.Nano())
}

// dial begins to connect, in the network namespace of the calling thread.
func dial(to netip.AddrPort) (*conn, error) {
	family, at, err := sockaddr(to)
	if err != nil {
		return nil, err
	}
	// Plain TCP: a subflow of MPTCP would be another connection to the path.
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	if err := unix.Connect(fd, at); err != nil && err != unix.EINPROGRESS {
		unix.Close(fd)
		return nil, err
	}
	now := clock()
	return &conn{fd: fd, remote: to, state: connecting, began: now, looked: now}, nil
}

func sockaddr(to netip.AddrPort) (family int, at unix.Sockaddr, err error) {
	addr := to.Addr().Unmap()
	if addr.Is4() {
		return unix.AF_INET, &unix.SockaddrInet4{Port: int(to.Port()), Addr: addr.As4()}, nil
	}
	in6 := &unix.SockaddrInet6{Port: int(to.Port()), Addr: addr.As16()}
	if zone := addr.Zone(); zone != "" {
		n, err := strconv.ParseUint(zone, 10, 32)
		if err != nil {
			i, err := net.InterfaceByName(zone)
			if err != nil {
				return 0, nil, fmt.Errorf("zone %s: no such network interface", zone)
			}
			n = uint64(i.Index)
		}
		in6.ZoneId = uint32(n)
	}
	return unix.AF_INET6, in6, nil
}

// look is what the kernel knew about a connection at a moment.
type look struct {
	now, before time.Duration // before: when it was asked the last time
	err         unix.Errno    // what became of it; 0 is none
	info        *unix.TCPInfo
	in, out     bool // segments came, left
}

func (c *conn) look() (look, error) {
	l := look{before: c.looked, err: c.drain()}
	if l.err == 0 { // else it has been told already, and is told only once
		n, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR)
		if err != nil {
			return l, err
		}
		l.err = unix.Errno(n)
	}
	var err error
	if l.info, err = unix.GetsockoptTCPInfo(c.fd, unix.IPPROTO_TCP, unix.TCP_INFO); err != nil {
		return l, err
	}
	l.now = clock()
	l.in, l.out = l.info.Segs_in != c.in, l.info.Segs_out != c.out
	c.in, c.out, c.looked = l.info.Segs_in, l.info.Segs_out, l.now
	return l, nil
}

// drain throws away what came, and keeps the beginning of it. An unread byte
// would turn the FIN of close(2) into a reset, and a full buffer would keep the
// far end probing the window. It returns the socket's error, if there is one.
func (c *conn) drain() unix.Errno {
	const enough = 128
	if c.state == connecting {
		return 0
	}
	for range 16 { // what comes faster than this can wait
		buf, flags := discard[:], unix.MSG_DONTWAIT|unix.MSG_TRUNC // see tcp(7): not copied
		if room := enough - len(c.greeting); c.state <= checking && room > 0 {
			buf, flags = make([]byte, room), unix.MSG_DONTWAIT
		}
		n, _, err := unix.Recvfrom(c.fd, buf, flags)
		if errno, ok := err.(unix.Errno); ok && errno != unix.EAGAIN {
			return errno
		}
		if err != nil || n == 0 {
			break
		}
		c.spoke = true
		if flags&unix.MSG_TRUNC == 0 {
			c.greeting = append(c.greeting, buf[:n]...)
		}
	}
	return 0
}

// discard is never written to.
var discard [1 << 16]byte

// States of TCP. Source: include/net/tcp_states.h.
const (
	tcpEstablished = 1
	tcpCloseWait   = 8
)

// step moves the connection on, to done in the end.
func (c *conn) step() {
	l, err := c.look()
	switch {
	case err != nil:
		c.unmade(err)
	case l.err != 0:
		c.broke(l)
	case c.state == connecting:
		if l.info.State == tcpEstablished || l.info.State == tcpCloseWait {
			c.since = span{l.now - millis(l.info.Last_ack_recv) - tick, l.now}
			c.made = c.since.early
			c.enter(settling, l.now)
			if c.hold {
				c.watch()
			}
		} else if l.now-c.began > connectWithin {
			c.unmade(unix.ETIMEDOUT)
		}
	case l.info.State == tcpCloseWait:
		c.hungUp(l)
	default:
		c.wait(l)
	}
}

func millis(n uint32) time.Duration { return time.Duration(n) * time.Millisecond }

func (c *conn) enter(s state, now time.Duration) { c.state, c.began = s, now }

// wait is step for a connection that is whole.
func (c *conn) wait(l look) {
	switch c.state {
	case settling:
		if l.in || l.out {
			c.since = span{l.before, l.now}
		}
		if l.now-c.since.late >= settleFor || l.now-c.began >= settleWithin {
			c.probe(checking)
		}
	case checking:
		if c.answered(l) {
			c.enter(ready, l.now)
			c.since = span{l.before, l.now}
			if err := unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0); err != nil {
				c.unmade(err)
			}
		} else if c.overdue(l) {
			c.unmade(ErrNoAnswer)
		}
	case ready:
		if l.in || l.out {
			c.since = span{l.before, l.now}
		}
	case silent:
		switch {
		case l.in || l.out:
			c.interrupted(l)
		case l.now-c.since.late >= c.sample.Wanted:
			c.probe(probing)
		}
	case probing:
		if c.answered(l) {
			c.finish(Answered, c.left.early-c.since.late)
		} else if c.overdue(l) {
			c.finish(Swallowed, c.left.late-c.since.early)
		}
	case watching:
		if l.in || l.out {
			c.longest = max(c.longest, l.before-c.since.late)
			c.since = span{l.before, l.now}
		}
	}
}

// hush begins the silence of the sample.
func (c *conn) hush(wanted time.Duration) {
	c.sample.Wanted = wanted
	c.limit = c.since.late + 2*wanted + settleWithin // a late greeting is no habit
	c.enter(silent, c.looked)
}

// watch leaves it to the far end to speak.
func (c *conn) watch() { c.enter(watching, c.looked) }

// interrupted begins the silence again: the far end spoke.
func (c *conn) interrupted(l look) {
	c.longest = max(c.longest, l.before-c.since.late)
	c.since = span{l.before, l.now}
	if c.restarts++; c.restarts > maxRestarts || l.now+c.sample.Wanted > c.limit {
		c.finish(Spoke, c.longest)
	}
}

// probe has the kernel send one now, and more if it is not answered.
func (c *conn) probe(s state) {
	c.left = span{early: clock()}
	c.inBefore = c.in
	for _, o := range []struct{ level, option, value int }{
		{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 1},
		{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, probesPerVerdict},
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
		{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 1},
	} {
		if err := unix.SetsockoptInt(c.fd, o.level, o.option, o.value); err != nil {
			c.unmade(err)
			return
		}
	}
	c.enter(s, c.left.early)
}

// answered reports whether the probe was, and notes when it left.
func (c *conn) answered(l look) bool {
	if l.out && c.left.late == 0 {
		c.left.late = l.now
	}
	// Probes is 0 before the first one, too, but then nothing has left.
	return c.left.late != 0 && l.info.Probes == 0 && c.in != c.inBefore
}

// overdue reports whether the kernel, which should have given up, did not: its
// own packets do not leave, or the far end does not stop talking.
func (c *conn) overdue(l look) bool {
	if l.now-c.left.early < (probesPerVerdict+3)*time.Second {
		return false
	}
	if c.left.late == 0 {
		c.left.late = l.now
	}
	return true
}

// broke is what an error of the socket means.
func (c *conn) broke(l look) {
	// The segments of this last moment were counted before.
	if c.left.late == 0 {
		c.left.late = l.now
	}
	switch {
	case c.state <= checking && l.err == unix.ETIMEDOUT && c.state != connecting:
		c.unmade(ErrNoAnswer)
	case c.state <= ready && c.state != connecting:
		c.unmade(&HungUpError{Greeting: c.greeting, Reset: true})
	case c.state == connecting:
		c.unmade(l.err)
	case l.err == unix.ECONNRESET && c.state == probing:
		c.finish(Rejected, c.left.late-c.since.early)
	case l.err == unix.ECONNRESET:
		c.sample.Unasked, c.sample.Age = true, l.now-c.made
		c.finish(Rejected, l.now-c.since.early)
	case l.err == unix.ETIMEDOUT && c.state == probing:
		c.finish(Swallowed, c.left.late-c.since.early)
	default:
		c.unmade(l.err)
	}
}

// hungUp is the far end's FIN.
func (c *conn) hungUp(l look) {
	came := l.now - millis(l.info.Last_ack_recv) - tick
	switch {
	case c.state <= ready:
		c.unmade(&HungUpError{Greeting: c.greeting})
	case c.state == watching: // as it ends when it has probed
		c.finish(Spoke, max(c.longest, came-c.since.late, 0))
	case c.state == probing:
		c.sample.Age = l.now - c.made
		c.finish(HungUp, c.left.early-c.since.late)
	default:
		c.sample.Age = l.now - c.made
		c.finish(HungUp, max(came-c.since.late, 0))
	}
}

func (c *conn) unmade(err error) {
	c.sample.Err = err
	c.finish(Unmade, 0)
}

// abandon ends it before its time.
func (c *conn) abandon() {
	switch {
	case c.state == watching && c.longest > 0:
		c.finish(Spoke, c.longest)
	case c.state >= silent && c.state != done:
		c.finish(Unfinished, max(c.looked-c.since.late, 0))
	case c.state != done:
		c.finish(Unfinished, 0)
	}
}

// finish closes the connection: with a FIN, unless the kernel has given it up.
func (c *conn) finish(o Outcome, silence time.Duration) {
	c.sample.Outcome, c.sample.Silence = o, silence
	c.state = done
	unix.Close(c.fd)
}

// next is how long the connection can be left alone.
func (c *conn) next(now time.Duration) time.Duration {
	switch c.state {
	case silent:
		// How fine a silence is measured that the far end ends.
		grain := max(c.sample.Wanted/50, 2*tick)
		return min(grain, c.since.late+c.sample.Wanted-now)
	case watching:
		return max((now-c.since.late)/50, 2*tick)
	case done:
		return time.Second
	}
	return tick
}

// poll waits until one of conns, or of others, has something to say, or is to be
// looked at anyway.
func poll(conns []*conn, others ...unix.PollFd) error {
	now, wait := clock(), 250*time.Millisecond // so that an interruption is seen
	fds := others
	for _, c := range conns {
		wait = min(wait, c.next(now))
		events := int16(unix.POLLIN | unix.POLLRDHUP)
		if c.state == connecting {
			events = unix.POLLOUT
		}
		if c.state != done {
			fds = append(fds, unix.PollFd{Fd: int32(c.fd), Events: events})
		}
	}
	_, err := unix.Poll(fds, int((max(wait, 0)+time.Millisecond-1)/time.Millisecond))
	if errors.Is(err, unix.EINTR) {
		return nil
	}
	return err
}

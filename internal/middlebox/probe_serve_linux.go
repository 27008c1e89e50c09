package middlebox

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// What a Responder has at a time, so that nobody can fill it up.
	maxVisits        = 64
	maxVisitsPerHost = 16

	// MinServed is the shortest silence of a [Responder]: for that long it waits
	// for a probe of the far end, which a [Prober] sends after settleFor.
	MinServed = 3 * time.Second
)

// A Responder is the far end of a [Prober], and measures the other direction:
// whether what it sends still gets through to whoever connected.
//
// It speaks no protocol. A connection on which the far end sends a keepalive
// probe within three seconds is the far end's to measure: the kernel answers,
// and the Responder listens. Any other it leaves silent for one of Times, and
// then probes. What sends data is closed at once; no data is kept. It needs no
// privilege for ports above 1023.
type Responder struct {
	Times []time.Duration // how long to be silent, each on another connection of a host; MinServed at least
	Max   time.Duration   // how long a connection is kept at most

	// Report is told of each connection that is over.
	Report func(Visit)
}

// A Visit is a connection that a [Responder] had.
type Visit struct {
	Remote netip.AddrPort
	Sample

	// Theirs: the far end measured. As [Spoke], Silence is the longest after which
	// something came.
	Theirs bool
}

// Listen makes the socket for [Responder.Serve], in the network namespace of the
// calling thread, and says where it listens. An unspecified IPv6 address takes
// IPv4, too.
func Listen(on netip.AddrPort) (fd int, at netip.AddrPort, err error) {
	family, addr, err := sockaddr(on)
	if err != nil {
		return -1, at, fmt.Errorf("listen on %s: %w", on, err)
	}
	fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err != nil {
		return -1, at, fmt.Errorf("listen on %s: socket: %w", on, err)
	}
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	if err == nil && family == unix.AF_INET6 && on.Addr().IsUnspecified() {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0)
	}
	if err == nil {
		err = unix.Bind(fd, addr)
	}
	if err == nil {
		err = unix.Listen(fd, maxVisitsPerHost)
	}
	if err == nil {
		addr, err = unix.Getsockname(fd)
	}
	if err != nil {
		unix.Close(fd)
		return -1, at, fmt.Errorf("listen on %s: %w", on, err)
	}
	return fd, netip.AddrPortFrom(on.Addr(), addrPort(addr).Port()), nil
}

func addrPort(at unix.Sockaddr) netip.AddrPort {
	switch at := at.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(at.Addr), uint16(at.Port))
	case *unix.SockaddrInet6:
		addr := netip.AddrFrom16(at.Addr).Unmap()
		if at.ZoneId != 0 {
			addr = addr.WithZone(fmt.Sprint(at.ZoneId))
		}
		return netip.AddrPortFrom(addr, uint16(at.Port))
	}
	return netip.AddrPort{}
}

// visit is a connection of a Responder.
type visit struct {
	conn
	wanted time.Duration
	theirs bool
}

// Serve accepts connections on fd until ctx ends. Those that it then has are
// reported as [Unfinished].
func (r Responder) Serve(ctx context.Context, fd int) error {
	var visits []*visit
	defer func() {
		for _, v := range visits {
			v.abandon()
			r.report(v)
		}
	}()
	for ctx.Err() == nil {
		conns := make([]*conn, len(visits))
		for i, v := range visits {
			conns[i] = &v.conn
		}
		if err := poll(conns, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}); err != nil {
			return fmt.Errorf("poll: %w", err)
		}
		v, err := r.accept(fd, visits)
		if err != nil {
			return err
		}
		if v != nil {
			visits = append(visits, v)
		}
		visits = slices.DeleteFunc(visits, func(v *visit) bool {
			v.step()
			v.turn(r.Max)
			if v.state == done {
				r.report(v)
			}
			return v.state == done
		})
	}
	return nil
}

func (r Responder) report(v *visit) {
	if v.theirs || v.sample.Wanted != 0 { // else it came and went, as a port scan does
		r.Report(Visit{Remote: v.remote, Sample: v.sample, Theirs: v.theirs})
	}
}

// accept takes a connection, if there is one and room for it.
func (r Responder) accept(fd int, visits []*visit) (*visit, error) {
	nfd, at, err := unix.Accept4(fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	switch {
	case err == unix.EBADF, err == unix.EINVAL, err == unix.ENOTSOCK:
		return nil, fmt.Errorf("accept: %w", err)
	case err != nil: // nobody there, or gone again; or a lack that passes
		if err != unix.EAGAIN {
			time.Sleep(tick)
		}
		return nil, nil
	}
	remote, same := addrPort(at), 0
	taken := map[time.Duration]int{}
	for _, v := range visits {
		if v.remote.Addr() == remote.Addr() {
			same++
			taken[v.wanted]++
		}
	}
	if len(visits) >= maxVisits || same >= maxVisitsPerHost {
		unix.Close(nfd)
		return nil, nil
	}
	now := clock()
	v := &visit{conn: conn{fd: nfd, remote: remote, state: connecting, hold: true, began: now, looked: now}}
	v.wanted = slices.MinFunc(r.Times, func(a, b time.Duration) int { return taken[a] - taken[b] })
	return v, nil
}

// turn decides whose a connection is, and when it is over.
func (v *visit) turn(most time.Duration) {
	now := clock()
	switch {
	case v.state == done:
	case v.spoke: // it wants something else
		v.unmade(&HungUpError{})
	case v.state == watching && !v.theirs && v.longest > settleFor/2:
		v.theirs, v.longest = true, 0
	case v.state == watching && !v.theirs && now-v.began >= MinServed:
		v.hush(v.wanted)
	case v.theirs && now-v.began > most+MinServed+(probesPerVerdict+5)*time.Second:
		v.abandon()
	}
}

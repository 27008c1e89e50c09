package sockets_test

import (
	"fmt"
	"net/netip"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/sockets"
)

// held is a socket of this process as its owner sees it.
type held struct {
	fd             int
	state          sockets.State
	on             sockets.OnOff
	settings       keepalive.Settings
	hasUserTimeout bool
	own            [3]bool // time, intvl and probes were set on it
	local, remote  netip.AddrPort
	inode          uint32
	cookie         uint64 // of an MPTCP socket its own, which is no subflow's
	mptcp          bool
}

// look asks the kernel as any program does.
func look(t *testing.T, fd int, state sockets.State, own [3]bool) held {
	t.Helper()
	get := func(level, option int) int {
		v, err := unix.GetsockoptInt(fd, level, option)
		if err != nil {
			t.Fatalf("getsockopt %d %d: %v", level, option, err)
		}
		return v
	}
	h := held{fd: fd, state: state, own: own, on: sockets.Off}
	if get(unix.SOL_SOCKET, unix.SO_KEEPALIVE) != 0 {
		h.on = sockets.On
	}
	h.settings = keepalive.Settings{
		Time:   time.Duration(get(unix.IPPROTO_TCP, unix.TCP_KEEPIDLE)) * time.Second,
		Intvl:  time.Duration(get(unix.IPPROTO_TCP, unix.TCP_KEEPINTVL)) * time.Second,
		Probes: get(unix.IPPROTO_TCP, unix.TCP_KEEPCNT),
	}
	h.mptcp = get(unix.SOL_SOCKET, unix.SO_PROTOCOL) == unix.IPPROTO_MPTCP
	if v, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT); err == nil {
		h.settings.UserTimeout = time.Duration(v) * time.Millisecond
		h.hasUserTimeout = true
	} else if !h.mptcp {
		t.Fatal(err)
	}
	var err error
	if h.cookie, err = unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE); err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		t.Fatal(err)
	}
	h.inode = uint32(st.Ino)
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	h.local = addrPort(t, name)
	if peer, err := unix.Getpeername(fd); err == nil {
		h.remote = addrPort(t, peer)
	} else {
		h.remote = netip.AddrPortFrom(h.local.Addr(), 0)
		if h.local.Addr().Is6() {
			h.remote = netip.AddrPortFrom(netip.IPv6Unspecified(), 0)
		} else {
			h.remote = netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
		}
	}
	return h
}

func addrPort(t *testing.T, sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), uint16(sa.Port))
	}
	t.Fatalf("address %v", sa)
	return netip.AddrPort{}
}

// settings are the values that socket i gets: all combinations come by.
func settings(i int) (on bool, time, intvl, probes, userTimeout int) {
	on = i%2 == 0
	if i/2%3 > 0 {
		time = []int{100, 7200, 600, 32767}[i/6%4] // 7200 is what the sysctl says, too
	}
	if i/2%3 > 1 {
		intvl, probes = 1+i%32767, 1+i%127
	}
	if i%5 == 0 {
		userTimeout = 1 + i*17
	}
	return
}

func set(t *testing.T, fd, i int) (own [3]bool) {
	t.Helper()
	on, time, intvl, probes, userTimeout := settings(i)
	put := func(level, option, value int) bool {
		if value == 0 {
			return false
		}
		if err := unix.SetsockoptInt(fd, level, option, value); err != nil && err != unix.ENOPROTOOPT { // MPTCP has no user timeout
			t.Fatalf("setsockopt %d %d: %v", level, option, err)
		}
		return true
	}
	own[0] = put(unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, time)
	own[1] = put(unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, intvl)
	own[2] = put(unix.IPPROTO_TCP, unix.TCP_KEEPCNT, probes)
	put(unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, userTimeout)
	if on {
		put(unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
	}
	return own
}

func listener(t *testing.T, family, protocol int) (fd int, at unix.Sockaddr) {
	t.Helper()
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		t.Fatal(err)
	}
	var any unix.Sockaddr = nstest.Loopback(family)
	if family == unix.AF_INET6 {
		any = &unix.SockaddrInet6{} // both families
	}
	if err := unix.Bind(fd, any); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 1024); err != nil {
		t.Fatal(err)
	}
	if at, err = unix.Getsockname(fd); err != nil {
		t.Fatal(err)
	}
	return fd, at
}

// reach is an address on loopback at which a listener answers.
func reach(at unix.Sockaddr) unix.Sockaddr {
	if at, ok := at.(*unix.SockaddrInet6); ok {
		return &unix.SockaddrInet6{Port: at.Port, Addr: [16]byte{15: 1}}
	}
	return at
}

// pair connects to a listener from a socket of a family and protocol.
func pair(t *testing.T, family, protocol, listener int, at unix.Sockaddr) (client, server int) {
	t.Helper()
	client, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Connect(client, at); err != nil {
		t.Fatal(err)
	}
	if server, _, err = unix.Accept4(listener, unix.SOCK_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	return client, server
}

// furnish makes n connections of every kind and returns both ends of them and
// the listeners, with their settings mixed.
func furnish(t *testing.T, n int) []held {
	t.Helper()
	var all []held
	i := 0
	put := func(fd int, state sockets.State) {
		own := set(t, fd, i)
		i++
		all = append(all, look(t, fd, state, own))
	}
	l4, at4 := listener(t, unix.AF_INET, unix.IPPROTO_TCP)
	l6, at6 := listener(t, unix.AF_INET6, unix.IPPROTO_TCP)
	mapped := &unix.SockaddrInet6{Port: at4.(*unix.SockaddrInet4).Port, Addr: [16]byte{10: 0xff, 11: 0xff, 12: 127, 15: 1}}
	for j := range n {
		var client, server int
		switch j % 4 {
		case 0, 1:
			client, server = pair(t, unix.AF_INET, 0, l4, at4)
		case 2:
			client, server = pair(t, unix.AF_INET6, 0, l6, reach(at6))
		case 3:
			client, server = pair(t, unix.AF_INET6, 0, l4, mapped) // ::ffff:127.0.0.1
		}
		if j%10 == 9 { // half-closed
			put(client, sockets.FinWait2)
			put(server, sockets.CloseWait)
			if err := unix.Shutdown(client, unix.SHUT_WR); err != nil {
				t.Fatal(err)
			}
			await(t, client, sockets.FinWait2)
			continue
		}
		put(client, sockets.Established)
		put(server, sockets.Established)
	}
	put(l4, sockets.Listen)
	put(l6, sockets.Listen)
	for range 5 {
		fd, _ := listener(t, unix.AF_INET, 0)
		put(fd, sockets.Listen)
	}
	return all
}

// await waits until a socket is in a state.
func await(t *testing.T, fd int, state sockets.State) {
	t.Helper()
	for range 5000 {
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			t.Fatal(err)
		}
		if sockets.State(info.State) == state {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("the socket does not come to %v", state)
}

// listing is what List gave, by cookie.
type listing struct {
	sockets map[uint64]sockets.Socket
	report  sockets.Report
}

func list(t *testing.T, q sockets.Query) listing {
	t.Helper()
	l := listing{sockets: map[uint64]sockets.Socket{}}
	if q.Sysctl == (keepalive.Settings{}) {
		q.Sysctl = keepalive.Defaults()
	}
	var err error
	l.report, err = sockets.List(q, func(s *sockets.Socket) error {
		if _, twice := l.sockets[s.Cookie]; twice {
			t.Errorf("socket %#x came twice", s.Cookie)
		}
		c := *s
		c.Owners = append([]sockets.Owner(nil), s.Owners...)
		l.sockets[s.Cookie] = c
		return nil
	})
	if err != nil {
		t.Fatalf("list by %v: %+v", q.Source, err)
	}
	return l
}

// compare checks what was listed against what the owner sees.
func (l listing) compare(t *testing.T, all []held) {
	t.Helper()
	bad := 0
	for _, h := range all {
		s, ok := l.sockets[h.cookie]
		if !ok {
			t.Errorf("%v: missing: %+v", l.report.Source, h)
		} else if diff := h.diff(s, l.report.Source); diff != "" {
			t.Errorf("%v: %s\nlisted %+v\nowner %+v", l.report.Source, diff, s, h)
		} else {
			continue
		}
		if bad++; bad > 5 {
			t.Errorf("and so on; %d listed", len(l.sockets))
			return
		}
	}
}

func (h held) diff(s sockets.Socket, source sockets.Source) string {
	switch {
	case s.State != h.state:
		return "state"
	case s.Local != h.local || s.Remote != h.remote:
		return "addresses"
	case len(s.Owners) != 1 || s.Owners[0].PID != os.Getpid() || s.Owners[0].FD != h.fd || s.Owners[0].Comm != comm():
		return "owners"
	case s.Inode != h.inode:
		return "inode"
	case int(s.UID) != os.Getuid():
		return "uid"
	case s.Keepalive != h.on:
		return "on or off"
	case !s.ValuesKnown || s.UserTimeoutKnown != h.hasUserTimeout || s.Settings != h.settings:
		return "values"
	}
	defaults := keepalive.Defaults()
	for i, row := range []struct {
		from    sockets.Origin
		differs bool
	}{
		{s.TimeFrom, h.settings.Time != defaults.Time},
		{s.IntvlFrom, h.settings.Intvl != defaults.Intvl},
		{s.ProbesFrom, h.settings.Probes != defaults.Probes},
	} {
		want := sockets.FromSysctl
		if h.own[i] {
			want = sockets.FromSocket
		}
		if source == sockets.Diag && !row.differs {
			want = sockets.FromUnknown
		}
		if row.from != want {
			return fmt.Sprintf("origin of value %d is %v, not %v", i, row.from, want)
		}
	}
	connected := h.state != sockets.Listen && h.state != sockets.SynSent
	// Nothing waits to be sent, so keepalive and its timer are one.
	if connected && (s.Timer == sockets.TimerKeepalive) != (h.on == sockets.On) {
		return "timer"
	}
	if s.Timer == sockets.TimerKeepalive && (s.Left < -100*time.Millisecond || s.Left > h.settings.Time+time.Second) {
		return "time left"
	}
	if connected && (!s.IdleKnown || s.Idle < 0 || s.Idle > time.Minute || s.RTO < time.Millisecond || s.RTO > time.Second) {
		return "idle or rto"
	}
	return ""
}

func comm() string {
	b, _ := os.ReadFile("/proc/self/comm")
	return string(b[:max(0, len(b)-1)])
}

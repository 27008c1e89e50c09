package sockets_test

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/sockets"
	"github.com/tcpka/tcpka/sockets/bpf"
)

var (
	byKernel  = sockets.Query{Source: sockets.BPF, Loader: bpf.ByKernel}
	byLibrary = sockets.Query{Source: sockets.BPF, Loader: bpf.ByLibrary}
	byDiag    = sockets.Query{Source: sockets.Diag}
)

// The tests of what all readers have to do run twice: as real root with every
// reader, in a user namespace with the one that needs no privilege there.

func TestRootReadersAgreeWithTheOwner(t *testing.T) {
	t.Parallel()
	nstest.RunRoot(t, func(t *testing.T) { agree(t, byKernel, byLibrary, byDiag) })
}

func TestDiagAgreesWithTheOwner(t *testing.T) {
	t.Parallel()
	nstest.Run(t, func(t *testing.T) { agree(t, byDiag) })
}

func agree(t *testing.T, readers ...sockets.Query) {
	all := furnish(t, 2000)
	for _, q := range readers {
		q.Filter.States = sockets.AllStates
		l := list(t, q)
		l.compare(t, all)
		if len(l.sockets) != len(all) {
			t.Errorf("%v: %d sockets, want %d", l.report.Source, len(l.sockets), len(all))
		}
		if want := q.Source; l.report.Source != want || l.report.WhyNotBPF != nil {
			t.Errorf("%v: source %v, %v", want, l.report.Source, l.report.WhyNotBPF)
		}
		for _, g := range l.report.Incomplete {
			if g.What != "the origin of values that equal the sysctl" || q.Source == sockets.BPF {
				t.Errorf("%v: %v", q.Source, g)
			}
		}
	}
}

func TestRootSysctlIsInEffectWhereTheSocketHasNoValue(t *testing.T) {
	nstest.RunRoot(t, func(t *testing.T) {
		nstest.Sysctl(t, "net.ipv4.tcp_keepalive_time", "1234")
		nstest.Sysctl(t, "net.ipv4.tcp_keepalive_intvl", "56")
		nstest.Sysctl(t, "net.ipv4.tcp_keepalive_probes", "200")
		l, _ := listener(t, unix.AF_INET, 0)
		h := look(t, l, sockets.Listen, [3]bool{})
		for _, q := range []sockets.Query{byKernel, byDiag} {
			q.Sysctl = keepalive.Settings{Time: 1234 * time.Second, Intvl: 56 * time.Second, Probes: 200}
			q.Filter.States = sockets.AllStates
			if s := list(t, q).sockets[h.cookie]; s.Settings != h.settings {
				t.Errorf("%v: %+v, want %+v", q.Source, s.Settings, h.settings)
			}
		}
	})
}

func TestRootSocketsThatComeAndGo(t *testing.T) {
	t.Parallel()
	nstest.RunRoot(t, func(t *testing.T) { comeAndGo(t, byKernel, byDiag) })
}

func TestSocketsThatComeAndGo(t *testing.T) {
	t.Parallel()
	nstest.Run(t, func(t *testing.T) { comeAndGo(t, byDiag) })
}

// Sockets that stay are listed once each, whatever happens beside them.
func comeAndGo(t *testing.T, readers ...sockets.Query) {
	all := furnish(t, 500)
	stop := churn(t)
	defer stop()
	for _, q := range readers {
		q.Filter.States = sockets.AllStates
		for range 10 {
			list(t, q).compare(t, all)
		}
	}
}

func TestRootSocketsWithoutAFile(t *testing.T) {
	nstest.RunRoot(t, func(t *testing.T) { withoutAFile(t, byKernel, byDiag) })
}

func TestSocketsWithoutAFile(t *testing.T) {
	nstest.Run(t, func(t *testing.T) { withoutAFile(t, byDiag) })
}

func withoutAFile(t *testing.T, readers ...sockets.Query) {

	fd, at := listener(t, unix.AF_INET, unix.IPPROTO_TCP)
	cookie := func(fd int) uint64 {
		t.Helper()
		c, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	port := func(fd int) uint16 {
		sa, err := unix.Getsockname(fd)
		if err != nil {
			t.Fatal(err)
		}
		return addrPort(t, sa).Port()
	}

	// In FIN-WAIT-2 with the file closed: the timeout runs as the keepalive timer
	// although keepalive is off, which only BPF tells apart.
	orphan, peer := pair(t, unix.AF_INET, unix.IPPROTO_TCP, fd, at)
	if err := unix.SetsockoptInt(orphan, unix.IPPROTO_TCP, unix.TCP_LINGER2, 100); err != nil {
		t.Fatal(err)
	}
	orphanCookie := cookie(orphan)
	if err := unix.Shutdown(orphan, unix.SHUT_WR); err != nil {
		t.Fatal(err)
	}
	await(t, orphan, sockets.FinWait2)
	unix.Close(orphan)

	// In TIME-WAIT.
	first, second := pair(t, unix.AF_INET, unix.IPPROTO_TCP, fd, at)
	waitPort := port(first)
	unix.Close(first)
	await(t, second, sockets.CloseWait)
	unix.Close(second)

	// In FIN-WAIT-2 for no longer than TIME-WAIT lasts: what is left is as small.
	third, fourth := pair(t, unix.AF_INET, unix.IPPROTO_TCP, fd, at)
	smallPort := port(third)
	unix.Close(third)
	await(t, fourth, sockets.CloseWait)

	// Connected and not accepted.
	waiting, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1); err != nil {
		t.Fatal(err)
	}
	if err := unix.Connect(waiting, at); err != nil {
		t.Fatal(err)
	}
	waitingPort := port(waiting)

	// In SYN-RECV: the client does not hear the answer.
	deaf, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_TCP)
	if err != nil {
		t.Fatal(err)
	}
	if err := nstest.DropAll(deaf); err != nil {
		t.Fatal(err)
	}
	if err := unix.Connect(deaf, at); err != unix.EINPROGRESS {
		t.Fatal(err)
	}
	deafPort := port(deaf)

	// The kernel gets there when it does.
	for range 5000 {
		arrived := 0
		for _, s := range list(t, sockets.Query{Source: sockets.Diag, Filter: sockets.Filter{States: sockets.AllStates}}).sockets {
			if s.State == sockets.SynRecv || s.Timer == sockets.TimerTimeWait {
				arrived++
			}
		}
		if arrived == 3 {
			break
		}
		time.Sleep(time.Millisecond)
	}

	for _, q := range readers {
		q.Filter.States = sockets.AllStates
		l := list(t, q)
		full := q.Source == sockets.BPF
		o := l.sockets[orphanCookie]
		wantOrphan := sockets.Unknown
		if full {
			wantOrphan = sockets.Off
		}
		if o.State != sockets.FinWait2 || o.Inode != 0 || len(o.Owners) != 0 || o.Timer != sockets.TimerKeepalive || o.Keepalive != wantOrphan || o.ValuesKnown != full {
			t.Errorf("%v: the orphan: %+v", q.Source, o)
		}
		find := func(state sockets.State, local, remote uint16) (s sockets.Socket) {
			n := 0
			for _, c := range l.sockets {
				if c.State == state && (local == 0 || c.Local.Port() == local) && (remote == 0 || c.Remote.Port() == remote) {
					s = c
					n++
				}
			}
			if n != 1 {
				t.Errorf("%v: %d sockets in %v, want 1", q.Source, n, state)
			}
			return s
		}
		s := find(sockets.TimeWait, waitPort, 0)
		if s.Inode != 0 || s.Timer != sockets.TimerTimeWait || s.Left <= 0 || s.Left > 2*time.Minute || s.Keepalive != sockets.Off || s.ValuesKnown {
			t.Errorf("%v: in TIME-WAIT: %+v", q.Source, s)
		}
		s = find(sockets.FinWait2, smallPort, 0)
		if s.Inode != 0 || s.Timer != sockets.TimerTimeWait || s.Left <= 0 || s.Left > 2*time.Minute || s.Keepalive != sockets.Off || s.ValuesKnown || s.IdleKnown {
			t.Errorf("%v: in FIN-WAIT-2: %+v", q.Source, s)
		}
		s = find(sockets.Established, 0, waitingPort)
		if s.Inode != 0 || s.Keepalive != sockets.On || s.Timer != sockets.TimerKeepalive || s.ValuesKnown != full {
			t.Errorf("%v: not accepted: %+v", q.Source, s)
		}
		s = find(sockets.SynRecv, 0, deafPort)
		if s.Inode != 0 || s.Timer != sockets.TimerRetransmit || s.Keepalive != sockets.Unknown || s.ValuesKnown || s.IdleKnown {
			t.Errorf("%v: in SYN-RECV: %+v", q.Source, s)
		}
		s = l.sockets[cookie(deaf)]
		if s.State != sockets.SynSent || len(s.Owners) != 1 || s.Timer != sockets.TimerRetransmit || s.IdleKnown {
			t.Errorf("%v: in SYN-SENT: %+v", q.Source, s)
		}
		// Unless they are asked for, three states are not listed.
		q.Filter.States = 0
		for _, s := range list(t, q).sockets {
			if s.State == sockets.Listen || s.State == sockets.TimeWait || s.State == sockets.SynRecv {
				t.Errorf("%v: not asked for: %+v", q.Source, s)
			}
		}
	}
	unix.Close(peer)
}

func TestRootMPTCP(t *testing.T) {
	nstest.RunRoot(t, func(t *testing.T) { mptcp(t, byKernel, byLibrary, byDiag) })
}

func TestMPTCP(t *testing.T) {
	nstest.Run(t, func(t *testing.T) { mptcp(t, byDiag) })
}

// A subflow is the socket that is listed; the descriptor is the MPTCP socket, which
// has no user timeout. Who asked for MPTCP and got TCP has one.
func mptcp(t *testing.T, readers ...sockets.Query) {
	if fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_MPTCP); err != nil {
		nstest.Missing(t, "the kernel has no MPTCP: "+err.Error())
	} else {
		unix.Close(fd)
	}
	multi, atMulti := listener(t, unix.AF_INET, unix.IPPROTO_MPTCP)
	plain, atPlain := listener(t, unix.AF_INET, unix.IPPROTO_TCP)
	client, server := pair(t, unix.AF_INET, unix.IPPROTO_MPTCP, multi, atMulti)
	fellBack, server2 := pair(t, unix.AF_INET, unix.IPPROTO_MPTCP, plain, atPlain)
	client2, accepted := pair(t, unix.AF_INET, unix.IPPROTO_TCP, multi, atMulti)
	client3, server3 := pair(t, unix.AF_INET, unix.IPPROTO_TCP, plain, atPlain)
	silent, atSilent := listener(t, unix.AF_INET, unix.IPPROTO_TCP)
	if err := nstest.DropAll(silent); err != nil {
		t.Fatal(err)
	}
	rows := []struct {
		name           string
		fd             int
		state          sockets.State
		hasUserTimeout bool
	}{
		{"MPTCP, the client", client, sockets.Established, false},
		{"MPTCP, the server", server, sockets.Established, false},
		{"a client for MPTCP that got TCP", fellBack, sockets.Established, true},
		{"its server", server2, sockets.Established, true},
		{"a client for TCP of a listener for MPTCP", client2, sockets.Established, true},
		{"what that listener accepted", accepted, sockets.Established, true},
		{"TCP, the client", client3, sockets.Established, true},
		{"TCP, the server", server3, sockets.Established, true},
		{"the listener for MPTCP", multi, sockets.Listen, false},
		{"the listener for TCP", plain, sockets.Listen, true},
		{"a client for MPTCP that is not answered", unanswered(t, unix.IPPROTO_MPTCP, atSilent), sockets.SynSent, false},
		{"a client for TCP that is not answered", unanswered(t, unix.IPPROTO_TCP, atSilent), sockets.SynSent, true},
	}
	all := make([]held, len(rows))
	for i, row := range rows {
		if row.hasUserTimeout {
			if err := unix.SetsockoptInt(row.fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 100_000+i); err != nil {
				t.Fatalf("%s: %v", row.name, err)
			}
		}
		own := set(t, row.fd, 4+6*(i%2)+i%4%2) // all three values; keepalive on and off
		all[i] = look(t, row.fd, row.state, own)
		if row.state == sockets.SynSent {
			all[i].remote = addrPort(t, atSilent) // getpeername does not tell yet
		}
		if all[i].hasUserTimeout != row.hasUserTimeout {
			t.Fatalf("%s: a user timeout: %v", row.name, all[i].hasUserTimeout)
		}
	}
	for _, q := range readers {
		q.Filter.States = sockets.AllStates
		before := stillUnanswered(all)
		l := list(t, q)
		for i, h := range all {
			if h.state == sockets.SynSent && (!before || !stillUnanswered(all)) {
				continue // the kernel gives MPTCP up after a few seconds
			}
			n := 0
			for _, s := range l.sockets {
				if s.Inode != h.inode {
					continue
				}
				n++
				if diff := h.diff(s, q.Source); diff != "" {
					t.Errorf("%v by %v: %s: %s\nlisted %+v\nowner %+v", q.Source, q.Loader, rows[i].name, diff, s, h)
				}
			}
			if n != 1 {
				t.Errorf("%v by %v: %s: %d subflows", q.Source, q.Loader, rows[i].name, n)
			}
		}
	}
}

// stillUnanswered reports whether those that connect have what they had.
func stillUnanswered(all []held) bool {
	return !slices.ContainsFunc(all, func(h held) bool {
		_, err := unix.GetsockoptInt(h.fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT)
		return h.state == sockets.SynSent && (err == nil) != h.hasUserTimeout
	})
}

// unanswered is a socket that goes on connecting.
func unanswered(t *testing.T, protocol int, at unix.Sockaddr) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Connect(fd, at); err != unix.EINPROGRESS {
		t.Fatal(err)
	}
	return fd
}

func TestRootOneNamespaceIsListed(t *testing.T) {
	nstest.RunRoot(t, func(t *testing.T) { oneNamespace(t, byKernel, byDiag) })
}

func TestOneNamespaceIsListed(t *testing.T) {
	nstest.Run(t, func(t *testing.T) { oneNamespace(t, byDiag) })
}

func oneNamespace(t *testing.T, readers ...sockets.Query) {
	here := furnish(t, 20)
	err := nstest.Apart(func() {
		there := furnish(t, 30)
		for _, q := range readers {
			q.Filter.States = sockets.AllStates
			l := list(t, q)
			l.compare(t, there)
			if len(l.sockets) != len(there) {
				t.Errorf("%v: %d sockets, want %d", q.Source, len(l.sockets), len(there))
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range readers {
		q.Filter.States = sockets.AllStates
		if l := list(t, q); len(l.sockets) != len(here) {
			t.Errorf("%v: %d sockets, want %d", q.Source, len(l.sockets), len(here))
		}
	}
}

func TestRootFilterInTheKernelAndOutsideAreOne(t *testing.T) {
	nstest.RunRoot(t, func(t *testing.T) { filters(t, byKernel, byDiag) })
}

func TestFilterOfALiveList(t *testing.T) {
	nstest.Run(t, func(t *testing.T) { filters(t, byDiag) })
}

func filters(t *testing.T, readers ...sockets.Query) {
	all := furnish(t, 100)
	server := all[len(all)-7].local.Port() // the first listener's
	client := all[0].local.Port()
	end := func(s string) []sockets.Endpoint {
		e, err := sockets.ParseEndpoint(s)
		if err != nil {
			t.Fatal(err)
		}
		return []sockets.Endpoint{e}
	}
	port := sockets.Endpoint{Port: server}
	many, manyEnds := make([]uint16, 20), make([]sockets.Endpoint, 20)
	for i := range many {
		many[i] = server - uint16(i)
		manyEnds[i].Port = many[i]
	}
	for _, row := range []struct {
		name   string
		filter sockets.Filter
		want   func(h held) bool
	}{
		{"nothing is every connection", sockets.Filter{}, func(h held) bool { return h.state != sockets.Listen }},
		{"listeners", sockets.Filter{States: sockets.StatesOf(sockets.Listen)}, func(h held) bool { return h.state == sockets.Listen }},
		{"a port at either end", sockets.Filter{Ports: []uint16{client}}, func(h held) bool { return h.local.Port() == client || h.remote.Port() == client }},
		{"any of two ports", sockets.Filter{Ports: []uint16{1, client}}, func(h held) bool { return h.local.Port() == client || h.remote.Port() == client }},
		{"more ports than the kernel takes", sockets.Filter{Ports: many}, func(h held) bool {
			return h.state != sockets.Listen && (h.local.Port()+20 > server && h.local.Port() <= server || h.remote.Port()+20 > server && h.remote.Port() <= server)
		}},
		{"more local ports than the kernel takes", sockets.Filter{Local: manyEnds}, func(h held) bool {
			return h.state != sockets.Listen && h.local.Port()+20 > server && h.local.Port() <= server
		}},
		{"a local port", sockets.Filter{Local: []sockets.Endpoint{port}}, func(h held) bool { return h.state != sockets.Listen && h.local.Port() == server }},
		{"a remote port", sockets.Filter{Remote: []sockets.Endpoint{port}}, func(h held) bool { return h.remote.Port() == server }},
		{"both ends", sockets.Filter{Local: []sockets.Endpoint{port}, Remote: []sockets.Endpoint{{Port: client}}}, func(h held) bool { return h.local.Port() == server && h.remote.Port() == client }},
		{"an address", sockets.Filter{Local: end("127.0.0.1")}, func(h held) bool { return h.state != sockets.Listen && h.local.Addr().Unmap().Is4() }},
		{"a prefix", sockets.Filter{Remote: end("::1/128")}, func(h held) bool { return h.state != sockets.Listen && !h.remote.Addr().Unmap().Is4() }},
		{"keepalive off", sockets.Filter{Keepalive: sockets.Off}, func(h held) bool { return h.state != sockets.Listen && h.on == sockets.Off }},
		{"this process", sockets.Filter{PIDs: []int{os.Getpid()}}, func(h held) bool { return h.state != sockets.Listen }},
		{"another process", sockets.Filter{PIDs: []int{1 << 22}}, func(h held) bool { return false }},
		{"this name", sockets.Filter{Comms: []string{comm()}}, func(h held) bool { return h.state != sockets.Listen }},
	} {
		for _, q := range readers {
			q.Filter = row.filter
			l := list(t, q)
			want := 0
			for _, h := range all {
				_, listed := l.sockets[h.cookie]
				if row.want(h) {
					want++
				}
				if row.want(h) != listed {
					t.Errorf("%s: %v: %+v listed: %v", row.name, q.Source, h, listed)
				}
			}
			if len(l.sockets) != want {
				t.Errorf("%s: %v: %d sockets, want %d", row.name, q.Source, len(l.sockets), want)
			}
		}
	}
}

func TestRootAnErrorOfVisitEndsTheList(t *testing.T) {
	nstest.RunRoot(t, func(t *testing.T) { endsAtError(t, byKernel, byDiag) })
}

func TestAnErrorOfVisitEndsTheList(t *testing.T) {
	nstest.Run(t, func(t *testing.T) { endsAtError(t, byDiag) })
}

func endsAtError(t *testing.T, readers ...sockets.Query) {
	furnish(t, 600) // several buffers
	enough := errors.New("enough")
	for _, q := range readers {
		n := 0
		_, err := sockets.List(q, func(*sockets.Socket) error {
			if n++; n == 3 {
				return enough
			}
			return nil
		})
		if err != enough || n != 3 {
			t.Errorf("%v: %v after %d sockets", q.Source, err, n)
		}
	}
}

func TestRootCgroup(t *testing.T) {
	nstest.RunRoot(t, func(t *testing.T) {
		l, _ := listener(t, unix.AF_INET, 0)
		h := look(t, l, sockets.Listen, [3]bool{})
		for _, q := range []sockets.Query{byKernel, byDiag} {
			q.Cgroups = true
			q.Filter.States = sockets.AllStates
			s := list(t, q).sockets[h.cookie]
			if s.CgroupID == 0 {
				t.Errorf("%v: no cgroup: %+v", q.Source, s)
			}
			if s.Cgroup == "" || s.Cgroup[0] != '/' {
				nstest.Missing(t, "no cgroup v2 is mounted")
			}
			q.Filter.Cgroups = []string{s.Cgroup}
			if _, ok := list(t, q).sockets[h.cookie]; !ok {
				t.Errorf("%v: %s is not in itself", q.Source, s.Cgroup)
			}
			q.Filter.Cgroups = []string{"/there/is/no/such"}
			if n := len(list(t, q).sockets); n != 0 {
				t.Errorf("%v: %d sockets in a cgroup that is not", q.Source, n)
			}
		}
	})
}

func TestRootNoCgroupIsMounted(t *testing.T) {
	nstest.RunRoot(t, func(t *testing.T) { noCgroup(t, byKernel, byDiag) })
}

func TestNoCgroupIsMounted(t *testing.T) {
	nstest.Run(t, func(t *testing.T) { noCgroup(t, byDiag) })
}

// Where the paths of cgroups cannot be had, no socket is said to be in none of them.
func noCgroup(t *testing.T, readers ...sockets.Query) {
	info, err := os.ReadFile("/proc/thread-self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(info) {
		if at := sockets.Cgroup2Mount(line); at != "" {
			if err := unix.Mount("none", at, "tmpfs", 0, ""); err != nil {
				t.Fatal(err)
			}
		}
	}
	_, at := listener(t, unix.AF_INET, 0)
	port := addrPort(t, at).Port()
	for _, q := range readers {
		q.Filter = sockets.Filter{States: sockets.AllStates, Cgroups: []string{"/"}, Ports: []uint16{port}}
		l := list(t, q)
		want := sockets.Gap{What: sockets.Undecided, Sockets: 1, Why: "no cgroup v2 is mounted here, which has the paths of cgroups"}
		if len(l.sockets) != 0 || !slices.Equal(l.report.Incomplete, []sockets.Gap{want}) {
			t.Errorf("%v: %d sockets, %v", q.Source, len(l.sockets), l.report.Incomplete)
		}
		q.Filter.Ports[0]++
		if l := list(t, q); len(l.report.Incomplete) != 0 {
			t.Errorf("%v: of another port: %v", q.Source, l.report.Incomplete)
		}
	}
}

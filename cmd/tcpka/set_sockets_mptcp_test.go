//go:build linux

package main

import (
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/sockets"
)

// twoPaths is an MPTCP connection of this process; 10.9.0.1 and 10.9.0.2 are the
// client's addresses.
type twoPaths struct {
	t              *testing.T
	client, server int
}

// newTwoPaths makes one with two subflows.
func newTwoPaths(t *testing.T) *twoPaths {
	t.Helper()
	m := &twoPaths{t: t}
	for _, addr := range []string{"10.9.0.1", "10.9.0.2", "10.9.0.3"} {
		m.ip("addr", "add", addr+"/24", "dev", "lo")
	}
	if out, err := exec.Command("ip", "mptcp", "limits", "set", "subflow", "4", "add_addr_accepted", "4").CombinedOutput(); err != nil {
		nstest.Missing(t, "no MPTCP: "+string(out))
	}
	m.ip("mptcp", "endpoint", "add", "10.9.0.2", "subflow", "id", "2")
	socket := func(host byte) int {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_MPTCP)
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{10, 9, 0, host}}); err != nil {
			t.Fatal(err)
		}
		return fd
	}
	listener := socket(3)
	if err := unix.Listen(listener, 5); err != nil {
		t.Fatal(err)
	}
	at, err := unix.Getsockname(listener)
	if err != nil {
		t.Fatal(err)
	}
	m.client = socket(1)
	if _, err := unix.GetsockoptInt(m.client, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE); err != nil {
		nstest.Missing(t, "MPTCP without TCP_KEEPIDLE: "+err.Error())
	}
	if err := unix.Connect(m.client, at); err != nil {
		t.Fatal(err)
	}
	if m.server, _, err = unix.Accept4(listener, unix.SOCK_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	for _, fd := range []int{m.client, m.server} { // more subflows come once both have heard
		if _, err := unix.Write(fd, []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	m.await("10.9.0.1", "10.9.0.2")
	return m
}

func (m *twoPaths) ip(args ...string) {
	m.t.Helper()
	if out, err := exec.Command(nstest.Program(m.t, "ip"), args...).CombinedOutput(); err != nil {
		m.t.Fatalf("ip %q: %v\n%s", args, err, out)
	}
}

// await waits until the client has subflows from these addresses and no others.
func (m *twoPaths) await(from ...string) {
	m.t.Helper()
	var st unix.Stat_t
	if err := unix.Fstat(m.client, &st); err != nil {
		m.t.Fatal(err)
	}
	var now []string
	for until := time.Now().Add(5 * time.Minute); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
		now = nil
		q := sockets.Query{Source: sockets.Diag, Filter: sockets.Filter{States: sockets.AllStates}}
		_, err := sockets.List(q, func(s *sockets.Socket) error {
			if uint64(s.Inode) == st.Ino {
				now = append(now, s.Local.Addr().String())
				if s.State != sockets.Established {
					now = append(now, s.State.String())
				}
			}
			return nil
		})
		if err != nil {
			m.t.Fatal(err)
		}
		if slices.Sort(now); slices.Equal(now, from) {
			return
		}
	}
	m.t.Fatalf("subflows from %q, want %q", now, from)
}

// values are those of the subflow with a local address.
func (m *twoPaths) values(addr string) (s sockets.Socket) {
	m.t.Helper()
	f := sockets.Filter{States: sockets.StatesOf(sockets.Established), Local: []sockets.Endpoint{{Prefix: netip.MustParsePrefix(addr + "/32")}}}
	if _, err := sockets.List(sockets.Query{Filter: f}, func(found *sockets.Socket) error { s = *found; return nil }); err != nil {
		m.t.Fatal(err)
	}
	return s
}

// What is set on one subflow is set on all of them: they are shown, counted, recorded and
// taken back, also where the filter wants only one.
func TestSetSocketsShowsAllSubflows(t *testing.T) {
	bothRooms(t, func(t *testing.T) {
		m := newTwoPaths(t)
		set := []string{"set", "sockets", "--local", "10.9.0.2", "--on", "--time", "60", "--intvl", "10", "--probes", "6"}
		warned := func(text string) bool {
			return slices.ContainsFunc(decode(t, text).Warnings, func(w struct{ ID string }) bool { return w.ID == "mptcp_subflows" })
		}
		_, stderr := tcpkaProcess(t, 2, set...)
		if !strings.Contains(stderr, "this changes 2 sockets of ") {
			t.Errorf("it asks about %s", stderr)
		}
		text, _ := tcpkaProcess(t, 0, append(set, "--yes", "--json")...)
		a := decode(t, text)
		if a.Sockets["found"] != 2 || a.Sockets["changed"] != 2 || len(a.Changes) != 8 || !warned(text) {
			t.Errorf("set: %+v, %d changes\n%s", a.Sockets, len(a.Changes), text)
		}
		cookies := map[string]bool{}
		for _, c := range a.Changes {
			cookies[c.Cookie] = c.Applied
		}
		if len(cookies) != 2 {
			t.Errorf("changes of %v", cookies)
		}
		want(t, "the connection", m.client, options{1, 60, 10, 6, 0})
		want(t, "its other end", m.server, kernelsOwn)
		for _, addr := range []string{"10.9.0.1", "10.9.0.2"} {
			if s := m.values(addr); s.Keepalive != sockets.On || s.Time != time.Minute {
				t.Errorf("subflow %+v", s)
			}
		}
		text, _ = tcpkaProcess(t, 0, append(set, "--yes", "--json")...)
		if a := decode(t, text); a.Changed || a.Sockets["found"] != 1 || warned(text) {
			t.Errorf("again: %+v\n%s", a.Sockets, text)
		}
		text, _ = tcpkaProcess(t, 0, "undo", "--json")
		if a := decode(t, text); len(a.Changes) != 8 || a.Partly {
			t.Errorf("undo: %s", text)
		}
		want(t, "taken back", m.client, kernelsOwn)

		// Where the filter wants both there is nothing to warn of.
		set[2], set[3] = "--remote", "10.9.0.3"
		text, _ = tcpkaProcess(t, 0, append(set, "-n", "--json")...)
		if a := decode(t, text); a.Sockets["found"] != 2 || warned(text) {
			t.Errorf("both: %+v\n%s", a.Sockets, text)
		}
	})
}

// replace has the connection go on by a subflow that it did not have before.
func (m *twoPaths) replace() {
	m.t.Helper()
	m.ip("mptcp", "endpoint", "delete", "id", "0", "10.9.0.1") // the first subflow
	m.await("10.9.0.2")
	m.ip("mptcp", "endpoint", "add", "10.9.0.1", "subflow", "id", "1")
	m.await("10.9.0.1", "10.9.0.2")
	m.ip("mptcp", "endpoint", "delete", "id", "2")
	m.await("10.9.0.1")
}

// Subflows come and go, and the connection has what was set on those that it had: it is
// changed and taken back by those that it has now.
func TestUndoFindsAnMPTCPConnectionByItsOtherSubflows(t *testing.T) {
	bothRooms(t, func(t *testing.T) {
		m := newTwoPaths(t)
		set := []string{"set", "sockets", "--remote", "10.9.0.3", "--on", "--time", "60", "--yes", "--json"}
		tcpkaProcess(t, 0, set...)
		m.replace()
		want(t, "set", m.client, options{1, 60, 75, 9, 0})
		text, _ := tcpkaProcess(t, 0, "undo", "--json")
		a := decode(t, text)
		if !slices.Contains(a.Notes, "2 subflows were closed since, of MPTCP connections that have others") || len(a.Changes) != 2 || a.Partly {
			t.Errorf("undo: %s", text)
		}
		want(t, "taken back", m.client, kernelsOwn)
		if s := m.values("10.9.0.1"); s.Keepalive != sockets.Off || s.Time != 2*time.Hour {
			t.Errorf("subflow %+v", s)
		}

		// What someone has changed since is not touched, whatever subflow has it.
		text, _ = tcpkaProcess(t, 0, set...)
		if a := decode(t, text); a.Sockets["changed"] != 1 {
			t.Errorf("set: %s", text)
		}
		options{0, 77, 0, 0, 0}.give(t, m.client)
		m.ip("mptcp", "endpoint", "add", "10.9.0.2", "subflow", "id", "2")
		m.await("10.9.0.1", "10.9.0.2")
		m.ip("mptcp", "endpoint", "delete", "id", "1")
		m.await("10.9.0.2")
		text, _ = tcpkaProcess(t, 1, "undo", "--json")
		if a := decode(t, text); len(a.Left) != 1 || !strings.Contains(a.Left[0], "someone has changed it since") || !a.Partly {
			t.Errorf("undo: %s", text)
		}
		want(t, "changed since", m.client, options{1, 77, 75, 9, 0})
	})
}

// An MPTCP connection that has lost its subflows is not closed: its program holds it, and
// what was set stays to be undone until it does not.
func TestUndoKeepsAnMPTCPConnectionWithoutSubflows(t *testing.T) {
	bothRooms(t, func(t *testing.T) {
		m := newTwoPaths(t)
		tcpkaProcess(t, 0, "set", "sockets", "--remote", "10.9.0.3", "--on", "--time", "60", "--yes")
		m.ip("mptcp", "endpoint", "delete", "id", "2")
		m.ip("mptcp", "endpoint", "delete", "id", "0", "10.9.0.1")
		m.await()
		text, stderr := tcpkaProcess(t, 1, "undo", "--json")
		a := decode(t, text)
		if !slices.Equal(a.Left, []string{"1 MPTCP connection has no subflow now, and a process holds it"}) || len(a.Notes) > 0 || !a.Partly {
			t.Errorf("undo: %s", text)
		}
		if !strings.Contains(stderr, "what is left stays to be undone") {
			t.Errorf("undo: %s", stderr)
		}
		want(t, "left", m.client, options{1, 60, 75, 9, 0})
		unix.Close(m.client)
		text, _ = tcpkaProcess(t, 0, "undo", "--json")
		if a := decode(t, text); !slices.Equal(a.Notes, []string{"2 sockets were closed since"}) || len(a.Left) > 0 {
			t.Errorf("undo, closed: %s", text)
		}
	})
}

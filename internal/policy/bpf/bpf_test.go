package bpf

import (
	"errors"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
)

func TestSocketMaker(t *testing.T) { nstest.MakeSocket(t) }

func TestRootTheProgramReadsAligned(t *testing.T) {
	nstest.RunRoot(t, func(t *testing.T) {
		spec, err := loadPolicy()
		if err != nil {
			t.Fatal(err)
		}
		spec.Programs[policyProgPolicy].Flags |= unix.BPF_F_STRICT_ALIGNMENT
		c, err := ebpf.NewCollection(spec)
		if err != nil {
			t.Fatalf("%+v", err)
		}
		defer c.Close()
		info, err := c.Programs[policyProgPolicy].Info()
		if err != nil {
			t.Fatal(err)
		}
		if n, ok := info.VerifiedInstructions(); ok {
			t.Logf("%d instructions were verified", n)
		}
	})
}

// given is what a socket has: SO_KEEPALIVE, time, intvl, probes, user timeout.
type given [5]int

func valuesOf(t *testing.T, fd int) given {
	t.Helper()
	var g given
	for i, o := range [][2]int{{unix.SOL_SOCKET, unix.SO_KEEPALIVE}, {unix.SOL_TCP, unix.TCP_KEEPIDLE}, {unix.SOL_TCP, unix.TCP_KEEPINTVL},
		{unix.SOL_TCP, unix.TCP_KEEPCNT}, {unix.SOL_TCP, unix.TCP_USER_TIMEOUT}} {
		v, err := unix.GetsockoptInt(fd, o[0], o[1])
		if err != nil {
			t.Fatal(err)
		}
		g[i] = v
	}
	return g
}

// room is a hierarchy of cgroups with policies on its root.
type room struct {
	t    *testing.T
	root string
	pin  string
}

func newRoom(t *testing.T) *room {
	return &room{t, nstest.CgroupRoot(t), "/sys/fs/bpf/link"}
}

func (r *room) id() uint64 {
	h, _, err := unix.NameToHandleAt(unix.AT_FDCWD, r.root, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	return nativeUint64(h.Bytes())
}

func nativeUint64(b []byte) (n uint64) {
	for i := range 8 {
		n |= uint64(b[i]) << (8 * i)
	}
	return n
}

// load puts policies in force.
func (r *room) load(policies ...Policy) {
	r.t.Helper()
	old, err := Open(r.pin)
	if err != nil {
		old = nil
	} else {
		defer old.Close()
	}
	p, err := Load(r.id(), 250, policies, "proof", old)
	if err != nil {
		r.t.Fatalf("%+v", err)
	}
	defer p.Close()
	if old != nil {
		err = p.Replace(old)
	} else {
		var dir *os.File
		if dir, err = os.Open(r.root); err == nil {
			defer dir.Close()
			err = p.Attach(dir, r.pin)
		}
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *room) counters(id uint32) Counters {
	r.t.Helper()
	a, err := Open(r.pin)
	if err != nil {
		r.t.Fatal(err)
	}
	defer a.Close()
	all, err := a.Policies()
	if err != nil {
		r.t.Fatal(err)
	}
	return all[id].Counters
}

// ends makes a connection, each end in its cgroup, and says what each has. prepare is
// called with the client's socket before it connects.
func (r *room) ends(client, server string, family int, prepare func(fd int)) (c, s given) {
	r.t.Helper()
	listener, at := r.listen(server, family)
	defer unix.Close(listener)
	return r.connect(client, listener, at, family, prepare)
}

func (r *room) listen(cgroup string, family int) (fd int, at unix.Sockaddr) {
	r.t.Helper()
	fd = nstest.SocketIn(r.t, r.root, cgroup, family)
	err := unix.Bind(fd, nstest.Loopback(family))
	if err == nil {
		err = unix.Listen(fd, 16)
	}
	if err == nil {
		at, err = unix.Getsockname(fd)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	return fd, at
}

func (r *room) connect(client string, listener int, at unix.Sockaddr, family int, prepare func(fd int)) (c, s given) {
	r.t.Helper()
	fd := nstest.SocketIn(r.t, r.root, client, family)
	if prepare != nil {
		prepare(fd)
	}
	if err := unix.Connect(fd, at); err != nil {
		r.t.Fatal(err)
	}
	defer unix.Close(fd)
	accepted, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
	if err != nil {
		r.t.Fatal(err)
	}
	defer unix.Close(accepted)
	return valuesOf(r.t, fd), valuesOf(r.t, accepted)
}

var (
	off = given{0, 7200, 75, 9, 0}
	all = Values{Set: 15, Time: 60, Intvl: 10, Probes: 3, UserTimeout: 30000}
	on  = given{1, 60, 10, 3, 30000}
)

func named(names ...Pattern) Policy { return Policy{ID: 1, Patterns: names, Values: all} }

func with(p Policy, f func(*Policy)) Policy {
	f(&p)
	return p
}

func setter(t *testing.T, level, name, value int) func(int) {
	return func(fd int) {
		if err := unix.SetsockoptInt(fd, level, name, value); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRootConnectionsGetThePolicyOfTheirCgroup(t *testing.T) {
	nstest.RunRoot(t, func(t *testing.T) {
		r := newRoom(t)
		pool := named(Pattern{Text: "pool"})
		unit := named(Pattern{Text: "db.service", Unit: true})
		both := func(fs ...func(int)) func(int) {
			return func(fd int) {
				for _, f := range fs {
					f(fd)
				}
			}
		}
		keepalive := setter(t, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
		for _, row := range []struct {
			name           string
			policies       []Policy
			client, server string
			family         int
			prepare        func(int)
			wantC, wantS   given
		}{
			{"the client's", []Policy{pool}, "pool", "other", unix.AF_INET, nil, on, off},
			{"the server's, accepted in softirq from another's", []Policy{pool}, "other", "pool", unix.AF_INET, nil, off, on},
			{"IPv6", []Policy{pool}, "pool", "other", unix.AF_INET6, nil, on, off},
			{"a name that only begins alike is another", []Policy{pool}, "pool2", "poo", unix.AF_INET, nil, off, off},
			{"an ancestor four levels up", []Policy{pool}, "pool/a/b/c/d", "a/pool/b", unix.AF_INET, nil, on, on},
			{"a prefix", []Policy{named(Pattern{Text: "docker-", Prefix: true})}, "docker-4f.scope", "dockerd", unix.AF_INET, nil, on, off},
			{"the host", []Policy{named(Pattern{Host: true})}, "x", "", unix.AF_INET, nil, on, on},
			{"the nearer one wins", []Policy{with(pool, func(p *Policy) { p.ID, p.Values.Time = 2, 99 }), named(Pattern{Text: "near"}), with(named(Pattern{Host: true}), func(p *Policy) { p.ID, p.Values.Time = 3, 77 })},
				"pool/near", "pool/x", unix.AF_INET, nil, on, given{1, 99, 10, 3, 30000}},
			{"a nearer one for another port lets the next decide", []Policy{pool, with(named(Pattern{Text: "near"}), func(p *Policy) { p.ID, p.Ports, p.Values.Time = 2, []uint16{1}, 99 })},
				"pool/near", "x", unix.AF_INET, nil, on, off},
			{"a unit", []Policy{unit}, "system.slice/db.service", "system.slice/system-db.slice/db.service/sub/sub", unix.AF_INET, nil, on, on},
			{"a unit's name where others may make cgroups", []Policy{unit}, "user.slice/user@1.service/db.service", "docker-1.scope/db.service", unix.AF_INET, nil, off, off},
			{"and then the next policy decides", []Policy{unit, with(named(Pattern{Text: "user.slice"}), func(p *Policy) { p.ID, p.Values.Time = 2, 99 })},
				"user.slice/user@1.service/db.service", "user.slice/db.service", unix.AF_INET, nil, given{1, 99, 10, 3, 30000}, on},
			{"a remote prefix", []Policy{with(pool, func(p *Policy) { p.Remote = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} })}, "pool", "x", unix.AF_INET, nil, on, off},
			{"another remote prefix", []Policy{with(pool, func(p *Policy) { p.Remote = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} })}, "pool", "x", unix.AF_INET, nil, off, off},
			{"a remote prefix of IPv6", []Policy{with(pool, func(p *Policy) { p.Remote = []netip.Prefix{netip.MustParsePrefix("::1/128")} })}, "pool", "x", unix.AF_INET6, nil, on, off},
			{"the longer prefix wins", []Policy{with(pool, func(p *Policy) { p.Remote = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }), with(pool, func(p *Policy) { p.ID, p.Values.Time = 2, 99 })},
				"pool", "x", unix.AF_INET, nil, on, off},
			{"keepalive on before connect is left", []Policy{pool}, "pool", "x", unix.AF_INET, both(keepalive, setter(t, unix.SOL_TCP, unix.TCP_KEEPIDLE, 600)), given{1, 600, 75, 9, 0}, off},
			{"a time of its own and keepalive off", []Policy{pool}, "pool", "x", unix.AF_INET, setter(t, unix.SOL_TCP, unix.TCP_KEEPIDLE, 600), on, off},
			{"one value", []Policy{with(pool, func(p *Policy) { p.Values.Set = 1 })}, "pool", "x", unix.AF_INET, nil, given{1, 60, 75, 9, 0}, off},
			{"cap", []Policy{with(pool, func(p *Policy) { p.Values.Mode = Cap })}, "pool", "x", unix.AF_INET,
				both(keepalive, setter(t, unix.SOL_TCP, unix.TCP_KEEPIDLE, 600), setter(t, unix.SOL_TCP, unix.TCP_KEEPINTVL, 5)), given{1, 60, 5, 3, 30000}, off},
			{"cap, and the sysctl is shorter", []Policy{with(pool, func(p *Policy) { p.Values = Values{Mode: Cap, Set: 7, Time: 9000, Intvl: 80, Probes: 10} })}, "pool", "x", unix.AF_INET, nil, given{1, 7200, 75, 9, 0}, off},
			{"force", []Policy{with(pool, func(p *Policy) { p.Values.Mode = Force })}, "pool", "x", unix.AF_INET, both(keepalive, setter(t, unix.SOL_TCP, unix.TCP_KEEPIDLE, 5)), on, off},
		} {
			r.load(row.policies...)
			c, s := r.ends(row.client, row.server, row.family, row.prepare)
			if c != row.wantC || s != row.wantS {
				t.Errorf("%s:\n got client %v server %v\nwant client %v server %v", row.name, c, s, row.wantC, row.wantS)
			}
		}
	})
}

func TestRootWhatIsInForceCanBeChangedAndTakenBack(t *testing.T) {
	nstest.RunRoot(t, func(t *testing.T) {
		r := newRoom(t)
		listener, at := r.listen("old", unix.AF_INET)
		defer unix.Close(listener)
		expect := func(when string, want given) {
			t.Helper()
			if _, s := r.connect("x", listener, at, unix.AF_INET, nil); s != want {
				t.Errorf("%s: got %v, want %v", when, s, want)
			}
		}
		expect("before", off)
		r.load(named(Pattern{Text: "old"}))
		expect("a listener that is older than the policy", on)
		r.load(with(named(Pattern{Text: "old"}), func(p *Policy) { p.Values.Time = 99 }))
		expect("a changed value", given{1, 99, 10, 3, 30000})
		if got, want := r.counters(1), (Counters{Seen: 2, Given: 2}); got != want {
			t.Errorf("counters: got %v, want %v: the program was replaced, and they go on", got, want)
		}
		for range 2 { // a cgroup that is made again, by name
			if c, _ := r.ends("system.slice/old", "x", unix.AF_INET, nil); c != (given{1, 99, 10, 3, 30000}) {
				t.Errorf("made again: got %v", c)
			}
			if err := os.Remove(r.root + "/system.slice/old"); err != nil {
				t.Fatal(err)
			}
		}
		after := setter(t, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0)
		fd := nstest.SocketIn(t, r.root, "old", unix.AF_INET)
		defer unix.Close(fd)
		if err := unix.Connect(fd, at); err != nil {
			t.Fatal(err)
		}
		after(fd)
		if accepted, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC); err != nil || unix.Close(accepted) != nil {
			t.Fatal(err)
		}
		if got := valuesOf(t, fd); got[0] != 0 {
			t.Errorf("switched off after connect: got %v", got)
		}
		a, err := Open(r.pin)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		if err := a.Detach(); err != nil {
			t.Fatal(err)
		}
		expect("taken back", off)
		b, err := Open(r.pin)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		if b.Root != 0 {
			t.Errorf("a link that was detached is on cgroup %d, and has to be known by 0", b.Root)
		}
	})
}

// An IPv4 address counts as one on a socket of IPv6, too; and so does what is accepted by
// a SYN cookie, and in another network namespace.
func TestRootHoweverTheConnectionCameAbout(t *testing.T) {
	nstest.RunRoot(t, func(t *testing.T) {
		r := newRoom(t)
		r.load(with(named(Pattern{Text: "pool"}), func(p *Policy) { p.Remote = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }))
		mapped := &unix.SockaddrInet6{Addr: [16]byte{10: 0xff, 11: 0xff, 12: 127, 15: 1}}
		server := nstest.SocketIn(t, r.root, "pool", unix.AF_INET6)
		defer unix.Close(server)
		if err := unix.Bind(server, mapped); err != nil {
			t.Fatal(err)
		}
		if err := unix.Listen(server, 16); err != nil {
			t.Fatal(err)
		}
		at, err := unix.Getsockname(server)
		if err != nil {
			t.Fatal(err)
		}
		if c, s := r.connect("pool", server, at, unix.AF_INET6, nil); c != on || s != on {
			t.Errorf("v4-mapped: got client %v server %v", c, s)
		}
		nstest.Sysctl(t, "net.ipv4.tcp_syncookies", "2")
		if c, s := r.ends("x", "pool", unix.AF_INET, nil); c != off || s != on {
			t.Errorf("a SYN cookie: got client %v server %v", c, s)
		}
		err = nstest.Apart(func() {
			if c, s := r.ends("x", "pool", unix.AF_INET, nil); c != off || s != on {
				t.Errorf("another network namespace: got client %v server %v", c, s)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		// By port, at either end.
		listener, at := r.listen("x", unix.AF_INET)
		defer unix.Close(listener)
		port := uint16(at.(*unix.SockaddrInet4).Port)
		r.load(with(named(Pattern{Text: "pool"}), func(p *Policy) { p.Ports = []uint16{port} }), with(named(Pattern{Text: "x"}), func(p *Policy) { p.ID, p.Ports, p.Values.Time = 2, []uint16{port}, 99 }))
		if c, s := r.connect("pool", listener, at, unix.AF_INET, nil); c != on || s != (given{1, 99, 10, 3, 30000}) {
			t.Errorf("by port: got client %v server %v", c, s)
		}
		byPort := with(named(Pattern{Text: "pool"}), func(p *Policy) { p.ID, p.Ports, p.Values.Time = 2, []uint16{port}, 99 })
		r.load(named(Pattern{Text: "pool"}), byPort)
		if c, _ := r.connect("pool", listener, at, unix.AF_INET, nil); c != (given{1, 99, 10, 3, 30000}) {
			t.Errorf("a port comes before none: got %v", c)
		}
		r.load(with(named(Pattern{Text: "pool"}), func(p *Policy) { p.Remote = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }), byPort)
		if c, _ := r.connect("pool", listener, at, unix.AF_INET, nil); c != on {
			t.Errorf("a longer prefix comes before a port: got %v", c)
		}
		if c, s := r.ends("y", "x", unix.AF_INET, nil); c != off || s != off {
			t.Errorf("another port: got client %v server %v", c, s)
		}
	})
}

// A peer that vanishes is noticed at the time that the policy says.
func TestRootTheTimerIsArmed(t *testing.T) {
	nstest.RunRoot(t, func(t *testing.T) {
		r := newRoom(t)
		r.load(Policy{ID: 1, Patterns: []Pattern{{Text: "pool"}}, Values: Values{Set: 7, Time: 1, Intvl: 1, Probes: 1}})
		listener, at, err := nstest.Listen(unix.AF_INET)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(listener)
		fd := nstest.SocketIn(t, r.root, "pool", unix.AF_INET)
		defer unix.Close(fd)
		began := time.Now()
		if err := unix.Connect(fd, at); err != nil {
			t.Fatal(err)
		}
		peer, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(peer)
		if err := nstest.DropAll(peer); err != nil {
			t.Fatal(err)
		}
		if _, err := unix.Read(fd, make([]byte, 1)); err != unix.ETIMEDOUT {
			t.Errorf("got %v, want ETIMEDOUT", err)
		}
		if took := time.Since(began); took < 1900*time.Millisecond {
			t.Errorf("noticed after %v: 2s was said", took)
		}
	})
}

func TestPoliciesForTheSameConnectionsAreRefused(t *testing.T) {
	one := named(Pattern{Text: "a"})
	two := with(one, func(p *Policy) { p.ID = 2 })
	if _, err := compile([]Policy{one, two}); !errors.Is(err, ErrAmbiguous) {
		t.Errorf("got %v", err)
	}
	two.Remote = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	if _, err := compile([]Policy{one, two}); err != nil {
		t.Errorf("another remote prefix: %v", err)
	}
}

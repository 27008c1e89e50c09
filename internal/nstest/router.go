package nstest

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A Router joins the test's own network namespace, the client's, to one of a
// server, and forgets connections on the way. Packets of the client leave it
// with its own address, as behind a NAT.
//
//	client 10.N.0.1 --- 10.N.0.2 router 10.N.1.2 --- 10.N.1.1 server
//
// The server can route to the client's address, too, so what the router forgets
// to translate arrives.
type Router struct {
	Server netip.Addr // 10.N.1.1

	inside         netip.Addr // 10.N.0.2
	t              testing.TB
	router, server *os.File
	nft            string
}

// The ways of a router with what it does not remember, as rules of nftables.
// Each starts with masquerading, which [NewRouter] sets up.
const (
	// Forgives takes an unknown connection up again, as Linux does by default.
	Forgives = ``
	// Swallows drops what belongs to no connection that it knows.
	Swallows = `
		chain forward { type filter hook forward priority 0; policy drop
			ct state established accept
			tcp flags & (fin|syn|rst|ack) == syn accept
		}
		chain input { type filter hook input priority 0; policy drop
		}`
	// Resets answers it with a TCP reset.
	Resets = `
		chain forward { type filter hook forward priority 0; policy accept
			ct state established accept
			tcp flags & (fin|syn|rst|ack) == syn accept
			reject with tcp reset
		}`
)

// NewRouter makes a router that forgets a TCP connection after as many seconds
// without a packet. With loose, it takes up in the middle a connection that it
// does not know; without, such packets pass it untranslated unless rules stop
// them. n, from 0 to 255, tells the routers of a test apart. It needs a namespace
// made by [Run] or [RunRoot], and skips the test with [Missing] without the
// programs ip and nft.
func NewRouter(t testing.TB, n, seconds int, loose bool, rules string) *Router {
	t.Helper()
	if os.Getenv(childEnv) == "" {
		t.Fatal("NewRouter: not in a private namespace")
	}
	ip := Program(t, "ip")
	r := &Router{t: t, nft: Program(t, "nft"), router: namespace(t), server: namespace(t)}
	addr := func(format string) string { return fmt.Sprintf(format, n) }
	r.Server, r.inside = netip.MustParseAddr(addr("10.%d.1.1")), netip.MustParseAddr(addr("10.%d.0.2"))

	// The descriptors 3 and 4 of ip are the namespaces.
	do(t, nil, ip, addr(`
		link add c%[1]d type veth peer name in netns /proc/self/fd/3
		addr add 10.%[1]d.0.1/24 dev c%[1]d
		link set c%[1]d up
		route add 10.%[1]d.1.0/24 via 10.%[1]d.0.2 dev c%[1]d`)[1:], r.router, r.server)
	r.inRouter(ip, addr(`
		addr add 10.%[1]d.0.2/24 dev in
		link set in up
		link add out type veth peer name s netns /proc/self/fd/4
		addr add 10.%[1]d.1.2/24 dev out
		link set out up`))
	do(t, r.server, ip, addr(`
		addr add 10.%[1]d.1.1/24 dev s
		link set s up
		route add default via 10.%[1]d.1.2`)[1:])

	r.inRouter(r.nft, `table ip t {
		chain nat { type nat hook postrouting priority 100
			oifname out masquerade
		}`+rules+`
	}`)
	sysctls := map[string]string{
		"net.ipv4.ip_forward":                                "1",
		"net.netfilter.nf_conntrack_tcp_timeout_established": fmt.Sprint(seconds),
		"net.netfilter.nf_conntrack_tcp_loose":               "0",
	}
	if loose {
		sysctls["net.netfilter.nf_conntrack_tcp_loose"] = "1"
	}
	err := within(r.router, func() error {
		for key, value := range sysctls {
			Sysctl(t, key, value)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// inRouter runs ip or nft there, with text as its input.
func (r *Router) inRouter(program, text string) {
	r.t.Helper()
	do(r.t, r.router, program, strings.TrimPrefix(text, "\n"), r.router, r.server)
}

// InServer runs f on a thread in the server's namespace. Sockets that it makes
// itself stay there; goroutines that it starts run elsewhere.
func (r *Router) InServer(f func() error) error { return within(r.server, f) }

// Here runs commands of ip(8), one a line, in the test's own namespace.
func (r *Router) Here(commands string) { do(r.t, nil, Program(r.t, "ip"), commands) }

// IPVS has the router balance connections to its own address, at the server's
// port, to the server, and forget a silent one after as many seconds. It returns
// that address.
func (r *Router) IPVS(server netip.AddrPort, seconds int) netip.AddrPort {
	r.t.Helper()
	ipvsadm := Program(r.t, "ipvsadm")
	virtual := netip.AddrPortFrom(r.inside, server.Port())
	for _, args := range [][]string{
		{"-A", "-t", virtual.String(), "-s", "rr"},
		{"-a", "-t", virtual.String(), "-r", server.String(), "-m"},
		{"--set", fmt.Sprint(seconds), "0", "0"},
	} {
		err := within(r.router, func() error {
			out, err := exec.Command(ipvsadm, args...).CombinedOutput()
			if err != nil {
				err = fmt.Errorf("%w: %s", err, out)
			}
			return err
		})
		if err != nil {
			r.t.Fatalf("ipvsadm %q: %v", args, err)
		}
	}
	return virtual
}

// Block has the router drop everything from now on: cables are pulled.
func (r *Router) Block() {
	r.inRouter(r.nft, `table ip block {
		chain forward { type filter hook forward priority -10; policy drop
		}
	}`)
}

// PowerOff has the router answer nothing more, not even ARP: the client's own host
// finds its address unreachable.
func (r *Router) PowerOff() {
	r.t.Helper()
	r.inRouter(Program(r.t, "ip"), fmt.Sprintf("addr del %s/24 dev in", r.inside))
	r.Here("neigh flush to " + r.inside.String())
}

// Refuse has the router answer each packet with "host unreachable" from now on.
func (r *Router) Refuse() {
	r.t.Helper()
	r.inRouter(r.nft, `table ip refuse {
		chain forward { type filter hook forward priority -10
			iifname in reject with icmp host-unreachable
		}
	}`)
	err := within(r.router, func() error { // the kernel has a limit of one a second
		Sysctl(r.t, "net.ipv4.icmp_ratelimit", "0")
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// Congest has the client's own queue to the router drop all that it should send.
func (r *Router) Congest() {
	r.t.Helper()
	do(r.t, nil, Program(r.t, "tc"), fmt.Sprintf("qdisc add dev c%d root tbf rate 8bit burst 10 limit 1", r.inside.As4()[1]))
}

// namespace makes a network namespace that is gone when the test is over and its
// last socket closed.
func namespace(t testing.TB) *os.File {
	t.Helper()
	var f *os.File
	var err error
	if failed := Apart(func() { f, err = os.Open("/proc/thread-self/ns/net") }); failed != nil {
		err = failed
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func within(ns *os.File, f func() error) error {
	return OnThread(func() error {
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter a network namespace: %w", err)
		}
		return f()
	})
}

// do runs ip or nft with commands in a namespace; nil is the test's own.
func do(t testing.TB, ns *os.File, program, text string, files ...*os.File) {
	t.Helper()
	args := []string{"-batch", "-"}
	if strings.HasSuffix(program, "nft") {
		args = []string{"-f", "-"}
	}
	cmd := exec.Command(program, args...)
	cmd.Stdin, cmd.ExtraFiles = strings.NewReader(text), files
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	var err error
	if ns == nil {
		err = cmd.Run()
	} else {
		err = within(ns, cmd.Run)
	}
	if err != nil {
		t.Fatalf("%s: %v\n%s\n%s", program, err, &out, text)
	}
}

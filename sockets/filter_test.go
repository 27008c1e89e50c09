package sockets_test

import (
	"net/netip"
	"testing"

	"github.com/tcpka/tcpka/sockets"
)

func TestParseEndpoint(t *testing.T) {
	for _, row := range []struct {
		in, prefix string
		port       uint16
	}{
		{"10.0.0.5", "10.0.0.5/32", 0},
		{"10.0.0.5:22", "10.0.0.5/32", 22},
		{"10.1.2.3/8", "10.0.0.0/8", 0},
		{"10.0.0.0/8:443", "10.0.0.0/8", 443},
		{":5432", "", 5432},
		{":65535", "", 65535},
		{"::1", "::1/128", 0},
		{"[::1]", "::1/128", 0},
		{"[::1]:22", "::1/128", 22},
		{"fe80::/10", "fe80::/10", 0},
		{"[fe80::/10]:22", "fe80::/10", 22},
		{"::ffff:10.0.0.5", "10.0.0.5/32", 0},
		{"::", "::/128", 0},
		{"0.0.0.0/0", "0.0.0.0/0", 0},
	} {
		e, err := sockets.ParseEndpoint(row.in)
		want := sockets.Endpoint{Port: row.port}
		if row.prefix != "" {
			want.Prefix = netip.MustParsePrefix(row.prefix)
		}
		if err != nil || e != want {
			t.Errorf("%s: %v, %v, want %v", row.in, e, err, want)
		}
	}
	for _, in := range []string{
		"", ":", "x", ":0", ":65536", ":+1", ":-1", ":1x", ": 1", "10.0.0.5:", "10.0.0.5:x", "10.0.0", "10.0.0.0/33",
		"[::1", "::1]", "[]", "[]:22", "[::1]22", "[::1]:", "fe80::1%eth0", "[fe80::1%eth0]:1", "10.0.0.5:22:23", "10.0.0.5/8/8", "localhost:22",
	} {
		if e, err := sockets.ParseEndpoint(in); err == nil {
			t.Errorf("%q: %v, want an error", in, e)
		}
	}
}

func FuzzParseEndpoint(f *testing.F) {
	for _, s := range []string{"10.0.0.5:22", "[fe80::/10]:22", ":5432", "::ffff:10.0.0.5", "[::ffff:1.2.3.4/100]:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := sockets.ParseEndpoint(s)
		if err != nil {
			return
		}
		if again, err := sockets.ParseEndpoint(e.String()); err != nil || again != e {
			t.Errorf("%q is %v, which reads as %v, %v", s, e, again, err)
		}
	})
}

func TestFilterMatch(t *testing.T) {
	s := sockets.Socket{
		State:  sockets.Established,
		Local:  netip.MustParseAddrPort("[::ffff:10.1.2.3]:22"),
		Remote: netip.MustParseAddrPort("[fe80::1]:50000"),
		Owners: []sockets.Owner{{PID: 1, FD: 3, Comm: "systemd"}, {PID: 800, FD: 3, Comm: "sshd"}},
		Cgroup: "/system.slice/ssh.service",

		Keepalive: sockets.On,
		TimeFrom:  sockets.FromSocket, IntvlFrom: sockets.FromSysctl, ProbesFrom: sockets.FromSysctl,
	}
	end := func(list ...string) (ends []sockets.Endpoint) {
		for _, s := range list {
			e, err := sockets.ParseEndpoint(s)
			if err != nil {
				t.Fatal(err)
			}
			ends = append(ends, e)
		}
		return ends
	}
	for _, row := range []struct {
		name   string
		filter sockets.Filter
		want   bool
	}{
		{"no condition", sockets.Filter{}, true},
		{"another state", sockets.Filter{States: sockets.StatesOf(sockets.Listen, sockets.CloseWait)}, false},
		{"one of the states", sockets.Filter{States: sockets.StatesOf(sockets.Listen, sockets.Established)}, true},
		{"the port of either end", sockets.Filter{Ports: []uint16{50000}}, true},
		{"the port of neither end", sockets.Filter{Ports: []uint16{23}}, false},
		{"an IPv4 prefix holds the mapped address", sockets.Filter{Local: end("10.0.0.0/8")}, true},
		{"another prefix, or the right one", sockets.Filter{Local: end("11.0.0.0/8", "10.1.0.0/16")}, true},
		{"the prefix with another port", sockets.Filter{Local: end("10.0.0.0/8:23")}, false},
		{"the prefix with the port", sockets.Filter{Local: end("10.0.0.0/8:22")}, true},
		{"an IPv6 prefix", sockets.Filter{Remote: end("fe80::/10")}, true},
		{"the address at the other end", sockets.Filter{Remote: end("10.0.0.0/8")}, false},
		{"the second owner's number", sockets.Filter{PIDs: []int{800}}, true},
		{"nobody's number", sockets.Filter{PIDs: []int{3}}, false},
		{"the second owner's name", sockets.Filter{Comms: []string{"nginx", "sshd"}}, true},
		{"a part of a name", sockets.Filter{Comms: []string{"ssh"}}, false},
		{"on", sockets.Filter{Keepalive: sockets.On}, true},
		{"off", sockets.Filter{Keepalive: sockets.Off}, false},
		{"one value of its own is from the socket", sockets.Filter{Origin: sockets.FromSocket}, true},
		{"one value of its own is not from the sysctl", sockets.Filter{Origin: sockets.FromSysctl}, false},
		{"its cgroup", sockets.Filter{Cgroups: []string{"/system.slice/ssh.service"}}, true},
		{"the cgroup above", sockets.Filter{Cgroups: []string{"/system.slice/"}}, true},
		{"the root cgroup", sockets.Filter{Cgroups: []string{"/"}}, true},
		{"the beginning of a name", sockets.Filter{Cgroups: []string{"/system.slice/ssh"}}, false},
		{"all conditions but one", sockets.Filter{Ports: []uint16{22}, Comms: []string{"sshd"}, Keepalive: sockets.Off}, false},
	} {
		if got := row.filter.Match(&s); got != row.want {
			t.Errorf("%s: %v", row.name, got)
		}
	}

	var unknown sockets.Socket
	unknown.State = sockets.Established
	for _, f := range []sockets.Filter{
		{Keepalive: sockets.On}, {Keepalive: sockets.Off}, {Origin: sockets.FromSocket}, {Origin: sockets.FromSysctl}, {Cgroups: []string{"/"}}, {PIDs: []int{0}},
	} {
		if f.Match(&unknown) {
			t.Errorf("%+v matches a socket of which it is not known", f)
		}
	}
}

func TestStates(t *testing.T) {
	if got := sockets.AllStates.All(); len(got) != 10 || got[0] != sockets.Established || got[9] != sockets.Closing {
		t.Errorf("all states: %v", got)
	}
	if !sockets.Connections.Has(sockets.CloseWait) || sockets.Connections.Has(sockets.Listen) {
		t.Errorf("connections: %v", sockets.Connections.All())
	}
	for s, want := range map[sockets.State]string{0: "UNKNOWN", sockets.Established: "ESTAB", sockets.Closing: "CLOSING", 12: "UNKNOWN", 255: "UNKNOWN"} {
		if s.String() != want {
			t.Errorf("%d is %s, want %s", s, s, want)
		}
	}
}

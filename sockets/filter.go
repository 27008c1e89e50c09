package sockets

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tcpka/tcpka/sockets/bpf"
)

// Filter says which sockets are wanted: those that meet every condition, and of
// a condition with several values any one. The zero Filter is every connection.
type Filter struct {
	States States // 0 is [Connections]

	Ports         []uint16   // at either end
	Local, Remote []Endpoint // at that end

	// Of the owners any one is enough; both conditions may be met by different
	// ones.
	PIDs  []int
	Comms []string

	Keepalive OnOff // Unknown is any; a socket of which it is not known meets neither
	// Origin FromSocket is a socket that has a value of its own, FromSysctl one
	// that has none; FromUnknown is any.
	Origin Origin
	// SilentFor is the least [Socket.LastData]: what has none is not wanted. 0 is any.
	SilentFor time.Duration
	Cgroups   []string // paths below the mount point: that cgroup and those in it
}

// Match reports whether s is wanted. It looks at nothing but s.
func (f *Filter) Match(s *Socket) bool {
	return f.matchEnds(s) &&
		(len(f.PIDs) == 0 || slices.ContainsFunc(s.Owners, func(o Owner) bool { return slices.Contains(f.PIDs, o.PID) })) &&
		(len(f.Comms) == 0 || slices.ContainsFunc(s.Owners, func(o Owner) bool { return slices.Contains(f.Comms, o.Comm) })) &&
		(f.Keepalive == Unknown || f.Keepalive == s.Keepalive) &&
		(f.Origin == FromUnknown || f.Origin == s.origin()) &&
		(f.SilentFor == 0 || s.IdleKnown && s.LastData >= f.SilentFor) &&
		(len(f.Cgroups) == 0 || slices.ContainsFunc(f.Cgroups, func(c string) bool { return within(s.Cgroup, c) }))
}

// matchEnds is the part of Match that needs neither owners nor values.
func (f *Filter) matchEnds(s *Socket) bool {
	return f.states().Has(s.State) &&
		(len(f.Ports) == 0 || slices.Contains(f.Ports, s.Local.Port()) || slices.Contains(f.Ports, s.Remote.Port())) &&
		matchEnd(f.Local, s.Local) && matchEnd(f.Remote, s.Remote)
}

func (f *Filter) states() States {
	if f.States == 0 {
		return Connections
	}
	return f.States
}

// origin is that of all three values.
func (s *Socket) origin() Origin {
	switch {
	case s.TimeFrom == FromSocket || s.IntvlFrom == FromSocket || s.ProbesFrom == FromSocket:
		return FromSocket
	case s.TimeFrom == FromSysctl && s.IntvlFrom == FromSysctl && s.ProbesFrom == FromSysctl:
		return FromSysctl
	}
	return FromUnknown
}

// within reports whether path is the cgroup or below it.
func within(path, cgroup string) bool {
	rest, ok := strings.CutPrefix(path, strings.TrimSuffix(cgroup, "/"))
	return ok && path != "" && (rest == "" || rest[0] == '/')
}

// query is what of the filter the kernel can apply. It may let through more than
// the filter, never less.
func (f *Filter) query() bpf.Query {
	q := bpf.Query{States: uint32(f.states())}
	if len(f.Ports) <= bpf.MaxPorts && !slices.Contains(f.Ports, 0) {
		q.Ports = f.Ports
	}
	q.Local, q.Remote = endpointPorts(f.Local), endpointPorts(f.Remote)
	return q
}

// endpointPorts are the ports of which a socket must have one, or nil if it need
// not, or may have any of too many.
func endpointPorts(ends []Endpoint) []uint16 {
	if len(ends) > bpf.MaxPorts {
		return nil
	}
	var ports []uint16
	for _, e := range ends {
		if e.Port == 0 {
			return nil
		}
		ports = append(ports, e.Port)
	}
	return ports
}

// Endpoint is an address, a port, or both. The zero Endpoint is any.
type Endpoint struct {
	Prefix netip.Prefix // invalid: any address
	Port   uint16       // 0: any port
}

func (e Endpoint) match(a netip.AddrPort) bool {
	return (e.Port == 0 || e.Port == a.Port()) &&
		(!e.Prefix.IsValid() || e.Prefix.Contains(a.Addr().Unmap()) || e.Prefix.Contains(a.Addr()))
}

func matchEnd(ends []Endpoint, a netip.AddrPort) bool {
	return len(ends) == 0 || slices.ContainsFunc(ends, func(e Endpoint) bool { return e.match(a) })
}

// ParseEndpoint reads ADDR, ADDR/BITS, :PORT, ADDR:PORT or ADDR/BITS:PORT. With
// a port an IPv6 address stands in brackets, prefix and all: [fe80::/10]:22.
func ParseEndpoint(s string) (Endpoint, error) {
	addr, port, hasPort := s, "", false
	switch i := strings.LastIndexByte(s, ':'); {
	case strings.HasPrefix(s, "["):
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return Endpoint{}, fmt.Errorf("%q: no ] after the address", s)
		}
		addr, port = s[1:end], s[end+1:]
		if port, hasPort = strings.CutPrefix(port, ":"); !hasPort && port != "" {
			return Endpoint{}, fmt.Errorf("%q: a port begins with a colon", s)
		}
		if addr == "" {
			return Endpoint{}, fmt.Errorf("%q: no address in the brackets", s)
		}
	case i >= 0 && strings.IndexByte(s, ':') == i:
		addr, port, hasPort = s[:i], s[i+1:], true
	}
	var e Endpoint
	if hasPort {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 || port[0] == '+' {
			return Endpoint{}, fmt.Errorf("%q: %q is not a port", s, port)
		}
		e.Port = uint16(n)
	}
	if addr == "" && hasPort {
		return e, nil
	}
	prefix, err := netip.ParsePrefix(addr)
	if !strings.Contains(addr, "/") {
		var a netip.Addr
		if a, err = netip.ParseAddr(addr); err == nil {
			if a.Zone() != "" {
				return Endpoint{}, fmt.Errorf("%q: a zone cannot be matched", s)
			}
			prefix = netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen())
		}
	}
	if err != nil {
		return Endpoint{}, fmt.Errorf("%q is not an address, a prefix or a port", s)
	}
	e.Prefix = prefix.Masked()
	return e, nil
}

// String is what [ParseEndpoint] reads.
func (e Endpoint) String() string {
	addr := ""
	if e.Prefix.IsValid() {
		addr = e.Prefix.String()
		if e.Prefix.IsSingleIP() {
			addr = e.Prefix.Addr().String()
		}
	}
	switch {
	case e.Port == 0:
		return addr
	case e.Prefix.IsValid() && e.Prefix.Addr().Is6():
		addr = "[" + addr + "]"
	}
	return addr + ":" + strconv.Itoa(int(e.Port))
}

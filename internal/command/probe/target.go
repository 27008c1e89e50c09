package probe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/internal/suggest"
)

// lookupWithin is how long a name may take to resolve.
const lookupWithin = 20 * time.Second

// Target is a host and a port as they were given.
type Target struct {
	Text string
	host string // a name or an address, without brackets
	port uint16
}

// parseTarget reads HOST:PORT, as in example.org:443, 192.0.2.1:ssh, [::1]:22
// and [fe80::1%eth0]:22.
func parseTarget(text string) (Target, error) {
	if u, err := url.Parse(text); err == nil && u.Hostname() != "" {
		return Target{}, cmdline.Misuse("%q is a URL", text).WithHint("a host and a port: tcpka probe %s", suggest.ShellJoin([]string{net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), u.Scheme))}))
	}
	host, port, err := net.SplitHostPort(text)
	if addr, ok := errors.AsType[*net.AddrError](err); ok {
		return Target{}, cmdline.Misuse("%q: %s", text, addr.Err).WithHint("a host and a port, and an IPv6 address in brackets: example.org:443, '[2001:db8::1]:443'")
	}
	if err != nil {
		return Target{}, cmdline.Misuse("%q: %w", text, err)
	}
	n, err := parsePort(port)
	if err != nil {
		return Target{}, cmdline.Misuse("%q: %w", text, err)
	}
	return Target{Text: text, host: host, port: n}, nil
}

func parsePort(text string) (uint16, error) {
	if cmdline.IsDecimal(text) {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			return 0, fmt.Errorf("port %s: accepted are 1 to 65535", text)
		}
		return uint16(n), nil
	}
	n, err := net.LookupPort("tcp", text) // of /etc/services; it would read +22, too
	if text == "" || text[0] == '+' || err != nil {
		return 0, fmt.Errorf("port %q: neither a number nor a known service", text)
	}
	return uint16(n), nil
}

// zoneless reports whether the host is an address that means nothing without the
// interface behind which it is.
func (t Target) zoneless() bool {
	addr, err := netip.ParseAddr(t.host)
	return err == nil && addr.Is6() && addr.IsLinkLocalUnicast() && addr.Zone() == ""
}

// addresses are those of the host. A name is looked up here, whatever namespace
// the connections are made in.
func (t Target) addresses(ctx context.Context) ([]netip.AddrPort, error) {
	if addr, err := netip.ParseAddr(t.host); err == nil {
		return []netip.AddrPort{netip.AddrPortFrom(addr, t.port)}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookupWithin)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", t.host)
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return nil, fmt.Errorf("look up %s: %s", t.host, dns.Err)
	}
	if err != nil {
		return nil, fmt.Errorf("look up %s: %w", t.host, err)
	}
	var list []netip.AddrPort
	for _, a := range addrs {
		list = append(list, netip.AddrPortFrom(a.Unmap(), t.port))
	}
	return list, nil
}

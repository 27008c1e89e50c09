// Package policy is keepalive for connections to come: policies that the kernel applies to
// every connection at the moment it is made, by the name of its cgroup, its remote address
// and its ports. What is in force is one BPF program on the root of the cgroups, held by
// one link in bpffs; nothing of tcpka goes on running.
package policy

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/tcpka/tcpka/internal/policy/bpf"
	"github.com/tcpka/tcpka/keepalive"
)

// Mode is what becomes of a connection whose program has switched keepalive on.
type Mode string

const (
	IfOff Mode = "if_off" // it keeps what it has
	Cap   Mode = "cap"    // longer values are shortened
	Force Mode = "force"  // it gets the policy's
)

// Policy is one policy. A connection is meant that belongs to one of the units or cgroups,
// or to any with Host, and if there are some, has one of the remote prefixes and one of the
// ports at either end.
type Policy struct {
	Name    string         `json:"name"`
	Units   []string       `json:"units,omitempty"`   // systemd's own, by name
	Cgroups []string       `json:"cgroups,omitempty"` // names; one that ends with * is a prefix
	Host    bool           `json:"host,omitempty"`
	Remote  []netip.Prefix `json:"remote,omitempty"`
	Ports   []uint16       `json:"ports,omitempty"`
	Mode    Mode           `json:"mode"`

	TimeSeconds   *int `json:"time_seconds,omitempty"`
	IntvlSeconds  *int `json:"intvl_seconds,omitempty"`
	Probes        *int `json:"probes,omitempty"`
	UserTimeoutMS *int `json:"user_timeout_ms,omitempty"`
}

// SetValues gives the policy the values of a change.
func (p *Policy) SetValues(ch keepalive.Change) {
	number := func(d *time.Duration, unit time.Duration) *int {
		if d == nil {
			return nil
		}
		return new(int(*d / unit))
	}
	p.TimeSeconds, p.IntvlSeconds, p.Probes = number(ch.Time, time.Second), number(ch.Intvl, time.Second), ch.Probes
	p.UserTimeoutMS = number(ch.UserTimeout, time.Millisecond)
}

// Change is what the policy sets on a socket, beside switching keepalive on.
func (p Policy) Change() keepalive.Change {
	duration := func(n *int, unit time.Duration) *time.Duration {
		if n == nil {
			return nil
		}
		return new(time.Duration(*n) * unit)
	}
	return keepalive.Change{
		Time: duration(p.TimeSeconds, time.Second), Intvl: duration(p.IntvlSeconds, time.Second), Probes: p.Probes,
		UserTimeout: duration(p.UserTimeoutMS, time.Millisecond), Enabled: new(true),
	}
}

// Text is the policy as one line of JSON: what the kernel keeps of it, and the journal.
func (p Policy) Text() string {
	b, _ := json.Marshal(p) // of strings and numbers: never fails
	return string(b)
}

// Parse reads what Text wrote.
func Parse(text string) (Policy, error) {
	var p Policy
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return p, fmt.Errorf("a policy that cannot be read: %w", err)
	}
	return p, p.Check()
}

// Check refuses what is no policy, wherever it comes from.
func (p Policy) Check() error {
	if err := CheckName(p.Name); err != nil {
		return err
	}
	targets := slices.Concat(p.Units, p.Cgroups)
	switch {
	case len(targets) == 0 && !p.Host:
		return fmt.Errorf("policy %s is for no connection", p.Name)
	case len(targets) > 0 && p.Host:
		return fmt.Errorf("policy %s is for the whole host: no unit and no cgroup can be named beside it", p.Name)
	case !slices.Contains([]Mode{IfOff, Cap, Force}, p.Mode):
		return fmt.Errorf("policy %s has a mode %q", p.Name, p.Mode)
	}
	for _, t := range targets {
		if err := CheckCgroup(t); err != nil {
			return err
		}
	}
	ch := p.Change()
	ch.Enabled = nil
	if ch.Empty() {
		return fmt.Errorf("policy %s sets nothing", p.Name)
	}
	return keepalive.Socket().Check(ch)
}

// CheckName refuses what is no name of a policy: letters, digits and . _ -, as it will be
// a file's, too.
func CheckName(name string) error {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
	if name == "" || len(name) > 64 || strings.Trim(name, allowed) != "" || strings.ContainsAny(name[:1], ".-") {
		return fmt.Errorf("%q is no name of a policy: 1 to 64 letters, digits and . _ -, the first no . or -", name)
	}
	return nil
}

// CheckCgroup refuses what is no name of a cgroup and no prefix of one.
func CheckCgroup(pattern string) error {
	text, prefix := strings.CutSuffix(pattern, "*")
	switch {
	case text == "" && prefix:
		return fmt.Errorf("%q matches every cgroup: that is --host", pattern)
	case text == "" || text == "." || text == "..":
		return fmt.Errorf("%q is no name of a cgroup", pattern)
	case strings.Contains(text, "/"):
		return fmt.Errorf("%q is a path: a policy goes by the name of a cgroup, its last part", pattern)
	case strings.ContainsAny(text, "\x00\n*"):
		return fmt.Errorf("%q is no name of a cgroup; * stands at the end alone", pattern)
	case len(text) > 255:
		return fmt.Errorf("the name of a cgroup has 255 bytes at most: %q", pattern)
	}
	return nil
}

// Targets are the cgroups as they are named, the units first.
func (p Policy) Targets() []string { return slices.Concat(p.Units, p.Cgroups) }

// compiled is the policy as the program has it.
func (p Policy) compiled(id uint32) bpf.Policy {
	c := bpf.Policy{ID: id, Remote: p.Remote, Ports: p.Ports, Text: []byte(p.Text())}
	c.Values.Mode = map[Mode]bpf.Mode{IfOff: bpf.IfOff, Cap: bpf.Cap, Force: bpf.Force}[p.Mode]
	for i, v := range []struct {
		from *int
		to   *uint32
	}{{p.TimeSeconds, &c.Values.Time}, {p.IntvlSeconds, &c.Values.Intvl}, {p.Probes, &c.Values.Probes}, {p.UserTimeoutMS, &c.Values.UserTimeout}} {
		if v.from != nil {
			*v.to = uint32(*v.from)
			c.Values.Set |= 1 << i
		}
	}
	for _, u := range p.Units {
		c.Patterns = append(c.Patterns, bpf.Pattern{Text: u, Unit: true})
	}
	for _, g := range p.Cgroups {
		text, prefix := strings.CutSuffix(g, "*")
		c.Patterns = append(c.Patterns, bpf.Pattern{Text: text, Prefix: prefix})
	}
	if p.Host {
		c.Patterns = append(c.Patterns, bpf.Pattern{Host: true})
	}
	return c
}

// Words are the policy as the flags of tcpka set policy.
func (p Policy) Words() []string {
	var words []string
	add := func(flag, value string) { words = append(words, "--"+flag, value) }
	for _, u := range p.Units {
		add("unit", u)
	}
	for _, c := range p.Cgroups {
		add("cgroup", c)
	}
	if p.Host {
		words = append(words, "--host")
	}
	return append(append(words, p.Ends()...), append(p.ValueWords(), "--"+strings.ReplaceAll(string(p.Mode), "_", "-"))...)
}

// Ends are the flags that say which ends a connection has to have.
func (p Policy) Ends() (words []string) {
	for _, r := range p.Remote {
		words = append(words, "--remote", r.String())
	}
	for _, port := range p.Ports {
		words = append(words, "--port", fmt.Sprint(port))
	}
	return words
}

// ValueWords are the flags that have its values.
func (p Policy) ValueWords() (words []string) {
	for _, v := range []struct {
		flag, unit string
		n          *int
	}{{"time", "", p.TimeSeconds}, {"intvl", "", p.IntvlSeconds}, {"probes", "", p.Probes}, {"user-timeout", "ms", p.UserTimeoutMS}} {
		if v.n != nil {
			words = append(words, "--"+v.flag, fmt.Sprint(*v.n)+v.unit)
		}
	}
	return words
}

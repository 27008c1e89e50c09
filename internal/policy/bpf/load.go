package bpf

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// Mode is what becomes of a connection whose program has switched keepalive on.
type Mode uint32

const (
	IfOff Mode = iota // it keeps what it has
	Cap               // longer values are shortened, shorter ones stay
	Force             // it gets the policy's values
)

// Values are struct values in policy.c. Set says which count: time, intvl, probes and
// user timeout, from bit 0 on. They have whole seconds, the user timeout milliseconds.
type Values struct {
	Mode                             Mode
	Set                              uint32
	Time, Intvl, Probes, UserTimeout uint32
}

// Pattern is what the name of a cgroup has to be.
type Pattern struct {
	Text   string
	Prefix bool // the name begins so
	Unit   bool // nothing but slices is above it
	Host   bool // every connection; no Text
}

// Policy is one policy. Without Remote it is for every address, without Ports for every
// port; else for the addresses, and for connections that have one of the ports at either
// end.
type Policy struct {
	ID       uint32 // not 0; another one for each name, and the same as long as it exists
	Patterns []Pattern
	Remote   []netip.Prefix
	Ports    []uint16
	Values   Values
	Text     []byte // for who reads it back
}

// Counters count the connections of a policy: both ends of one that stays on this
// machine apart.
type Counters struct{ Seen, Given, Left, Failed uint64 }

// What policy.c has of each kind.
const (
	MaxText  = 4096
	maxAlike = 4
	maxName  = 255
	maxNames = 512
	maxRules = 4096
	// MaxPolicies leaves room for the one that proves that the program runs.
	MaxPolicies = 255
)

// ErrAmbiguous says that two policies are for the same connections.
var ErrAmbiguous = errors.New("they are for the same connections")

// Conflict is two policies, by their IDs, that cannot be in force together.
type Conflict struct {
	A, B uint32
	Err  error
}

func (c *Conflict) Error() string { return fmt.Sprintf("policies %d and %d: %v", c.A, c.B, c.Err) }
func (c *Conflict) Unwrap() error { return c.Err }

type (
	config struct {
		Root     uint64
		HZ, Host uint32
	}
	nameKey struct {
		Bits uint32
		Text [maxName + 1]byte
	}
	matching struct {
		Unit  uint32
		Plain [maxAlike]uint32
	}
	endKey struct {
		Bits, Pattern uint32
		Port, _       uint16
		Remote        [16]byte
	}
	rule struct{ Policy, Bits uint32 }
)

// tables are the maps of policy.c before they are loaded.
type tables struct {
	host  uint32
	names map[nameKey]matching
	rules map[endKey]rule
}

// compile numbers the patterns and says of each name which match, and of each pattern
// which policy which ends have.
func compile(policies []Policy) (tables, error) {
	t := tables{names: map[nameKey]matching{}, rules: map[endKey]rule{}}
	numbers := map[Pattern]uint32{}
	for _, p := range policies {
		for _, pattern := range p.Patterns {
			if numbers[pattern] == 0 {
				numbers[pattern] = uint32(len(numbers) + 1)
			}
			if pattern.Host {
				t.host = numbers[pattern]
			} else if pattern.Text == "" || len(pattern.Text) > maxName {
				return t, fmt.Errorf("a cgroup's name of %d bytes: it has 1 to %d", len(pattern.Text), maxName)
			}
			if err := t.addRules(numbers[pattern], p); err != nil {
				return t, err
			}
		}
	}
	if len(numbers) > maxNames || len(t.rules) > maxRules {
		return t, fmt.Errorf("%d names of cgroups and %d combinations of names, prefixes and ports: at most %d and %d can be in force", len(numbers), len(t.rules), maxNames, maxRules)
	}
	for pattern := range numbers {
		if pattern.Host {
			continue
		}
		key := keyOf(pattern)
		m := matching{}
		if !pattern.Prefix {
			m.Unit = numbers[Pattern{Text: pattern.Text, Unit: true}]
		}
		plain := alike(numbers, pattern)
		if len(plain) > maxAlike {
			return t, fmt.Errorf("%d patterns match %s: at most %d can", len(plain), pattern.Text, maxAlike)
		}
		for i, p := range plain {
			m.Plain[i] = numbers[p]
		}
		t.names[key] = m
	}
	return t, nil
}

// Check says whether policies can be in force together.
func Check(policies []Policy) error {
	_, err := compile(policies)
	return err
}

// alike are the patterns that match what a pattern matches, the longest first.
func alike(numbers map[Pattern]uint32, of Pattern) []Pattern {
	var all []Pattern
	for p := range numbers {
		if p.Host || p.Unit {
			continue
		}
		if p.Prefix && strings.HasPrefix(of.Text, p.Text) || !p.Prefix && !of.Prefix && p.Text == of.Text {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b Pattern) int {
		if len(a.Text) != len(b.Text) {
			return len(b.Text) - len(a.Text)
		}
		if a.Prefix { // the whole name first
			return 1
		}
		return -1
	})
	return all
}

func keyOf(p Pattern) nameKey {
	k := nameKey{Bits: uint32(8 * len(p.Text))}
	if !p.Prefix {
		k.Bits += 8 // the 0 at the end
	}
	copy(k.Text[:], p.Text)
	return k
}

func (t *tables) addRules(pattern uint32, p Policy) error {
	ports, remotes := p.Ports, p.Remote
	if len(ports) == 0 {
		ports = []uint16{0}
	}
	if len(remotes) == 0 {
		remotes = []netip.Prefix{netip.PrefixFrom(netip.IPv6Unspecified(), 0)}
	}
	for _, port := range ports {
		for _, remote := range remotes {
			bits := remote.Bits()
			if remote.Addr().Is4() {
				bits += 96
			}
			key := endKey{Bits: uint32(64 + bits), Pattern: pattern, Port: port, Remote: remote.Masked().Addr().As16()}
			if had, ok := t.rules[key]; ok && had.Policy != p.ID {
				return &Conflict{had.Policy, p.ID, ErrAmbiguous}
			}
			t.rules[key] = rule{p.ID, uint32(bits)}
		}
	}
	return nil
}

// Program is loaded with its policies, and does nothing yet.
type Program struct {
	program *ebpf.Program
	proof   string
}

// Load loads the program with policies that never change: another state is another
// program. root is the ID of the cgroup at which it will be attached; hz is how many
// jiffies the kernel has in a second. A policy that old has, too, goes on counting;
// nil is none. proof is the name of a cgroup whose connections get ProofValues and are
// not counted.
func Load(root uint64, hz int, policies []Policy, proof string, old *Attached) (*Program, error) {
	all := append(slices.Clone(policies), Policy{ID: proofID, Patterns: []Pattern{{Text: proof}}, Values: ProofValues, Text: []byte(proof)})
	tables, err := compile(all)
	if err != nil {
		return nil, err
	}
	spec, err := loadPolicy()
	if err != nil {
		return nil, err
	}
	if err := spec.Variables[policyVarConfig].Set(config{root, uint32(hz), tables.host}); err != nil {
		return nil, err
	}
	// Before Linux 5.11 maps count for it. (The library's package for that asks the kernel
	// whenever a program starts that has it.) Where it may not, loading says why.
	_ = unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY})
	options := ebpf.CollectionOptions{}
	if old != nil {
		options.MapReplacements = map[string]*ebpf.Map{policyMapCounters: old.maps[policyMapCounters]}
	}
	c, err := ebpf.NewCollectionWithOptions(spec, options)
	if err != nil {
		return nil, fmt.Errorf("load the BPF program: %w", plain(err))
	}
	defer c.Close()
	if err := fill(c.Maps, tables, all); err != nil {
		return nil, fmt.Errorf("fill the maps of the BPF program: %w", err)
	}
	if err := c.Programs[policyProgPolicy].BindMap(c.Maps[policyMapTexts]); err != nil {
		return nil, fmt.Errorf("bind the texts to the BPF program: %w", err)
	}
	return &Program{c.DetachProgram(policyProgPolicy), proof}, nil
}

func fill(m map[string]*ebpf.Map, t tables, policies []Policy) error {
	for k, v := range t.names {
		if err := m[policyMapNames].Put(k, v); err != nil {
			return err
		}
	}
	for k, v := range t.rules {
		if err := m[policyMapRules].Put(k, v); err != nil {
			return err
		}
	}
	for _, p := range policies {
		if len(p.Text) > MaxText {
			return fmt.Errorf("a policy of %d bytes: at most %d", len(p.Text), MaxText)
		}
		text := [MaxText]byte{}
		copy(text[:], p.Text)
		if err := m[policyMapTexts].Put(p.ID, text); err != nil {
			return err
		}
		if err := m[policyMapPolicies].Put(p.ID, p.Values); err != nil {
			return err
		}
		err := error(nil)
		if p.ID != proofID {
			err = m[policyMapCounters].Update(p.ID, Counters{}, ebpf.UpdateNoExist)
		}
		if err != nil && !errors.Is(err, ebpf.ErrKeyExist) {
			return err
		}
	}
	return nil
}

// Close unloads the program, unless it is attached.
func (p *Program) Close() error { return p.program.Close() }

// proofID is the policy of the cgroup that proves that the program runs.
const proofID = 1<<32 - 1

// ProofValues are what connections of the proof's cgroup get.
var ProofValues = Values{Mode: IfOff, Set: 15, Time: 12345, Intvl: 1234, Probes: 67, UserTimeout: 7654321}

// plain puts the library's errors into the words that callers test for.
func plain(err error) error {
	v, refused := errors.AsType[*ebpf.VerifierError](err)
	switch {
	case refused && strings.Contains(strings.Join(v.Log, "\n"), "cannot use helper bpf_probe_read"):
		return fmt.Errorf("the kernel is locked down (confidentiality), and lets no program read its memory: %w", errors.ErrUnsupported)
	case refused: // says EACCES, which is no want of privilege
		return fmt.Errorf("the kernel refuses it: %v", err)
	case errors.Is(err, unix.EPERM): // the library guesses at other causes
		return unix.EPERM
	case errors.Is(err, ebpf.ErrNotSupported):
		return fmt.Errorf("%w (%w)", err, errors.ErrUnsupported)
	}
	return err
}

func textOf(b []byte) []byte {
	b, _, _ = bytes.Cut(b, []byte{0})
	return b
}

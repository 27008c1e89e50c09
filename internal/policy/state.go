package policy

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/policy/bpf"
)

// InForce is a policy that the kernel has.
type InForce struct {
	Policy
	Counters bpf.Counters // since it was first set
	id       uint32
}

// State is what the kernel has. It is to be closed.
type State struct {
	Policies []InForce // in the order in which they were first set
	// WhyNot is why they are not applied although they are there; nil: they are.
	WhyNot error

	attached *bpf.Attached
}

// Close lets go of what Read has opened. What is in force stays so.
func (s *State) Close() error {
	if s == nil || s.attached == nil {
		return nil
	}
	return s.attached.Close()
}

// Find is the policy of a name.
func (s *State) Find(name string) (InForce, bool) {
	i := slices.IndexFunc(s.Policies, func(p InForce) bool { return p.Name == name })
	if i < 0 {
		return InForce{}, false
	}
	return s.Policies[i], true
}

// Read asks the kernel: the link, its program, and the entries of its maps. It makes no
// connection: that is Prove.
func (w Where) Read() (*State, error) {
	s := &State{}
	if err := w.trusted(); errors.Is(err, fs.ErrNotExist) {
		return s, nil
	} else if err != nil {
		return nil, err
	}
	if _, err := os.Lstat(w.pin()); errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	a, err := bpf.Open(w.pin())
	if err != nil {
		return nil, err
	}
	s.attached = a
	if a.Root == 0 { // detached: by the end of a removal, or with its cgroup
		return s, nil
	}
	if err := s.fill(); err != nil {
		a.Close()
		return nil, err
	}
	if a.Root != w.id {
		s.WhyNot = fmt.Errorf("the program is on the cgroup with the ID %d, and not on %s (%d)", a.Root, w.Cgroups, w.id)
	}
	return s, nil
}

// fill reads the policies, and whether all of each is there.
func (s *State) fill() error {
	loaded, err := s.attached.Policies()
	if err != nil {
		return err
	}
	var compiled []bpf.Policy
	for id, l := range loaded {
		p, err := Parse(string(l.Text))
		if err != nil {
			return err
		}
		s.Policies = append(s.Policies, InForce{p, l.Counters, id})
	}
	slices.SortFunc(s.Policies, func(a, b InForce) int { return cmp.Compare(a.id, b.id) })
	for _, p := range s.Policies {
		c := p.compiled(p.id)
		if c.Values != loaded[p.id].Values {
			return fmt.Errorf("policy %s: the BPF program has other values for it", p.Name)
		}
		compiled = append(compiled, c)
	}
	return s.attached.Complete(compiled)
}

// live reports whether the program is attached where it has to be.
func (s *State) live(w Where) bool { return s.attached != nil && s.attached.Root == w.id }

// With are the policies with p in place of the one of its name, or beside them.
func (s *State) With(p Policy) []Policy {
	all := s.Without(p.Name)
	if i := slices.IndexFunc(s.Policies, func(q InForce) bool { return q.Name == p.Name }); i >= 0 {
		return slices.Insert(all, i, p)
	}
	return append(all, p)
}

// Without are the policies but for the one of a name.
func (s *State) Without(name string) []Policy {
	var all []Policy
	for _, p := range s.Policies {
		if p.Name != name {
			all = append(all, p.Policy)
		}
	}
	return all
}

// Check says whether policies can be in force together.
func Check(policies []Policy) error {
	if len(policies) > bpf.MaxPolicies {
		return fmt.Errorf("%d policies: at most %d can be in force", len(policies), bpf.MaxPolicies)
	}
	var all []bpf.Policy
	for i, p := range policies {
		c := p.compiled(uint32(i + 1))
		if len(c.Text) > bpf.MaxText {
			return fmt.Errorf("policy %s names too much: it has %d bytes, and at most %d can be kept", p.Name, len(c.Text), bpf.MaxText)
		}
		all = append(all, c)
	}
	err := bpf.Check(all)
	if c, ok := errors.AsType[*bpf.Conflict](err); ok {
		return fmt.Errorf("policies %s and %s: %w", policies[c.A-1].Name, policies[c.B-1].Name, c.Err)
	}
	return err
}

// Write makes these the policies in force, in place of those of s, in one step: killed at
// any moment, the kernel has the old ones or the new. It then reads them back, and proves
// that the program runs; where that fails the old ones come back.
func (w Where) Write(s *State, policies []Policy, hz int) error {
	if err := Check(policies); err != nil {
		return err
	}
	if len(policies) == 0 {
		return w.end(s)
	}
	p, err := w.load(s, policies, hz)
	if err != nil {
		return err
	}
	defer p.Close()
	if s.live(w) {
		err = p.Replace(s.attached)
	} else {
		err = w.attach(p)
	}
	if err != nil {
		return err
	}
	if err := w.verify(policies); err != nil {
		if s.live(w) {
			return errors.Join(err, s.attached.Restore(p))
		}
		now, rerr := w.Read()
		if rerr == nil {
			rerr = w.end(now)
			now.Close()
		}
		return errors.Join(err, rerr)
	}
	return nil
}

// load loads the policies. Those that there were keep their number, and so their counters.
func (w Where) load(s *State, policies []Policy, hz int) (*bpf.Program, error) {
	old, next := (*bpf.Attached)(nil), uint32(1)
	if s.live(w) {
		last, err := s.attached.LastID()
		if err != nil {
			return nil, err
		}
		old, next = s.attached, last+1
	}
	var all []bpf.Policy
	for _, p := range policies {
		if had, ok := s.Find(p.Name); ok {
			all = append(all, p.compiled(had.id))
			continue
		}
		all = append(all, p.compiled(next))
		next++
	}
	slices.SortFunc(all, func(a, b bpf.Policy) int { return cmp.Compare(a.ID, b.ID) })
	var random [8]byte
	rand.Read(random[:]) // never fails
	return bpf.Load(w.id, hz, all, proofPrefix+hex.EncodeToString(random[:]), old)
}

func (w Where) attach(p *bpf.Program) error {
	if err := os.Mkdir(w.folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := w.trusted(); err != nil {
		return err
	}
	// A link that is dead does nothing.
	if err := os.Remove(w.pin()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	root, err := w.root()
	if err != nil {
		return err
	}
	defer root.Close()
	err = p.Attach(root, w.pin())
	if !errors.Is(err, unix.EPERM) {
		return err
	}
	others, qerr := bpf.Exclusive(root)
	if qerr != nil || len(others) == 0 {
		return err
	}
	return &Obstacle{
		What: fmt.Sprintf("a BPF program of somebody else is attached to %s and lets no other be there: %s (ID %d)", w.Cgroups, others[0].Name, others[0].ID),
		Fix:  fmt.Sprintf("who made it: bpftool prog show id %d; it would have to be attached with the flag multi", others[0].ID),
		Err:  err,
	}
}

// end takes the program away.
func (w Where) end(s *State) error {
	if s.live(w) {
		if err := s.attached.Detach(); err != nil {
			return err
		}
	}
	if err := os.Remove(w.pin()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Remove(w.folder); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTEMPTY) {
		return err
	}
	return nil
}

// verify reads back what is in force, and proves it.
func (w Where) verify(want []Policy) error {
	now, err := w.Read()
	if err != nil {
		return fmt.Errorf("read back: %w", err)
	}
	defer now.Close()
	texts := func(policies []Policy) (all []string) {
		for _, p := range policies {
			all = append(all, p.Text())
		}
		slices.Sort(all)
		return all
	}
	if !slices.Equal(texts(want), texts(now.Without(""))) {
		return errors.New("read back: the kernel has other policies than were written")
	}
	if now.WhyNot != nil {
		return now.WhyNot
	}
	if err := w.Prove(now); err != nil {
		return err
	}
	return now.attached.Forget()
}

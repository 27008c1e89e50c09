package bpf

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// Attached is what a pinned link says is in force.
type Attached struct {
	link    link.Link
	program *ebpf.Program
	maps    map[string]*ebpf.Map

	// Root is the ID of the cgroup that the program is attached to: 0 where that is
	// gone, and the program does nothing.
	Root  uint64
	Proof string // the name of the cgroup for the proof
}

// ErrForeign says that something else than our link is pinned.
var ErrForeign = errors.New("it is not tcpka's link")

// Open opens a pinned link, with its program and its maps.
func Open(pin string) (_ *Attached, err error) {
	a := &Attached{maps: map[string]*ebpf.Map{}}
	defer func() {
		if err != nil {
			a.Close()
			err = fmt.Errorf("open %s: %w", pin, err)
		}
	}()
	if a.link, err = link.LoadPinnedLink(pin, nil); err != nil {
		return nil, plain(err)
	}
	info, err := a.link.Info()
	if err != nil {
		return nil, err
	}
	cgroup := info.Cgroup()
	if cgroup == nil || ebpf.AttachType(cgroup.AttachType) != ebpf.AttachCGroupSockOps {
		return nil, ErrForeign
	}
	a.Root = cgroup.CgroupId
	if a.program, err = ebpf.NewProgramFromID(info.Program); err != nil {
		return nil, plain(err)
	}
	of, err := a.program.Info()
	if err != nil {
		return nil, err
	}
	ids, _ := of.MapIDs()
	for _, id := range ids {
		m, err := ebpf.NewMapFromID(id)
		if err != nil {
			return nil, plain(err)
		}
		about, err := m.Info()
		if err != nil {
			m.Close()
			return nil, err
		}
		a.maps[about.Name] = m
	}
	for _, name := range []string{policyMapNames, policyMapRules, policyMapPolicies, policyMapCounters, policyMapTexts} {
		if a.maps[name] == nil {
			return nil, ErrForeign
		}
	}
	var text [MaxText]byte
	if err := a.maps[policyMapTexts].Lookup(uint32(proofID), &text); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrForeign, err)
	}
	a.Proof = string(textOf(text[:]))
	return a, nil
}

// Close closes what Open has opened. What is in force stays so.
func (a *Attached) Close() error {
	var errs []error
	if a.link != nil {
		errs = append(errs, a.link.Close())
	}
	if a.program != nil {
		errs = append(errs, a.program.Close())
	}
	for _, m := range a.maps {
		errs = append(errs, m.Close())
	}
	return errors.Join(errs...)
}

// Loaded is a policy as the kernel has it.
type Loaded struct {
	Text     []byte
	Values   Values
	Counters Counters
}

// Policies are those in force, by their IDs.
func (a *Attached) Policies() (map[uint32]Loaded, error) {
	all := map[uint32]Loaded{}
	var id uint32
	var text [MaxText]byte
	entries := a.maps[policyMapTexts].Iterate()
	for entries.Next(&id, &text) {
		if id == proofID {
			continue
		}
		p := Loaded{Text: append([]byte{}, textOf(text[:])...)}
		if err := a.maps[policyMapPolicies].Lookup(id, &p.Values); err != nil {
			return nil, fmt.Errorf("policy %s: %w", p.Text, err)
		}
		if err := a.maps[policyMapCounters].Lookup(id, &p.Counters); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return nil, fmt.Errorf("policy %s: its counters: %w", p.Text, err)
		}
		all[id] = p
	}
	return all, entries.Err()
}

// Complete looks whether the names and the rules that the policies call for are there.
func (a *Attached) Complete(policies []Policy) error {
	t, err := compile(append(slices.Clone(policies), Policy{ID: proofID, Patterns: []Pattern{{Text: a.Proof}}}))
	if err != nil {
		return err
	}
	for k, want := range t.rules {
		var r rule
		if err := a.maps[policyMapRules].Lookup(k, &r); err != nil || r != want {
			return fmt.Errorf("a rule of the BPF program is missing: %w", errors.Join(err, os.ErrNotExist))
		}
	}
	for k, want := range t.names {
		var m matching
		if err := a.maps[policyMapNames].Lookup(k, &m); err != nil || m != want {
			return fmt.Errorf("a name of the BPF program is missing: %w", errors.Join(err, os.ErrNotExist))
		}
	}
	return nil
}

// Forget takes away the counters of what is not among the policies any more.
func (a *Attached) Forget() error {
	var stale []uint32
	var id uint32
	var c Counters
	var text [MaxText]byte
	entries := a.maps[policyMapCounters].Iterate()
	for entries.Next(&id, &c) {
		if a.maps[policyMapTexts].Lookup(id, &text) != nil {
			stale = append(stale, id)
		}
	}
	for _, id := range stale {
		_ = a.maps[policyMapCounters].Delete(id)
	}
	return entries.Err()
}

// Attach attaches the program to a cgroup, with all below it, for as long as the link is
// pinned. Killed before that, nothing is attached.
func (p *Program) Attach(cgroup *os.File, pin string) error {
	l, err := link.AttachRawLink(link.RawLinkOptions{Target: int(cgroup.Fd()), Program: p.program, Attach: ebpf.AttachCGroupSockOps})
	if err != nil {
		return fmt.Errorf("attach the BPF program to %s: %w", cgroup.Name(), plain(err))
	}
	defer l.Close()
	if err := l.Pin(pin); err != nil {
		return fmt.Errorf("pin %s: %w", pin, plain(err))
	}
	return nil
}

// Replace puts the program into the place of the one that a has, in one step. ErrChanged
// is that it has another one by now.
func (p *Program) Replace(a *Attached) error { return replace(a, a.program, p.program) }

// Restore is Replace the other way round.
func (a *Attached) Restore(p *Program) error { return replace(a, p.program, a.program) }

// ErrChanged says that someone else has replaced the program meanwhile.
var ErrChanged = errors.New("someone else has changed the policies meanwhile")

func replace(a *Attached, old, by *ebpf.Program) error {
	l, ok := a.link.(interface {
		UpdateArgs(link.RawLinkUpdateOptions) error
	})
	if !ok {
		return ErrForeign
	}
	const ifOld = 1 << 2 // BPF_F_REPLACE
	err := l.UpdateArgs(link.RawLinkUpdateOptions{New: by, Old: old, Flags: ifOld})
	if errors.Is(err, unix.EPERM) {
		return ErrChanged
	}
	if err != nil {
		return fmt.Errorf("replace the BPF program: %w", plain(err))
	}
	return nil
}

// Other is a program of somebody else.
type Other struct {
	ID   uint32
	Name string
}

// Exclusive names the programs that are attached to a cgroup in a way that lets none be
// attached beside or below: without BPF_F_ALLOW_MULTI. Below cgroups with
// BPF_F_ALLOW_OVERRIDE are those, too.
func Exclusive(cgroup *os.File) ([]Other, error) {
	q := struct {
		target, attach, query, flags uint32
		ids                          uint64
		count, _                     uint32
	}{target: uint32(cgroup.Fd()), attach: uint32(ebpf.AttachCGroupSockOps)}
	if err := query(&q); err != nil {
		return nil, err
	}
	if q.flags&(1<<1) != 0 || q.count == 0 {
		return nil, nil
	}
	result, err := link.QueryPrograms(link.QueryOptions{Target: int(cgroup.Fd()), Attach: ebpf.AttachCGroupSockOps})
	if err != nil {
		return nil, err
	}
	var all []Other
	for _, p := range result.Programs {
		o := Other{ID: uint32(p.ID)}
		if program, err := ebpf.NewProgramFromID(p.ID); err == nil {
			if info, err := program.Info(); err == nil {
				o.Name = info.Name
			}
			program.Close()
		}
		all = append(all, o)
	}
	return all, nil
}

// Detach ends what is in force, at once: the kernel gets round to a link that is
// unpinned only later. The pin is then of no effect.
func (a *Attached) Detach() error {
	if err := a.link.Detach(); err != nil {
		return fmt.Errorf("detach the BPF program: %w", plain(err))
	}
	return nil
}

// LastID is the highest number that a policy has, or had and has counted with.
func (a *Attached) LastID() (last uint32, err error) {
	var id uint32
	var c Counters
	entries := a.maps[policyMapCounters].Iterate()
	for entries.Next(&id, &c) {
		last = max(last, id)
	}
	return last, entries.Err()
}

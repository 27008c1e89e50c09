// Package policy changes what connections to come get: policies in the kernel.
package policy

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"strings"
	"time"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/change"
	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/internal/journal"
	"github.com/tcpka/tcpka/internal/policy"
	"github.com/tcpka/tcpka/internal/suggest"
	"github.com/tcpka/tcpka/internal/target"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/sockets"
)

// Plan is what set policy is about to do.
type Plan struct {
	Name string
	Want *policy.Policy // nil takes it away

	where   policy.Where
	snap    target.Snapshot
	old     *policy.Policy // nil: there is none
	why     error          // the kernel has it, and does not apply it
	matches []string
	open    int // connections of those cgroups in this network namespace
	applied bool
}

// Gather looks what is in force, and whom the policy is for now.
func (p *Plan) Gather(where target.Where) error {
	var err error
	if p.where, err = policy.Find(); err != nil {
		return err
	}
	if p.snap, err = target.Look(where.Root); err != nil {
		return err
	}
	s, err := p.where.Read()
	if err != nil {
		return err
	}
	defer s.Close()
	p.why = s.WhyNot
	if had, ok := s.Find(p.Name); ok {
		p.old = &had.Policy
	}
	if p.Want == nil {
		return nil
	}
	if err := policy.Check(s.With(*p.Want)); err != nil {
		return cmdline.Failed(err).WithHint("change one of them, or take it away: sudo tcpka set policy NAME --remove; they are listed by: sudo tcpka show policy")
	}
	if p.matches, err = p.where.Matches(*p.Want); err != nil {
		return err
	}
	return p.count()
}

// count counts the connections that there are already.
func (p *Plan) count() error {
	if len(p.matches) == 0 {
		return nil
	}
	f := sockets.Filter{States: sockets.StatesOf(sockets.Established, sockets.CloseWait), Ports: p.Want.Ports}
	if !p.Want.Host {
		f.Cgroups = p.matches
	}
	for _, r := range p.Want.Remote {
		f.Remote = append(f.Remote, sockets.Endpoint{Prefix: r})
	}
	_, err := sockets.List(sockets.Query{Sysctl: p.snap.Settings, Filter: f}, func(*sockets.Socket) error { p.open++; return nil })
	return err
}

func textOf(p *policy.Policy) *string {
	if p == nil {
		return nil
	}
	return new(p.Text())
}

func (p *Plan) AnyChange() bool {
	return !change.SameContent(textOf(p.old), textOf(p.Want)) || p.Want != nil && p.why != nil
}

// words are a policy for people: how it would be set.
func words(p *policy.Policy) *string {
	if p == nil {
		return nil
	}
	return new(suggest.ShellJoin(p.Words()))
}

// settings are what a connection has whose program sets nothing.
func (p *Plan) settings(of *policy.Policy) keepalive.Settings {
	s := p.snap.Settings
	if of != nil {
		s = of.Change().Apply(s)
	}
	return s
}

func (p *Plan) detection() change.OldNew {
	d := change.Detection(p.snap.Kernel, p.settings(p.old), p.settings(p.Want))
	if p.old == nil {
		d.Old = nil
	}
	if p.Want == nil {
		d.New = nil
	}
	return d
}

func (p *Plan) Document() change.Set {
	d := change.Set{Schema: "tcpka/set/v1", Changed: p.AnyChange(), Changes: []change.Change{}, Warnings: []calc.Warning{}, Unaffected: []string{}}
	if p.AnyChange() {
		detection := p.detection()
		d.Changes = append(d.Changes, change.Change{Target: change.TargetPolicy, Key: p.Name, Old: words(p.old), New: words(p.Want), Applied: p.applied, Detection: &detection})
		d.Detection = &detection
	}
	if p.Want == nil {
		if p.old != nil {
			d.Unaffected = append(d.Unaffected, "connections that are open: they keep what they were given")
		}
		return d
	}
	d.Unaffected = append(d.Unaffected, p.unaffected()...)
	d.Warnings = append(d.Warnings, p.snap.Kernel.Warnings(p.settings(p.Want))...)
	if len(p.matches) == 0 {
		d.Warnings = append(d.Warnings, calc.Warning{ID: "policy_matches_nothing", Text: "no cgroup is called so now: the policy waits for one"})
	}
	return d
}

// unaffected says for whom the policy is now, and what it does not reach.
func (p *Plan) unaffected() (lines []string) {
	if p.open > 0 {
		filter := []string{"--all"}
		if !p.Want.Host {
			filter = nil
			for _, m := range p.matches[:min(3, len(p.matches))] {
				filter = append(filter, "--cgroup", m)
			}
		}
		if ends := p.Want.Ends(); len(ends) > 0 {
			if p.Want.Host {
				filter = nil
			}
			filter = append(filter, ends...)
		}
		line := append(append([]string{"sudo", "tcpka", "set", "sockets"}, filter...), append(p.Want.ValueWords(), "--on")...)
		lines = append(lines, fmt.Sprintf("%s of this network namespace, open now in %s, which stay as they are; to change them: %s", answer.Count(p.open, "connection"), some(p.matches), suggest.ShellJoin(line)))
	}
	switch p.Want.Mode {
	case policy.IfOff:
		lines = append(lines, "connections whose program switches keepalive on itself")
	default:
		lines = append(lines, "what a program sets once it is connected: that is its last word")
	}
	return append(lines, "connections after the next boot: the policy ends with this one")
}

func some(paths []string) string {
	if len(paths) > 3 {
		return fmt.Sprintf("%s and %d more", strings.Join(paths[:3], ", "), len(paths)-3)
	}
	return strings.Join(paths, ", ")
}

// Touches asks about what is for everyone, or may end a healthy connection.
func (p *Plan) Touches() string {
	if p.Want == nil {
		return ""
	}
	var risks []string
	uto := p.Want.UserTimeoutMS != nil && *p.Want.UserTimeoutMS > 0
	soon := func(d *answer.Seconds) bool { return d != nil && time.Duration(*d) <= 10*time.Second }
	deadly := p.Want.Probes != nil && *p.Want.Probes == 1 || soon(p.detection().New) ||
		uto && (p.Want.Host || *p.Want.UserTimeoutMS <= 10_000)
	switch {
	case p.Want.Host && p.Want.Mode == policy.Force && deadly:
		return "every new connection of this host, yours included, to values that can cut it while it is healthy"
	case p.Want.Host:
		risks = append(risks, "every new connection of this host")
	case p.Want.Mode == policy.Force || deadly:
		risks = append(risks, "the new connections of "+strings.Join(p.Want.Targets(), ", "))
	default:
		return ""
	}
	if p.Want.Mode == policy.Force {
		risks = append(risks, "whatever their programs want")
	}
	if deadly {
		risks = append(risks, "to values that can end a healthy one")
	}
	return strings.Join(risks, ", ")
}

func (p *Plan) Record() (changes iter.Seq[journal.Change], applied func() []int) {
	return func(yield func(journal.Change) bool) {
		yield(journal.Change{Kind: journal.Policy, Key: p.Name, Old: textOf(p.old), New: textOf(p.Want)})
	}, func() []int { return nil }
}

func (p *Plan) Apply(<-chan os.Signal) error {
	err := put(p.where, p.snap.Kernel.HZ, p.Name, p.Want)
	p.applied = err == nil
	return err
}

// put gives the kernel a policy in place of the one of its name; nil takes that away.
func put(w policy.Where, hz int, name string, want *policy.Policy) error {
	s, err := w.Read()
	if err != nil {
		return err
	}
	defer s.Close()
	if want == nil {
		return w.Write(s, s.Without(name), hz)
	}
	return w.Write(s, s.With(*want), hz)
}

func (p *Plan) AnyApplied() bool { return p.applied }

// Restored asks the kernel.
func (p *Plan) Restored() bool {
	now, err := inForce(p.where, p.Name)
	return err == nil && change.SameContent(textOf(now), textOf(p.old))
}

func (p *Plan) Failures() error   { return nil }
func (p *Plan) Beaten(bool) error { return nil }

func inForce(w policy.Where, name string) (*policy.Policy, error) {
	s, err := w.Read()
	if err != nil {
		return nil, err
	}
	defer s.Close()
	had, ok := s.Find(name)
	if !ok {
		return nil, nil
	}
	return &had.Policy, nil
}

// Advise adds what to do about what stands in the way.
func Advise(s *cmdline.Invocation, err error) error {
	if o, ok := errors.AsType[*policy.Obstacle](err); ok {
		return cmdline.Failed(o).WithHint("%s", o.Fix)
	}
	if errors.Is(err, errors.ErrUnsupported) {
		return cmdline.Failed(err).WithHint("policies need Linux 5.10 or later with type information (CONFIG_DEBUG_INFO_BTF), unless locked down; tcpka run gives keepalive to one program without that")
	}
	if errors.Is(err, fs.ErrPermission) {
		return s.Permission(err)
	}
	return err
}

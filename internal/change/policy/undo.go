package policy

import (
	"fmt"

	"github.com/tcpka/tcpka/internal/change"
	"github.com/tcpka/tcpka/internal/journal"
	"github.com/tcpka/tcpka/internal/policy"
	"github.com/tcpka/tcpka/procfs"
)

// policyReversal puts policies back. What they gave to connections stays there.
type policyReversal struct {
	*change.Undoing
	where policy.Where
	back  []*journal.Change
	done  bool
}

func Undo(u *change.Undoing) change.Reversal { return &policyReversal{Undoing: u} }

func (r *policyReversal) List(c journal.Change) []change.Change {
	return []change.Change{documented(c.Key, c.Old, c.New, true)}
}

func documented(name string, old, new *string, applied bool) change.Change {
	return change.Change{Target: change.TargetPolicy, Key: name, Old: readable(old), New: readable(new), Applied: applied}
}

// readable is a policy of the journal in words, or as it is where that cannot be.
func readable(text *string) *string {
	if text == nil {
		return nil
	}
	p, err := policy.Parse(*text)
	if err != nil {
		return text
	}
	return words(&p)
}

func (r *policyReversal) Gather(changes []*journal.Change) error {
	for _, c := range changes {
		if r.Rebooted {
			r.Leave("policy %s: the machine was rebooted since, and it is gone", c.Key)
			continue
		}
		if c.Old != nil {
			if p, err := policy.Parse(*c.Old); err != nil || p.Name != c.Key {
				return fmt.Errorf("the record of policy %q is damaged", c.Key)
			}
		}
		var err error
		if r.where, err = policy.Find(); err != nil {
			return err
		}
		now, err := inForce(r.where, c.Key)
		if err != nil {
			return err
		}
		switch text := textOf(now); {
		case change.SameContent(text, c.Old):
		case change.SameContent(text, c.New):
			r.back = append(r.back, c)
			r.Note("connections that are open keep what policy %s gave them", c.Key)
		default:
			r.Keep(c)
			r.Leave("policy %s: someone has changed it since", c.Key)
		}
	}
	return nil
}

func (r *policyReversal) Apply() (done bool, err error) {
	if len(r.back) == 0 {
		return false, nil
	}
	hz, err := procfs.HZ()
	if err != nil {
		return false, err
	}
	for _, c := range r.back {
		var old *policy.Policy
		if c.Old != nil {
			p, err := policy.Parse(*c.Old)
			if err != nil {
				return r.done, err
			}
			old = &p
		}
		if err := put(r.where, hz, c.Key, old); err != nil {
			return r.done, err
		}
		r.done = true
	}
	return r.done, nil
}

func (r *policyReversal) Changes() (all []change.Change) {
	for _, c := range r.back {
		all = append(all, documented(c.Key, c.New, c.Old, r.done))
	}
	return all
}

package settings

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"

	"github.com/tcpka/tcpka/internal/change"
	"github.com/tcpka/tcpka/internal/journal"
	"github.com/tcpka/tcpka/internal/netns"
	"github.com/tcpka/tcpka/internal/suggest"
	"github.com/tcpka/tcpka/internal/target"
	"github.com/tcpka/tcpka/procfs"
)

// sysctlReversal writes the old values of the sysctls, of any namespaces or of
// an image.
type sysctlReversal struct {
	*change.Undoing
	runtime []*comeback
}

// comeback is what goes back to its old value in one namespace.
type comeback struct {
	ns      *netns.Handle // nil in an image
	values  []procfs.Value
	changes []change.Change
	drifted []procfs.Value // what someone else has changed since
}

func (b *comeback) do(f func() error) error {
	if b.ns == nil {
		return f()
	}
	return b.ns.Do(f)
}

func Undo(u *change.Undoing) change.Reversal { return &sysctlReversal{Undoing: u} }

func (r *sysctlReversal) List(c journal.Change) []change.Change {
	return []change.Change{change.Recorded(c)}
}

func (r *sysctlReversal) Gather(changes []*journal.Change) error {
	for _, c := range slices.Backward(changes) {
		if r.Rebooted && !c.Survives() {
			r.Leave("%s of the running kernel: the machine was rebooted since", c.Key)
			continue
		}
		if err := r.add(c); err != nil {
			return err
		}
	}
	return nil
}

func (r *sysctlReversal) add(c *journal.Change) error {
	if c.Old == nil || c.New == nil || c.Netns == nil {
		return fmt.Errorf("the record of %s is not complete", c.Key)
	}
	old, err := strconv.Atoi(*c.Old)
	if err != nil {
		return fmt.Errorf("the record of %s: %w", c.Key, err)
	}
	b, err := r.comeback(*c.Netns)
	if errors.Is(err, os.ErrNotExist) {
		r.Keep(c)
		r.Leave("%s: namespace %s is not found from here", c.Key, c.Netns.Name)
		return nil
	}
	if err != nil {
		return err
	}
	value := procfs.Value{Key: c.Key, N: old}
	var now int
	err = b.do(func() (err error) {
		if now, err = procfs.New(r.Root).Get(c.Key); err != nil || strconv.Itoa(now) != *c.New || now == old {
			return err
		}
		return procfs.New(r.Root).Writable(value)
	})
	if err != nil {
		return err
	}
	switch strconv.Itoa(now) {
	case *c.Old: // it was never changed, or is back already
	case *c.New:
		b.values = append(b.values, value)
		change := change.Recorded(*c)
		change.Old, change.New, change.Applied = c.New, c.Old, false
		b.changes = append(b.changes, change)
	default:
		r.Keep(c)
		r.Leave("%s%s is %d: someone has changed it since, from the %s it was set to", c.Key, b.elsewhere(), now, *c.New)
		b.drifted = append(b.drifted, value)
	}
	return nil
}

// elsewhere names the namespace where it is not the one that tcpka runs in.
func (b *comeback) elsewhere() string {
	if b.ns == nil || b.ns.Current {
		return ""
	}
	return " in namespace " + b.ns.Name
}

// Instead are the command lines that set the old values of what someone has changed since;
// what set refuses has none.
func (r *sysctlReversal) Instead() []string {
	var lines []string
	for _, b := range r.runtime {
		words := []string{"tcpka", "set"}
		for _, v := range slices.Backward(b.drifted) {
			if v.N > 0 {
				words = append(words, flagOf(v.Key), strconv.Itoa(v.N))
			}
		}
		switch {
		case len(words) == 2:
			continue
		case b.ns == nil:
			words = append(words, "--root", r.Root.Path("/"))
		case !b.ns.Current:
			words = append(words, "--netns", b.ns.Name)
		}
		lines = append(lines, suggest.AsTyped(words))
	}
	return lines
}

// flagOf is the flag of set that writes a key.
func flagOf(key string) string {
	switch key {
	case procfs.KeyIntvl:
		return "--intvl"
	case procfs.KeyProbes:
		return "--probes"
	}
	return "--time"
}

// comeback returns the namespace of a change, opened once.
func (r *sysctlReversal) comeback(n journal.Netns) (*comeback, error) {
	if n.Inode == 0 {
		if r.Root.Live() {
			return nil, errors.New("the change was made in an image: give its --root")
		}
		if len(r.runtime) == 0 {
			r.runtime = append(r.runtime, &comeback{})
		}
		return r.runtime[0], nil
	}
	for _, b := range r.runtime {
		if b.ns != nil && b.ns.Inode == n.Inode {
			return b, nil
		}
	}
	h, err := target.FindAgain(n)
	if err != nil {
		return nil, err
	}
	b := &comeback{ns: h}
	r.runtime = append(r.runtime, b)
	return b, nil
}

// Apply writes the values of each namespace, all of them or none.
func (r *sysctlReversal) Apply() (done bool, err error) {
	for _, b := range r.runtime {
		if len(b.values) == 0 {
			continue
		}
		if err := b.do(func() error { return procfs.New(r.Root).Put(b.values...) }); err != nil {
			return done, err
		}
		for i := range b.changes {
			b.changes[i].Applied = true
		}
		done = true
	}
	return done, nil
}

func (r *sysctlReversal) Changes() []change.Change {
	var changes []change.Change
	for _, b := range r.runtime {
		changes = append(changes, b.changes...)
	}
	return changes
}

package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"

	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/internal/report"
	"github.com/tcpka/tcpka/internal/rootfs"
	"github.com/tcpka/tcpka/journal"
	"github.com/tcpka/tcpka/netns"
	"github.com/tcpka/tcpka/procfs"
	"github.com/tcpka/tcpka/sysctld"
)

func (s *session) undoCommand() *cli.Command {
	return &cli.Command{
		Name:      "undo",
		Usage:     "take back a change",
		UsageText: "tcpka undo [-n] [ID]\ntcpka undo --list",
		ArgsUsage: "[ID]",
		Description: `Takes back the newest command that was not taken back yet, whole; again goes
further back; ID takes back that one. It refuses a command whose values someone
else has changed since, and passes over what the last reboot took back by itself.`,
		Flags: join([]cli.Flag{
			&cli.BoolFlag{Name: "list", Usage: "list the recorded commands, the newest first", DisableDefaultText: true},
			&cli.BoolFlag{Name: "forget", Usage: "mark ID as taken back, and change nothing", DisableDefaultText: true},
			&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "show what would be taken back, and write nothing", DisableDefaultText: true},
			&cli.StringFlag{Name: "root", Usage: "work on the files under `DIR` instead of /"},
		}, outputFlags()),
		Action: s.undo,
	}
}

func (s *session) undo(c *cli.Context) error {
	if _, err := outputFormat(c); err != nil {
		return err
	}
	list, dryRun, forget, id := givenBool(c, "list"), givenBool(c, "dry-run"), givenBool(c, "forget"), c.Args().First()
	switch {
	case c.NArg() > 1:
		return misuse("undo takes one ID: %q", c.Args().Get(1))
	case forget && (dryRun || list || id == ""):
		return misuse("--forget takes an ID, and goes with neither --list nor --dry-run")
	case list && (dryRun || c.Args().Present()):
		return misuse("--list goes with neither --dry-run nor an ID")
	case c.Args().Present() && id == "": // as from an empty variable
		return misuse("the ID is empty").withHint("without one the newest command is taken back")
	}
	w, err := whereOf(c)
	if err != nil {
		return err
	}
	boot, err := journal.BootID()
	if err != nil {
		return err
	}
	dir, err := journal.Locate(w.root, os.Getenv)
	if err != nil {
		return err
	}
	log, err := dir.Read()
	if err != nil {
		return s.permission(err)
	}
	if log.Skipped > 0 {
		s.notice("%d lines of %s cannot be read and were passed over", log.Skipped, dir)
	}
	if list {
		return s.render(c, listed(log, boot))
	}
	if _, err := choose(log, id, boot); err != nil {
		return err
	}
	u := undoing{root: w.root}
	if dryRun {
		e, _ := choose(log, id, boot)
		if err := u.gather(e, boot); err != nil {
			return s.permission(err)
		}
		return s.render(c, u.document(e, true))
	}
	j, err := dir.Open()
	if err != nil {
		return s.permission(err)
	}
	defer j.Close()
	if log, err = j.Log(); err != nil { // now that nobody else writes
		return err
	}
	e, err := choose(log, id, boot)
	if err != nil {
		return err
	}
	if forget {
		s.notice("%s (%s) is marked as taken back; nothing was changed", e.ID, e.Command)
		return j.Undone(e.ID)
	}
	if err := u.gather(e, boot); err != nil {
		return s.permission(err)
	}
	done, err := s.takeBack(&u, j, e)
	if err != nil && !done {
		return s.permission(err)
	}
	if rerr := s.render(c, u.document(e, false)); rerr != nil {
		return &failure{err: rerr, status: statusPartly, hint: "what could be taken back was"}
	}
	if err != nil {
		return &failure{err: err, status: statusPartly}
	}
	return u.rest(e, done)
}

// rest is the error that says what was not taken back.
func (u *undoing) rest(e journal.Entry, done bool) error {
	if len(u.left) == 0 {
		return nil
	}
	f := &failure{err: errors.New("not everything could be taken back"), status: statusPartly}
	if u.open {
		f.hint = "where it no longer exists: tcpka undo --forget " + e.ID
	}
	if !done {
		f.err, f.status = errors.New("nothing could be taken back"), statusFailed
	}
	return f
}

// takeBack writes the old values. done says that something was written.
func (s *session) takeBack(u *undoing, j *journal.Journal, e journal.Entry) (done bool, err error) {
	defer holdSignals()()
	if done, err = u.apply(); err != nil {
		return done, err
	}
	if u.open { // to be tried again
		return len(u.changes) > 0, nil
	}
	return true, j.Undone(e.ID)
}

// choose finds the entry to take back: the one with this ID, or the newest that
// is neither undone nor gone with its boot.
func choose(log journal.Log, id, boot string) (journal.Entry, error) {
	if id == "" {
		for _, e := range log.Entries {
			if !e.Undone && !gone(e, boot) {
				return e, nil
			}
		}
		return journal.Entry{}, failed(errors.New("nothing to undo")).withHint("the recorded commands are listed by: tcpka undo --list")
	}
	e, ok := log.Find(id)
	switch {
	case !ok:
		return e, failed(fmt.Errorf("no command is recorded as %q", id)).withHint("the recorded commands are listed by: tcpka undo --list")
	case e.Undone:
		return e, failed(fmt.Errorf("%s was taken back already", id))
	case gone(e, boot):
		return e, failed(fmt.Errorf("%s changed only the running kernel, and the machine was rebooted since: nothing is left of it", id))
	}
	return e, nil
}

// gone reports whether an entry changed nothing but the kernel of an earlier
// boot.
func gone(e journal.Entry, boot string) bool {
	return e.BootID != boot && !slices.ContainsFunc(e.Changes, func(c journal.Change) bool {
		return c.Kind != journal.Sysctl || inFile(c)
	})
}

// inFile reports whether a reboot leaves a change as it is: a file, one that
// stands for a sysctl in an image included.
func inFile(c journal.Change) bool {
	return c.Kind == journal.Bootfile || c.Netns != nil && c.Netns.Inode == 0
}

func listed(log journal.Log, boot string) report.Journal {
	d := report.Journal{Schema: "tcpka/undo-list/v1", Entries: []report.JournalEntry{}}
	for _, e := range log.Entries {
		r := report.JournalEntry{ID: e.ID, Time: e.Time, Command: e.Command, State: "done", Changes: []report.Change{}}
		switch {
		case e.Undone:
			r.State = "undone"
		case gone(e, boot):
			r.State = "gone"
		case !e.Done:
			r.State = "interrupted"
		}
		for _, c := range e.Changes {
			if c.Kind == journal.Bootfile {
				r.Changes = append(r.Changes, ofFile(c.Path, c.Old, c.New)...)
				continue
			}
			r.Changes = append(r.Changes, recorded(c))
		}
		d.Entries = append(d.Entries, r)
	}
	return d
}

// recorded is a change as the journal has it.
func recorded(c journal.Change) report.Change {
	r := report.Change{Target: string(c.Kind), Key: c.Key, Old: c.Old, New: c.New, Applied: true}
	if c.Netns != nil {
		r.Netns = new(c.Netns.Name)
	}
	if c.Path != "" {
		r.Path = new(c.Path)
	}
	return r
}

// undoing is an entry on its way back.
type undoing struct {
	root    rootfs.FS
	runtime []*comeback
	file    *journal.Change // the boot file; nil is not changed
	left    []string        // what stays, and why
	open    bool            // some of that may still be in force
	changes []report.Change
}

// comeback is what goes back to its old value in one namespace.
type comeback struct {
	ns     *netns.Handle // nil in an image
	values []procfs.Value
}

func (b *comeback) do(f func() error) error {
	if b.ns == nil {
		return f()
	}
	return b.ns.Do(f)
}

// gather looks at every change of the entry, and refuses the whole of it where
// something is neither as the command left it nor as it was before.
func (u *undoing) gather(e journal.Entry, boot string) error {
	for _, c := range slices.Backward(e.Changes) {
		switch c.Kind {
		case journal.Sysctl:
			if e.BootID != boot && !inFile(c) {
				u.left = append(u.left, fmt.Sprintf("%s of the running kernel: the machine was rebooted since", c.Key))
				continue
			}
			if err := u.addSysctl(c); err != nil {
				return err
			}
		case journal.Bootfile:
			if err := u.addFile(c); err != nil {
				return err
			}
		default:
			u.open = true
			u.left = append(u.left, fmt.Sprintf("a change of kind %q, which this version does not know", c.Kind))
		}
	}
	return nil
}

func (u *undoing) addSysctl(c journal.Change) error {
	if c.Old == nil || c.New == nil || c.Netns == nil {
		return fmt.Errorf("the record of %s is not complete", c.Key)
	}
	old, err := strconv.Atoi(*c.Old)
	if err != nil {
		return fmt.Errorf("the record of %s: %w", c.Key, err)
	}
	b, err := u.comeback(*c.Netns)
	if errors.Is(err, os.ErrNotExist) {
		u.open = true
		u.left = append(u.left, fmt.Sprintf("%s: namespace %s is not found from here", c.Key, c.Netns.Name))
		return nil
	}
	if err != nil {
		return err
	}
	value := procfs.Value{Key: c.Key, N: old}
	var now int
	err = b.do(func() (err error) {
		if now, err = procfs.New(u.root).Get(c.Key); err != nil {
			return err
		}
		return procfs.New(u.root).Writable(value)
	})
	if err != nil {
		return err
	}
	switch strconv.Itoa(now) {
	case *c.Old: // it was never changed, or is back already
		return nil
	case *c.New:
		b.values = append(b.values, value)
		u.note(c, *c.New)
		return nil
	}
	f := failed(fmt.Errorf("%s is %d: someone has changed it since, from the %s it was set to", c.Key, now, *c.New))
	words := []string{"tcpka", "set", flagOf(c.Key), *c.Old}
	switch {
	case old < 1:
		return f.withHint("an older command can be taken back by its ID, see tcpka undo --list")
	case b.ns == nil:
		words = append(words, "--root", u.root.Path("/"))
	case !b.ns.Current:
		words = append(words, "--netns", b.ns.Name)
	}
	return f.withHint("to set the old value all the same: %s; an older command can be taken back by its ID, see tcpka undo --list", shellJoin(words))
}

// comeback returns the namespace of a change, opened once.
func (u *undoing) comeback(n journal.Netns) (*comeback, error) {
	if n.Inode == 0 {
		if u.root.Live() {
			return nil, errors.New("the change was made in an image: give its --root")
		}
		if len(u.runtime) == 0 {
			u.runtime = append(u.runtime, &comeback{})
		}
		return u.runtime[0], nil
	}
	for _, b := range u.runtime {
		if b.ns != nil && b.ns.Inode == n.Inode {
			return b, nil
		}
	}
	h, err := findAgain(n)
	if err != nil {
		return nil, err
	}
	b := &comeback{ns: h}
	u.runtime = append(u.runtime, b)
	return b, nil
}

// findAgain finds a recorded namespace. Its inode number may have been given to
// another one since; its cookie cannot.
func findAgain(n journal.Netns) (*netns.Handle, error) {
	current, err := netns.Current()
	if err != nil {
		return nil, err
	}
	candidates := []netns.Namespace{current}
	if current.Inode != n.Inode {
		if candidates, err = netns.List(); err != nil {
			return nil, err
		}
	}
	for _, ns := range candidates {
		if ns.Inode != n.Inode {
			continue
		}
		h, err := ns.Open()
		if err != nil {
			return nil, err
		}
		var cookie uint64
		if err := h.Do(func() error { cookie, _ = netns.Cookie(); return nil }); err != nil {
			h.Close()
			return nil, err
		}
		if cookie == n.Cookie {
			return h, nil
		}
		h.Close()
	}
	return nil, fmt.Errorf("namespace %s: %w", n.Name, os.ErrNotExist)
}

func (u *undoing) addFile(c journal.Change) error {
	now, err := sysctld.ReadDropIn(u.root)
	if err != nil {
		return err
	}
	switch {
	case sameContent(content(now), c.Old):
		return nil
	case !sameContent(content(now), c.New):
		return failed(fmt.Errorf("%s: someone has changed it since", u.root.Path(sysctld.DropIn))).
			withHint("edit it by hand; an older command can be taken back by its ID, see tcpka undo --list")
	}
	u.file = &c
	u.changes = append(u.changes, ofFile(u.root.Path(sysctld.DropIn), c.New, c.Old)...)
	return nil
}

// ofFile are the keys that differ between two contents of the boot file.
func ofFile(path string, old, new *string) []report.Change {
	var changes []report.Change
	oldValues, newValues := valuesOf(old), valuesOf(new)
	for _, key := range keys() {
		if oldValues[key] == newValues[key] {
			continue
		}
		c := report.Change{Target: report.TargetBootfile, Path: &path, Key: key, Applied: true}
		if v, ok := oldValues[key]; ok {
			c.Old = &v
		}
		if v, ok := newValues[key]; ok {
			c.New = &v
		}
		changes = append(changes, c)
	}
	return changes
}

func valuesOf(file *string) map[string]string {
	if file == nil {
		return nil
	}
	return sysctld.Values([]byte(*file))
}

func sameContent(a, b *string) bool { return a == b || a != nil && b != nil && *a == *b }

// note adds a sysctl to the answer: it goes from what is now to what was.
func (u *undoing) note(c journal.Change, now string) {
	r := recorded(c)
	r.Old, r.New, r.Applied = &now, c.Old, false
	u.changes = append(u.changes, r)
}

// apply writes what gather found: a namespace whole or not at all, then the
// file. done says that something was written.
func (u *undoing) apply() (done bool, err error) {
	for _, b := range u.runtime {
		if len(b.values) == 0 {
			continue
		}
		if err := b.do(func() error { return procfs.New(u.root).Put(b.values...) }); err != nil {
			return done, err
		}
		done = true
	}
	if u.file != nil {
		if err := sysctld.ReplaceDropIn(u.root, bytesOf(u.file.New), bytesOf(u.file.Old)); err != nil {
			return done, err
		}
	}
	return true, nil
}

func bytesOf(file *string) []byte {
	if file == nil {
		return nil
	}
	return []byte(*file)
}

func (u *undoing) document(e journal.Entry, dryRun bool) report.Undo {
	d := report.Undo{
		Schema: "tcpka/undo/v1", ID: e.ID, Command: e.Command, DryRun: dryRun,
		Changes: append([]report.Change{}, u.changes...), Left: append([]string{}, u.left...),
	}
	for i := range d.Changes {
		d.Changes[i].Applied = !dryRun
	}
	return d
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

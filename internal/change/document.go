package change

import (
	"bufio"
	"fmt"
	"io"
	"iter"
	"reflect"
	"slices"
	"time"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/answer"
)

// Set is the answer of tcpka set.
type Set struct {
	Schema    string         `json:"schema"`
	Changed   bool           `json:"changed"`
	DryRun    bool           `json:"dry_run"`
	Changes   []Change       `json:"changes"`
	Detection *OldNew        `json:"detection_seconds"` // null where the changes differ
	Undo      *string        `json:"undo"`              // what to give to tcpka undo
	Warnings  []calc.Warning `json:"warnings"`

	Unaffected []string `json:"unaffected"` // what the change does not reach

	SSH *SSHChange `json:"ssh,omitempty"` // of set ssh

	Sockets *SocketsChange `json:"sockets,omitempty"` // of set sockets
	Rearmed *Rearmed       `json:"rearmed,omitempty"` // of set --rearm, and of set sockets where timers begin anew

	UndoCommand string `json:"-"` // the whole command line

	// AsShown says that the reader has just seen the plan, and it was carried out like
	// that: a table has no more than what came of it.
	AsShown bool `json:"-"`

	// PerSocket gives the changes of one socket after the other. Where there is one,
	// Changes is empty: they can be many, and a table needs a line for those that are
	// alike. JSON has them in Changes.
	PerSocket iter.Seq[[]Change] `json:"-"`
}

func (d Set) JSON(w io.Writer) error {
	if d.PerSocket != nil {
		d.Changes = []Change{}
	}
	return writePerSocket(w, d, d.PerSocket)
}

// The targets of a [Change].
const (
	TargetSysctl   = "sysctl"
	TargetBootfile = "bootfile"
	TargetSocket   = "socket"
	TargetPolicy   = "policy"
)

// Change is one value changed, or to be changed. Null is absent: a key the boot
// file did not have.
type Change struct {
	Target    string  `json:"target"`
	Netns     *string `json:"netns"` // null for a boot file
	Path      *string `json:"path"`  // the boot file; null for a sysctl
	Key       string  `json:"key"`
	Old       *string `json:"old"`
	New       *string `json:"new"`
	Applied   bool    `json:"applied"`
	Detection *OldNew `json:"detection_seconds"` // null in what undo tells, and where it is not known

	*SocketOption // nil but for a socket
}

// OldNew is when a dead peer of an idle connection is noticed before and after
// a change; null is never.
type OldNew struct {
	Old *answer.Seconds `json:"old"`
	New *answer.Seconds `json:"new"`
}

// Fulfils reports whether d is what a plan has come to, of which nothing is missing
// and nothing new. Of sockets and of ssh it is not asked: there the answer has more.
func (d Set) Fulfils(plan Set) bool {
	same := func(a, b Change) bool {
		a.Applied, b.Applied = false, false
		return reflect.DeepEqual(a, b)
	}
	timers := d.Rearmed == nil && plan.Rearmed == nil ||
		d.Rearmed != nil && plan.Rearmed != nil && d.Rearmed.Done == plan.Rearmed.Sockets
	return timers && d.Sockets == nil && d.SSH == nil && slices.EqualFunc(d.Changes, plan.Changes, same) &&
		slices.Equal(d.Unaffected, plan.Unaffected) && slices.Equal(d.Warnings, plan.Warnings)
}

// outcome is the table of what was carried out as it was shown.
func (d Set) outcome(w *bufio.Writer) {
	fmt.Fprintln(w, "Done as shown.")
	if d.Rearmed != nil {
		Rearmed{Sockets: d.Rearmed.Sockets, Done: d.Rearmed.Done}.table(w)
	}
}

func (d Set) undoLine(w *bufio.Writer) {
	if d.Undo != nil {
		fmt.Fprintf(w, "\nTo take it back: %s\n", answer.Escape(d.UndoCommand))
	}
}

func (d Set) Table(w *bufio.Writer, s answer.Style) {
	if d.AsShown {
		d.outcome(w)
		d.undoLine(w)
		return
	}
	writeChanges(w, d.Changes, d.PerSocket)
	switch {
	case d.Rearmed == nil:
	case d.Sockets != nil:
		d.Rearmed.programs(w)
	default:
		d.Rearmed.table(w)
	}
	switch {
	case d.Sockets != nil:
		d.Sockets.table(w, d.Rearmed)
		if d.Rearmed != nil {
			fmt.Fprintf(w, "%s.\n", d.Rearmed.sentence())
		}
	case d.SSH != nil && len(d.SSH.Instructions) > 0:
		d.SSH.table(w, s, false)
		return
	case !d.Changed:
		fmt.Fprintln(w, "\nNothing to change.")
		if d.SSH != nil {
			d.SSH.table(w, s, d.DryRun)
		}
		return
	default:
		d.detections(w, s)
	}
	if d.DryRun && d.Changed {
		fmt.Fprintln(w, "Dry run: nothing was written.")
	}
	if d.SSH != nil {
		d.SSH.table(w, s, d.DryRun)
	}
	if len(d.Unaffected) > 0 {
		fmt.Fprintln(w, "\nNot affected:")
		answer.Bullets(w, s, d.Unaffected)
	}
	answer.WriteWarnings(w, s, d.Warnings)
	d.undoLine(w)
}

// detections says when a dead peer is noticed, once if that is the same
// everywhere.
func (d Set) detections(w *bufio.Writer, s answer.Style) {
	if len(d.Changes) == 0 {
		return
	}
	fmt.Fprintln(w)
	inForce := slices.ContainsFunc(d.Changes, func(c Change) bool { return c.Target != TargetBootfile })
	if d.Detection != nil && inForce {
		answer.Wrap(w, s, "", fmt.Sprintf("A dead peer of an idle connection is noticed %s%s.", answer.OrNever(d.Detection.New, "after "), d.Detection.before()))
		return
	}
	where := ""
	for _, c := range d.Changes {
		if c.where() == where || c.Detection == nil {
			continue
		}
		where = c.where()
		subject, before := answer.Escape(where), c.Detection.before()
		if c.Target == TargetBootfile { // until then it is what is in force, which this does not touch
			subject, before = "from the next boot on", c.Detection.otherwise()
		}
		answer.Wrap(w, s, "", fmt.Sprintf("A dead peer of an idle connection is noticed, %s, %s%s.", subject, answer.OrNever(c.Detection.New, "after "), before))
	}
}

func (o OldNew) same() bool {
	return o.Old == o.New || o.Old != nil && o.New != nil && *o.Old == *o.New
}

// otherwise is before for a boot that is still to come.
func (o OldNew) otherwise() string {
	if o.same() {
		return ", as without this"
	}
	return "; without this " + answer.OrNever(o.Old, "after ")
}

func (o OldNew) before() string {
	if o.same() {
		return ", as before"
	}
	return "; until now " + answer.OrNever(o.Old, "")
}

// writeChanges lists changes as lines that sysctl understands, under the name
// of the namespace or file where there is more than one.
//
// Those of sockets can be many, and come in groups.
func writeChanges(w *bufio.Writer, changes []Change, perSocket iter.Seq[[]Change]) {
	if perSocket != nil {
		writeSockets(w, perSocket)
	}
	several := false
	for _, c := range changes {
		several = several || c.where() != changes[0].where()
	}
	where := ""
	for _, c := range changes {
		if c.where() != where && (several || !c.own()) {
			where = c.where()
			fmt.Fprintf(w, "# %s\n", answer.Escape(where))
		}
		now, was := "# "+c.Key+" is not set", "was not set"
		if c.New != nil {
			now = c.Key + " = " + *c.New
		}
		if c.Old != nil {
			was = "was " + *c.Old
			if c.New != nil && *c.New == *c.Old {
				was = "already"
			}
		}
		fmt.Fprintf(w, "%-40s # %s\n", answer.Escape(now), answer.Escape(was))
	}
}

// own reports whether a change is to the namespace that is meant where none is
// named.
func (c Change) own() bool {
	return c.Path == nil && c.Netns != nil && (*c.Netns == "host" || *c.Netns == "current")
}

func (c Change) where() string {
	if c.Path != nil {
		return *c.Path
	}
	if c.Netns != nil {
		return "namespace " + *c.Netns
	}
	if c.Target == TargetSSH {
		return "default, in no file"
	}
	return ""
}

// Undo is the answer of tcpka undo.
type Undo struct {
	Schema  string   `json:"schema"`
	ID      string   `json:"id"`
	Command string   `json:"command"` // what is taken back
	DryRun  bool     `json:"dry_run"`
	Changes []Change `json:"changes"`
	Left    []string `json:"left"`   // what could not be taken back, and why
	Partly  bool     `json:"partly"` // some of that stays to be undone
	Notes   []string `json:"notes"`  // what need not be taken back

	PerSocket iter.Seq[[]Change] `json:"-"` // as in Set

	// Reloaded is whether sshd has read its files again; absent: that was not asked for.
	Reloaded *bool `json:"reloaded,omitempty"`
}

func (d Undo) JSON(w io.Writer) error {
	if d.PerSocket != nil {
		d.Changes = []Change{}
	}
	return writePerSocket(w, d, d.PerSocket)
}

func (d Undo) Table(w *bufio.Writer, s answer.Style) {
	writeChanges(w, d.Changes, d.PerSocket)
	for _, l := range d.Left {
		answer.Wrap(w, s, s.Paint(answer.Yellow, "left:")+" ", answer.Escape(l))
	}
	for _, n := range d.Notes {
		answer.Wrap(w, s, "note: ", answer.Escape(n))
	}
	if d.Reloaded != nil && *d.Reloaded {
		fmt.Fprintln(w, "sshd has read its files again: new connections have what was before.")
	}
	nothing, inPart := len(d.Changes) == 0 && d.PerSocket == nil && len(d.Left) > 0, ""
	if d.Partly {
		inPart = " in part"
	}
	switch {
	case nothing && d.DryRun:
		fmt.Fprintf(w, "\nDry run: would take back nothing of %s (%s).\n", d.ID, answer.Escape(d.Command))
	case nothing:
	case d.DryRun:
		fmt.Fprintf(w, "\nDry run: would take back%s %s (%s). Nothing was written.\n", inPart, d.ID, answer.Escape(d.Command))
	default:
		fmt.Fprintf(w, "\nTaken back%s: %s (%s).\n", inPart, d.ID, answer.Escape(d.Command))
	}
}

// Journal is the answer of tcpka undo --list.
type Journal struct {
	Schema  string         `json:"schema"`
	Entries []JournalEntry `json:"entries"` // the newest first
}

// JournalEntry is one command that changed something.
type JournalEntry struct {
	ID      string    `json:"id"`
	Time    time.Time `json:"time"`
	Command string    `json:"command"`
	State   string    `json:"state"` // "done", "partly undone", "undone", "interrupted" or "gone": a reboot took it back
	Changes []Change  `json:"changes"`
}

func (d Journal) Table(w *bufio.Writer, s answer.Style) {
	if len(d.Entries) == 0 {
		fmt.Fprintln(w, "No change is recorded.")
		return
	}
	var rows [][]string
	for _, e := range d.Entries {
		rows = append(rows, []string{e.ID, e.Time.Local().Format("2006-01-02 15:04:05"), e.State, e.Command})
	}
	answer.WriteTable(w, s, []string{"ID", "TIME", "STATE", "COMMAND"}, rows)
}

package change

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/tcpka/tcpka/internal/answer"
)

// SocketOption is what a [Change] of a socket has in addition. Old and New are in
// the unit of the option: seconds, but of TCP_USER_TIMEOUT milliseconds; of
// SO_KEEPALIVE 1 is on.
type SocketOption struct {
	Cookie    string  `json:"cookie"` // as in show sockets
	PID       *int    `json:"pid"`    // of the lowest owner; null where none is seen
	Comm      *string `json:"comm"`
	Option    string  `json:"option"`
	Local     string  `json:"local"`
	Remote    string  `json:"remote"`
	Listening bool    `json:"listening"`
	Inherited *bool   `json:"inherited"` // whether Old is the sysctl's and not the socket's own; null is not known
	Error     *string `json:"error"`     // why it is not applied; null as long as nothing was tried

	// DetectionLatest is when a dead peer is noticed at the latest by the new values; nil
	// is never, or not known.
	DetectionLatest *answer.Seconds `json:"-"`
}

// SocketsChange counts the sockets of set sockets.
type SocketsChange struct {
	Found        int `json:"found"`         // that were asked for, in states that can be changed
	Already      int `json:"already"`       // that have all the values
	Unseen       int `json:"unseen"`        // whose values cannot be read
	Changing     int `json:"changing"`      // of which something changes
	KeepaliveOff int `json:"keepalive_off"` // of those, with keepalive off before and after
	Overdue      int `json:"overdue"`       // of those, silent for longer than their new time

	Changed int `json:"changed"`
	Gone    int `json:"gone"`     // closed before they could be changed
	Failed  int `json:"failed"`   // or the kernel, or the program, would not have it
	SetBack int `json:"set_back"` // that have other values again: someone else set them
}

// table says what changes. Where timers begin anew, it is not nothing.
func (n SocketsChange) table(w *bufio.Writer, timers *Rearmed) {
	switch {
	case timers != nil && n.Changing == 0:
		fmt.Fprintf(w, "\n%s.\n", answer.Some(n.Already, "1 socket has these values already", "%d sockets have these values already"))
	case n.Found == 0:
		fmt.Fprintln(w, "No socket matches.")
	case n.Changing == 0 && n.Already > 0:
		fmt.Fprintf(w, "Nothing to change: %s.\n", answer.Some(n.Already, "1 socket has these values already", "%d sockets have these values already"))
	case n.Changing == 0:
		fmt.Fprintln(w, "Nothing to change.")
	case n.Changed+n.Gone+n.Failed+n.SetBack == 0: // not yet
		fmt.Fprintf(w, "\n%s%s.\n", answer.Some(n.Changing, "1 socket changes", "%d sockets change"), n.rest())
	default:
		fmt.Fprintf(w, "\n%s%s.\n", answer.Some(n.Changed, "1 socket was changed", "%d sockets were changed"), n.rest())
	}
}

func (n SocketsChange) rest() string {
	var b strings.Builder
	for _, r := range []struct {
		n         int
		one, many string
	}{
		{n.Already, "1 has these values already", "%d have these values already"},
		{n.Gone, "1 was closed meanwhile", "%d were closed meanwhile"},
		{n.Failed, "1 could not be changed", "%d could not be changed"},
		{n.SetBack, "1 has other values again", "%d have other values again"},
		{n.Unseen, "1 cannot be looked at", "%d cannot be looked at"},
	} {
		if r.n > 0 {
			b.WriteString("; " + answer.Some(r.n, r.one, r.many))
		}
	}
	return b.String()
}

// writePerSocket writes the JSON of a document, and where it has changes per socket
// those in the place of its empty list: each is made up when its turn comes.
func writePerSocket(w io.Writer, d answer.Document, perSocket iter.Seq[[]Change]) error {
	if perSocket == nil {
		return answer.Indented(w, "").Encode(d)
	}
	var b bytes.Buffer
	if err := answer.Indented(&b, "").Encode(d); err != nil {
		return err
	}
	// No string that comes before can hold it: a quote in one has a backslash.
	head, tail, _ := bytes.Cut(bytes.Clone(b.Bytes()), []byte(`"changes": []`))
	fmt.Fprintf(w, `%s"changes": [`, head)
	separator := "\n    "
	change := answer.Indented(&b, "    ")
	for one := range perSocket {
		for _, c := range one {
			b.Reset()
			b.WriteString(separator)
			if err := change.Encode(c); err != nil {
				return err
			}
			w.Write(bytes.TrimSuffix(b.Bytes(), []byte{'\n'}))
			separator = ",\n    "
		}
	}
	_, err := fmt.Fprintf(w, "\n  ]%s", tail)
	return err
}

// socketGroup are the sockets of one program that change alike.
type socketGroup struct {
	changes []Change // of the first of them
	sockets int
}

// maxGroups is how many groups people are shown.
const maxGroups = 40

// groupSockets puts together what changes alike: the largest group first. Where some
// changes were applied, the others are left out.
func groupSockets(perSocket iter.Seq[[]Change]) []socketGroup {
	applied := false
	for one := range perSocket {
		if applied = slices.ContainsFunc(one, func(c Change) bool { return c.Applied }); applied {
			break
		}
	}
	index := map[string]int{}
	var groups []socketGroup
	var key strings.Builder
	for one := range perSocket {
		if applied {
			one = slices.DeleteFunc(slices.Clone(one), func(c Change) bool { return !c.Applied })
		}
		if len(one) == 0 {
			continue
		}
		key.Reset()
		fmt.Fprintf(&key, "%s %q %t", one[0].where(), one[0].program(), one[0].Listening)
		for _, c := range one {
			fmt.Fprintf(&key, " %s %s %s %t", c.Option, *c.Old, *c.New, c.Inherited != nil && *c.Inherited)
		}
		if d := one[0].Detection; d != nil {
			fmt.Fprintf(&key, " %s %s", answer.OrNever(d.Old, ""), answer.OrNever(d.New, ""))
		}
		if latest := one[0].DetectionLatest; latest != nil {
			fmt.Fprintf(&key, " %s", latest)
		}
		i, ok := index[key.String()]
		if !ok {
			i = len(groups)
			index[key.String()] = i
			groups = append(groups, socketGroup{changes: one})
		}
		groups[i].sockets++
	}
	slices.SortStableFunc(groups, func(a, b socketGroup) int {
		return cmp.Or(cmp.Compare(b.sockets, a.sockets), cmp.Compare(a.changes[0].program(), b.changes[0].program()))
	})
	return groups
}

func (o SocketOption) program() string {
	if o.Comm == nil {
		return "no program that is seen"
	}
	return *o.Comm
}

// ends says which socket it is: "10.0.0.5:5432 -> 10.0.0.9:50207".
func (o SocketOption) ends() string {
	if o.Local == "" || o.Listening {
		return o.Local
	}
	return o.Local + " -> " + o.Remote
}

// writeSockets lists what changes of sockets as lines of OPTION = VALUE, under
// the program and the number of its sockets of which that is true.
func writeSockets(w *bufio.Writer, perSocket iter.Seq[[]Change]) {
	groups := groupSockets(perSocket)
	several := slices.ContainsFunc(groups, func(g socketGroup) bool { return g.changes[0].where() != groups[0].changes[0].where() })
	for i, g := range groups {
		if i == maxGroups {
			rest := 0
			for _, g := range groups[i:] {
				rest += g.sockets
			}
			fmt.Fprintf(w, "# and %d sockets in other ways; -o json has every change\n", rest)
			return
		}
		first := g.changes[0]
		fmt.Fprintf(w, "# %s: %s", answer.Escape(first.program()), g.count())
		if several {
			fmt.Fprintf(w, ", %s", answer.Escape(first.where()))
		}
		switch ends := first.ends(); {
		case ends == "":
		case g.sockets == 1:
			fmt.Fprintf(w, ", %s", answer.Escape(ends))
		default:
			fmt.Fprintf(w, ", such as %s", answer.Escape(ends))
		}
		fmt.Fprintln(w)
		for _, c := range g.changes {
			was := "was " + *c.Old
			if c.Inherited != nil && *c.Inherited {
				was += ", the sysctl's"
			}
			fmt.Fprintf(w, "%-40s # %s\n", c.Option+" = "+*c.New, was)
		}
		if d := first.Detection; d != nil {
			which := "an idle connection"
			if first.Listening {
				which += " accepted from now on"
			}
			noticed := "is never noticed"
			if d.New != nil {
				noticed = "is noticed after " + d.New.Both()
				if latest := first.DetectionLatest; latest != nil {
					noticed += ", at the latest " + latest.Brief().String() + " s"
				}
			}
			fmt.Fprintf(w, "# a dead peer of %s %s%s\n", which, noticed, d.before())
		}
	}
}

func (g socketGroup) count() string {
	if g.changes[0].Listening {
		return answer.Some(g.sockets, "1 listener", "%d listeners")
	}
	return answer.Some(g.sockets, "1 socket", "%d sockets")
}

// Rearmed is what set --rearm has to say about the timers.
type Rearmed struct {
	Sockets  int             `json:"sockets"` // whose timer runs for longer than the time in force, and begins anew
	Unseen   int             `json:"unseen"`  // of which that cannot be seen
	Hidden   int             `json:"hidden"`  // of the first, those that may: data on its way hides the timer
	Programs []ProgramTimers `json:"programs"`

	Done   int `json:"done"`
	Gone   int `json:"gone"`   // closed before
	Left   int `json:"left"`   // that turned out to have a time of their own, or a timer that is due sooner
	Failed int `json:"failed"` // that no process lends
}

// ProgramTimers are the timers of one program in one namespace.
type ProgramTimers struct {
	Netns   string  `json:"netns"`
	Comm    *string `json:"comm"` // null where no owner is seen
	Sockets int     `json:"sockets"`
	// Left is the longest that such a timer had to run; null where data was on its
	// way and the timer not seen.
	Left *answer.Seconds `json:"left_seconds"`
	Time answer.Seconds  `json:"time_seconds"` // that it runs from now on
}

// table is that of set --rearm.
func (r Rearmed) table(w *bufio.Writer) {
	r.programs(w)
	switch {
	case r.Sockets == 0:
		fmt.Fprintln(w, "No timer runs for longer than the time in force.")
	case r.Done+r.Gone+r.Left+r.Failed > 0:
		fmt.Fprintf(w, "%s.\n", answer.Some(r.Done, "1 timer was armed anew", "%d timers were armed anew"))
	}
}

// sentence is what set sockets says of them, before and after.
func (r Rearmed) sentence() string {
	n, run, begin := r.Sockets, "run", "begin"
	if r.Done+r.Gone+r.Left+r.Failed > 0 {
		n, run, begin = r.Done, "ran", "began"
	} else if n == 1 {
		run, begin = "runs", "begins"
	}
	if r.Hidden > 0 {
		run = "may have run"
		if r.Done+r.Gone+r.Left+r.Failed == 0 {
			run = "may run"
		}
	}
	return fmt.Sprintf("%s that %s by an older time %s anew", answer.Some(n, "1 timer", "%d timers"), run, begin)
}

func (r Rearmed) programs(w *bufio.Writer) {
	several := slices.ContainsFunc(r.Programs, func(p ProgramTimers) bool { return p.Netns != r.Programs[0].Netns })
	for i, p := range r.Programs {
		if i == maxGroups {
			fmt.Fprintf(w, "# and %d more programs; -o json has them\n", len(r.Programs)-i)
			break
		}
		fmt.Fprintf(w, "# %s: %s", answer.Escape(SocketOption{Comm: p.Comm}.program()), answer.Some(p.Sockets, "1 timer", "%d timers"))
		if several {
			fmt.Fprintf(w, ", namespace %s", answer.Escape(p.Netns))
		}
		if p.Left != nil {
			fmt.Fprintf(w, ", with up to %s left", p.Left.Brief().Both())
		}
		fmt.Fprintf(w, ": anew for %s\n", p.Time.Both())
	}
}

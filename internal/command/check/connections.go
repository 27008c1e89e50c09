package check

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/connection"
	"github.com/tcpka/tcpka/internal/suggest"
	"github.com/tcpka/tcpka/internal/target"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/sockets"
)

// view is a namespace as check sees it.
type view struct {
	name     string
	other    bool     // not the one that tcpka runs in
	args     []string // the flags by which other commands find it
	settings keepalive.Settings
	kernel   calc.Kernel
	mptcp    connection.Outliving
	misses   string // why its settings do not meet the goal; empty: they do

	sockets   int
	followed  [3]bool // some have time, intvl, probes from the settings, as far as can be seen
	timers    bool    // some timers run that were, as far as can be seen, set by them
	followers group   // connections that fail because they have the settings' values
	perhaps   int     // of them: that may have them of their own
}

// namespace checks the settings and the connections of one.
func (ck *checker) namespace(ns target.Namespace) error {
	v := &view{name: ns.Name, other: !ns.Current && !ns.Here}
	switch {
	case ck.named != "":
		v.args = []string{"--netns", ck.named}
	case v.other && ns.PID != 0:
		v.args = []string{"--netns", strconv.Itoa(ns.PID)}
	case v.other:
		v.args = []string{"--netns", ns.Name}
	}
	err := ns.Do(func() error {
		snap, err := target.Look(ck.Root)
		if err != nil {
			return err
		}
		v.settings, v.kernel = snap.Settings, snap.Kernel
		v.misses = v.kernel.Misses(ck.goal, v.settings)
		return ck.connections(v)
	})
	if err != nil && !ck.Gone(err) {
		return err
	}
	if err != nil || ck.All && v.other && v.sockets == 0 {
		return nil // nobody is there who would notice
	}
	ck.doc.Checked.Namespaces = append(ck.doc.Checked.Namespaces, v.name)
	if ck.uncalled != "" && v.sockets == 0 && !ck.noTCP {
		return nil // a name that is mistyped, perhaps: the settings are not for it
	}
	ck.defaults(v)
	if ns.Name == "host" {
		ck.bootLasts(v)
	}
	return nil
}

// connections judges those of the calling thread's namespace.
func (ck *checker) connections(v *view) error {
	if ck.noTCP {
		return nil // whatever they have, it does not help
	}
	// What of the filter not everybody may see is looked at here, so that a
	// connection that might be meant is not taken for none.
	wide := ck.filter
	wide.PIDs, wide.Comms, wide.Keepalive, wide.Origin = nil, nil, sockets.Unknown, sockets.FromUnknown
	wide.SilentFor = 0
	talking := ck.filter
	talking.SilentFor = 0
	q := sockets.Query{Shared: &ck.judged, Sysctl: v.settings, Filter: wide}
	rep, err := sockets.List(q, func(s *sockets.Socket) error {
		switch {
		case connection.Closed(s): // the kernel ends it alone
		case !ck.filtered && local(s):
			ck.doc.Checked.Local++
		case ck.filter.Match(s):
			v.sockets++
			ck.doc.Checked.Sockets++
			for _, o := range s.Owners {
				if slices.Contains(ck.filter.PIDs, o.PID) {
					ck.met[o.PID] = true
				}
			}
			ck.connection(v, s)
		case talking.Match(s):
			ck.talking++
		case ck.uncalled == "" && mightMatch(ck.filter, s):
			v.sockets++
			ck.doc.Checked.Sockets++
			ck.unseen(v, s, "whether the filter means them")
		}
		return nil
	})
	if err != nil {
		return err
	}
	if rep.Stuck != nil {
		ck.find(FindNotSeen, SeverityUnknown, "namespace "+v.name, "its connections cannot be judged as a whole: "+rep.Stuck.Error(), "")
	}
	return ck.reach(v)
}

// local reports whether both ends are this host's: nothing lies on such a path.
func local(s *sockets.Socket) bool {
	return s.State != sockets.Listen && (s.Remote.Addr().Unmap().IsLoopback() || s.Remote.Addr() == s.Local.Addr())
}

// mightMatch reports whether a filter selects a socket, or would if more of it
// could be seen.
func mightMatch(f sockets.Filter, s *sockets.Socket) bool {
	if len(s.Owners) == 0 && s.Inode != 0 {
		f.PIDs, f.Comms = nil, nil
	}
	if s.Keepalive == sockets.Unknown {
		f.Keepalive = sockets.Unknown
	}
	if slices.Contains(origins(s), sockets.FromUnknown) && ownValues(s) == "" {
		f.Origin = sockets.FromUnknown
	}
	return f.Match(s)
}

// judgeable reports whether enough is known of a socket.
func judgeable(s *sockets.Socket) bool {
	return s.Keepalive == sockets.Off || s.Keepalive == sockets.On && s.ValuesKnown
}

func (ck *checker) connection(v *view, s *sockets.Socket) {
	if !judgeable(s) {
		for _, flaw := range ck.silent(s) {
			ck.group(v, SeverityWarning, s, flaw)
		}
		ck.unseen(v, s, "their keepalive")
		return
	}
	if s.Keepalive == sockets.On {
		for i, from := range origins(s) {
			v.followed[i] = v.followed[i] || from != sockets.FromSocket
		}
		v.timers = v.timers || s.State != sockets.Listen && s.TimeFrom != sockets.FromSocket
	}
	flaws := ck.flaws(v, s)
	switch known := func(f calc.Flaw) bool { return !f.Unknown }; {
	case slices.ContainsFunc(flaws, known):
		ck.doc.Checked.Failing++
	case len(flaws) > 0:
		ck.doc.Checked.Unknown++
	}
	for _, flaw := range flaws {
		if flaw.ID == calc.FlawValues {
			v.followers.add(s)
			if slices.Contains(origins(s), sockets.FromUnknown) {
				v.perhaps++
			}
			continue
		}
		severity := SeverityCritical
		switch {
		case flaw.Unknown:
			severity = SeverityUnknown
		case flaw.Mends, flaw.ID == calc.FlawInFlight, flaw.ID == calc.FlawUnanswered, flaw.ID == calc.FlawOneProbe,
			flaw.ID == FindProgramSilent, flaw.ID == FindPeerSilent,
			flaw.ID == calc.FlawUserTimeoutShort && v.kernel.Meets(ck.goal, s.Settings):
			severity = SeverityWarning
		case flaw.ID == calc.FlawUnits:
			severity = SeverityWarning
		}
		ck.group(v, severity, s, flaw)
	}
}

// flaws are those of a connection. Where values of its own do not meet the goal they
// are another one than where it follows the sysctls. Who set them, the program or set
// sockets, the kernel does not say.
func (ck *checker) flaws(v *view, s *sockets.Socket) []calc.Flaw {
	live := connection.LiveOf(s)
	live.Outlived = v.outlived(s)
	flaws := append(v.kernel.Examine(ck.goal, live), ck.silent(s)...)
	if s.ProbesFrom != sockets.FromSocket { // which is said of the settings
		flaws = slices.DeleteFunc(flaws, func(f calc.Flaw) bool { return f.ID == calc.FlawOneProbe })
	}
	if ownValues(s) == "" && s.UserTimeout == 0 { // likewise
		flaws = slices.DeleteFunc(flaws, func(f calc.Flaw) bool { return f.ID == calc.FlawUnits })
	}
	for i, f := range flaws {
		if own := ownValues(s); f.ID == calc.FlawValues && own != "" {
			flaws[i].ID, flaws[i].Text = FindPinned, "the socket has "+own+" of its own, which the sysctls no longer change: "+f.Text
		}
	}
	return flaws
}

// silent names a connection of which --silent-for asks. The kernel acknowledges what was
// sent to it, and answers probes, whatever becomes of its program.
func (ck *checker) silent(s *sockets.Socket) []calc.Flaw {
	if ck.filter.SilentFor == 0 || !s.IdleKnown || s.LastData < ck.filter.SilentFor {
		return nil
	}
	f := calc.Flaw{Extent: s.LastData}
	f.ID = FindPeerSilent
	switch {
	case s.LastData-s.Idle >= time.Second:
		f.ID = FindProgramSilent
		f.Text = fmt.Sprintf("the peer's kernel answered %s ago, and its program has sent nothing for %s: it hangs, or has nothing to say", ago(s.Idle), ago(s.LastData))
	case s.Unanswered > 0:
		f.Text = fmt.Sprintf("nothing has come from the peer for %s, and it does not answer now", ago(s.LastData))
	default:
		f.Text = fmt.Sprintf("nothing has come from the peer for %s, and nothing has asked it: whether it is still there is not known", ago(s.LastData))
	}
	return []calc.Flaw{f}
}

func ago(d time.Duration) string { return answer.Seconds(d).Brief().Both() }

// outlived is how much later than the socket's end its program hears of it. The
// calling thread is in the namespace.
func (v *view) outlived(s *sockets.Socket) calc.Outlived {
	if !connection.IsMPTCP(s) || connection.Closed(s) {
		return calc.Outlived{}
	}
	d, known := v.mptcp.Look()
	switch {
	case !known:
		return calc.Outlived{Most: calc.Unbounded}
	case s.State == sockets.Listen:
		return calc.Outlived{Most: d}
	}
	return calc.Outlived{Least: d, Most: d}
}

// origins say whose the values of a socket are. Without BPF those that are the
// sysctls' values may be its own as well.
func origins(s *sockets.Socket) []sockets.Origin {
	return []sockets.Origin{s.TimeFrom, s.IntvlFrom, s.ProbesFrom}
}

// ownValues are the values that a socket does not have from the sysctls.
func ownValues(s *sockets.Socket) string {
	var own []string
	for _, one := range []struct {
		from sockets.Origin
		text string
	}{
		{s.TimeFrom, fmt.Sprintf("time %d s", s.Time/time.Second)},
		{s.IntvlFrom, fmt.Sprintf("intvl %d s", s.Intvl/time.Second)},
		{s.ProbesFrom, fmt.Sprintf("probes %d", s.Probes)},
	} {
		if one.from == sockets.FromSocket {
			own = append(own, one.text)
		}
	}
	return strings.Join(own, ", ")
}

// unseen is a connection of which not enough is known.
func (ck *checker) unseen(v *view, s *sockets.Socket, what string) {
	ck.doc.Checked.Unknown++
	ck.group(v, SeverityUnknown, s, calc.Flaw{ID: FindNotSeen, Text: what + " cannot be seen from here"})
}

// defaults judges the settings of the namespace.
func (ck *checker) defaults(v *view) {
	// A filter asks for the connections that it selects.
	counts := func(some bool) bool { return !ck.filtered || v.sockets == 0 || some }
	subject := "namespace " + v.name
	misses := v.misses
	for _, w := range v.kernel.Warnings(v.settings) {
		severity, key := SeverityWarning, 0
		switch w.ID {
		case "time_zero":
		case "time_negative":
			severity = SeverityCritical
		case "intvl_beyond_timer":
			key = 1
		case "intvl_negative", "intvl_zero":
			severity, key = SeverityCritical, 1
		case "probes_zero", "one_lost_probe":
			key = 2
		case "time_unit":
		case "intvl_unit":
			key = 1
		default: // which no goal may mind
			continue
		}
		if !counts(v.followed[key]) {
			continue
		}
		if !v.kernel.IdlePeerAlive(v.settings).Never {
			severity, misses = SeverityCritical, "" // which says it
		}
		f := Finding{ID: FindHarmful, Severity: severity, Subject: subject, Text: w.Text, Count: v.followers.count, Examples: v.followers.examples}
		if s, err := ck.planned(v.kernel, ck.goal, v.settings); err == nil {
			f.Fix = new(v.set(s, false))
		}
		ck.doc.Findings = append(ck.doc.Findings, f)
	}
	if misses == "" || !counts(v.followers.count > 0) {
		return
	}
	f := Finding{ID: FindDefaults, Severity: SeverityCritical, Subject: subject, Text: misses, Count: v.followers.count, Examples: v.followers.examples}
	if v.other && ck.kernel.Misses(ck.goal, ck.here) == "" {
		f.ID = FindOtherNamespace
		f.Text = "it has settings of its own, and those of the namespace that tcpka runs in do not reach it: " + f.Text
	}
	if f.Count > 0 {
		f.Text += "; " + v.affected()
	}
	switch s, err := ck.planned(v.kernel, ck.goal, v.settings); {
	case err != nil:
		f.Text += "; " + err.Error()
	default:
		f.Fix = new(v.set(s, v.name == "host"))
	}
	ck.doc.Findings = append(ck.doc.Findings, f)
}

// set is the command that gives the namespace settings. Timers that run go on by
// the old ones otherwise, for as long as those had it.
func (v *view) set(s keepalive.Settings, persist bool) string {
	command := "sudo tcpka set " + suggest.ValueArgs(s)
	if v.timers {
		command += " --rearm"
	}
	if persist {
		command += " --persist"
	}
	return command + after(v.args)
}

// affected says how many connections the settings fail.
func (v *view) affected() string {
	n := v.followers.count
	switch {
	case v.perhaps == 0:
		return answer.Some(n, "1 connection follows them here now", "%d connections follow them here now")
	case n == 1:
		return "1 connection has these values here now; without BPF it cannot be told whether they are its own"
	case v.perhaps == n:
		return fmt.Sprintf("%d connections have these values here now; without BPF it cannot be told whether they are their own", n)
	}
	return fmt.Sprintf("%d connections have these values here now, of which %d may have them of their own", n, v.perhaps)
}

// A group is connections of one program that fail for one reason.
type group struct {
	groupKey
	view     *view
	severity Severity

	// Of the worst of them.
	calc.Flaw
	settings keepalive.Settings

	ends [][2]string // own and the peer's, of the first
	ways []way       // to select them, where a command mends them

	count    int
	alike    bool  // Text is true for all of them
	listen   bool  // some listen
	timed    bool  // some have a user timeout
	misses   bool  // the values of some do not meet the goal
	pids     []int // some
	examples []string
}

// What depends on the values alone is told of those that have the same. What is MPTCP
// may need other values than TCP, and has no user timeout.
type groupKey struct {
	id, netns, comm, values string
	mptcp                   bool
}

const (
	maxGroups   = 50 // of one finding; what is beyond is one more
	MaxEnds     = 8
	maxPIDs     = 5
	maxExamples = 3

	// Names that no process can have: they are 15 bytes at most.
	noProgram     = "\x00 no process"
	otherPrograms = "\x00 other programs"
)

// group adds a socket to the group of its program and reason.
func (ck *checker) group(v *view, severity Severity, s *sockets.Socket, flaw calc.Flaw) {
	key := groupKey{flaw.ID, v.name, noProgram, "", connection.IsMPTCP(s)}
	if len(s.Owners) > 0 {
		key.comm = strings.Clone(s.Owners[0].Comm)
	}
	if flaw.Extent == 0 {
		key.values = flaw.Text
	}
	g := ck.groups[key]
	if g == nil && ck.ofID(flaw.ID) >= maxGroups {
		key.comm, key.values = otherPrograms, ""
		g = ck.groups[key]
	}
	if g == nil {
		g = &group{groupKey: key, view: v, severity: severity, Flaw: flaw, settings: s.Settings, alike: true}
		ck.groups[key] = g
		ck.order = append(ck.order, g)
	}
	g.alike = g.alike && flaw.Text == g.Text
	critical := severity == SeverityCritical
	if critical && g.severity != severity || critical == (g.severity == SeverityCritical) && flaw.Extent > g.Extent {
		g.severity, g.Flaw, g.settings = severity, flaw, s.Settings
	}
	if len(g.ends) < MaxEnds {
		g.ends = append(g.ends, [2]string{s.Local.String(), s.Remote.String()})
	}
	g.add(s)
	g.timed = g.timed || s.UserTimeout > 0
	of, ok := ck.goalOf(g)
	g.misses = g.misses || !ok || !v.kernel.Meets(of, s.Settings)
}

func (ck *checker) ofID(id string) (n int) {
	for _, g := range ck.order {
		if g.id == id {
			n++
		}
	}
	return n
}

func (g *group) add(s *sockets.Socket) {
	g.count++
	g.listen = g.listen || s.State == sockets.Listen
	for _, o := range s.Owners {
		if len(g.pids) <= maxPIDs && !slices.Contains(g.pids, o.PID) {
			g.pids = append(g.pids, o.PID)
		}
	}
	if len(g.examples) < maxExamples {
		example := s.Local.String() + " -> " + s.Remote.String()
		if s.State == sockets.Listen {
			example = s.Local.String() + " (listening)"
		}
		if len(s.Owners) > 0 {
			example += fmt.Sprintf(", pid %d", s.Owners[0].PID)
		}
		g.examples = append(g.examples, example)
	}
}

// finding puts a group into words.
func (ck *checker) finding(g *group) Finding {
	subject := Connections(g.count)
	if g.mptcp {
		subject = answer.Some(g.count, "1 MPTCP socket", "%d MPTCP sockets")
	}
	switch g.comm {
	case noProgram:
		subject += " whose program is not known"
	case otherPrograms:
		subject += " of other programs"
	default:
		subject += " of " + g.comm
	}
	if len(ck.Namespaces) > 1 {
		subject += " in namespace " + g.view.name
	}
	text := g.Text
	switch {
	case g.alike:
	case g.Extent > 0:
		text = "the worst of them: " + text
	default:
		text = "one of them: " + text
	}
	f := Finding{ID: g.id, Severity: g.severity, Subject: subject, Text: text, Count: g.count, Examples: g.examples}
	if fix := ck.fix(g); fix != "" {
		f.Fix = &fix
		if w := g.way(); w != nil {
			f.Text += w.caveat()
		}
		if g.id == calc.FlawOldTimer && ck.filtered {
			f.Text += "; the command is for all such timers of the namespace, whatever the filter"
		}
	}
	if g.mptcp {
		f.Text += ck.beyond(g)
	}
	return f
}

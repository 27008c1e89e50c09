// Package plantargets spells keepalive settings the way other software wants them:
// in its own words, its own file and its own unit. It only writes text; nothing
// is read or run.
package plantargets

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/nearest"
	"github.com/tcpka/tcpka/keepalive"
)

// Values are what to spell.
type Values struct {
	// TCP are the settings of the socket. Nil: TCP keepalive does not help, and
	// WhyNotTCP says why, in a sentence without a full stop.
	TCP       *keepalive.Settings
	WhyNotTCP string

	// SSH are the settings of either end of an SSH connection. Nil, and WhyNotSSH:
	// as for TCP.
	SSH       *calc.SSH
	WhyNotSSH string

	// Meets says whether other settings serve the same purpose. Targets that
	// cannot be given every value look for some that do. Nil is "only TCP does".
	Meets func(keepalive.Settings) bool
}

func (v Values) meets(s keepalive.Settings) bool {
	if v.Meets != nil {
		return v.Meets(s)
	}
	return v.TCP != nil && s == *v.TCP
}

// A Target is a piece of software, or a place in it, that takes keepalive
// settings.
type Target struct {
	Name    string // short and unique: "nginx"
	Aliases []string
	Title   string // what it is, and where the text goes

	comment string // what begins a comment
	data    bool   // its probes are data: it takes Values.SSH, not Values.TCP

	// The ends of a connection that it has a text for, where it stands between two.
	sides []string

	// How the text is made: by a form, or by a function where that does not suffice.
	form   string
	render func(t *text, v Values)

	// Of a form: settings that nobody can change; what the sysctls decide that the form
	// does not set, as a sentence with a colon; and who has no setting for the user
	// timeout.
	fixed     *keepalive.Settings
	bySysctl  string
	noTimeout string
}

// bothSides are the sides of what accepts connections and makes others for them.
var bothSides = []string{"clients", "backends"}

// Targets returns all targets, grouped by kind.
func Targets() []Target {
	return slices.Concat(kernels(), systems(), servers(), databases(), languages(), sshClients())
}

// Names returns the names of all targets, in the order of [Targets].
func Names() []string {
	var names []string
	for _, t := range Targets() {
		names = append(names, t.Name)
	}
	return names
}

// Lookup finds a target by its name or an alias, whatever the case. It answers
// an [*UnknownError] where there is none.
func Lookup(name string) (Target, error) {
	var all []string
	for _, t := range Targets() {
		if strings.EqualFold(t.Name, name) || slices.Contains(t.Aliases, strings.ToLower(name)) {
			return t, nil
		}
		all = append(append(all, t.Name), t.Aliases...)
	}
	return Target{}, &UnknownError{Name: name, Near: nearest.Programs(name, all)}
}

// UnknownError is a name that no target has.
type UnknownError struct {
	Name string
	Near []string // names like it, the likeliest first; may be empty
}

func (e *UnknownError) Error() string {
	return fmt.Sprintf("no target is called %q", e.Name)
}

// Render spells the values for the target. What the target cannot be told stands
// in a comment. The text ends with a newline.
func (t Target) Render(v Values) string {
	b := &text{comment: t.comment}
	switch {
	case t.data && v.SSH == nil:
		b.note("%s", v.WhyNotSSH)
	case !t.data && v.TCP == nil:
		b.note("%s", v.WhyNotTCP)
	case t.render != nil:
		t.render(b, v)
	default:
		t.renderForm(b, v)
	}
	return b.String()
}

// text is a snippet being written.
type text struct {
	strings.Builder
	comment string
}

// line adds lines as they are.
func (t *text) line(format string, args ...any) {
	fmt.Fprintf(t, format+"\n", args...)
}

// note adds a comment, in lines that fit a terminal.
func (t *text) note(format string, args ...any) {
	const width = 95
	for line := range strings.SplitSeq(fmt.Sprintf(format, args...), "\n") {
		out := t.comment
		for word := range strings.SplitSeq(line, " ") {
			if len(out)+1+len(word) > width {
				t.line("%s", out)
				out = t.comment
			}
			out += " " + word
		}
		t.line("%s", out)
	}
}

// noUserTimeout says that the target cannot be told the user timeout, if there is
// one to tell.
func (t *text) noUserTimeout(v Values, who string) {
	if v.TCP.UserTimeout > 0 {
		t.note("%s has no setting for the user timeout (TCP_USER_TIMEOUT, %d ms).", who, v.TCP.UserTimeout.Milliseconds())
	}
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

func secondsOf(n int) time.Duration { return time.Duration(n) * time.Second }

// short is a duration with the coarser of the units s and ms that holds it.
func short(d time.Duration) string {
	if d%time.Second == 0 {
		return fmt.Sprintf("%ds", seconds(d))
	}
	return fmt.Sprintf("%dms", d.Milliseconds())
}

package check

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/tcpka/tcpka/internal/answer"
)

// Document is the answer of tcpka check: whether a goal is met.
type Document struct {
	Schema   string    `json:"schema"`
	Status   Severity  `json:"status"` // of the worst finding
	Goal     Goal      `json:"goal"`
	Checked  Count     `json:"checked"`
	Findings []Finding `json:"findings"` // the worst first
}

// Goal is what was asked for. Null is not.
type Goal struct {
	Behind         []string        `json:"behind"`
	PathTimeout    *answer.Seconds `json:"path_timeout_seconds"`     // of what passes TCP segments on
	SSHPathTimeout *answer.Seconds `json:"ssh_path_timeout_seconds"` // of everything on the path
	DetectWithin   *answer.Seconds `json:"detect_within_seconds"`
	SurviveLoss    int             `json:"survive_loss"`
}

// Count is what was looked at.
type Count struct {
	Namespaces []string `json:"namespaces"`
	Sockets    int      `json:"sockets"` // that were judged, or could not be
	Failing    int      `json:"failing"` // of them: with a finding, whatever its severity
	Unknown    int      `json:"unknown"` // of them: not seen well enough
	Local      int      `json:"local"`   // not judged: connections of this host to itself
	SSH        []string `json:"ssh"`     // "client", "server"
}

// Severity is a status of the monitoring plugins.
type Severity string

const (
	SeverityOK       Severity = "ok" // of a finding: only good to know
	SeverityWarning  Severity = "warning"
	SeverityUnknown  Severity = "unknown"
	SeverityCritical Severity = "critical"
)

// Exit is the exit status that stands for it.
func (s Severity) Exit() int {
	return slices.Index([]Severity{SeverityOK, SeverityWarning, SeverityCritical, SeverityUnknown}, s)
}

// rank is higher for what is worse. What could not be told may be worse than a
// warning; it does not hide what is known to be critical.
func (s Severity) rank() int {
	return slices.Index([]Severity{SeverityOK, SeverityWarning, SeverityUnknown, SeverityCritical}, s)
}

// A Finding is one reason, with everything that fails for it.
type Finding struct {
	ID       string   `json:"id"` // one of FindingIDs
	Severity Severity `json:"severity"`
	Subject  string   `json:"subject"`
	Text     string   `json:"text"`
	Fix      *string  `json:"fix"`      // a command line; null: there is none
	Count    int      `json:"count"`    // of connections it is about; 0: not about connections
	Examples []string `json:"examples"` // some of them
}

// The IDs of findings.
const (
	FindDefaults       = "defaults"        // the values of a namespace do not meet the goal
	FindOtherNamespace = "other_namespace" // likewise, and it is not the one that tcpka runs in
	FindHarmful        = "harmful"         // values that no goal justifies
	FindBootDiffers    = "boot_differs"    // the next boot sets other values
	FindPinned         = "pinned"          // sockets have values of their own that do not meet the goal
	FindL7Hop          = "l7_hop"          // something on the path ends the TCP connection
	FindSSHClient      = "ssh_client"
	FindSSHServer      = "ssh_server"
	FindSSHEnds        = "ssh_ends_idle" // something else ends an idle session, probes or not
	FindNotSeen        = "not_seen"
	FindNoMatch        = "no_match"       // the filter selects no connection
	FindProgramSilent  = "program_silent" // the peer's kernel answers, and its program has sent nothing for long
	FindPeerSilent     = "peer_silent"    // nothing at all has come from the peer for long
)

// FindingIDs are all there are; those that are no constant here are calc's.
func FindingIDs() []string {
	return []string{
		FindDefaults, FindOtherNamespace, FindHarmful, FindBootDiffers, FindPinned, FindL7Hop, FindSSHClient, FindSSHServer, FindSSHEnds, FindNotSeen, FindNoMatch,
		FindProgramSilent, FindPeerSilent,
		"keepalive_off", "mptcp_values", "user_timeout_outlasts_probes", "user_timeout_cuts_probes", "one_lost_probe", "old_timer", "data_in_flight", "unanswered",
		"unit_mistake",
	}
}

// Judge sorts the findings and sets the status.
func (d *Document) Judge() {
	slices.SortStableFunc(d.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(b.Severity.rank(), a.Severity.rank()), cmp.Compare(b.Count, a.Count))
	})
	for i := range d.Findings {
		d.Findings[i].Examples = append([]string{}, d.Findings[i].Examples...)
	}
	d.Status = SeverityOK
	if len(d.Findings) > 0 {
		d.Status = d.Findings[0].Severity
	}
}

func (d Document) Table(w *bufio.Writer, s answer.Style) {
	fmt.Fprintf(w, "%s | connections=%d failing=%d unknown=%d\n", PluginText(d.summary()), d.Checked.Sockets, d.Checked.Failing, d.Checked.Unknown)
	for _, f := range d.Findings {
		sgr := map[Severity]string{SeverityCritical: answer.Red, SeverityWarning: answer.Yellow}[f.Severity]
		word := strings.ToUpper(string(f.Severity))
		if sgr != "" {
			word = s.Paint(sgr, word)
		}
		fmt.Fprintf(w, "\n%s %s: %s\n", word, f.ID, PluginText(f.Subject))
		answer.Wrap(w, s, "  ", PluginText(f.Text))
		if len(f.Examples) > 0 {
			answer.Wrap(w, s, "  such as ", PluginText(strings.Join(f.Examples, "; ")))
		}
		if f.Fix != nil {
			fmt.Fprintf(w, "  fix: %s\n", PluginText(*f.Fix)) // to be copied: it is not broken
		}
	}
	if n := d.Checked.Local; n > 0 {
		fmt.Fprintf(w, "\nNot judged: %s of this host to itself.\n", Connections(n))
	}
}

// summary is the line that a monitoring system shows.
func (d Document) summary() string {
	line := "TCPKA " + strings.ToUpper(string(d.Status)) + " - "
	if d.Status == SeverityOK {
		if g := d.Goal; len(g.Behind) == 0 && g.PathTimeout == nil && g.DetectWithin == nil {
			line += "nothing harmful in "
		} else {
			line += "the goal is met by "
		}
		return line + d.what()
	}
	const most = 3
	var parts []string
	for _, f := range d.Findings {
		parts = append(parts, f.ID+": "+f.Subject)
	}
	if n := len(parts) - most; n > 0 {
		parts = append(parts[:most], fmt.Sprintf("and %d more", n))
	}
	return line + strings.Join(parts, "; ")
}

// what was looked at.
func (d Document) what() string {
	var what []string
	switch n := len(d.Checked.Namespaces); {
	case n == 1:
		what = append(what, "the settings of namespace "+d.Checked.Namespaces[0])
	case n > 1:
		what = append(what, fmt.Sprintf("the settings of %d namespaces", n))
	}
	what = append(what, Connections(d.Checked.Sockets))
	for _, side := range d.Checked.SSH {
		what = append(what, "the SSH "+side)
	}
	if len(what) == 1 {
		return what[0]
	}
	last := len(what) - 1
	return strings.Join(what[:last], ", ") + " and " + what[last]
}

// Connections is a number of them in words.
func Connections(n int) string {
	if n == 1 {
		return "1 connection"
	}
	return fmt.Sprintf("%d connections", n)
}

// PluginText escapes text for the output of a monitoring plugin, in which a vertical
// bar begins the performance data.
func PluginText(s string) string { return strings.ReplaceAll(answer.Escape(s), "|", `\x7c`) }

// Metrics writes d for Prometheus: aggregates, with labels from fixed sets.
func Metrics(w io.Writer, d Document) error {
	findings, connections := answer.Series{}, answer.Series{}
	var kinds []string
	for _, id := range FindingIDs() {
		kinds = append(kinds, answer.Labels("id", id))
	}
	for _, f := range d.Findings {
		if f.Severity != SeverityOK {
			findings[answer.Labels("id", f.ID)]++
			connections[answer.Labels("id", f.ID)] += float64(f.Count)
		}
	}
	fine, failing, unknown := answer.Labels("result", "fine"), answer.Labels("result", "failing"), answer.Labels("result", "unknown")
	m := answer.NewMetrics(w)
	m.Gauge("tcpka_check_status", "What tcpka check found: 0 ok, 1 warning, 2 critical, 3 could not tell.", answer.Series{"": float64(d.Status.Exit())})
	m.Gauge("tcpka_check_connections", "Connections that were looked at.", answer.Series{
		fine:    float64(d.Checked.Sockets - d.Checked.Failing - d.Checked.Unknown),
		failing: float64(d.Checked.Failing), unknown: float64(d.Checked.Unknown),
	}, fine, failing, unknown)
	m.Gauge("tcpka_check_findings", "Reasons why the goal is not met, by kind.", findings, kinds...)
	m.Gauge("tcpka_check_finding_connections", "Connections that these are about, by kind. One can have several.", connections, kinds...)
	return m.Flush()
}

package check

import (
	"bytes"
	"strings"
	"testing"

	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/answertest"
)

func TestCheck(t *testing.T) {
	fine := Document{
		Schema: "tcpka/check/v1", Goal: Goal{Behind: []string{}},
		Checked: Count{Namespaces: []string{"host"}, Sockets: 1, SSH: []string{}}, Findings: []Finding{},
	}
	met := fine
	met.Goal = Goal{Behind: []string{"aws-nlb"}, PathTimeout: new(answer.Seconds(answertest.S(350))), SSHPathTimeout: new(answer.Seconds(answertest.S(350))), DetectWithin: new(answer.Seconds(answertest.S(120)))}
	met.Checked = Count{Namespaces: []string{"host", "pod"}, Sockets: 40, Local: 3, SSH: []string{"client", "server"}}
	met.Findings = []Finding{{ID: FindL7Hop, Severity: SeverityOK, Subject: "the path", Text: "it ends there"}}
	missed := met
	missed.Checked.Failing, missed.Checked.Unknown = 12, 1
	missed.Findings = []Finding{
		{ID: "old_timer", Severity: SeverityWarning, Subject: "9 connections of nginx", Text: "it was armed before", Fix: new("sudo tcpka set --rearm"), Count: 9},
		{ID: FindNotSeen, Severity: SeverityUnknown, Subject: "1 connection whose program is not known", Text: "cannot be seen", Count: 1},
		{ID: "keepalive_off", Severity: SeverityCritical, Subject: "1 connection of a|b\x1b[31m", Text: "it is off", Fix: new("sudo tcpka set sockets --pid 7 --on"), Count: 1, Examples: []string{"a -> b", "c -> d, pid 7"}},
		{ID: FindPinned, Severity: SeverityCritical, Subject: "2 connections of go", Text: "set by the program", Count: 2},
	}
	for name, d := range map[string]Document{"fine": fine, "met": met, "missed": missed} {
		d.Judge()
		var table, doc, metrics bytes.Buffer
		if err := answer.Table(&table, d, answer.Style{Width: 80}); err != nil {
			t.Fatal(err)
		}
		answertest.Golden(t, "check_"+name+".txt", table.String())
		first, _, _ := strings.Cut(table.String(), "\n")
		if strings.Count(table.String(), "|") != 1 || !strings.Contains(first, " | connections=") {
			t.Errorf("the performance data are not where they should be:\n%s", &table)
		}
		if err := answer.JSON(&doc, d); err != nil {
			t.Fatal(err)
		}
		answertest.Golden(t, "check_"+name+".json", doc.String())
		if err := Metrics(&metrics, d); err != nil {
			t.Fatal(err)
		}
		answertest.Golden(t, "check_"+name+".prom", metrics.String())
	}
}

// The worst decides; what is not known is worse than a warning, and hides nothing
// critical.
func TestJudge(t *testing.T) {
	const ok, warning, critical, unknown = SeverityOK, SeverityWarning, SeverityCritical, SeverityUnknown
	for _, c := range []struct {
		found []Severity
		want  Severity
		exit  int
	}{
		{nil, ok, 0},
		{[]Severity{ok}, ok, 0},
		{[]Severity{ok, warning}, warning, 1},
		{[]Severity{warning}, warning, 1},
		{[]Severity{warning, critical}, critical, 2},
		{[]Severity{unknown}, unknown, 3},
		{[]Severity{warning, unknown}, unknown, 3},
		{[]Severity{unknown, critical, warning}, critical, 2},
	} {
		var d Document
		for _, severity := range c.found {
			d.Findings = append(d.Findings, Finding{Severity: severity})
		}
		if d.Judge(); d.Status != c.want || d.Status.Exit() != c.exit {
			t.Errorf("%v: %s, exit %d; want %s, %d", c.found, d.Status, d.Status.Exit(), c.want, c.exit)
		}
	}
}

package probe

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/middlebox"
)

// TestWhatProbeAdvises is about what follows from samples; that they are right is
// tested where they are measured.
func TestWhatProbeAdvises(t *testing.T) {
	sample := func(o middlebox.Outcome, silence time.Duration) middlebox.Sample {
		return middlebox.Sample{Wanted: silence.Truncate(time.Second), Silence: silence, Outcome: o}
	}
	const ms = time.Millisecond
	at := netip.MustParseAddrPort("[2001:db8::7]:443")
	for _, tt := range []struct {
		name             string
		m                middlebox.Measured
		held             bool
		survived, failed string // as JSON has them
		how, timeout     string
		loss             int // -1 is no advice
		like, note       string
	}{
		{
			"the largest that survived is what to plan for, in whole seconds",
			middlebox.Measured{Checked: true, Samples: []middlebox.Sample{sample(middlebox.Answered, 348_999*ms+900*time.Microsecond), sample(middlebox.Rejected, 351_018*ms+1)}},
			false, "348.999", "351.019", "reset", "348", 2, "aws-nlb", "not to be seen",
		},
		{
			"bounds that are far apart are like nothing",
			middlebox.Measured{Checked: true, Samples: []middlebox.Sample{sample(middlebox.Answered, 225*time.Second), sample(middlebox.Swallowed, 450*time.Second)}},
			false, "225", "450", "silent", "225", 2, "", "not to be seen",
		},
		{
			"what is too short for two lost probes is planned with fewer",
			middlebox.Measured{Checked: true, Samples: []middlebox.Sample{sample(middlebox.Answered, 3*time.Second), sample(middlebox.Swallowed, 5*time.Second)}},
			false, "3", "5", "silent", "3", 1, "", "not to be seen",
		},
		{
			"nothing failed, nothing to advise",
			middlebox.Measured{Samples: []middlebox.Sample{sample(middlebox.Answered, 3*time.Second), sample(middlebox.Answered, 300*time.Second)}},
			false, "300", "", "none", "", -1, "", "no silence failed: the path remembers for at least 300 s (5m), or takes up",
		},
		{
			"ended by Ctrl-C, nothing to advise",
			middlebox.Measured{Interrupted: true, Samples: []middlebox.Sample{{Wanted: 2 * time.Hour, Silence: 4 * time.Second, Outcome: middlebox.Answered}}},
			false, "4", "", "none", "", -1, "", "at least 4 s, or",
		},
		{
			"all were closed by the far end",
			middlebox.Measured{Samples: []middlebox.Sample{{Wanted: time.Hour, Outcome: middlebox.Unmade}}},
			false, "", "", "none", "", -1, "", "nothing was measured",
		},
		{
			"what is too short for any is said to be",
			middlebox.Measured{Checked: true, Samples: []middlebox.Sample{sample(middlebox.Answered, time.Second), sample(middlebox.Swallowed, 2*time.Second)}},
			false, "1", "2", "silent", "1", -1, "", "no settings are sure to hold a path open that may forget after 1 s",
		},
		{
			"nothing survived, nothing to advise",
			middlebox.Measured{Checked: true, Samples: []middlebox.Sample{sample(middlebox.Swallowed, time.Second)}},
			false, "", "1", "silent", "", -1, "", "even the shortest silence failed",
		},
		{
			"a contradiction: the advice goes by what is below",
			middlebox.Measured{Checked: true, Samples: []middlebox.Sample{sample(middlebox.Answered, 60*time.Second), sample(middlebox.Swallowed, 90*time.Second), sample(middlebox.Answered, 120*time.Second)}},
			false, "120", "90", "silent", "60", 2, "", "the advice goes by 60 s",
		},
		{
			"a server that is gone: no advice",
			middlebox.Measured{Gone: errors.New("refused"), Samples: []middlebox.Sample{sample(middlebox.Answered, 60*time.Second), sample(middlebox.Swallowed, 90*time.Second)}},
			false, "60", "90", "silent", "", -1, "", "a new connection fails, too",
		},
		{
			"a far end that keeps the path open",
			middlebox.Measured{Samples: []middlebox.Sample{sample(middlebox.Spoke, 15*time.Second)}},
			false, "15", "", "none", "", -1, "", "never silent for longer than 15 s",
		},
		{
			"the other direction",
			middlebox.Measured{Samples: []middlebox.Sample{sample(middlebox.Spoke, 60*time.Second)}},
			true, "60", "", "none", "", -1, "", "those that did not are seen there",
		},
	} {
		tt.m.Address = at
		d := Probed(Target{Text: "example.org:443"}, tt.m, tt.held, calc.DefaultKernel())
		text := func(s *answer.Seconds) string {
			if s == nil {
				return ""
			}
			return s.String()
		}
		a := d.Advice
		if text(d.Survived) != tt.survived || text(d.Failed) != tt.failed || d.How != tt.how || text(a.PathTimeout) != tt.timeout {
			t.Errorf("%s: survived %s, failed %s, %s, plan for %s", tt.name, text(d.Survived), text(d.Failed), d.How, text(a.PathTimeout))
		}
		if got := strings.Join(a.Like, " "); tt.like == "" && got != "" || !strings.Contains(got, tt.like) {
			t.Errorf("%s: like %q", tt.name, got)
		}
		said := strings.Join(d.Notes, "\n")
		if a.Reason != nil {
			said += "\n" + *a.Reason
		}
		if !strings.Contains(said, tt.note) {
			t.Errorf("%s: it says %q", tt.name, said)
		}
		if tt.loss < 0 {
			if a.Reason == nil || a.Settings != nil || a.SurviveLoss != nil || len(a.Commands) != 0 {
				t.Errorf("%s: advice %+v", tt.name, a)
			}
			continue
		}
		if a.Reason != nil || a.Settings == nil || *a.SurviveLoss != tt.loss || a.Settings.Time >= *a.PathTimeout ||
			!strings.HasPrefix(a.Commands[0], "tcpka plan --path-timeout "+tt.timeout) ||
			!strings.HasPrefix(a.Commands[len(a.Commands)-1], "sudo tcpka set sockets --remote '[2001:db8::7]:443' --on --time ") {
			t.Errorf("%s: advice %+v", tt.name, a)
		}
	}
}

package selftest

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/internal/selftest"
)

// Where this kernel does something else than predicted, that is what the answer
// and the exit status say.
func TestSelftestFailsWhereAPredictionIsWrong(t *testing.T) {
	nstest.Parallel(t)
	nstest.Run(t, func(t *testing.T) {
		lab := selftest.Lab{Predict: func(c selftest.Case, p calc.Prediction) calc.Prediction {
			if c.Situation == calc.IdlePeerRebooted {
				p.Earliest, p.Latest = p.Earliest+time.Second, p.Latest+time.Second
			}
			return p
		}}
		var stdout, stderr bytes.Buffer
		s := &cmdline.Invocation{Stdout: &stdout, Stderr: &stderr}
		app := &cli.App{Flags: cmdline.OutputFlags(), Action: func(c *cli.Context) error { return measure(s, c, lab) }, ExitErrHandler: func(*cli.Context, error) {}}
		if status := cmdline.StatusOf(app.Run([]string{"tcpka", "--json"}), &stderr); status != cmdline.StatusFailed {
			t.Errorf("exit status %d, want %d", status, cmdline.StatusFailed)
		}
		if !strings.HasPrefix(stderr.String(), "tcpka: error: 1 of 19 connections did not end as predicted\n") {
			t.Errorf("stderr: %s", &stderr)
		}
		var d struct {
			OK   bool
			Rows []struct {
				Situation string
				OK        bool
				Text      string
			}
		}
		if err := json.Unmarshal(stdout.Bytes(), &d); err != nil || d.OK {
			t.Errorf("ok is %t, %v", d.OK, err)
		}
		for _, r := range d.Rows {
			if wrong := r.Situation == calc.IdlePeerRebooted; r.OK == wrong || wrong != strings.Contains(r.Text, "too early") {
				t.Errorf("%s: ok is %t, %q", r.Situation, r.OK, r.Text)
			}
		}
	})
}

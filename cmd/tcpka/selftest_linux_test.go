package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/calc"
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
		s := &session{stdout: &stdout, stderr: &stderr}
		app := &cli.App{Flags: outputFlags(), Action: func(c *cli.Context) error { return measure(s, c, lab) }, ExitErrHandler: func(*cli.Context, error) {}}
		if status := statusOf(app.Run([]string{"tcpka", "--json"}), &stderr); status != statusFailed {
			t.Errorf("exit status %d, want %d", status, statusFailed)
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

// A setting that forbids namespaces is named. This one is the user namespace's.
func TestSelftestNamesTheSettingThatForbidsIt(t *testing.T) {
	nstest.Parallel(t)
	nstest.Run(t, func(t *testing.T) {
		const setting = "/proc/sys/user/max_net_namespaces"
		if err := os.WriteFile(setting, []byte("0"), 0); err != nil {
			t.Fatal(err)
		}
		var stdout, stderr bytes.Buffer
		status := run([]string{"selftest"}, nil, &stdout, &stderr)
		want := `tcpka: error: make a private network namespace: unshare the network namespace: no space left on device
tcpka: hint: user.max_net_namespaces = 0 forbids namespaces here: run it outside
`
		if status != statusFailed || stdout.Len() > 0 || stderr.String() != want {
			t.Errorf("status %d, stdout %q, stderr:\n%swant:\n%s", status, &stdout, &stderr, want)
		}
	})
}

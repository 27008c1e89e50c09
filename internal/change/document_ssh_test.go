package change_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/change"
)

func TestSetSSH(t *testing.T) {
	path, old, seconds := "/home/me/.ssh/config", "0", answer.Seconds(0)
	d := change.Set{
		Schema: "tcpka/set/v1", Changed: true, DryRun: true, Warnings: []calc.Warning{}, Detection: &change.OldNew{Old: &seconds, New: &seconds},
		Changes: []change.Change{{Target: change.TargetSSH, Path: &path, Key: "ServerAliveInterval", Old: &old, New: new("60")}},
		SSH: &change.SSHChange{
			// A comment of somebody who means no good, and the line ends of Windows.
			Diff: "--- a\n+++ b\n@@ -1 +1,2 @@\n # \x1b[2J\tx\r\n+ServerAliveInterval 60\r\n",
			Kept: []string{"Host web\x1b1: ServerAliveInterval 7"},
		},
	}
	want := "# /home/me/.ssh/config\n" +
		"ServerAliveInterval = 60                 # was 0\n" +
		"\nA dead peer of an idle connection is noticed after 0 s, as before.\nDry run: nothing was written.\n" +
		"\n--- a\n+++ b\n@@ -1 +1,2 @@\n # \\x1b[2J\tx\r\n+ServerAliveInterval 60\r\n" +
		"\nOther values stay, for some:\n- Host web\\x1b1: ServerAliveInterval 7\n"
	var out bytes.Buffer
	if err := answer.Table(&out, d, answer.Style{Width: 100}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

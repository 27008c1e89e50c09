package selftest

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/answertest"
	"github.com/tcpka/tcpka/keepalive"
)

// selftests are three answers.
func selftests() map[string]Document {
	set := keepalive.Settings{Time: answertest.S(2), Intvl: answertest.S(1), Probes: 3}
	k := calc.DefaultKernel()
	p := k.IdlePeerGone(set)
	row := NewRow(calc.IdlePeerGone, "special", set)
	ok := row.Outcome(p, Measure{Ended: true, Seconds: answer.Seconds(answertest.S(5)), Errno: new("ETIMEDOUT"), Stalled: answer.Seconds(answertest.S(1) / 8), Probes: new(3)}, "")
	set.UserTimeout = answertest.S(9) / 2
	other := NewRow(calc.DataInFlight, "", set)
	other.Sysctls["net.ipv4.tcp_retries2"] = 3
	wrong := other.Outcome(p, Measure{Seconds: answer.Seconds(answertest.S(10))}, "it has not ended")
	never := row.Outcome(k.IdlePeerAlive(set), Measure{Seconds: answer.Seconds(answertest.S(6))}, "")
	unmeasured := row.Failed(errors.New("socket: too many open files\x1b[31m"))

	all := map[string]Document{}
	for name, rows := range map[string][]Row{"ok": {ok, never}, "wrong": {ok, wrong, unmeasured}, "unmeasured": {never, unmeasured}} {
		all[name] = Document{Schema: "tcpka/selftest/v1", Kernel: "6.1.0-\x1b", HZ: 250, Allowance: answer.Seconds(answertest.S(1) / 4), Took: answer.Seconds(answertest.S(10)), OK: name == "ok", Rows: rows}
	}
	return all
}

func TestSelftest(t *testing.T) {
	for name, d := range selftests() {
		var table, doc bytes.Buffer
		if err := answer.Table(&table, d, answer.Style{Width: 80}); err != nil {
			t.Fatal(err)
		}
		answertest.Golden(t, "selftest_"+name+".txt", table.String())
		if err := answer.JSON(&doc, d); err != nil {
			t.Fatal(err)
		}
		answertest.Golden(t, "selftest_"+name+".json", doc.String())
	}
}

func TestSelftestFitsTheTerminal(t *testing.T) {
	answertest.Fits(t, "selftest_80.txt", func(w io.Writer) error {
		return answer.Table(w, selftests()["wrong"], answer.Style{Width: 80, Terminal: true})
	})
}

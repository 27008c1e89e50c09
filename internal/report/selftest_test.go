package report

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/keepalive"
)

// selftests are three answers.
func selftests() map[string]Selftest {
	set := keepalive.Settings{Time: s(2), Intvl: s(1), Probes: 3}
	k := calc.DefaultKernel()
	p := k.IdlePeerGone(set)
	row := NewSelftestRow(calc.IdlePeerGone, "special", set)
	ok := row.Outcome(p, SelftestMeasure{Ended: true, Seconds: Seconds(s(5)), Errno: new("ETIMEDOUT"), Stalled: Seconds(s(1) / 8), Probes: new(3)}, "")
	set.UserTimeout = s(9) / 2
	other := NewSelftestRow(calc.DataInFlight, "", set)
	other.Sysctls["net.ipv4.tcp_retries2"] = 3
	wrong := other.Outcome(p, SelftestMeasure{Seconds: Seconds(s(10))}, "it has not ended")
	never := row.Outcome(k.IdlePeerAlive(set), SelftestMeasure{Seconds: Seconds(s(6))}, "")
	unmeasured := row.Failed(errors.New("socket: too many open files\x1b[31m"))

	all := map[string]Selftest{}
	for name, rows := range map[string][]SelftestRow{"ok": {ok, never}, "wrong": {ok, wrong, unmeasured}, "unmeasured": {never, unmeasured}} {
		all[name] = Selftest{Schema: "tcpka/selftest/v1", Kernel: "6.1.0-\x1b", HZ: 250, Allowance: Seconds(s(1) / 4), Took: Seconds(s(10)), OK: name == "ok", Rows: rows}
	}
	return all
}

func TestSelftest(t *testing.T) {
	for name, d := range selftests() {
		var table, doc bytes.Buffer
		if err := Table(&table, d, Style{Width: 80}); err != nil {
			t.Fatal(err)
		}
		golden(t, "selftest_"+name+".txt", table.String())
		if err := JSON(&doc, d); err != nil {
			t.Fatal(err)
		}
		golden(t, "selftest_"+name+".json", doc.String())
	}
}

func TestSelftestFitsTheTerminal(t *testing.T) {
	fits(t, "selftest_80.txt", func(w io.Writer) error { return Table(w, selftests()["wrong"], Style{Width: 80, Terminal: true}) })
}

package selftest

import (
	"testing"
	"time"

	"github.com/tcpka/tcpka/calc"
)

func TestVerdict(t *testing.T) {
	const s = time.Second
	p := calc.Prediction{Earliest: 4 * s, Exact: 4 * s, Latest: 5 * s, Probes: 3, Errno: "ETIMEDOUT"}
	fewer := p // a late timer may end it a probe sooner
	fewer.Exact = 5 * s
	silent := p
	silent.Errno = ""
	never := calc.Prediction{Never: true}
	end := Result{Predicted: p, Ended: true, Measured: 4500 * time.Millisecond, Errno: "ETIMEDOUT", Probes: 3}
	with := func(change func(*Result)) Result {
		r := end
		change(&r)
		return r
	}
	for _, c := range []struct {
		what string
		Result
		want string
	}{
		{"as predicted", end, ""},
		{"at the earliest", with(func(r *Result) { r.Measured = 4 * s }), ""},
		{"a nanosecond before", with(func(r *Result) { r.Measured = 4*s - 1 }), "1ns too early"},
		{"at the latest", with(func(r *Result) { r.Measured = 5*s + Allowance }), ""},
		{"after that", with(func(r *Result) { r.Measured = 5*s + Allowance + 1 }), "250.000001ms too late"},
		{"after that, and the machine stood still", with(func(r *Result) { r.Measured, r.Stalled = 7*s, 2*s }), ""},
		{"before, and the machine stood still", with(func(r *Result) { r.Measured, r.Stalled = 3*s, 2*s }), "1s too early"},
		{"not at all", with(func(r *Result) { r.Ended = false }), "it has not ended"},
		{"never", Result{Predicted: never, Measured: s, Probes: 9}, ""},
		{"should be never", with(func(r *Result) { r.Predicted = never }), "it ended, and should have lived"},
		{"another error", with(func(r *Result) { r.Errno = "ECONNRESET" }), "the application got ECONNRESET, not ETIMEDOUT"},
		{"no error", with(func(r *Result) { r.Errno = "" }), "the application got nothing, not ETIMEDOUT"},
		{"an error too many", with(func(r *Result) { r.Predicted = silent }), "the application got ETIMEDOUT, not nothing"},
		{"a probe too many", with(func(r *Result) { r.Probes = 4 }), "4 probes were sent, not 3"},
		{"a probe too few", with(func(r *Result) { r.Probes = 2 }), "2 probes were sent, not 3"},
		{"a probe too few, where that may be", with(func(r *Result) { r.Probes, r.Predicted = 2, fewer }), ""},
		{"a probe too many, where fewer may be", with(func(r *Result) { r.Probes, r.Predicted = 4, fewer }), "4 probes were sent, not 3"},
		{"probes that are not counted", with(func(r *Result) { r.Probes = uncounted }), ""},
	} {
		if got := c.verdict(); got != c.want {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
}

package plantargets

import (
	"strconv"
	"strings"

	"github.com/tcpka/tcpka/keepalive"
)

// form is the text of a target that needs no more than its values filled in. A line that
// begins with "# " is a comment, in whatever way the target writes one. These stand for
// values, in seconds where their names say nothing else:
//
//	{time} {intvl} {probes} {time_ms} {intvl_ms}
//	{give_up}                intvl for each probe: from the first probe to the end
//	{uto_ms}                 the user timeout; a line with it is left out where there is none
//	{interval} {interval_ms} of probes of a program's own, which are data ([Target.data])
//	{timeout} {timeout_ms}   how long such a probe may go unanswered
func (t *text) form(form string, v Values) {
	for line := range strings.SplitSeq(strings.Trim(form, "\n"), "\n") {
		if strings.Contains(line, "{uto_ms}") && (v.TCP == nil || v.TCP.UserTimeout == 0) {
			continue
		}
		line = v.fill(line)
		if note, ok := strings.CutPrefix(line, "# "); ok {
			t.note("%s", note)
		} else {
			t.line("%s", line)
		}
	}
}

func (v Values) fill(s string) string {
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	var pairs []string
	if v.TCP != nil {
		pairs = append(pairs,
			"{time}", number(seconds(v.TCP.Time)), "{time_ms}", number(v.TCP.Time.Milliseconds()),
			"{intvl}", number(seconds(v.TCP.Intvl)), "{intvl_ms}", number(v.TCP.Intvl.Milliseconds()),
			"{probes}", strconv.Itoa(v.TCP.Probes), "{uto_ms}", number(v.TCP.UserTimeout.Milliseconds()),
			"{give_up}", number(int64(v.TCP.Probes)*seconds(v.TCP.Intvl)),
		)
	}
	if v.SSH != nil {
		pairs = append(pairs,
			"{interval}", number(seconds(v.SSH.Interval)), "{interval_ms}", number(v.SSH.Interval.Milliseconds()),
			"{timeout}", number(int64(v.SSH.CountMax)*seconds(v.SSH.Interval)), "{timeout_ms}", number(int64(v.SSH.CountMax)*v.SSH.Interval.Milliseconds()),
		)
	}
	return strings.NewReplacer(pairs...).Replace(s)
}

// renderForm is the text of a target that has a form.
func (t Target) renderForm(b *text, v Values) {
	if t.fixed != nil {
		b.note("%s sets %d s, %d s and %d by itself, and takes no other values.", t.noTimeout, seconds(t.fixed.Time), seconds(t.fixed.Intvl), t.fixed.Probes)
		if v.meets(*t.fixed) {
			b.note("These meet the goal: there is nothing to set.")
		} else {
			b.note("These do not meet the goal, which needs %d s, %d s and %d.", seconds(v.TCP.Time), seconds(v.TCP.Intvl), v.TCP.Probes)
		}
	}
	b.form(t.form, v)
	if t.bySysctl != "" {
		b.note("%s", v.fill(t.bySysctl))
		for _, kv := range sysctls(v) {
			if !strings.Contains(t.form, "{"+kv[0][strings.LastIndexByte(kv[0], '_')+1:]) {
				b.note("%s = %s", kv[0], kv[1])
			}
		}
	}
	if t.noTimeout != "" {
		b.noUserTimeout(v, t.noTimeout)
	}
}

// pings is what libraries on Node.js make of their one value.
func pings(name, before, after string) func(*text, Values) {
	return func(t *text, v Values) {
		n := largest(v, nodeSettings)
		if n == 0 {
			t.note("%s cannot do it: it takes the time alone, and 10 probes a second apart follow.\nNo time meets the goal.", name)
		} else {
			t.note("Milliseconds. It takes the time alone, and 10 probes a second apart follow: this is\nthe largest time that meets the goal.")
			t.line("%s%d%s", before, n.Milliseconds(), after)
		}
		t.noUserTimeout(v, name)
	}
}

// settings is short for fixed ones.
func settings(time, intvl, probes int) *keepalive.Settings {
	return &keepalive.Settings{Time: secondsOf(time), Intvl: secondsOf(intvl), Probes: probes}
}

package sshclients

import (
	"math"
	"strconv"
	"strings"

	"github.com/tcpka/tcpka/internal/sshconf"
)

// The keys of SecureCRT, as they stand in the files it writes.
const (
	crtNoop       = "Idle NO-OP Check"
	crtNoopPeriod = "Idle NO-OP Timeout"
	crtText       = "Idle Check"
	crtTextPeriod = "Idle Timeout"
)

// parseSecureCRT reads a session: lines D:"KEY"=%08x, S:"KEY"=TEXT. That TCP keepalive
// can be set is not known.
func parseSecureCRT(t text) ([]Session, error) {
	keys := first{}
	for l := range t.lines() {
		kind, rest, ok := strings.Cut(l.text, `:"`)
		key, value, ok2 := strings.Cut(rest, `"=`)
		if !ok || !ok2 || kind != "D" && kind != "S" {
			continue
		}
		if kind == "D" {
			n, err := strconv.ParseUint(strings.TrimSpace(value), 16, 32)
			if err != nil || n > math.MaxInt32 {
				n = math.MaxInt32 + 1 // which atoi refuses
			}
			value = strconv.FormatUint(n, 10)
		}
		keys.add(setting{line: l, key: key, value: value})
	}
	s := Session{
		Program: sshconf.SecureCRT, Host: keys["Hostname"].value,
		Lines: keys.lines(crtNoop, crtNoopPeriod, crtText, crtTextPeriod),
	}
	var ok bool
	if s.Interval, ok = keys.switched(crtNoop, crtNoopPeriod, 0, 60); !ok {
		s.Problem = "the values of the NO-OP are no numbers that SecureCRT writes"
	}
	if s.Typed, ok = keys.switched(crtText, crtTextPeriod, 0, 300); !ok {
		s.Problem = join(s.Problem, "the values of the anti-idle text are no numbers that SecureCRT writes")
	}
	s.Problem = join(s.Problem, notSSH(keys["Protocol Name"].value))
	return []Session{s}, nil
}

func instructSecureCRT(in *Instructions, _ Session, w Wanted) error {
	if w.TCPKeepAlive != nil {
		return errNoTCP
	}
	if n, ok := w.seconds(); ok {
		in.step("SecureCRT, Session Options, Terminal, Anti-idle: Send protocol NO-OP: %s.", every(n))
		in.step("Leave Send string off: it types into the shell. Default Session counts for new ones.")
		in.step("In the file of the session, while SecureCRT does not run, that is:\nD:\"%s\"=%08x\nD:\"%s\"=%08x", crtNoop, min(n, 1), crtNoopPeriod, n)
	}
	return nil
}

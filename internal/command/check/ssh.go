package check

import (
	"context"
	"errors"
	"os"
	"strings"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/sshconf"
	"github.com/tcpka/tcpka/internal/sshend"
	"github.com/tcpka/tcpka/internal/suggest"
)

// ssh checks what ssh uses for a host that no file names, and what sshd uses. An
// end that is not installed is not there.
func (ck *checker) ssh(ctx context.Context) error {
	programs := sshconf.FindPrograms()
	who, err := sshconf.Caller()
	if err != nil {
		return err
	}
	client, clientErr := programs.Client(ctx, who, sshend.AnyHost)
	clientVersion, _ := programs.ClientVersion(ctx)
	connection, _ := sshend.ThisConnection()
	server, serverErr := programs.Server(ctx, sshend.SshdConfig, connection)
	serverVersion, _ := programs.ServerVersion(ctx)
	for _, one := range []struct {
		side    calc.SSHSide
		id      string
		said    sshconf.Options
		err     error
		version string
	}{
		{calc.SSHClient, FindSSHClient, client, clientErr, clientVersion},
		{calc.SSHServer, FindSSHServer, server, serverErr, serverVersion},
	} {
		end := calc.SSH{Side: one.side, CountMax: calc.DefaultSSHCountMax, TCPKeepAlive: true}
		if one.err == nil {
			one.err = sshend.ReadEnd(&end, one.said)
		}
		subject := "the SSH " + string(one.side)
		switch {
		case errors.Is(one.err, sshconf.ErrNotInstalled):
		case one.err != nil:
			text, fix := one.err.Error(), ck.asRoot()
			if refused, ok := errors.AsType[*sshconf.Refusal](one.err); ok && refused.Hint() != "" { // for root, too
				text, fix = text+"; "+refused.Hint(), ""
			}
			ck.find(FindNotSeen, SeverityUnknown, subject, text, fix)
		default:
			if v, err := calc.ParseSSHVersion(one.version); err == nil {
				end.Version = v
			}
			ck.doc.Checked.SSH = append(ck.doc.Checked.SSH, string(one.side))
			ck.sshEnd(one.id, subject, end)
			ck.sshEnds(subject, end, one.said)
		}
	}
	if len(ck.doc.Checked.SSH) == 0 && clientErr != nil && serverErr != nil {
		ck.find(FindNotSeen, SeverityUnknown, "SSH", "neither ssh nor sshd could be asked: "+clientErr.Error(), "")
	}
	return nil
}

// sshEnd judges one end. Its own probes must meet the goal, or else TCP keepalive
// must, which OpenSSH leaves to the sysctls, where it reaches the other end.
func (ck *checker) sshEnd(id, subject string, end calc.SSH) {
	goal := ck.SSH()
	text := calc.MissesSSH(goal, end)
	if goal.PathTimeout == 0 && goal.DetectWithin == 0 {
		text = ""
		for _, w := range end.Warnings(ck.kernel, ck.here) {
			if w.ID == "count_zero_drops_idle" {
				text = w.Text
			}
		}
	}
	if text == "" {
		return
	}
	byTCP := ck.kernel.Misses(ck.goal, ck.here)
	noticed, by, given := end.GivenUp(ck.kernel, ck.here)
	switch {
	case end.EndsIdle(), len(ck.Terminating()) > 0: // TCP cannot help, or gets as far as that
	case end.Proxied:
		text += "; it goes through a proxy, where ssh has no socket for TCPKeepAlive"
	case given && goal.DetectWithin != 0:
		rest := goal
		if rest.DetectWithin = 0; noticed <= goal.DetectWithin && calc.MissesSSH(rest, end) == "" {
			return
		}
		text += "; where nothing comes back, TCP gives up on a probe of SSH after up to " + answer.Seconds(noticed).Brief().Both() + ", by " + by
	case !end.TCPKeepAlive:
		text += "; TCPKeepAlive is off"
	case end.ProbesFirst(ck.kernel, ck.here): // TCP never probes
	case byTCP == "":
		return
	default:
		text += "; TCPKeepAlive follows the sysctls, by which " + byTCP
	}
	fix := ""
	var version calc.SSHVersion
	if end.Side == calc.SSHServer {
		version = end.Version
	}
	if s, err := ck.plannedSSHFor(version); err == nil {
		s = calc.KeepSSH(goal, end, s)
		fix = suggest.SSHFix(end.Side, s)
	} else {
		text += "; " + err.Error()
	}
	ck.find(id, SeverityCritical, subject, text, fix)
}

// sshEnds tells of what ends a session all the same, where an idle one is to survive.
func (ck *checker) sshEnds(subject string, end calc.SSH, said sshconf.Options) {
	if ck.SSH().PathTimeout == 0 {
		return
	}
	all := sshend.Ends(said, end.Interval)
	if end.Side == calc.SSHServer {
		all = append(all, sshend.EndsIdle(os.DirFS("/"))...)
	}
	var texts []string
	for _, w := range all {
		if w.ID != "login_grace_time" {
			texts = append(texts, w.Text)
		}
	}
	if len(texts) > 0 {
		ck.find(FindSSHEnds, SeverityWarning, subject, strings.Join(texts, "; "), "")
	}
}

// plannedSSH is [checker.planned] for SSH.
func (ck *checker) plannedSSH() (calc.SSH, error) { return ck.plannedSSHFor(calc.SSHVersion{}) }

// plannedSSHFor is the same for a server of that release.
func (ck *checker) plannedSSHFor(version calc.SSHVersion) (calc.SSH, error) {
	g := ck.SSH()
	if g.PathTimeout == 0 && g.DetectWithin == 0 {
		return calc.SSH{CountMax: calc.DefaultSSHCountMax}, nil // as OpenSSH has it
	}
	if g.SurviveLoss < 2 {
		g.SurviveLoss = 2
		if s, err := calc.PlanSSH(g, version); err == nil {
			return s, nil
		}
		g.SurviveLoss = ck.Loss
	}
	return calc.PlanSSH(g, version)
}

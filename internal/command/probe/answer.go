package probe

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/goal"
	"github.com/tcpka/tcpka/internal/middlebox"
	"github.com/tcpka/tcpka/internal/suggest"
	"github.com/tcpka/tcpka/keepalive"
)

// The directions of a path, in the words of the answer.
const (
	toServer = "client-to-server"
	toClient = "server-to-client"
)

// Probed is the answer. held says that the far end probed.
func Probed(t Target, m middlebox.Measured, held bool, k calc.Kernel) Document {
	b := middlebox.BoundsOf(m.Samples)
	d := Document{
		Schema: "tcpka/probe/v1", Target: t.Text, Address: m.Address.String(), Direction: toServer,
		Survived: survivedFor(b.Survived), How: "none", ClosedByServer: survivedFor(b.Closed),
		Interrupted: m.Interrupted, Samples: []Sample{},
		Advice: Advice{Like: []string{}, Commands: []string{}}, Notes: []string{},
	}
	if held {
		d.Direction = toClient
	}
	if b.Failed != 0 {
		d.Failed, d.How = failedAt(b.Failed), string(b.How)
	}
	for _, s := range m.Samples {
		d.Samples = append(d.Samples, probeSample(s))
	}
	safe := middlebox.Safe(m.Samples)
	d.Notes = probeNotes(m, b, safe, held)
	d.Advice.Like = likeThis(b)
	switch {
	case m.Gone != nil:
		d.Advice.Reason = new("a new connection fails, too: what failed may be the server or the network, not the path's memory")
	case b.Failed == 0 && b.Survived == 0:
		d.Advice.Reason = new("nothing was measured by which the path could be judged")
	case b.Failed == 0:
		d.Advice.Reason = new(fmt.Sprintf("no silence failed: the path remembers for at least %s, or takes up again what it forgot, and needs no probes more often than that; when it forgets is not known",
			survivedFor(b.Survived).Both()))
	default:
		advise(&d.Advice, safe, k, m.Address)
	}
	return d
}

// survivedFor is a silence that survived, rounded so that it says no more than
// is known; null is none.
func survivedFor(d time.Duration) *answer.Seconds {
	return answer.SecondsOrNull(d.Truncate(time.Millisecond))
}

// failedAt is the same for one that did not.
func failedAt(d time.Duration) *answer.Seconds {
	return answer.SecondsOrNull((d + time.Millisecond - 1).Truncate(time.Millisecond))
}

func probeSample(s middlebox.Sample) Sample {
	r := Sample{Wanted: answer.SecondsOrNull(s.Wanted), Silence: survivedFor(s.Silence), Outcome: string(s.Outcome), Unasked: s.Unasked}
	if s.Outcome == middlebox.Rejected || s.Outcome == middlebox.Swallowed {
		r.Silence = failedAt(s.Silence)
	}
	if s.Err != nil {
		r.Error = new(s.Err.Error())
	}
	return r
}

// likeThis are the middleboxes that forget within the bounds, where those are
// close enough to mean something.
func likeThis(b middlebox.Bounds) []string {
	names := []string{}
	if b.Survived*10 < b.Failed*8 {
		return names
	}
	for _, box := range b.Within() {
		names = append(names, box.Name)
	}
	return names
}

// advise plans for the longest silence that is safe: with as many lost probes
// survived as plan counts in by itself, or as many as it can be. A silence must
// have failed: that the probe was short is no reason to set anything.
func advise(a *Advice, safe time.Duration, k calc.Kernel, server netip.AddrPort) {
	timeout := safe.Truncate(time.Second)
	if timeout == 0 {
		a.Reason = new("no silence of a second or more is known to survive")
		return
	}
	a.PathTimeout = new(answer.Seconds(timeout))
	for loss := 2; loss >= 0; loss-- {
		s, err := goal.PlanTCP(k, calc.Goal{PathTimeout: timeout, SurviveLoss: loss})
		if err != nil {
			continue
		}
		a.SurviveLoss, a.Settings = &loss, new(answer.NewSettings(s))
		plan := fmt.Sprintf("tcpka plan --path-timeout %d", timeout/time.Second)
		if loss != 2 {
			plan += fmt.Sprintf(" --survive-loss %d", loss)
		}
		// Of the connections those to this server are enough.
		a.Commands = []string{plan, suggest.ExplainThese(s), suggest.SetThese(s), forSockets(s, server)}
		return
	}
	a.Reason = new(fmt.Sprintf("no settings are sure to hold a path open that may forget after %s: keepalive probes once a second at most", a.PathTimeout.Both()))
}

// forSockets is the command that gives them to the connections that there are.
func forSockets(s keepalive.Settings, server netip.AddrPort) string {
	text := "sudo tcpka set sockets --remote " + suggest.ShellJoin([]string{server.String()}) + " --on " +
		suggest.SocketArgs(s)
	return text
}

// probeNotes are what else to know.
func probeNotes(m middlebox.Measured, b middlebox.Bounds, safe time.Duration, held bool) []string {
	notes := []string{}
	add := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	seconds := func(d time.Duration) string { return answer.Seconds(d.Truncate(time.Millisecond)).Both() }

	spoke, unasked, unmade := false, false, 0
	for _, s := range m.Samples {
		spoke = spoke || s.Outcome == middlebox.Spoke
		unasked = unasked || s.Unasked
		if s.Outcome == middlebox.Unmade {
			unmade++
		}
	}
	switch {
	case m.Gone != nil: // which is the reason to advise nothing
	case b.Failed != 0 && b.Survived > b.Failed:
		add("the samples contradict each other: a longer silence survived than the one that failed. Several paths, or an outage, would do that; the advice goes by %s", seconds(safe))
	case b.Failed != 0 && b.Survived == 0:
		add("even the shortest silence failed: try shorter ones with --at")
	case b.Failed != 0 && !m.Checked && !held:
		add("whether the server could still be reached when the silence failed was not looked at")
	}
	if unasked {
		add("a reset came before anything was sent: from a box that says when it forgets, or from the server itself; that cannot be told apart")
	}
	if b.Closed != 0 {
		add("the far end, or a proxy in front of it, closed a connection itself when it was %s old: that is not the path forgetting, and keepalive does not help against it. Its FIN came through, so the path remembered until then", seconds(b.Closed))
	}
	switch {
	case spoke && held:
		add("the far end probed, and its probes came through; those that did not are seen there")
	case spoke:
		add("the far end sends something by itself, as with keepalive of its own, so the path was never silent for longer than %s; it is kept open by that, as long as it goes on", seconds(b.Survived))
	}
	if m.Spared {
		add("the server is, or greets like, SSH: two connections only, and no silence of more than 110 s unless asked for; --yes asks it as any other")
	}
	if unmade > 0 {
		add("%s did not come about or were closed at once: the server may limit them", answer.Count(unmade, "connection"))
	}
	if m.Interrupted && !held {
		add("interrupted: what was still silent then was probed at once, so what was planned beyond that was not reached")
	}
	if !held {
		add("not to be seen: a box that takes up again what it forgot, with the first packet, and what lies behind a proxy")
	}
	return notes
}

package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/report"
	"github.com/tcpka/tcpka/middlebox"
	"github.com/tcpka/tcpka/rootfs"
	"github.com/tcpka/tcpka/sshconf"
)

func warnSSH(side *report.SSHSide, id, format string, args ...any) {
	side.Warnings = append(side.Warnings, calc.Warning{ID: id, Text: fmt.Sprintf(format, args...)})
}

// isSet reports whether ssh -G or sshd -T says that an option is in use.
func isSet(value string) bool {
	return value != "" && value != "none" && value != "no" && value != "0" && value != "false"
}

// warnClient adds what the options of ssh do to its keepalives. Ask says what ssh
// would use for another host.
func warnClient(side *report.SSHSide, said sshconf.Options, ask func(host string) (sshconf.Options, error)) {
	warnTimeouts(side, said)
	if value := said["controlmaster"]; isSet(value) {
		warnSSH(side, "control_master", "ControlMaster is %s: sessions that go through a master already there have the values it began with", value)
	}
	jump, command := said["proxyjump"], said["proxycommand"]
	if isSet(jump) || isSet(command) {
		warnSSH(side, "proxy", "the connection goes through a proxy: TCPKeepAlive does nothing for it, and options given with -o do not reach a jump host")
	}
	if !isSet(jump) {
		return
	}
	for i, host := range strings.Split(jump, ",") {
		if i == 4 { // and nobody has more
			break
		}
		host = strings.TrimPrefix(host, "ssh://")
		if at := strings.LastIndexByte(host, ':'); at > strings.LastIndexByte(host, ']') && strings.Count(host[:at], ":") == 0 {
			host = host[:at]
		}
		its, err := ask(host)
		switch {
		case err != nil:
			warnSSH(side, "jump_host", "what the jump host %s gets is not known: %v", host, err)
		case !isSet(its["serveraliveinterval"]):
			warnSSH(side, "jump_host", "the jump host %s gets no ServerAliveInterval: options given with -o, and those of the destination, do not reach it", host)
		}
	}
}

// warnServer adds what the options of sshd do to its keepalives.
func warnServer(side *report.SSHSide, said sshconf.Options) {
	warnTimeouts(side, said)
	if value := said["unusedconnectiontimeout"]; isSet(value) {
		warnSSH(side, "unused_connection_timeout", "UnusedConnectionTimeout is %s: a connection without a session ends after that, probes or not", value)
	}
}

// warnTimeouts tells of ChannelTimeout, which probes do not hold off.
func warnTimeouts(side *report.SSHSide, said sshconf.Options) {
	value := said["channeltimeout"]
	if !isSet(value) {
		return
	}
	early := ""
	for _, entry := range strings.Fields(value) {
		kind, text, _ := strings.Cut(entry, "=")
		d, err := sshconf.ParseTime(text)
		if err == nil && d > 0 && side.Interval != nil && d <= time.Duration(*side.Interval) {
			early = fmt.Sprintf("; that of %s is over before the first probe", kind)
			break
		}
	}
	warnSSH(side, "channel_timeout", "ChannelTimeout is %s: a session without input and output ends after that, probes or not%s", value, early)
}

// maxShadowed is how many lines without effect are told one by one.
const maxShadowed = 10

// warnShadowed names the lines that have no effect for anybody. Those that say the same
// as what counts do no harm.
func warnShadowed(side *report.SSHSide, lines []sshconf.Shadowed) {
	lines = slices.DeleteFunc(slices.Clone(lines), func(s sshconf.Shadowed) bool {
		return !s.Always || s.Keyword.Same(s.Value, s.By.Value) || s.File == sshconf.FromCommandLine
	})
	for i, s := range lines {
		if i == maxShadowed {
			warnSSH(side, "shadowed", "%d more lines never have an effect", len(lines)-i)
			return
		}
		warnSSH(side, "shadowed", "%s %s at %s never has an effect: %s has %s, and comes first", s.Keyword, s.Value, s.Source(), s.By.Source(), s.By.Value)
	}
}

// warnListener tells of an sshd that was started with options of its own.
func warnListener(side *report.SSHSide, p report.SSHProcess) {
	for _, k := range sshconf.ServerKeywords {
		if p.Sources[string(k)] == sshconf.FromCommandLine {
			warnSSH(side, "command_line", "the sshd that listens, process %d, was started with a %s of its own, which beats the files", p.PID, k)
		}
	}
}

// behind are the middleboxes named.
func behind(c *cli.Context) (boxes []middlebox.Box, err error) {
	for _, name := range c.StringSlice("behind") {
		b, err := lookup(name)
		if err != nil {
			return nil, err
		}
		boxes = append(boxes, b)
	}
	return boxes, nil
}

// judgePaths says of each middlebox whether an idle session survives it; where none is
// named, how many of those that are known would drop one.
func judgePaths(side *report.SSHSide, boxes []middlebox.Box, v values) {
	if side.Error != nil {
		return
	}
	ssh := side.Refresh
	var tcp *report.Seconds
	if *side.TCPKeepAlive {
		if period, _, ok := v.kernel.Refresh(v.settings); ok {
			tcp = new(report.Seconds(period))
		}
	}
	side.Paths = []report.SSHPath{}
	for _, b := range boxes {
		p := report.SSHPath{Name: b.Name, Idle: report.Seconds(b.Idle), Refresh: refreshOf(b, ssh, tcp)}
		p.Held = p.Refresh != nil && time.Duration(*p.Refresh) < b.Idle
		side.Paths = append(side.Paths, p)
		switch {
		case p.Held && 2*time.Duration(*p.Refresh) >= b.Idle:
			warnSSH(side, "path_held_narrowly", "%s forgets after %s: one lost probe is enough; half of that would survive it", b.Name, p.Idle.Both())
		case !p.Held && p.Refresh != nil:
			warnSSH(side, "path_not_held", "%s forgets after %s, sooner than every %s: an idle session is lost", b.Name, p.Idle.Both(), p.Refresh.Both())
		case !p.Held:
			warnSSH(side, "path_not_held", "%s forgets after %s, and nothing is sent that would keep it from that: an idle session is lost", b.Name, p.Idle.Both())
		}
	}
	if len(boxes) == 0 {
		warnAnyPath(side, ssh, tcp)
	}
	for _, l := range middlebox.Local(rootfs.FS{}) {
		box, err := middlebox.Lookup(l.Box)
		if err != nil || l.Err != nil {
			continue
		}
		if every := refreshOf(box, ssh, tcp); every != nil && time.Duration(*every) >= l.Idle {
			warnSSH(side, "this_host_forgets", "this host's own %s forgets after %s, sooner than every %s (%s)", l.Box, report.Seconds(l.Idle).Both(), every.Both(), l.Key)
		}
	}
}

// refreshOf is how often an idle session shows itself to a middlebox: by SSH's probes,
// or where a TCP probe counts, by the sooner of the two.
func refreshOf(b middlebox.Box, ssh, tcp *report.Seconds) *report.Seconds {
	if b.Refreshes() && tcp != nil && (ssh == nil || *tcp < *ssh) {
		return tcp
	}
	return ssh
}

// The shortest limit that most can meet without probing all the time: that of the
// clouds. Middleboxes below it are made for something else than sessions.
const shortestPath = 240 * time.Second

// warnAnyPath warns of probes that come too late for what lies on many paths.
func warnAnyPath(side *report.SSHSide, ssh, tcp *report.Seconds) {
	var lost []middlebox.Box
	all := 0
	for _, b := range middlebox.Boxes() {
		if b.Idle < shortestPath {
			continue
		}
		all++
		if every := refreshOf(b, ssh, tcp); every == nil || time.Duration(*every) >= b.Idle {
			lost = append(lost, b)
		}
	}
	if len(lost) == 0 {
		return
	}
	slices.SortStableFunc(lost, func(a, b middlebox.Box) int { return cmp.Compare(a.Idle, b.Idle) })
	var names []string
	for _, b := range lost[:min(3, len(lost))] {
		names = append(names, fmt.Sprintf("%s (%d s)", b.Name, b.Idle/time.Second))
	}
	what := "an idle session sends nothing that"
	switch {
	case ssh != nil:
		what = fmt.Sprintf("a probe every %s", ssh.Both())
	case tcp != nil:
		what = fmt.Sprintf("a TCP probe every %s, which is all that an idle session sends,", tcp.Both())
	}
	verb := "is too late for"
	if ssh == nil && tcp == nil {
		verb = "would keep it alive on"
	}
	warnSSH(side, "idle_session_forgotten", "%s %s %d of the %d kinds of path that forget after %d s or more, such as %s; see tcpka show paths, or --behind NAME",
		what, verb, len(lost), all, shortestPath/time.Second, strings.Join(names, ", "))
}

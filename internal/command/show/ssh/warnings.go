package ssh

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/basis"
	"github.com/tcpka/tcpka/internal/change/sshfiles"
	"github.com/tcpka/tcpka/internal/goal"
	"github.com/tcpka/tcpka/internal/middlebox"
	"github.com/tcpka/tcpka/internal/rootfs"
	"github.com/tcpka/tcpka/internal/sshconf"
	"github.com/tcpka/tcpka/internal/sshend"
	"github.com/tcpka/tcpka/internal/sshproc"
)

func warnSSH(side *Side, id, format string, args ...any) {
	side.Warnings = append(side.Warnings, calc.Warning{ID: id, Text: fmt.Sprintf(format, args...)})
}

// warnClient adds what the options of ssh do to its keepalives. Ask says what ssh
// would use for another host.
func warnClient(side *Side, said sshconf.Options, ask func(host string) (sshconf.Options, error)) {
	if value := said["controlmaster"]; sshend.IsSet(value) {
		warnSSH(side, "control_master", "ControlMaster is %s: sessions that go through a master already there have the values it began with", value)
	}
	jump := said["proxyjump"]
	if side.Proxied {
		warnSSH(side, "proxy", "the connection goes through a proxy: ssh has no socket of its own, so TCPKeepAlive does nothing for it, and options given with -o do not reach a jump host")
	}
	if !sshend.IsSet(jump) {
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
		case !sshend.IsSet(its["serveraliveinterval"]):
			warnSSH(side, "jump_host", "the jump host %s gets no ServerAliveInterval: options given with -o, and those of the destination, do not reach it", host)
		}
	}
}

// maxShadowed is how many lines without effect are told one by one.
const maxShadowed = 10

// warnShadowed names the lines that have no effect for anybody. Those that say the same
// as what counts do no harm.
func warnShadowed(side *Side, lines []sshconf.Shadowed) {
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

// warnListener tells of an sshd that listens, where new connections get something else
// from it than the files say: it was started with options of its own, or has not read
// its files since they changed.
func warnListener(side *Side, d Process, p sshproc.Process) {
	if cmp.Or(p.File, sshend.SshdConfig) == sshend.SshdConfig && (p.UID == 0 || int(p.UID) == os.Geteuid()) {
		if why := sshfiles.NotRead(p, sshconf.Server{File: sshend.SshdConfig, Options: p.Options}); why != "" {
			warnSSH(side, NotReloaded, "the sshd that listens, process %d, may give new connections other values: %s; to have it read its files: %s", p.PID, why, sshfiles.ReloadCommand(""))
		}
	}
	for _, k := range sshconf.ServerKeywords {
		if d.Sources[string(k)] == sshconf.FromCommandLine {
			warnSSH(side, "command_line", "the sshd that listens, process %d, was started with a %s of its own, which beats the files", p.PID, k)
		}
	}
}

// behind are the middleboxes named.
func behind(c *cli.Context) (boxes []middlebox.Box, err error) {
	for _, name := range c.StringSlice("behind") {
		b, err := goal.Box(name)
		if err != nil {
			return nil, err
		}
		boxes = append(boxes, b)
	}
	return boxes, nil
}

// judgePaths says of each middlebox whether an idle session survives it; where none is
// named, how many of those that are known would drop one. One that ends by itself before
// most would forget it is not judged: there is a warning of that.
func judgePaths(side *Side, end calc.SSH, boxes []middlebox.Box, v basis.Values) {
	if side.Error != nil {
		return
	}
	ssh, tcp := refreshes(end.Refresh()), refreshes(end.RefreshTCP(v.Kernel, v.Settings))
	side.Paths = []Path{}
	for _, b := range boxes {
		p := Path{Name: b.Name, Idle: answer.Seconds(b.Idle), Refresh: refreshOf(b, ssh, tcp)}
		p.Held = p.Refresh != nil && time.Duration(*p.Refresh) < b.Idle
		side.Paths = append(side.Paths, p)
		switch {
		case p.Held && 2*time.Duration(*p.Refresh) >= b.Idle:
			warnSSH(side, "path_held_narrowly", "%s forgets after %s: one lost probe is enough; half of that would survive it", b.Name, p.Idle.Both())
		case !p.Held && p.Refresh != nil:
			warnSSH(side, "path_not_held", "%s forgets after %s, sooner than every %s: an idle session is lost", b.Name, p.Idle.Both(), p.Refresh.Both())
		case !p.Held && tcp != nil:
			warnSSH(side, "path_not_held", "%s, a proxy, forgets after %s, and TCP probes, which are all that an idle session sends, do not count there: an idle session is lost", b.Name, p.Idle.Both())
		case !p.Held:
			warnSSH(side, "path_not_held", "%s forgets after %s, and nothing is sent that would keep it from that: an idle session is lost", b.Name, p.Idle.Both())
		}
	}
	if len(boxes) == 0 && !side.endsIdle() {
		warnAnyPath(side, ssh, tcp)
	}
	for _, l := range middlebox.Local(rootfs.FS{}) {
		box, err := middlebox.Lookup(l.Box)
		if err != nil || l.Err != nil {
			continue
		}
		if every := refreshOf(box, ssh, tcp); every != nil && time.Duration(*every) >= l.Idle {
			warnSSH(side, "this_host_forgets", "this host's own %s forgets after %s, sooner than every %s (%s)", l.Box, answer.Seconds(l.Idle).Both(), every.Both(), l.Key)
		}
	}
}

// refreshOf is how often an idle session shows itself to a middlebox: by SSH's probes,
// or where a TCP probe counts, by the sooner of the two.
func refreshOf(b middlebox.Box, ssh, tcp *answer.Seconds) *answer.Seconds {
	if b.Refreshes() && tcp != nil && (ssh == nil || *tcp < *ssh) {
		return tcp
	}
	return ssh
}

// The shortest limit that most can meet without probing all the time: that of the
// clouds. Middleboxes below it are made for something else than sessions.
const shortestPath = 240 * time.Second

// warnAnyPath warns of probes that come too late for what lies on many paths, or that do
// not count there.
func warnAnyPath(side *Side, ssh, tcp *answer.Seconds) {
	var late, proxies []middlebox.Box // proxies: no TCP probe counts, however early
	all := 0
	for _, b := range middlebox.Boxes() {
		if b.Idle < shortestPath || b.Server {
			continue
		}
		all++
		switch every := refreshOf(b, ssh, tcp); {
		case every == nil && tcp != nil:
			proxies = append(proxies, b)
		case every == nil || time.Duration(*every) >= b.Idle:
			late = append(late, b)
		}
	}
	kinds := fmt.Sprintf("of the %d kinds of path that forget after %d s or more", all, shortestPath/time.Second)
	late3, proxies3 := soonest(late), soonest(proxies)
	text := ""
	switch {
	case len(late)+len(proxies) == 0:
		return
	case ssh != nil:
		text = fmt.Sprintf("a probe every %s is too late for %d %s, such as %s", ssh.Both(), len(late), kinds, late3)
	case tcp == nil:
		text = fmt.Sprintf("an idle session sends nothing that would keep it alive on %d %s, such as %s", len(late), kinds, late3)
	default:
		text = fmt.Sprintf("a TCP probe every %s, which is all that an idle session sends, ", tcp.Both())
		switch {
		case len(late) == 0:
			text += fmt.Sprintf("does not count on %d %s: they are proxies, such as %s", len(proxies), kinds, proxies3)
		case len(proxies) == 0:
			text += fmt.Sprintf("is too late for %d %s, such as %s", len(late), kinds, late3)
		default:
			text += fmt.Sprintf("is too late for %d %s, such as %s, and does not count on %d more: they are proxies, such as %s", len(late), kinds, late3, len(proxies), proxies3)
		}
	}
	warnSSH(side, "idle_session_forgotten", "%s; see tcpka show paths, or --behind NAME", text)
}

// soonest names those of some middleboxes that forget first.
func soonest(boxes []middlebox.Box) string {
	boxes = slices.Clone(boxes)
	slices.SortStableFunc(boxes, func(a, b middlebox.Box) int { return cmp.Compare(a.Idle, b.Idle) })
	var names []string
	for _, b := range boxes[:min(3, len(boxes))] {
		names = append(names, fmt.Sprintf("%s (%d s)", b.Name, b.Idle/time.Second))
	}
	return strings.Join(names, ", ")
}

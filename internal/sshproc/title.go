package sshproc

import (
	"strings"

	"github.com/tcpka/tcpka/internal/sshconf"
)

// parseCommandLine understands /proc/PID/cmdline: arguments that end with NUL, or what
// setproctitle(3) left there. Source: sshd.c and ssh.c, their calls of setproctitle.
func (p *Process) parseCommandLine(raw []byte) {
	args := strings.Split(strings.TrimRight(string(raw), "\x00"), "\x00")
	title := ""
	for _, name := range []string{"sshd: ", "sshd-session: ", "sshd-auth: ", "ssh: "} {
		if rest, ok := strings.CutPrefix(args[0], name); ok {
			title = strings.TrimRight(rest, " ")
		}
	}
	switch {
	case title == "" && p.Program == sshconf.SSH:
		p.Role = RoleSession
		p.CommandLine = sshconf.ParseSSH(args[1:])
		if p.Master {
			p.Role = RoleMaster
		}
	case title == "": // sshd that listens, before 8.2, or serves one connection
		p.listens(args[1:])
	case p.Program == sshconf.SSH: // "/home/bob/.ssh/master [mux]"
		p.Role, p.Title = RoleMaster, strings.TrimSuffix(title, " [mux]")
	default:
		p.Title = title
		p.titled(title)
	}
}

// titled reads a title of sshd: "bob@pts/0", "bob [priv]", "[accepted]", "bob [net]",
// "/usr/sbin/sshd -D [listener] 0 of 10-100 startups".
func (p *Process) titled(title string) {
	args, listens := sshconf.ListenerArgs(title)
	name, state, bracket := strings.Cut(title, " [")
	switch {
	case listens:
		p.listens(args[1:])
	case bracket && strings.HasPrefix(state, "priv]"):
		p.Role, p.Title = RoleMonitor, name
	case strings.HasPrefix(title, "["), bracket:
		p.Role = RoleLogin
	default:
		p.Role = RoleSession
	}
}

func (p *Process) listens(args []string) {
	p.Role, p.args, p.CommandLine = RoleListener, args, sshconf.ParseSSHD(args)
}

// Package ssh is tcpka set ssh: the keepalives of ssh and sshd.
package ssh

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/account"
	"github.com/tcpka/tcpka/internal/basis"
	"github.com/tcpka/tcpka/internal/change"
	"github.com/tcpka/tcpka/internal/change/sshfiles"
	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/internal/rootfs"
	"github.com/tcpka/tcpka/internal/sshclients"
	"github.com/tcpka/tcpka/internal/sshconf"
	"github.com/tcpka/tcpka/internal/sshedit"
	"github.com/tcpka/tcpka/internal/sshproc"
	"github.com/tcpka/tcpka/internal/suggest"
)

// Command is tcpka set ssh.
func Command(s *cmdline.Invocation) *cli.Command {
	return &cli.Command{
		Name:      "ssh",
		Usage:     "change the keepalive settings of OpenSSH, or of another client",
		UsageText: "tcpka set ssh --side client|server [--interval T] [--count N] [--tcp-keepalive yes|no] [options]\ntcpka set ssh --side server --reload",
		Description: `Changes what ssh probes with (ServerAliveInterval, ServerAliveCountMax), for every
host that has no value of its own, or with --host for that host, in ~/.ssh/config; or
what sshd probes with (ClientAliveInterval, ClientAliveCountMax), in a drop-in of
/etc/ssh/sshd_config.d where that is read first, else in /etc/ssh/sshd_config.

ssh or sshd checks the new file before it takes the place of the old one, and is asked
after that what is in force. Where that is not what was wanted, the old file comes back,
and the line that comes first is named. Lines that are not changed stay as they are, to
the byte; owner, mode and extended attributes stay, too. Links out of the home directory,
and files of others, are refused. ssh is asked by ssh -G, which runs the commands of
Match exec.

Like ssh it goes by the home directory of the password database, and not by $HOME. Under
sudo the client's file is that of the user who called.

Only new connections change. sshd has to read its files again, which --reload tells it;
without a value it does that alone.`,
		Flags: cmdline.Join([]cli.Flag{
			&cli.StringFlag{Name: "side", Usage: "`SIDE` that probes: client (ServerAlive...) or server (ClientAlive...)"},
			&cli.StringFlag{Name: "interval", Usage: "silence before a probe: seconds, or `DURATION`; 0 is off"},
			&cli.StringFlag{Name: "count", Usage: "probes that may go unanswered: a `NUMBER`"},
			&cli.StringFlag{Name: "tcp-keepalive", Usage: "TCPKeepAlive, `yes` or no"},
			&cli.StringFlag{Name: "host", Usage: "for the hosts of this `PATTERN` alone, as in a line Host"},
			&cli.BoolFlag{Name: "system", Usage: "for all users, in /etc/ssh", DisableDefaultText: true},
			&cli.StringFlag{Name: "file", Usage: "change `FILE`, as for ssh -F or sshd -f; PuTTY's or Tera Term's, too, without --side"},
			&cli.BoolFlag{Name: "reload", Usage: "have sshd read its files again: all that was changed in them takes effect", DisableDefaultText: true},
			&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "show the difference, and write nothing", DisableDefaultText: true},
			&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "do not ask before values that drop healthy sessions", DisableDefaultText: true},
			&cli.BoolFlag{Name: "no-journal", Usage: "do not record the change: there will be no undo", DisableDefaultText: true},
		}, cmdline.OutputFlags()),
		Action: func(c *cli.Context) error { return run(s, c) },
	}
}

// sameDir reports whether two names are of one directory. An empty one says nothing.
func sameDir(a, b string) bool {
	if a == "" || filepath.Clean(a) == filepath.Clean(b) {
		return true
	}
	one, err1 := os.Stat(a)
	two, err2 := os.Stat(b)
	return err1 == nil && err2 == nil && os.SameFile(one, two)
}

// sshWanted is what set ssh is asked for.
type sshWanted struct {
	cmdline.SSHValues
	side calc.SSHSide
	file string // absolute; empty is not given
}

func run(s *cmdline.Invocation, c *cli.Context) error {
	if _, err := cmdline.OutputFormat(c); err != nil {
		return err
	}
	f, isOther := otherClient(c)
	w, err := readSSHWanted(c, isOther)
	if err != nil {
		return err
	}
	v, err := basis.Present(s, c)
	if err != nil {
		return err
	}
	if isOther {
		return runOther(s, c, w, f)
	}
	r, err := w.request(c)
	if err != nil {
		return err
	}
	if home := os.Getenv("HOME"); !r.Server && !r.System && r.File == "" && r.As == nil && !sameDir(home, r.Owner.HomeDir) {
		s.Notice("$HOME is %s, but ssh goes by the password database, and so the file is in %s", home, r.Owner.HomeDir)
	}
	gather := func() (*sshfiles.Plan, error) {
		p := &sshfiles.Plan{Context: c.Context, Side: w.side, Request: r, Values: v, Reload: cmdline.GivenBool(c, "reload")}
		err := p.Gather()
		if err == nil && p.Revision.Changed() {
			err = p.Revision.Writable()
		}
		return p, adviseSSH(s, err)
	}
	p, err := gather()
	if err != nil {
		return err
	}
	if !p.Revision.Changed() && p.Reload && !cmdline.GivenBool(c, "dry-run") {
		// The file may have been changed without a reload.
		err := p.Tell()
		return change.Finish(s, c, p, p.Document(), err)
	}
	first := p
	return change.Make(s, c, change.Job{
		Root: rootfs.FS{},
		Gather: func() (change.Plan, error) {
			if p := first; p != nil {
				first = nil
				return p, nil
			}
			return gather()
		},
		Advise: func(err error) error { return adviseSSH(s, err) },
	})
}

// otherClient is the file of --file, where it is one of another client than OpenSSH.
func otherClient(c *cli.Context) (sshclients.File, bool) {
	path, ok := cmdline.Given(c, "file")
	if !ok || path == "" {
		return sshclients.File{}, false
	}
	f, err := sshclients.ReadFile(path)
	return f, err == nil && f.Format != sshclients.FormatSSH && f.Format != sshclients.FormatSSHD
}

// readSSHWanted reads the flags. A file of another client has only one side.
func readSSHWanted(c *cli.Context, other bool) (sshWanted, error) {
	var w sshWanted
	side, ok := cmdline.Given(c, "side")
	switch w.side = calc.SSHSide(side); {
	case other && !ok:
		w.side = calc.SSHClient
	case other && w.side == calc.SSHServer:
		return w, cmdline.Misuse("--side server: the file is one of a client")
	case !ok:
		return w, cmdline.Misuse("set ssh needs --side").WithHint("--side client is ssh with ServerAliveInterval, --side server is sshd with ClientAliveInterval")
	case w.side != calc.SSHClient && w.side != calc.SSHServer:
		return w, cmdline.Misuse("--side %q: client or server", side)
	}
	var err error
	if w.SSHValues, err = cmdline.ReadSSHValues(c); err != nil {
		return w, err
	}
	if w.Interval == nil && w.Count == nil && w.TCPKeepAlive == nil && (w.side != calc.SSHServer || !cmdline.GivenBool(c, "reload")) {
		return w, cmdline.Misuse("nothing to set").WithHint("give at least one of --interval, --count, --tcp-keepalive")
	}
	host, hostGiven := cmdline.Given(c, "host")
	file, fileGiven := cmdline.Given(c, "file")
	switch {
	case w.side == calc.SSHServer && hostGiven:
		return w, cmdline.Misuse("--host is for --side client: sshd has no lines Host").WithHint("a block Match of sshd_config has to be written by hand")
	case w.side == calc.SSHServer && cmdline.GivenBool(c, "system"):
		return w, cmdline.Misuse("--system is for --side client: sshd has no other file")
	case w.side == calc.SSHClient && cmdline.GivenBool(c, "reload"):
		return w, cmdline.Misuse("--reload is for --side server: every ssh reads its files when it starts")
	case cmdline.GivenBool(c, "system") && fileGiven:
		return w, cmdline.Misuse("--system and --file exclude each other")
	case fileGiven && file == "":
		return w, cmdline.Misuse("--file: the name is empty")
	}
	if hostGiven {
		if err := sshconf.CheckPattern(host); err != nil {
			return w, cmdline.Misuse("--host: %w", err).WithHint("one pattern, such as web1, *.example.com or 10.0.0.?")
		}
	}
	if fileGiven {
		var err error
		if w.file, err = filepath.Abs(file); err != nil {
			return w, err
		}
	}
	return w, nil
}

// request is what is wanted, of OpenSSH.
func (w sshWanted) request(c *cli.Context) (sshedit.Request, error) {
	r := sshedit.Request{
		Server: w.side == calc.SSHServer, File: w.file, System: cmdline.GivenBool(c, "system"),
		Programs: sshconf.FindPrograms(),
	}
	r.Host, _ = cmdline.Given(c, "host")
	interval, count := sshconf.ServerAliveInterval, sshconf.ServerAliveCountMax
	if r.Server {
		interval, count = sshconf.ClientAliveInterval, sshconf.ClientAliveCountMax
	}
	add := func(k sshconf.Keyword, text string) {
		r.Values = append(r.Values, sshconf.Value{Keyword: k, Text: text})
	}
	if w.Interval != nil {
		add(interval, strconv.FormatInt(int64(*w.Interval/time.Second), 10))
	}
	if w.Count != nil {
		add(count, strconv.Itoa(*w.Count))
	}
	if w.TCPKeepAlive != nil {
		add(sshconf.TCPKeepAlive, map[bool]string{true: "yes", false: "no"}[*w.TCPKeepAlive])
	}
	var err error
	if r.As, err = sshconf.Caller(); err != nil {
		return r, err
	}
	if r.Owner = r.As; r.Owner == nil && !r.Server {
		r.Owner, err = account.Current()
	}
	return r, err
}

// adviseSSH adds what to do about a change that cannot be made.
func adviseSSH(s *cmdline.Invocation, err error) error {
	if err == nil {
		return nil
	}
	if f, ok := errors.AsType[*cmdline.Failure](err); ok {
		return f
	}
	shadowed, ok := errors.AsType[*sshedit.ShadowedError](err)
	refused, isRefused := errors.AsType[*sshconf.Refusal](err)
	switch {
	case isRefused && refused.Hint() != "":
		return cmdline.Failed(err).WithHint("%s", refused.Hint())
	case ok && shadowed.Source != "":
		return cmdline.Failed(fmt.Errorf("nothing was changed: %w", err)).WithHint("change that line, or name its file with --file %s", suggest.ShellJoin([]string{sourceFile(shadowed.Source)}))
	case ok:
		return cmdline.Failed(fmt.Errorf("nothing was changed: %w", err))
	case errors.Is(err, sshedit.ErrNotOwner) && os.Geteuid() != 0:
		return cmdline.Failed(err).WithHint("%s", s.Sudo())
	case errors.Is(err, sshedit.ErrNotOwner) && os.Getenv("SUDO_UID") != "":
		return cmdline.Failed(err).WithHint("run it as that user, without sudo")
	case errors.Is(err, sshedit.ErrOutside):
		return cmdline.Failed(err).WithHint("a tool may have made the link: change the file where that tool has it, or name it with --file")
	case errors.Is(err, sshedit.ErrChanged):
		return cmdline.Failed(err).WithHint("someone else has written to it; run it again")
	case errors.Is(err, sshproc.ErrNotReady):
		return cmdline.Failed(err).WithHint("nothing was changed, and sshd goes on as it is; see to that before it is restarted, or leave out --reload")
	case errors.Is(err, sshproc.ErrNoDaemon), errors.Is(err, sshproc.ErrSeveralDaemons):
		return cmdline.Failed(err).WithHint("nothing was changed; leave out --reload, and reload the one that is meant")
	case errors.Is(err, os.ErrPermission) && os.Geteuid() == 0:
		return cmdline.Failed(err).WithHint("lsattr shows whether it is immutable; in a container or a user namespace root may not do everything")
	}
	return s.Permission(err)
}

func sourceFile(source string) string {
	if i := strings.LastIndexByte(source, ':'); i > 0 {
		return source[:i]
	}
	return source
}

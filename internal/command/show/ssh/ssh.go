// Package ssh is tcpka show ssh: what SSH probes with, in files and in what runs.
package ssh

import (
	"context"
	"errors"
	"os"
	"os/user"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/account"
	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/basis"
	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/internal/middlebox"
	"github.com/tcpka/tcpka/internal/sshconf"
	"github.com/tcpka/tcpka/internal/sshend"
	"github.com/tcpka/tcpka/internal/sshproc"
)

// Command is tcpka show ssh.
func Command(s *cmdline.Invocation) *cli.Command {
	return &cli.Command{
		Name:      "ssh",
		Usage:     "show the keepalive settings of SSH in force",
		UsageText: "tcpka show ssh [DEST] [--behind NAME]... [-o table|json]\ntcpka show ssh --file FILE [-o table|json]",
		ArgsUsage: "[DEST]",
		Description: `Shows what ssh uses for a host that no file names, and what sshd uses here: both are
asked themselves (ssh -G, sshd -T), and the line that decides is looked up in their
files, and so are lines that have no effect. Then the sessions that PuTTY has stored,
and each ssh and sshd that runs, with its options, which beat the files, and its socket.

With DEST it is the client's side alone: what ssh uses for DEST, and the sessions of
PuTTY and the running ssh that go there. sshd here is another matter, and left out.

Inside an SSH session, that session comes first: what sshd does for it, its socket,
and which paths it survives.

--file reads one file of any program, by its content: OpenSSH, PuTTY and KiTTY (a
session or a .reg), WinSCP (.ini or .reg), Tera Term, SecureCRT, Xshell, MobaXterm,
and OpenWrt's /etc/config/dropbear; in UTF-8, UTF-16 or an old code page.

Nothing is contacted. ssh -G runs the commands of Match exec; under sudo it runs as
the user who called.`,
		Flags: cmdline.Join([]cli.Flag{
			&cli.StringFlag{Name: "file", Usage: "read this `FILE` alone"},
			&cli.StringSliceFlag{Name: "behind", Usage: "say whether sessions survive this middlebox, a `NAME` that tcpka show paths lists; may be repeated"},
		}, cmdline.OutputFlags()),
		Action: func(c *cli.Context) error { return run(s, c) },
	}
}

func run(s *cmdline.Invocation, c *cli.Context) error {
	if _, err := cmdline.OutputFormat(c); err != nil {
		return err
	}
	if c.NArg() > 1 {
		return cmdline.Misuse("show ssh takes one destination: %q", c.Args().Get(1))
	}
	if file, ok := cmdline.Given(c, "file"); ok {
		return showSSHFileAlone(s, c, file)
	}
	d := newSSHDocument()
	dest := sshend.AnyHost
	if c.Args().Present() {
		dest = c.Args().First()
		if err := sshconf.CheckDestination(dest); err != nil {
			return cmdline.Misuse("%w", err)
		}
		d.Destination = &dest
	}
	boxes, err := behind(c)
	if err != nil {
		return err
	}
	v, err := basis.Present(s, c)
	if err != nil {
		return err
	}
	who, own, err := caller()
	if err != nil {
		return err
	}
	programs := sshconf.FindPrograms()
	as := who
	if own {
		as = nil
	}
	client, failed := sshClient(c.Context, programs, who, as, dest, boxes, v)
	d.Client = &client
	if d.Destination == nil {
		server, err := sshServer(c.Context, programs, boxes, v)
		d.Server = &server
		switch {
		case err != nil && os.Geteuid() != 0: // whose keys, and maybe whose files, are root's
			s.Notice("sshd is not known; %s", s.Sudo())
		case failed == nil && refusalOf(err).OfFiles():
			failed = err
		}
	}
	d.Files, d.Unread = puttySessions(who, own, v)
	about := func(host string) bool { return d.Destination == nil || strings.EqualFold(hostOf(host), hostOf(dest)) }
	d.Files = slices.DeleteFunc(d.Files, func(f File) bool {
		return d.Destination != nil && !(f.Host != nil && about(string(*f.Host))) && !(f.Session != nil && about(string(*f.Session)))
	})
	if err := addRunning(&d, v, about); err != nil {
		s.Notice("not all that runs is known: %v", err)
	}
	if err := s.Render(c, d); err != nil {
		return err
	}
	if failed == nil {
		return nil
	}
	return cmdline.Failed(failed).WithHint("%s", refusalOf(failed).Hint())
}

// refusalOf is the refusal that an error is, or an empty one.
func refusalOf(err error) *sshconf.Refusal {
	if refused, ok := errors.AsType[*sshconf.Refusal](err); ok {
		return refused
	}
	return new(sshconf.Refusal)
}

func newSSHDocument() Document {
	return Document{
		Schema: "tcpka/ssh/v1",
		Files:  []File{}, Unread: []FileError{}, Running: []Process{},
	}
}

// showSSHFileAlone is --file.
func showSSHFileAlone(s *cmdline.Invocation, c *cli.Context, file string) error {
	if c.Args().Present() || len(c.StringSlice("behind")) > 0 {
		return cmdline.Misuse("--file is what a file says, to whatever destination")
	}
	v, err := basis.Present(s, c)
	if err != nil {
		return err
	}
	d := newSSHDocument()
	if d.Files, err = showSSHFile(file, v); err != nil {
		return s.Permission(err)
	}
	return s.Render(c, d)
}

// caller is who tcpka works for, and whether that is who it runs as.
func caller() (who *user.User, own bool, err error) {
	if who, err = sshconf.Caller(); err != nil || who != nil {
		return who, false, err
	}
	who, err = account.Current()
	return who, true, err
}

// addRunning adds what runs: of a destination its sessions, else everything, and the
// session that tcpka was called in.
func addRunning(d *Document, v basis.Values, about func(host string) bool) error {
	versions := map[sshconf.Program]string{}
	for program, side := range map[sshconf.Program]*Side{sshconf.SSH: d.Client, sshconf.SSHD: d.Server} {
		if side != nil && side.Version != nil {
			versions[program] = *side.Version
		}
	}
	connection, peer := sshend.ThisConnection()
	if d.Destination != nil {
		connection = sshconf.Connection{}
	}
	scene, err := lookAtSSH(v, versions, connection, peer)
	d.Running = scene.running(func(p sshproc.Process) bool {
		if d.Destination == nil {
			return true
		}
		host := p.Destination[strings.LastIndexByte(p.Destination, '@')+1:]
		return p.Program == sshconf.SSH && p.Destination != "" && (about(p.Destination) || about(host))
	})
	if d.Destination == nil {
		d.Session = scene.session(d.Server)
	}
	for _, p := range d.Running {
		if its := scene.byPID[p.PID]; its.Role == sshproc.RoleListener && its.Files != sshproc.Other {
			warnListener(d.Server, p, *its)
		}
	}
	return err
}

// sshClient is what ssh does for a destination where who runs it. Under sudo as is the
// same, and nil else.
func sshClient(ctx context.Context, p sshconf.Programs, who, as *user.User, dest string, boxes []middlebox.Box, v basis.Values) (Side, error) {
	connection := sshconf.NewClient(dest, who.Username, who.HomeDir)
	connection.As = as
	var facts sshFacts
	facts.found, facts.scanErr = sshconf.FindClient(connection)
	if facts.err = facts.scanErr; !errors.Is(facts.err, sshconf.ErrNoAnswer) { // ssh would hang there, too
		facts.said, facts.err = p.Client(ctx, as, dest)
	}
	facts.version, _ = p.ClientVersion(ctx)
	side, end := facts.side(calc.SSHClient, v)
	warnClient(&side, facts.said, func(jump string) (sshconf.Options, error) { return p.Client(ctx, as, jump) })
	judgePaths(&side, end, boxes, v)
	if facts.err == nil {
		side.Warnings = append(side.Warnings, sshend.Git(as, who.HomeDir)...)
	}
	return side, facts.err
}

func sshServer(ctx context.Context, p sshconf.Programs, boxes []middlebox.Box, v basis.Values) (Side, error) {
	connection, _ := sshend.ThisConnection()
	var facts sshFacts
	facts.found, facts.scanErr = sshconf.FindServer(sshconf.Server{File: sshend.SshdConfig, Connection: connection})
	facts.said, facts.err = p.Server(ctx, sshend.SshdConfig, connection)
	facts.version, _ = p.ServerVersion(ctx)
	side, end := facts.side(calc.SSHServer, v)
	side.Warnings = append(side.Warnings, sshend.EndsIdle(os.DirFS("/"))...)
	judgePaths(&side, end, boxes, v)
	return side, facts.err
}

// sshFacts are what is known of one side.
type sshFacts struct {
	found   sshconf.Findings // what the files say
	scanErr error
	said    sshconf.Options // what the program says
	err     error
	version string // empty is not known
}

// side puts the facts together. A program that is not installed leaves the files, and is
// no error.
func (f *sshFacts) side(which calc.SSHSide, v basis.Values) (d Side, end calc.SSH) {
	approximate := errors.Is(f.err, sshconf.ErrNotInstalled) && f.scanErr == nil
	if approximate {
		f.said, f.err = sshconf.OptionsOf(f.found.Settings), nil
	}
	end = calc.SSH{Side: which, CountMax: calc.DefaultSSHCountMax, TCPKeepAlive: true}
	if f.err == nil {
		f.err = sshend.ReadEnd(&end, f.said)
	}
	if f.err != nil {
		d = UnknownSide(f.err.Error())
		d.Version = f.release()
		return d, end
	}
	if parsed, err := calc.ParseSSHVersion(f.version); err == nil {
		end.Version = parsed
	}
	d = NewSide(end, "")
	d.Version = f.release()
	if gone := end.PeerGone(v.Kernel, v.Settings); !gone.Never {
		d.PeerGone, d.PeerGoneBy = new(answer.Seconds(gone.Exact)), &gone.DecidedBy
	}
	d.Approximate = approximate
	d.Warnings = append(d.Warnings, end.Warnings(v.Kernel, v.Settings)...)
	d.Warnings = append(d.Warnings, sshend.Ends(f.said, end.Interval)...)
	for _, set := range f.found.Settings {
		if !approximate {
			set = set.InForce(f.said.Of(set.Keyword))
		}
		keyword := string(set.Keyword)
		same := set.Line == 0 || set.Keyword.Same(set.Value, f.said.Of(set.Keyword))
		switch {
		case set.Unsure != "":
			d.Unsure[keyword] = set.Unsure
		case !same:
			d.Unsure[keyword] = "the program has another value than " + set.Source()
		}
		if same && set.Line != 0 {
			d.Sources[keyword] = set.Source()
		}
	}
	if f.scanErr != nil {
		for _, k := range sshend.KeywordsOf(which) {
			d.Unsure[string(k)] = f.scanErr.Error()
		}
	}
	warnShadowed(&d, f.found.Shadowed)
	return d, end
}

// release is what a program says of itself, without its libraries; nil is not known.
func (f sshFacts) release() *string {
	release, _, _ := strings.Cut(f.version, ",")
	if release == "" {
		return nil
	}
	return &release
}

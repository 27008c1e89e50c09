package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/report"
	"github.com/tcpka/tcpka/sshconf"
)

func (s *session) showSSHCommand() *cli.Command {
	return &cli.Command{
		Name:      "ssh",
		Usage:     "show the keepalive settings of OpenSSH in force",
		UsageText: "tcpka show ssh [DEST] [-o table|json]",
		ArgsUsage: "[DEST]",
		Description: `Shows what ssh would use for DEST, or for a host that no file names, and what sshd
uses here: both are asked themselves (ssh -G, sshd -T), and the line that decides is
looked up in their files. Inside an SSH session, sshd is asked for that connection.
Nothing is contacted. ssh -G runs the commands of Match exec; under sudo it runs as
the user who called.`,
		Flags:  outputFlags(),
		Action: s.showSSH,
	}
}

// anyHost stands for a host that no file names.
const anyHost = "tcpka.invalid"

func (s *session) showSSH(c *cli.Context) error {
	if _, err := outputFormat(c); err != nil {
		return err
	}
	d := report.SSH{Schema: "tcpka/ssh/v1"}
	dest := anyHost
	switch {
	case c.NArg() > 1:
		return misuse("show ssh takes one destination: %q", c.Args().Get(1))
	case c.Args().Present():
		dest = c.Args().First()
		if err := sshconf.CheckDestination(dest); err != nil {
			return misuse("%w", err)
		}
		d.Destination = &dest
	}
	v, err := s.present(c)
	if err != nil {
		return err
	}
	programs := sshconf.FindPrograms()
	d.Client, err = sshClient(c.Context, programs, dest, v)
	if err != nil {
		return err
	}
	d.Server = sshServer(c.Context, programs, v)
	for name, side := range map[string]report.SSHSide{"ssh": d.Client, "sshd": d.Server} {
		if side.Error != nil && os.Geteuid() != 0 {
			s.notice("%s is not known; %s", name, s.sudo())
		}
	}
	return s.render(c, d)
}

func sshClient(ctx context.Context, p sshconf.Programs, dest string, v values) (report.SSHSide, error) {
	who, err := sshconf.Caller()
	if err != nil {
		return report.SSHSide{}, err
	}
	me := who
	if me == nil {
		if me, err = user.Current(); err != nil {
			return report.SSHSide{}, err
		}
	}
	var facts sshFacts
	facts.settings, facts.scanErr = sshconf.ScanClient(sshconf.NewClient(dest, me.Username, me.HomeDir))
	facts.said, facts.err = p.Client(ctx, who, dest)
	facts.version, _ = p.ClientVersion(ctx)
	side, said := facts.side(calc.SSHClient, v), facts.said
	if value := said["controlmaster"]; value != "" && value != "false" {
		side.Warnings = append(side.Warnings, calc.Warning{ID: "control_master", Text: "ControlMaster is " + value + ": sessions that go through a master already there have the values it began with"})
	}
	if jump := said["proxyjump"] + said["proxycommand"]; jump != "" && jump != "none" {
		side.Warnings = append(side.Warnings, calc.Warning{ID: "proxy", Text: "the connection goes through a proxy: TCPKeepAlive does nothing for it, and options given with -o do not reach a jump host"})
	}
	return side, nil
}

const sshdConfig = "/etc/ssh/sshd_config"

func sshServer(ctx context.Context, p sshconf.Programs, v values) report.SSHSide {
	connection := thisConnection()
	var facts sshFacts
	facts.settings, facts.scanErr = sshconf.ScanServer(sshconf.Server{File: sshdConfig, Connection: connection})
	facts.said, facts.err = p.Server(ctx, sshdConfig, connection)
	facts.version, _ = p.ServerVersion(ctx)
	side, said := facts.side(calc.SSHServer, v), facts.said
	if value := said["unusedconnectiontimeout"]; value != "" && value != "none" && value != "0" {
		side.Warnings = append(side.Warnings, calc.Warning{ID: "unused_connection_timeout", Text: "UnusedConnectionTimeout is " + value + ": a connection without a session ends after that, probes or not"})
	}
	return side
}

// thisConnection is the SSH session tcpka runs in, if it does.
func thisConnection() sshconf.Connection {
	fields := strings.Fields(os.Getenv("SSH_CONNECTION")) // client, its port, server, its port
	if len(fields) != 4 {
		return sshconf.Connection{}
	}
	port, _ := strconv.Atoi(fields[3])
	connection := sshconf.Connection{Host: fields[0], Addr: fields[0], LocalAddr: fields[2], LocalPort: port}
	if me, err := user.Current(); err == nil {
		connection.User = me.Username
	}
	return connection
}

// sshFacts are what is known of one side.
type sshFacts struct {
	settings []sshconf.Setting // what the files say
	scanErr  error
	said     sshconf.Options // what the program says
	err      error
	version  string // empty is not known
}

// side puts the facts together. A program that is not installed leaves the files.
func (f sshFacts) side(which calc.SSHSide, v values) report.SSHSide {
	approximate := errors.Is(f.err, sshconf.ErrNotInstalled) && f.scanErr == nil
	if approximate {
		f.said, f.err = optionsOf(f.settings), nil
	}
	if f.err != nil {
		return report.UnknownSSHSide(f.err.Error())
	}
	end := calc.SSH{Side: which, CountMax: calc.DefaultSSHCountMax, TCPKeepAlive: true}
	if err := readEnd(&end, f.said); err != nil {
		return report.UnknownSSHSide(err.Error())
	}
	if parsed, err := calc.ParseSSHVersion(f.version); err == nil {
		end.Version = parsed
	}
	release, _, _ := strings.Cut(f.version, ",")
	d := report.NewSSHSide(end, release)
	d.Approximate = approximate
	d.Warnings = append(d.Warnings, end.Warnings(v.kernel, v.settings)...)
	for _, set := range f.settings {
		keyword := string(set.Keyword)
		same := set.Line == 0 || sameValue(set, f.said[strings.ToLower(keyword)])
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
		keywords := map[calc.SSHSide][]sshconf.Keyword{calc.SSHClient: sshconf.ClientKeywords, calc.SSHServer: sshconf.ServerKeywords}
		for _, k := range keywords[which] {
			d.Unsure[string(k)] = f.scanErr.Error()
		}
	}
	if value := f.said["channeltimeout"]; value != "" && value != "none" {
		d.Warnings = append(d.Warnings, calc.Warning{ID: "channel_timeout", Text: "ChannelTimeout is " + value + ": a session without input and output ends after that, probes or not"})
	}
	return d
}

// sameValue reports whether a line is what the program has, too.
func sameValue(set sshconf.Setting, said string) bool {
	a, err := sshconf.ParseTime(set.Value)
	b, err2 := sshconf.ParseTime(said)
	if err == nil && err2 == nil {
		return a == b
	}
	truth := map[string]string{"true": "yes", "false": "no"}
	value := set.Value
	if t, ok := truth[value]; ok {
		value = t
	}
	return value == said
}

// optionsOf is what the files say, as a program would print it.
func optionsOf(settings []sshconf.Setting) sshconf.Options {
	said := sshconf.Options{}
	for _, set := range settings {
		if set.Line != 0 {
			said[strings.ToLower(string(set.Keyword))] = set.Value
		}
	}
	return said
}

// readEnd reads the options that decide.
func readEnd(end *calc.SSH, said sshconf.Options) error {
	prefix := "serveralive"
	if end.Side == calc.SSHServer {
		prefix = "clientalive"
	}
	if text, ok := said[prefix+"interval"]; ok {
		d, err := sshconf.ParseTime(text)
		if err != nil {
			return fmt.Errorf("%sinterval: %w", prefix, err)
		}
		end.Interval = d
	}
	if text, ok := said[prefix+"countmax"]; ok {
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil || n < 0 {
			return fmt.Errorf("%scountmax: %q is no count", prefix, text)
		}
		end.CountMax = int(n)
	}
	if text, ok := said["tcpkeepalive"]; ok {
		end.TCPKeepAlive = text == "yes" || text == "true"
	}
	return nil
}

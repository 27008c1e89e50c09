// Package ssh is tcpka explain ssh: when one end of an SSH session gives up.
package ssh

import (
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/basis"
	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/keepalive"
)

// Command is tcpka explain ssh.
func Command(s *cmdline.Invocation) *cli.Command {
	return &cli.Command{
		Name:      "ssh",
		Usage:     "say what the keepalive settings of OpenSSH lead to",
		UsageText: "tcpka explain ssh [--side client|server] [--interval T] [--count N] [options]",
		Description: `Predicts when ssh or sshd drops a session whose other end no longer answers, how
often the path is refreshed, and what TCP does underneath at the same time, with
the sysctls of this host, or of the namespace or image named. Values not given are
OpenSSH's defaults, and not what its files say: that is tcpka show ssh.

Without --side it is one after the other, as if both had the values given; -o json
has one side, and wants to know which.

The rule depends on the release. Without --openssh-version it is that of the ssh or
sshd installed here, which is asked for it with -V; where there is none, and for an
image, a current one.`,
		Flags: cmdline.Join([]cli.Flag{
			&cli.StringFlag{Name: "side", Usage: "`SIDE` that probes: client (ServerAlive...) or server (ClientAlive...)", DefaultText: "both"},
			&cli.StringFlag{Name: "interval", Usage: "ServerAliveInterval or ClientAliveInterval: seconds, or `DURATION`", DefaultText: "0, off"},
			&cli.StringFlag{Name: "count", Usage: "ServerAliveCountMax or ClientAliveCountMax: a `NUMBER`", DefaultText: "3"},
			&cli.StringFlag{Name: "openssh-version", Usage: "`RELEASE` of that side, such as 9.2p1, or \"current\": the rule differs", DefaultText: "the one installed here"},
			&cli.StringFlag{Name: "tcp-keepalive", Usage: "TCPKeepAlive, `yes` or no", DefaultText: "yes"},
			&cli.BoolFlag{Name: "proxied", Usage: "ssh goes through ProxyCommand or ProxyJump, and has no socket of its own"},
		}, cmdline.ValueFlags(), basis.Flags(), cmdline.OutputFlags(), cmdline.WhereFlags()),
		Action: func(c *cli.Context) error { return run(s, c) },
	}
}

func run(s *cmdline.Invocation, c *cli.Context) error {
	format, err := cmdline.OutputFormat(c)
	if err != nil {
		return err
	}
	sides := []calc.SSHSide{calc.SSHClient, calc.SSHServer}
	if side, ok := cmdline.Given(c, "side"); ok {
		if !slices.Contains(sides, calc.SSHSide(side)) {
			return cmdline.Misuse("--side %q: client or server", side)
		}
		sides = []calc.SSHSide{calc.SSHSide(side)}
	} else if format == "json" {
		return cmdline.Misuse("explain ssh -o json needs --side: a document has one").WithHint("--side client is ssh with ServerAliveInterval, --side server is sshd with ClientAliveInterval")
	}
	end, err := sshEnd(c)
	if err != nil {
		return err
	}
	proxied := c.Bool("proxied")
	if proxied && !slices.Contains(sides, calc.SSHClient) {
		return cmdline.Misuse("--proxied is the client's: sshd has a socket, to wherever the proxy is")
	}
	v, err := basis.Present(s, c)
	if err != nil {
		return err
	}
	if err := basis.Override(c, &v); err != nil {
		return err
	}
	ch, err := cmdline.ReadValues(c, keepalive.Kernel(v.Kernel.HZ))
	if err != nil {
		return err
	}
	_, versionGiven := cmdline.Given(c, "openssh-version")
	_, rooted := cmdline.Given(c, "root")
	var both Sides
	for _, end.Side = range sides {
		installed := false
		end.Proxied = proxied && end.Side == calc.SSHClient
		if !versionGiven && !rooted {
			end.Version = installedSSH(c.Context, end.Side)
			installed = end.Version.Known()
		}
		d := NewDocument(end, ch.Apply(v.Settings), v.Kernel, v.Assumed, v.Source)
		d.Settings.Installed = installed
		d.Given = !ch.Empty()
		if len(sides) == 1 {
			return s.Render(c, d)
		}
		both = append(both, d)
	}
	return s.Render(c, both)
}

// sshEnd reads the flags that describe one end of a session, but for its side.
func sshEnd(c *cli.Context) (calc.SSH, error) {
	end := calc.SSH{CountMax: calc.DefaultSSHCountMax, TCPKeepAlive: true}
	v, err := cmdline.ReadSSHValues(c)
	if err != nil {
		return end, err
	}
	if v.Interval != nil {
		end.Interval = *v.Interval
	}
	if v.Count != nil {
		end.CountMax = *v.Count
	}
	if v.TCPKeepAlive != nil {
		end.TCPKeepAlive = *v.TCPKeepAlive
	}
	if text, ok := cmdline.Given(c, "openssh-version"); ok && text != "current" {
		v, err := calc.ParseSSHVersion(text)
		if err != nil {
			return end, cmdline.Misuse("--openssh-version: %w", err).WithHint("ssh -V and /usr/sbin/sshd -V print it; \"current\" is one without the faults of the past")
		}
		end.Version = v
	}
	return end, nil
}

// Package run is tcpka run: a program whose connections all have keepalive.
package run

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/internal/launch"
	"github.com/tcpka/tcpka/keepalive"
)

// The exit statuses of run that env, nice and timeout have, too.
const (
	statusNoExec   = 126 // the program cannot be executed
	statusNotFound = 127
)

// Command is tcpka run.
func Command(s *cmdline.Invocation) *cli.Command {
	return &cli.Command{
		Name:  "run",
		Usage: "start a program with keepalive on all its connections",
		UsageText: `tcpka run [--time T] [--intvl T] [--probes N] [--user-timeout T]
          [--force] [--as-root] [--] CMD [ARG...]`,
		ArgsUsage: cmdline.CommandLine,
		Description: `Starts CMD with keepalive on for every TCP connection that it and its children
make or accept, statically linked programs included. Values that are not given
are left to the sysctls. What CMD sets on a socket itself wins, unless the kernel
refuses it; with --force it does not, and CMD is told that it did: a Go program,
for example, sets 15 s, 15 s and 9 on every connection. Options that are not given
stay CMD's. Connections of MPTCP: their subflows get the values, and CMD's
getsockopt does not show them.

TCP sockets that CMD is handed, by inetd or systemd's socket activation for example,
get the values when it starts, and what they accept has them; on those --force does
not hold. Not reached are sockets that CMD is sent later by another process
(SCM_RIGHTS), and processes that others start for it, as with systemd-run or docker
run: tcpka set sockets changes those.

Needs root; under sudo, CMD runs as the user who called it. tcpka stays as CMD's
parent. What CMD leaves in the background goes on with keepalive, and so does CMD if
tcpka is killed: all that stays in the cgroup, tcpka-run-..., that it starts in.

The exit status is CMD's, 128+N if signal N ended it; 125 if tcpka fails, 126 if
CMD cannot be executed, 127 if it is not found.`,
		Flags: cmdline.Join(cmdline.ValueFlags(), []cli.Flag{
			cmdline.UserTimeoutFlag(),
			&cli.BoolFlag{Name: "force", Usage: "also override what CMD sets itself", DisableDefaultText: true},
			&cli.BoolFlag{Name: "as-root", Usage: "under sudo, stay root", DisableDefaultText: true},
			&cli.StringFlag{Name: "handover", Hidden: true},
		}),
		Action: func(c *cli.Context) error { return run(s, c) },
	}
}

func run(s *cmdline.Invocation, c *cli.Context) error {
	if !c.Args().Present() {
		return cmdline.Misuse("no command to run").WithHint("give one, as in: tcpka run -- curl https://example.org")
	}
	ch, err := cmdline.ReadValues(c, keepalive.Socket())
	if err != nil {
		return err
	}
	if parent, ok := cmdline.Given(c, "handover"); ok {
		return become(parent, c.Args().Slice())
	}
	cmd, err := program(s, c.Args().Slice(), cmdline.GivenBool(c, "as-root"))
	if err != nil {
		return err
	}
	force := cmdline.GivenBool(c, "force")
	g, err := launch.New(ch, force)
	if err != nil {
		return adviseRun(s, err)
	}
	given, err := launch.GiveInherited(ch)
	if err != nil {
		s.Notice("warning: %v", err)
	}
	if len(given) > 0 && force {
		s.Notice("warning: --force does not reach the TCP sockets that %s is handed (descriptors %s): what it sets on them, and on what they accept, wins",
			cmd.Args[0], strings.Trim(fmt.Sprint(given), "[]"))
	}
	handOver(cmd)
	status, err := supervise(g, cmd)
	if cerr := g.Close(); cerr != nil {
		s.Notice("warning: %v", cerr)
	}
	if err != nil {
		return err
	}
	return cmdline.Passed(status)
}

// program is what to execute: words, looked up in PATH, with this program's
// streams, as the user who called sudo or, with asRoot, as this one.
func program(s *cmdline.Invocation, words []string, asRoot bool) (*exec.Cmd, error) {
	path, err := exec.LookPath(words[0])
	if err != nil && !errors.Is(err, exec.ErrDot) { // in a PATH that names the current directory
		return nil, cannotRun(words[0], err)
	}
	cmd := &exec.Cmd{Path: path, Args: words, Stdin: s.Stdin, Stdout: s.Stdout, Stderr: s.Stderr}
	if asRoot || os.Geteuid() != 0 {
		return cmd, nil
	}
	caller, err := findSudoCaller(os.Getenv)
	if err != nil {
		return nil, cmdline.Failed(err).WithHint("--as-root runs the command as root")
	}
	if caller != nil {
		cmd.Env = caller.environ(os.Environ())
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: caller.credential}
	}
	return cmd, nil
}

// cannotRun tells a command that is not there from one that is and cannot be
// executed, and both from a failure to start anything.
func cannotRun(name string, err error) error {
	cause := err
	if e, ok := errors.AsType[*exec.Error](cause); ok {
		cause = e.Err
	}
	if e, ok := errors.AsType[*os.PathError](cause); ok {
		cause = e.Err
	}
	f := &cmdline.Failure{Err: fmt.Errorf("run %s: %w", name, cause), Status: statusNoExec}
	switch {
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, unix.ENOENT):
		f.Status = statusNotFound
	case errors.Is(err, unix.ENOSYS): // clone3
		f.Status = cmdline.StatusApart
		f.Hint = "it needs Linux 5.7 or later, and a container that lets it call clone3"
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.ENOMEM), errors.Is(err, unix.EPERM), errors.Is(err, unix.EOPNOTSUPP):
		f.Status = cmdline.StatusApart
	}
	return f
}

// Relayed are the signals that cmd shall get when tcpka does. A stop, SIGTSTP,
// is not among them: from the terminal it stops both, and both go on together.
var Relayed = []os.Signal{
	unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM,
	unix.SIGUSR1, unix.SIGUSR2, unix.SIGWINCH, unix.SIGCONT,
}

// supervise runs cmd and returns its exit status. Both are in the process group
// that tcpka was started in, so the terminal's signals and job control reach cmd
// as if tcpka were not there.
func supervise(g *launch.Group, cmd *exec.Cmd) (int, error) {
	signals := make(chan os.Signal, 16)
	// What was ignored before, as under nohup, stays so for both.
	if list := slices.DeleteFunc(slices.Clone(Relayed), signal.Ignored); len(list) > 0 {
		signal.Notify(signals, list...)
	}
	if err := g.Start(cmd); err != nil {
		return 0, cannotRun(cmd.Args[0], err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case sig := <-signals:
			if !fromTerminal(sig) {
				_ = cmd.Process.Signal(sig) // it may just have ended
			}
		case err := <-ended:
			if cmd.ProcessState == nil {
				return 0, err
			}
			return exitStatus(cmd.ProcessState), nil
		}
	}
}

// fromTerminal reports whether the kernel has sent a signal that arrived here to
// cmd as well, as it does when a key is pressed or a window resized: to the whole
// process group in the foreground. Passed on it would arrive twice, which many
// programs take for impatience.
func fromTerminal(sig os.Signal) bool {
	switch sig {
	case unix.SIGINT, unix.SIGQUIT, unix.SIGWINCH, unix.SIGCONT:
	default:
		return false
	}
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	defer tty.Close()
	group, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

// exitStatus is what a shell makes of how a process ended.
func exitStatus(p *os.ProcessState) int {
	if ws, ok := p.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return p.ExitCode()
}

// adviseRun adds what is missing.
func adviseRun(s *cmdline.Invocation, err error) error {
	f := cmdline.Failed(err)
	switch {
	case errors.Is(err, launch.ErrNoCgroup):
		return f.WithHint("it needs the cgroup v2 hierarchy: mount it, as with mount -t cgroup2 none DIR; in a container, run tcpka outside")
	case errors.Is(err, unix.EROFS):
		return f.WithHint("the cgroups are read-only, as in a container: run tcpka outside")
	case errors.Is(err, errors.ErrUnsupported):
		return f.WithHint("it needs Linux 5.9 or later with CONFIG_CGROUP_BPF")
	case errors.Is(err, os.ErrPermission) && os.Geteuid() != 0:
		return f.WithHint("%s", s.Sudo())
	case errors.Is(err, os.ErrPermission):
		return f.WithHint("this root lacks CAP_BPF or CAP_NET_ADMIN, as in a container: run tcpka outside it")
	}
	return f
}

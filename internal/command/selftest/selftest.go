// Package selftest is tcpka selftest: the predictions, measured on this kernel.
package selftest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/internal/selftest"
	"github.com/tcpka/tcpka/procfs"
)

// Command is tcpka selftest.
func Command(s *cmdline.Invocation) *cli.Command {
	return &cli.Command{
		Name:      "selftest",
		Usage:     "measure on this kernel what tcpka explain predicts",
		UsageText: "tcpka selftest [-o table|json]",
		Description: `Makes connections with small values in private network namespaces, all at once,
lets their peers vanish, and shows when each ended beside what tcpka explain
predicts. It takes about 10 s, and never 30. It needs root, or user namespaces;
it touches neither the host's settings nor its connections, and leaves nothing
behind.

Exit status: 0 all as predicted, 1 something is not, 3 something could not be
measured, and the rest is as predicted.`,
		Flags: cmdline.Join(cmdline.OutputFlags(), []cli.Flag{
			&cli.StringFlag{Name: "inside", Hidden: true, Usage: "the user namespace is made, by the user `UID`"},
		}),
		Action: func(c *cli.Context) error { return run(s, c) },
	}
}

func run(s *cmdline.Invocation, c *cli.Context) error {
	format, err := cmdline.OutputFormat(c)
	if err != nil {
		return err
	}
	err = selftest.Possible()
	if err == nil {
		return measure(s, c, selftest.Lab{})
	}
	if uid := c.String("inside"); uid != "" {
		return noRoom(err, uid)
	}
	uid := strconv.Itoa(os.Geteuid())
	if !errors.Is(err, fs.ErrPermission) {
		return noRoom(err, uid)
	}
	return againInUserNamespace(s, "selftest", "--inside", uid, "-o", format)
}

// againInUserNamespace runs this program with other arguments, as the root of a
// user namespace of its own. A process can enter one only while it has a single
// thread, which a Go program has not. Equivalent to: unshare -Ur.
func againInUserNamespace(s *cmdline.Invocation, args ...string) error {
	runtime.LockOSThread() // the child dies with this thread
	defer runtime.UnlockOSThread()
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Args[0] = os.Args[0]
	cmd.Stdin, cmd.Stdout, cmd.Stderr = s.Stdin, s.Stdout, s.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}},
		Pdeathsig:   unix.SIGKILL,
	}
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.Exited() {
		return cmdline.Passed(exit.ExitCode()) // it has said why
	}
	if err != nil {
		return noRoom(err, strconv.Itoa(os.Geteuid()))
	}
	return nil
}

// noRoom is what keeps the user, or the user namespace that he made, from a
// private network namespace.
func noRoom(err error, uid string) error {
	f := cmdline.Failed(fmt.Errorf("make a private network namespace: %w", err))
	why := "something forbids namespaces here, as in a container"
	if setting := forbiddenBy(); setting != "" {
		why = setting + " forbids namespaces here"
	}
	if uid == "0" {
		return f.WithHint("%s: run it outside", why)
	}
	return f.WithHint("%s; run: sudo tcpka selftest", why)
}

// forbiddenBy is the setting that keeps users from making namespaces, if it is
// one that is known.
func forbiddenBy() string {
	for _, one := range []struct{ key, forbids string }{
		{"kernel.unprivileged_userns_clone", "0"},             // Debian's
		{"kernel.apparmor_restrict_unprivileged_userns", "1"}, // Ubuntu's
		{"user.max_user_namespaces", "0"},                     // user_namespaces(7)
		{"user.max_net_namespaces", "0"},
	} {
		b, err := os.ReadFile("/proc/sys/" + strings.ReplaceAll(one.key, ".", "/"))
		if err == nil && strings.TrimSpace(string(b)) == one.forbids {
			return one.key + " = " + one.forbids
		}
	}
	return ""
}

// measure plays the cases in namespaces that this process makes, and answers.
func measure(s *cmdline.Invocation, c *cli.Context, lab selftest.Lab) error {
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return fmt.Errorf("uname: %w", err)
	}
	hz, err := procfs.HZ()
	if err != nil {
		return err
	}
	d := Document{
		Schema: "tcpka/selftest/v1", Kernel: unix.ByteSliceToString(uts.Release[:]), HZ: hz,
		Allowance: answer.Seconds(selftest.Allowance), Rows: []Row{},
	}
	if cmdline.Terminal(s.Stderr) != nil {
		s.Notice("measuring, which takes about 10 s")
	}
	began := time.Now()
	results := lab.Run()
	d.Took = answer.Seconds(time.Since(began).Round(time.Millisecond))
	for _, r := range results {
		d.Rows = append(d.Rows, selftestRow(r))
	}
	wrong, unmeasured := d.Count()
	d.OK = wrong == 0 && unmeasured == 0
	if err := s.Render(c, d); err != nil {
		return err
	}
	switch {
	case wrong > 0:
		return cmdline.Failed(fmt.Errorf("%d of %d connections did not end as predicted", wrong, len(d.Rows))).
			WithHint("on a busy machine try again; else tcpka's numbers do not hold on this kernel: please report them, with -o json")
	case unmeasured > 0:
		return &cmdline.Failure{Err: fmt.Errorf("%d of %d could not be measured", unmeasured, len(d.Rows)), Status: cmdline.StatusPartly}
	}
	return nil
}

func selftestRow(r selftest.Result) Row {
	row := NewRow(r.Situation, r.Name, r.Settings)
	for _, one := range r.Sysctls {
		row.Sysctls["net.ipv4."+one.Name] = one.Value
	}
	if r.Err != nil {
		return row.Failed(r.Err)
	}
	m := Measure{
		Ended: r.Ended, Seconds: answer.Seconds(r.Measured), Errno: answer.TextOrNull(r.Errno), Stalled: answer.Seconds(r.Stalled),
	}
	if r.Probes >= 0 {
		m.Probes = &r.Probes
	}
	return row.Outcome(r.Predicted, m, r.Why)
}

// Package set is tcpka set: the sysctls, now and at boot.
package set

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/change"
	"github.com/tcpka/tcpka/internal/change/bootfile"
	"github.com/tcpka/tcpka/internal/change/settings"
	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/internal/sysctld"
	"github.com/tcpka/tcpka/internal/target"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/procfs"
)

// Command is tcpka set, with the commands below it.
func Command(s *cmdline.Invocation, below ...*cli.Command) *cli.Command {
	return &cli.Command{
		Name:      "set",
		Usage:     "change the keepalive settings, now and at boot",
		UsageText: "tcpka set [--time T] [--intvl T] [--probes N] [--rearm] [--persist] [-n] [options]",
		Description: `Changes the kernel's keepalive settings of this network namespace: those given,
the others stay. Each value is read back; if one cannot be written, the ones
before it are restored. The change is recorded first, so that tcpka undo takes
it back. Needs root, or CAP_NET_ADMIN.

It does not reach sockets with values of their own: tcpka set sockets does; other
network namespaces (containers): --netns does; or, where the time is lowered,
timers that already run: --rearm does. That starts those anew that would run for
longer than the time now in force, a full time from now, of sockets that follow
the sysctl, which they go on to do; and it asks.`,
		Flags: cmdline.Join(cmdline.ValueFlags(), []cli.Flag{
			&cli.StringFlag{Name: "user-timeout", Hidden: true},
			&cli.BoolFlag{Name: "reset", Usage: "set the kernel's defaults: 7200, 75, 9", DisableDefaultText: true},
			&cli.BoolFlag{Name: "rearm", Usage: "start timers that run for a longer time anew; alone it changes nothing else", DisableDefaultText: true},
			&cli.BoolFlag{Name: "persist", Usage: "also for the next boot, in /etc/sysctl.d/99-tcpka.conf", DisableDefaultText: true},
			&cli.BoolFlag{Name: "persist-only", Usage: "only for the next boot", DisableDefaultText: true},
		}, change.ChangeFlags(), cmdline.OutputFlags(), cmdline.WhereFlags()),
		Subcommands: below,
		Action:      func(c *cli.Context) error { return run(s, c) },
	}
}

func run(s *cmdline.Invocation, c *cli.Context) error {
	if _, err := cmdline.OutputFormat(c); err != nil {
		return err
	}
	if _, ok := cmdline.Given(c, "user-timeout"); ok {
		return cmdline.Misuse("--user-timeout: there is no sysctl for it").
			WithHint("TCP_USER_TIMEOUT is an option of each socket: tcpka set sockets --user-timeout gives it to running connections, tcpka run --user-timeout to a new program")
	}
	persist, persistOnly := cmdline.GivenBool(c, "persist"), cmdline.GivenBool(c, "persist-only")
	if persist && persistOnly {
		return cmdline.Misuse("--persist and --persist-only exclude each other")
	}
	if cmdline.GivenBool(c, "rearm") {
		if _, rooted := cmdline.Given(c, "root"); rooted || persistOnly {
			return cmdline.Misuse("--rearm is for running connections: it goes with neither --root nor --persist-only")
		}
	}
	if _, named := cmdline.Given(c, "netns"); named && (persist || persistOnly) {
		return cmdline.Misuse("--persist and --netns exclude each other: the boot file is for the whole machine")
	}
	w, err := target.WhereOf(c)
	if err != nil {
		return err
	}
	ch, err := wanted(c, w)
	if err != nil {
		return err
	}
	var shown *setPlan
	return change.Make(s, c, change.Job{
		Root: w.Root,
		Gather: func() (change.Plan, error) {
			p := &setPlan{Where: w, hz: target.HZ(w.Root), rearm: cmdline.GivenBool(c, "rearm"), dryRun: cmdline.GivenBool(c, "dry-run")}
			if !persistOnly {
				if err := p.addRuntime(ch, shown); err != nil {
					return nil, adviseSet(s, err, ch)
				}
			}
			if persist || persistOnly {
				var err error
				if p.boot, err = bootfile.Plan(w.Root, p.hz, ch); err != nil {
					return nil, adviseSet(s, err, ch)
				}
			} else {
				p.nextBoot = bootfile.Unchanged(w.Root, p.hz, ch)
			}
			if err := p.refused(); err != nil {
				noticeRefused(s, err)
			}
			shown = p
			return p, nil
		},
		Advise: func(err error) error { return adviseSet(s, err, ch) },
	})
}

// noticeRefused says of a dry run that more than that would need privilege.
func noticeRefused(s *cmdline.Invocation, err error) {
	wet := &cmdline.Invocation{Args: slices.DeleteFunc(slices.Clone(s.Args), func(a string) bool { return a == "-n" || a == "--dry-run" })}
	if f, ok := errors.AsType[*cmdline.Failure](wet.Permission(err)); ok {
		change.NoticeRefused(s, f)
	}
}

// wanted reads what to set, within what the kernel accepts and does no harm.
func wanted(c *cli.Context, w target.Where) (keepalive.Change, error) {
	ch, err := cmdline.ReadValues(c, keepalive.Sysctl(target.HZ(w.Root)))
	if err != nil {
		return ch, err
	}
	if cmdline.GivenBool(c, "reset") {
		if !ch.Empty() {
			return ch, cmdline.Misuse("--reset sets all three: it goes with none of --time, --intvl, --probes")
		}
		d := keepalive.Defaults()
		return keepalive.Change{Time: &d.Time, Intvl: &d.Intvl, Probes: &d.Probes}, nil
	}
	if ch.Empty() && !cmdline.GivenBool(c, "rearm") {
		return ch, cmdline.Misuse("nothing to set").WithHint("give at least one of --time, --intvl, --probes, --reset and --rearm")
	}
	return ch, nil
}

// adviseSet adds what to do about a failed write.
func adviseSet(s *cmdline.Invocation, err error, ch keepalive.Change) error {
	values, _ := procfs.Values(ch)
	_, sysctl := errors.AsType[*settings.SysctlError](err)
	switch {
	case sysctl && errors.Is(err, unix.EROFS):
		var flags []string
		for _, v := range values {
			flags = append(flags, fmt.Sprintf("--sysctl %s=%d", v.Key, v.N))
		}
		return cmdline.Failed(err).WithHint("a container's /proc/sys is read-only: give the values to its runtime, as in docker run %s, or in Kubernetes as securityContext.sysctls of the pod", strings.Join(flags, " "))
	case errors.Is(err, sysctld.ErrNotDirectory):
		var lines []string
		for _, v := range values {
			lines = append(lines, fmt.Sprintf("boot.kernel.sysctl.%q = %d;", v.Key, v.N))
		}
		return cmdline.Failed(err).WithHint("/etc is made by a tool here; tell it instead, on NixOS: %s", strings.Join(lines, " "))
	case errors.Is(err, sysctld.ErrForeign), errors.Is(err, sysctld.ErrNotFile):
		return cmdline.Failed(err).WithHint("move it away, or leave out --persist")
	}
	return s.Permission(err)
}

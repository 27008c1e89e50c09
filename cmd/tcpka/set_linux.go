package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/sysctld"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/procfs"
)

func newSetCommand(s *session, below ...*cli.Command) *cli.Command {
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
		Flags: join(valueFlags(), []cli.Flag{
			&cli.StringFlag{Name: "user-timeout", Hidden: true},
			&cli.BoolFlag{Name: "reset", Usage: "set the kernel's defaults: 7200, 75, 9", DisableDefaultText: true},
			&cli.BoolFlag{Name: "rearm", Usage: "start timers that run for a longer time anew; alone it changes nothing else", DisableDefaultText: true},
			&cli.BoolFlag{Name: "persist", Usage: "also for the next boot, in /etc/sysctl.d/99-tcpka.conf", DisableDefaultText: true},
			&cli.BoolFlag{Name: "persist-only", Usage: "only for the next boot", DisableDefaultText: true},
		}, changeFlags(), outputFlags(), whereFlags()),
		Subcommands: below,
		Action:      func(c *cli.Context) error { return setSettings(s, c) },
	}
}

func setSettings(s *session, c *cli.Context) error {
	if _, err := outputFormat(c); err != nil {
		return err
	}
	if _, ok := given(c, "user-timeout"); ok {
		return misuse("--user-timeout: there is no sysctl for it").
			withHint("TCP_USER_TIMEOUT is an option of each socket: tcpka set sockets --user-timeout gives it to running connections, tcpka run --user-timeout to a new program")
	}
	persist, persistOnly := givenBool(c, "persist"), givenBool(c, "persist-only")
	if persist && persistOnly {
		return misuse("--persist and --persist-only exclude each other")
	}
	if givenBool(c, "rearm") {
		if _, rooted := given(c, "root"); rooted || persistOnly {
			return misuse("--rearm is for running connections: it goes with neither --root nor --persist-only")
		}
	}
	if _, named := given(c, "netns"); named && (persist || persistOnly) {
		return misuse("--persist and --netns exclude each other: the boot file is for the whole machine")
	}
	w, err := whereOf(c)
	if err != nil {
		return err
	}
	ch, err := wanted(c, w)
	if err != nil {
		return err
	}
	var shown *setPlan
	return carry(s, c, job{
		root: w.root,
		gather: func() (planned, error) {
			p := &setPlan{where: w, hz: hzOf(w.root), rearm: givenBool(c, "rearm"), dryRun: givenBool(c, "dry-run")}
			if !persistOnly {
				if err := p.addRuntime(ch, shown); err != nil {
					return nil, adviseSet(s, err, ch)
				}
			}
			if persist || persistOnly {
				var err error
				if p.boot, err = planBoot(w.root, p.hz, ch); err != nil {
					return nil, adviseSet(s, err, ch)
				}
			} else {
				p.nextBoot = unchangedBoot(w.root, p.hz, ch)
			}
			if err := p.refused(); err != nil {
				noticeRefused(s, err)
			}
			shown = p
			return p, nil
		},
		advise: func(err error) error { return adviseSet(s, err, ch) },
	})
}

// noticeRefused says of a dry run that more than that would need privilege.
func noticeRefused(s *session, err error) {
	wet := &session{args: slices.DeleteFunc(slices.Clone(s.args), func(a string) bool { return a == "-n" || a == "--dry-run" })}
	if f, ok := errors.AsType[*failure](wet.permission(err)); ok {
		s.notice("without --dry-run this would be refused: %v; %s", f, f.hint)
	}
}

func namespaces(n int) string {
	if n == 1 {
		return "1 namespace"
	}
	return fmt.Sprintf("%d namespaces", n)
}

// wanted reads what to set, within what the kernel accepts and does no harm.
func wanted(c *cli.Context, w where) (keepalive.Change, error) {
	ch, err := change(c, keepalive.Sysctl(hzOf(w.root)))
	if err != nil {
		return ch, err
	}
	if givenBool(c, "reset") {
		if !ch.Empty() {
			return ch, misuse("--reset sets all three: it goes with none of --time, --intvl, --probes")
		}
		d := keepalive.Defaults()
		return keepalive.Change{Time: &d.Time, Intvl: &d.Intvl, Probes: &d.Probes}, nil
	}
	if ch.Empty() && !givenBool(c, "rearm") {
		return ch, misuse("nothing to set").withHint("give at least one of --time, --intvl, --probes, --reset and --rearm")
	}
	return ch, nil
}

// advise adds what to do about a failed write.
func adviseSet(s *session, err error, ch keepalive.Change) error {
	values, _ := procfs.Values(ch)
	_, sysctl := errors.AsType[*sysctlError](err)
	switch {
	case sysctl && errors.Is(err, unix.EROFS):
		var flags []string
		for _, v := range values {
			flags = append(flags, fmt.Sprintf("--sysctl %s=%d", v.Key, v.N))
		}
		return failed(err).withHint("a container's /proc/sys is read-only: give the values to its runtime, as in docker run %s, or in Kubernetes as securityContext.sysctls of the pod", strings.Join(flags, " "))
	case errors.Is(err, sysctld.ErrNotDirectory):
		var lines []string
		for _, v := range values {
			lines = append(lines, fmt.Sprintf("boot.kernel.sysctl.%q = %d;", v.Key, v.N))
		}
		return failed(err).withHint("/etc is made by a tool here; tell it instead, on NixOS: %s", strings.Join(lines, " "))
	case errors.Is(err, sysctld.ErrForeign), errors.Is(err, sysctld.ErrNotFile):
		return failed(err).withHint("move it away, or leave out --persist")
	}
	return s.permission(err)
}

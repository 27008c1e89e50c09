package ssh

import (
	"errors"

	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/change"
	"github.com/tcpka/tcpka/internal/change/sshfiles"
	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/internal/rootfs"
	"github.com/tcpka/tcpka/internal/sshclients"
	"github.com/tcpka/tcpka/internal/sshconf"
	"github.com/tcpka/tcpka/internal/sshedit"
)

// runOther changes a file of another client where its format is known from its
// source, and else says what to do.
func runOther(s *cmdline.Invocation, c *cli.Context, w sshWanted, f sshclients.File) error {
	for _, name := range []string{"host", "count"} {
		if _, ok := cmdline.Given(c, name); ok {
			return cmdline.Misuse("--%s: a file of %s has no such setting", name, f.Format)
		}
	}
	want := sshclients.Wanted{Interval: w.Interval, TCPKeepAlive: w.TCPKeepAlive}
	if !f.Format.InPlace() {
		return instruct(s, c, w, f, want)
	}
	as, err := sshconf.Caller()
	if err != nil {
		return err
	}
	gather := func() (change.Plan, error) {
		p := &sshfiles.OtherPlan{File: w.file, Want: want}
		var err error
		p.Revision, err = sshedit.PlanOther(w.file, as, func(content []byte) ([]byte, error) {
			return p.Edit(content, want)
		})
		switch {
		case errors.Is(err, sshclients.ErrInterval):
			return nil, cmdline.Misuse("--interval: %w", err)
		case err != nil:
			return nil, adviseSSH(s, err)
		}
		if p.Revision.Changed() {
			err = p.Revision.Writable()
		}
		return p, adviseSSH(s, err)
	}
	return change.Make(s, c, change.Job{Root: rootfs.FS{}, Gather: gather, Advise: func(err error) error { return adviseSSH(s, err) }})
}

// instruct says what to do by hand, for every session of the file.
func instruct(s *cmdline.Invocation, c *cli.Context, w sshWanted, f sshclients.File, want sshclients.Wanted) error {
	d := change.Set{
		Schema: "tcpka/set/v1", DryRun: cmdline.GivenBool(c, "dry-run"), Changes: []change.Change{}, Warnings: []calc.Warning{}, Unaffected: []string{},
		SSH: &change.SSHChange{Kept: []string{}},
	}
	said := map[string]bool{}
	file := ""
	for _, session := range f.Sessions {
		in, err := session.Instructions(want)
		if err != nil {
			return cmdline.Misuse("%s: %w", f.Format, err)
		}
		for _, step := range in.Steps {
			if !said[step] {
				d.SSH.Instructions = append(d.SSH.Instructions, step)
			}
			said[step] = true
		}
		file += in.File
	}
	if file != "" {
		d.SSH.File = &file
	}
	return s.Render(c, d)
}

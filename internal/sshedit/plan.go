// Package sshedit changes the files of ssh and sshd: it finds the line to change, has the
// program check the result before it is in force, exchanges the files, and puts the old one
// back where that fails.
package sshedit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"syscall"

	"github.com/tcpka/tcpka/internal/sshconf"
)

// A Revision is a change to one file, worked out and checked, and not made yet.
type Revision struct {
	Path     string // of the file
	Old, New []byte // nil: there is no such file

	// Before and After are what is in force, by the keywords in lower case; After
	// is what will be. Approximate: ssh or sshd is not installed and could not be
	// asked, so this is what the files say.
	Before, After sshconf.Options
	Approximate   bool

	// Kept are lines that decide for some hosts or connections, also after the
	// change: "Host web1: ServerAliveInterval 7 (/home/me/.ssh/config line 5)".
	Kept []string

	// DropDir: where the file is taken away, ~/.ssh goes with it if it is empty then.
	DropDir bool

	request Request
	file    *original
	now     []sshconf.Setting
	around  bool // the file is part of another one, which sshd accepts as it is
	written bool
}

// Changed reports whether anything is to be written.
func (v *Revision) Changed() bool { return !bytes.Equal(v.Old, v.New) }

// Decides is the file with the line that decides on a keyword before the change, as far as
// it is found; nil is that none is: it is a default.
func (v *Revision) Decides(k sshconf.Keyword) *string {
	s := sshconf.Of(v.now, k).InForce(v.Before.Of(k))
	if s.Line == 0 {
		return nil
	}
	return &s.File
}

// Plan works out the change, and has ssh or sshd check it, without writing to any
// file that they read.
//
// Errors to test for: [*ShadowedError] where it would not take effect, [ErrOutside],
// [fs.ErrPermission]; others are the words of ssh or sshd about a file that they
// refuse, now or with the change.
func (r Request) Plan(ctx context.Context) (*Revision, error) {
	if r.Host != "" {
		if err := sshconf.CheckPattern(r.Host); err != nil {
			return nil, err
		}
	}
	main, err := r.open(r.main())
	if err != nil {
		return nil, err
	}
	if main.content == nil && (r.Server || r.File != "") {
		return nil, &fs.PathError{Op: "open", Path: r.main(), Err: syscall.ENOENT}
	}
	if bytes.IndexByte(main.content, 0) >= 0 {
		return nil, fmt.Errorf("%s: has NUL bytes", r.main())
	}
	if err := r.askable(main); err != nil {
		return nil, err
	}
	v := &Revision{request: r}
	v.now, err = r.scan(nil)
	if errors.Is(err, sshconf.ErrNoAnswer) { // the program would hang there, too
		return nil, err
	}
	// Else the program first: its words about a file that it refuses are the best.
	scanErr := err
	v.Before, err = r.ask(ctx)
	if v.Approximate = errors.Is(err, sshconf.ErrNotInstalled); err != nil && !v.Approximate {
		return nil, fmt.Errorf("the configuration is refused as it is: %w", err)
	}
	if scanErr != nil {
		return nil, scanErr
	}
	if v.Approximate {
		v.Before = sshconf.OptionsOf(v.now)
	}
	if err := v.choose(main); err != nil {
		return nil, err
	}
	if !v.Changed() {
		v.After = v.Before
		return v, r.shadowed(v.Before, v.now, r.Values)
	}
	if err := v.check(ctx); err != nil {
		return nil, err
	}
	if err := v.checkAround(ctx); err != nil {
		return nil, err
	}
	v.Kept = v.kept()
	return v, nil
}

// choose finds the file to change and what becomes of it.
func (v *Revision) choose(main *original) error {
	r := v.request
	if !slices.ContainsFunc(r.Values, func(w sshconf.Value) bool { return !w.Holds(v.Before.Of(w.Keyword)) }) {
		v.Path, v.file, v.Old, v.New = r.main(), main, main.content, main.content
		return nil
	}
	// A drop-in is left out where a line above the Include decides: then that line
	// is changed.
	for _, path := range r.dropIns(main.content) {
		o, err := r.open(path)
		if errors.Is(err, ErrOutside) {
			continue
		}
		if err != nil {
			return err
		}
		content := o.content
		if content == nil {
			content = []byte(dropInHeader)
		}
		updated, err := r.revise(path, content)
		if err != nil {
			return err
		}
		after, err := r.scan(&sshconf.Overlay{Path: path, Content: updated})
		if err != nil {
			return err
		}
		wins := !slices.ContainsFunc(r.Values, func(w sshconf.Value) bool {
			s := sshconf.Of(after, w.Keyword)
			return s.Line > 0 && !w.Holds(s.Value)
		})
		if wins && !bytes.Equal(updated, content) {
			v.Path, v.file, v.Old, v.New = path, o, o.content, updated
			return nil
		}
	}
	updated, err := r.revise(r.main(), main.content)
	if err != nil {
		return err
	}
	v.Path, v.file, v.Old, v.New = r.main(), main, main.content, updated
	return nil
}

// revise works out what becomes of one file.
func (r Request) revise(path string, content []byte) ([]byte, error) {
	scan := func(content []byte) ([]sshconf.Setting, error) {
		return r.scan(&sshconf.Overlay{Path: path, Content: content})
	}
	if r.Server {
		return reviseServer(content, path, r.Values, scan)
	}
	return reviseClient(content, path, r.pattern(), r.Values, scan)
}

// check has the program read the change from somewhere else.
func (v *Revision) check(ctx context.Context) error {
	r := v.request
	after, err := r.scan(&sshconf.Overlay{Path: v.Path, Content: v.New})
	if err != nil {
		return err
	}
	v.After = sshconf.OptionsOf(after)
	if v.Approximate {
		for _, w := range r.Values {
			if s := sshconf.Of(after, w.Keyword); s.Unsure != "" || !w.Holds(s.Effective()) {
				return &ShadowedError{Value: w, Got: s.Effective(), Source: sshconf.Of(v.now, w.Keyword).Source(), Unsure: s.Unsure}
			}
		}
		return nil
	}
	// What holds already may do so by a file that is not looked at here.
	missing := slices.DeleteFunc(slices.Clone(r.Values), func(w sshconf.Value) bool {
		return w.Holds(v.Before.Of(w.Keyword))
	})
	return r.candidate(v.Path, v.New, func(main string) error {
		said, err := r.askAbout(ctx, main)
		if err != nil {
			return err
		}
		for _, w := range r.Values {
			v.After.Put(w.Keyword, v.Before.Of(w.Keyword))
		}
		for _, w := range missing {
			v.After.Put(w.Keyword, said.Of(w.Keyword))
		}
		return r.shadowed(said, v.now, missing)
	})
}

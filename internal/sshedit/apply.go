package sshedit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/sshconf"
)

// Apply writes the file, and asks ssh or sshd again what is in force. Where that is
// not what was wanted, the file becomes what it was before; [Revision.Restored] says
// whether that was done.
//
// Errors to test for: [ErrChanged] where the file is not the one that was planned
// with, [*ShadowedError], those of [Revision.Writable], and others of the file system.
func (v *Revision) Apply(ctx context.Context) error {
	r, makesDir := v.request, v.MakesDir()
	if err := r.replace(v.file, v.New); err != nil {
		return v.putBack(err, makesDir)
	}
	v.written = true
	if v.New == nil && v.DropDir {
		v.dropDir()
	}
	if v.Approximate {
		return nil
	}
	said, err := r.ask(ctx)
	if err == nil {
		err = r.shadowed(said, v.now, r.Values)
	}
	if err == nil && v.around {
		err = r.Programs.CheckServer(ctx, sshconf.SshdConfig)
	}
	if err == nil {
		v.After = said
		return nil
	}
	return v.putBack(err, makesDir)
}

// putBack has the old content in the place of the new one, after an error. The new one
// may be there also where replace failed: it does more after the file has its name.
func (v *Revision) putBack(err error, madeDir bool) error {
	back, err2 := v.request.open(v.Path)
	switch {
	case err2 != nil:
	case sameContent(back.content, v.New):
		v.written = true
		if err2 = v.request.replace(back, v.Old); v.Restored() { // on the disk or not
			err2 = nil
		}
	case v.written && !sameContent(back.content, v.Old):
		err2 = fmt.Errorf("%s: %w", v.Path, ErrChanged)
	}
	if err2 != nil {
		return errors.Join(err, fmt.Errorf("it could not be taken back: %w", err2))
	}
	v.written = false
	if v.Old == nil && madeDir {
		v.dropDir()
	}
	return err
}

// sameContent compares two files; nil is none.
func sameContent(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

// MakesDir reports whether ~/.ssh is not there, and will be.
func (v *Revision) MakesDir() bool {
	if !v.request.own() || v.request.File != "" || v.Old != nil || v.New == nil {
		return false
	}
	_, err := os.Lstat(filepath.Dir(v.file.real))
	return errors.Is(err, fs.ErrNotExist)
}

// dropDir removes ~/.ssh. One that is not empty stays: see rmdir(2).
func (v *Revision) dropDir() {
	if r := v.request; r.own() && r.File == "" {
		sshconf.AsUser(r.As, func() error { return unix.Rmdir(filepath.Dir(v.file.real)) })
	}
}

// Writable looks whether the file can be replaced, without trying: it belongs to who
// writes it, who may write to its directory.
//
// Errors to test for: [ErrNotOwner], [ErrHardLinks], [fs.ErrPermission], and EROFS.
func (v *Revision) Writable() error {
	r := v.request
	as := r.As
	if !r.own() {
		as = nil
	}
	return sshconf.AsUser(as, v.file.writable)
}

// Written reports whether the new content is in place.
func (v *Revision) Written() bool { return v.written }

// Restored reports whether the file is as it was before.
func (v *Revision) Restored() bool {
	o, err := v.request.open(v.Path)
	return err == nil && sameContent(o.content, v.Old)
}

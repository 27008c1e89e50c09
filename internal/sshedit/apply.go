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
		return err
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
	back, err2 := r.open(v.Path)
	if err2 == nil && !bytes.Equal(back.content, v.New) {
		err2 = fmt.Errorf("%s: %w", v.Path, ErrChanged)
	}
	if err2 == nil {
		err2 = r.replace(back, v.Old)
	}
	if err2 != nil {
		return errors.Join(err, fmt.Errorf("it could not be taken back: %w", err2))
	}
	v.written = false
	if v.Old == nil && makesDir {
		v.dropDir()
	}
	return err
}

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
	return err == nil && bytes.Equal(o.content, v.Old) && (o.content == nil) == (v.Old == nil)
}

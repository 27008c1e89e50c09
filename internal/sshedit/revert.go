package sshedit

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/tcpka/tcpka/internal/sshconf"
)

// Owns reports whether a path is one that the request may lead to: its main file, or
// a drop-in of ours that the main file reads.
func (r Request) Owns(path string) bool {
	if path == r.main() || r.File != "" || r.own() { // others have no drop-ins
		return path == r.main()
	}
	main, err := sshconf.ReadConfig(r.main())
	return err == nil && slices.Contains(r.dropIns(main), path)
}

// Revert works out how a file that a Revision of the same request has changed gets
// its old content back; nil is no file. It fails with [ErrChanged] where the file is
// not as that Revision left it. A file that is as before already is no change.
//
// Like a change it is checked before, and taken back where ssh or sshd then refuses
// its files.
func (r Request) Revert(ctx context.Context, path string, now, old []byte) (*Revision, error) {
	r.Values = nil
	if !r.Owns(path) {
		return nil, fmt.Errorf("%s: not a file that is found here", path)
	}
	o, err := r.open(path)
	if err != nil {
		return nil, err
	}
	v := &Revision{Path: filepath.Clean(path), Old: o.content, New: old, request: r, file: o}
	switch {
	case sameContent(o.content, old):
		v.New = v.Old
		return v, nil
	case !sameContent(o.content, now):
		return nil, fmt.Errorf("%s: %w", path, ErrChanged)
	}
	if r.other || old == nil && path == r.main() {
		return v, nil
	}
	if err := r.askable(o); err != nil {
		return nil, err
	}
	v.around = r.part() != "" && r.Programs.CheckServer(ctx, sshconf.SshdConfig) == nil
	content := old
	if content == nil {
		content = []byte{}
	}
	err = r.candidate(path, content, func(main string) error {
		_, err := r.askAbout(ctx, main)
		return err
	})
	if err != nil && !errors.Is(err, sshconf.ErrNotInstalled) {
		return nil, fmt.Errorf("the old file would be refused: %w", err)
	}
	v.Approximate = err != nil
	return v, nil
}

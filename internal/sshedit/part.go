package sshedit

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/tcpka/tcpka/internal/sshconf"
)

// errBelowMatch is what sshd refuses its files for. Source: servconf.c, SSHCFG_GLOBAL.
var errBelowMatch = errors.New("not allowed below a Match, where " + sshconf.SshdConfig + " includes the file")

// part is the name by which [sshconf.SshdConfig] includes the file of the request; empty is that it
// does not. sshd is asked about that file alone then, and does not see what is around
// it: lines that come first, and a Match below which not everything may stand.
func (r Request) part() string {
	if !r.Server || r.File == "" || r.File == sshconf.SshdConfig {
		return ""
	}
	mine, err := os.Stat(r.File)
	found, err2 := sshconf.FindServer(sshconf.Server{File: sshconf.SshdConfig, Connection: sshconf.Any})
	if err != nil || err2 != nil {
		return ""
	}
	for _, path := range found.Files {
		if its, err := os.Stat(path); err == nil && os.SameFile(mine, its) && path != sshconf.SshdConfig {
			return path
		}
	}
	return ""
}

// checkAround looks whether the change has an effect where the file is included, and
// is allowed there.
func (v *Revision) checkAround(ctx context.Context) error {
	r := v.request
	path := r.part()
	if path == "" || r.Programs.CheckServer(ctx, sshconf.SshdConfig) != nil { // nothing there to break
		return nil
	}
	v.around = true
	after, err := sshconf.FindServer(sshconf.Server{File: sshconf.SshdConfig, Connection: sshconf.Any, Instead: &sshconf.Overlay{Path: path, Content: v.New}})
	if err != nil {
		return err
	}
	for _, w := range r.Values {
		s := sshconf.Of(after.Settings, w.Keyword)
		switch {
		case s.Line > 0 && s.File != path && !w.Holds(s.Value):
			return &ShadowedError{Value: w, Got: s.Value, Source: s.Source()}
		case s.Line == 0 && w.Keyword == sshconf.TCPKeepAlive:
			return fmt.Errorf("%s: %s: %w", r.File, w.Keyword, errBelowMatch)
		}
	}
	return nil
}

package sshconf

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// errBelowMatch is what sshd refuses its files for. Source: servconf.c, SSHCFG_GLOBAL.
var errBelowMatch = errors.New("not allowed below a Match, where " + sshdConfig + " includes the file")

// part is the name by which [sshdConfig] includes the file of the request; empty is that it
// does not. sshd is asked about that file alone then, and does not see what is around
// it: lines that come first, and a Match below which not everything may stand.
func (r Request) part() string {
	if !r.Server || r.File == "" || r.File == sshdConfig {
		return ""
	}
	mine, err := os.Stat(r.File)
	found, err2 := FindServer(Server{File: sshdConfig, Connection: Any})
	if err != nil || err2 != nil {
		return ""
	}
	for _, path := range found.Files {
		if its, err := os.Stat(path); err == nil && os.SameFile(mine, its) && path != sshdConfig {
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
	if path == "" || r.Programs.CheckServer(ctx, sshdConfig) != nil { // nothing there to break
		return nil
	}
	v.around = true
	after, err := FindServer(Server{File: sshdConfig, Connection: Any, instead: &overlay{path, v.New}})
	if err != nil {
		return err
	}
	for _, w := range r.Values {
		s := of(after.Settings, w.Keyword)
		switch {
		case s.Line > 0 && s.File != path && !w.holds(s.Value):
			return &ShadowedError{Value: w, Got: s.Value, Source: s.Source()}
		case s.Line == 0 && w.Keyword == TCPKeepAlive:
			return fmt.Errorf("%s: %s: %w", r.File, w.Keyword, errBelowMatch)
		}
	}
	return nil
}

package sshclients

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"

	"github.com/tcpka/tcpka/internal/sshconf"
)

// The most sessions of PuTTY that are read. Nobody has as many.
const maxPuTTYSessions = 1000

// UnreadError is a file or a directory that could not be read, although it is there.
type UnreadError struct {
	Path string
	Err  error
}

func (e UnreadError) Error() string { return e.Err.Error() }

func (e UnreadError) Unwrap() error { return e.Err }

// PuTTYSessions reads the sessions that PuTTY on Unix has stored for a user, in the
// order of their files; none is no error. The environment counts only where it is the
// user's own, as that of root behind sudo is not. Else it is read with the user's rights.
//
// Source: PuTTY, unix/storage.c, make_filename.
func PuTTYSessions(who *user.User, own bool) (files []File, unread []UnreadError) {
	as, getenv := who, func(string) string { return "" }
	if own {
		as, getenv = nil, os.Getenv
	}
	err := sshconf.AsUser(as, func() error {
		files, unread = readPuTTYDir(puttyDir(who.HomeDir, getenv))
		return nil
	})
	if err != nil {
		unread = append(unread, UnreadError{who.HomeDir, err})
	}
	return files, unread
}

// puttyDir is where the sessions are.
func puttyDir(home string, getenv func(string) string) string {
	home = cmp.Or(getenv("HOME"), home)
	config := cmp.Or(getenv("XDG_CONFIG_HOME"), home+"/.config") + "/putty"
	if _, err := os.Stat(config); err != nil {
		config = home + "/.putty"
	}
	return cmp.Or(getenv("PUTTYSESSIONS"), cmp.Or(getenv("PUTTYDIR"), config)+"/sessions")
}

func readPuTTYDir(dir string) (files []File, unread []UnreadError) {
	names, err := sshconf.ReadNames(dir, sshconf.MaxNames)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		unread = append(unread, UnreadError{dir, err})
	}
	if len(names) > maxPuTTYSessions {
		names = names[:maxPuTTYSessions]
		unread = append(unread, UnreadError{dir, fmt.Errorf("%s: more than %d sessions", dir, maxPuTTYSessions)})
	}
	for _, name := range names {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
			continue
		}
		switch f, err := ReadFile(path); {
		case errors.Is(err, ErrFormat):
		case err != nil:
			unread = append(unread, UnreadError{path, err})
		default:
			files = append(files, f)
		}
	}
	return files, unread
}

package sshedit

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tcpka/tcpka/internal/account"
	"github.com/tcpka/tcpka/internal/leftover"
	"github.com/tcpka/tcpka/internal/sshconf"
)

// candidate has a main file that leads to another content of the file at path.
func (r Request) candidate(path string, content []byte, use func(main string) error) error {
	tmp := ""
	if !r.own() || r.As != nil { // $TMPDIR may be for root alone, and have any name
		tmp = "/tmp"
	}
	dir, remove, err := leftover.MkdirTemp(tmp)
	if err != nil {
		return err
	}
	defer remove()
	mode := fs.FileMode(0o600)
	if !r.own() || r.As != nil { // the user, or sshd without its keys, has to read it
		if err := os.Chmod(dir, 0o711); err != nil {
			return err
		}
		if info, err := os.Stat(r.main()); err == nil {
			mode |= info.Mode().Perm() & 0o044
		}
	}
	put := func(name string, content []byte) (string, error) {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, r.rooted(content), 0o600); err != nil {
			return "", err
		}
		if r.own() && r.As != nil {
			uid, gid, err := account.IDs(r.As)
			if err != nil {
				return "", err
			}
			if err := os.Chown(file, int(uid), int(gid)); err != nil {
				return "", err
			}
		}
		return file, os.Chmod(file, mode)
	}
	name := filepath.Base(path)
	file, err := put(name, content)
	if err != nil {
		return err
	}
	main := file
	if path != r.main() {
		old, err := sshconf.ReadConfig(r.main())
		if err != nil {
			return err
		}
		if main, err = put("main-"+filepath.Base(r.main()), r.including(old, file)); err != nil {
			return err
		}
	}
	if err := use(main); err != nil {
		if _, ok := errors.AsType[*ShadowedError](err); ok {
			return err
		}
		// Where it is going to be, not where it was tried.
		return &refusal{err, strings.NewReplacer(main, r.main(), file, path).Replace(err.Error())}
	}
	return nil
}

// rooted is a file of the system's ssh, to be read from somewhere else: ssh takes a
// relative Include for one below /etc/ssh only in the file that it reads by itself, and
// in one that it is given for one below ~/.ssh. Source: readconf.c, oInclude.
func (r Request) rooted(content []byte) []byte {
	if r.Server || !r.System {
		return content
	}
	d := parseDocument(content, true)
	rev := newRevision()
	for i, l := range d.lines {
		relative := func(arg string) bool { return !strings.HasPrefix(arg, "/") && !strings.HasPrefix(arg, "~") }
		if l.keyword != "include" || !slices.ContainsFunc(l.args, relative) {
			continue
		}
		line := "Include"
		for _, arg := range l.args {
			if relative(arg) {
				arg = sshconf.SystemDir + "/" + arg
			}
			line += ` "` + arg + `"`
		}
		rev.replace[i] = line + d.end
	}
	return d.apply(rev)
}

// refusal is an error with another text.
type refusal struct {
	err  error
	text string
}

func (e *refusal) Error() string { return e.text }

func (e *refusal) Unwrap() error { return e.err }

// including is the main file with another drop-in, before the Include of the
// directory.
func (r Request) including(main []byte, file string) []byte {
	d := parseDocument(main, !r.Server)
	rev := newRevision()
	_, i := d.dropInDir(sshconf.SystemDir)
	rev.put(i, `Include "`+file+`"`)
	return d.apply(rev)
}

// dropIns are the files that may be written in place of the main file, the best
// first: one that is there already before all others.
func (r Request) dropIns(main []byte) []string {
	if r.File != "" || r.own() {
		return nil
	}
	dir, _ := parseDocument(main, !r.Server).dropInDir(sshconf.SystemDir)
	if info, err := os.Stat(dir); dir == "" || err != nil || !info.IsDir() {
		return nil
	}
	names := slices.Clone(dropInNames)
	if !r.Server {
		// Behind all others, so that hosts with values of their own keep them.
		names = append([]string{"90-tcpka.conf"}, names...)
	}
	exists := func(name string) bool {
		_, err := os.Lstat(filepath.Join(dir, name))
		return err == nil
	}
	slices.SortStableFunc(names, func(a, b string) int {
		switch x, y := exists(a), exists(b); {
		case x && !y:
			return -1
		case y && !x:
			return 1
		}
		return 0
	})
	for i := range names {
		names[i] = filepath.Join(dir, names[i])
	}
	return names
}

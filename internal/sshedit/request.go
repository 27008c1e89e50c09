package sshedit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"strings"

	"github.com/tcpka/tcpka/internal/sshconf"
)

// A Request is what ssh or sshd is to have in force, and where that is to be written.
type Request struct {
	Server bool // sshd and not ssh
	Values []sshconf.Value

	// Host is a pattern as in ssh_config(5), one alone. Empty is every host that
	// has no value of its own. For ssh only.
	Host string

	// File is the one file to change, an absolute path, as ssh -F and sshd -f take
	// it. Empty is the user's ~/.ssh/config, or with System /etc/ssh/ssh_config and
	// its drop-ins; for sshd /etc/ssh/sshd_config and its drop-ins.
	File   string
	System bool

	// Owner is whose ~/.ssh/config is meant, from the password database. As is nil,
	// or for root that acts for Owner the same: see [sshconf.Caller].
	Owner, As *user.User

	Programs sshconf.Programs

	other bool // File is of another program than ssh and sshd, and nobody is asked
}

// anyHost is a name that no Host line is for, but those that are for every one.
const anyHost = "tcpka.invalid"

// dest is a host that the request is about.
func (r Request) dest() string {
	if r.pattern() == "" {
		return anyHost
	}
	return strings.NewReplacer("*", "tcpka", "?", "x").Replace(r.Host)
}

func (r Request) pattern() string {
	if r.Host == "*" {
		return ""
	}
	return r.Host
}

// main is the file that the program begins with.
func (r Request) main() string {
	switch {
	case r.File != "":
		return r.File
	case r.Server:
		return sshconf.SshdConfig
	case r.System:
		return sshconf.SystemDir + "/ssh_config"
	}
	return r.Owner.HomeDir + "/.ssh/config"
}

// within is what a link at the file may not lead out of; empty allows none.
func (r Request) within() string {
	switch {
	case r.File != "":
		return ""
	case r.Server, r.System:
		return "/etc"
	}
	return r.Owner.HomeDir
}

// own reports whether the file is that of the user, and his rights are to do.
func (r Request) own() bool { return !r.Server && !r.System }

func (r Request) open(path string) (o *original, err error) {
	owner, as := os.Geteuid(), (*user.User)(nil)
	if r.own() && r.As != nil {
		as = r.As
		if owner, err = strconv.Atoi(as.Uid); err != nil {
			return nil, err
		}
	}
	err = sshconf.AsUser(as, func() (err error) {
		o, err = openOriginal(path, r.within(), owner)
		return err
	})
	return o, err
}

func (r Request) replace(o *original, content []byte) error {
	as := r.As
	if !r.own() {
		as = nil
	}
	return sshconf.AsUser(as, func() error { return o.replace(content, r.mode()) })
}

// mode is that of a new file.
func (r Request) mode() fs.FileMode {
	if r.own() {
		return 0o600
	}
	if info, err := os.Stat(r.main()); err == nil && r.Server {
		return info.Mode().Perm() &^ 0o022
	}
	return 0o644
}

// scan looks up what would be in force with another content of a file; nil is the
// files as they are.
func (r Request) scan(instead *sshconf.Overlay) ([]sshconf.Setting, error) {
	if r.Server {
		f, err := sshconf.FindServer(sshconf.Server{File: r.main(), Connection: sshconf.Any, Instead: instead})
		return f.Settings, err
	}
	c := sshconf.NewClient(r.dest(), r.Owner.Username, r.Owner.HomeDir)
	switch {
	case r.File != "":
		c.UserFile, c.SystemFile = r.File, ""
	case r.System:
		c.UserFile = ""
	}
	c.As, c.Instead = r.As, instead
	f, err := sshconf.FindClient(c)
	return f.Settings, err
}

// askable refuses a file that ssh must not be asked about: it would run the commands of
// another user's Match exec as root.
func (r Request) askable(main *original) error {
	if r.Server || r.other || r.As != nil || os.Geteuid() != 0 || !errors.Is(main.refused, ErrNotOwner) {
		return nil
	}
	return main.refused
}

// ask asks ssh or sshd what is in force with the files as they are.
func (r Request) ask(ctx context.Context) (sshconf.Options, error) {
	if r.other {
		return sshconf.Options{}, nil
	}
	if !r.Server && r.own() && r.File == "" {
		return r.Programs.Client(ctx, r.As, r.dest())
	}
	if content, err := sshconf.ReadConfig(r.main()); err == nil && !bytes.Equal(r.rooted(content), content) {
		var said sshconf.Options
		err := r.candidate(r.main(), content, func(main string) (err error) {
			said, err = r.askAbout(ctx, main)
			return err
		})
		return said, err
	}
	return r.askAbout(ctx, r.main())
}

// askAbout asks ssh or sshd about one main file. ssh reads it as it reads a user's,
// without regard to who owns it.
func (r Request) askAbout(ctx context.Context, file string) (sshconf.Options, error) {
	if r.Server {
		if err := r.Programs.CheckServer(ctx, file); err != nil {
			return nil, err
		}
		return r.Programs.Server(ctx, file, sshconf.Any)
	}
	if _, err := os.Lstat(file); errors.Is(err, fs.ErrNotExist) {
		file = os.DevNull // the system's is none, too
	}
	return r.Programs.ClientFile(ctx, r.As, file, r.dest())
}

// A ShadowedError is a value that would not take effect, or did not.
type ShadowedError struct {
	sshconf.Value
	Got    string // what is in force instead
	Source string // the line that decides, "/etc/ssh/sshd_config:12"; empty is not known
	Unsure string // why that is not sure
}

func (e *ShadowedError) Error() string {
	text := fmt.Sprintf("%s would stay %s", e.Keyword, e.Got)
	switch {
	case e.Source != "":
		text += ": " + e.Source + " comes first"
	case e.Unsure != "":
		text += ": " + e.Unsure
	}
	return text
}

// shadowed is an error about the first value that is not in force. The line that
// decides is one of the files as they are before: ours does not.
func (r Request) shadowed(said sshconf.Options, now []sshconf.Setting, values []sshconf.Value) error {
	for _, v := range values {
		got := said.Of(v.Keyword)
		if v.Holds(got) {
			continue
		}
		s := sshconf.Of(now, v.Keyword).InForce(got)
		if s.Source() == "" && s.Unsure == "" {
			s.Unsure = "its files do not show why"
		}
		return &ShadowedError{Value: v, Got: got, Source: s.Source(), Unsure: s.Unsure}
	}
	return nil
}

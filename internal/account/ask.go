package account

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"os/user"
	"path"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// programs are where getent and id are looked for, and how long one may take: a
// directory service may be away.
type programs struct {
	dirs  []string // absolute, and nobody's but root's to write to
	limit time.Duration
}

var nss = programs{
	dirs:  []string{"/usr/bin", "/bin", "/run/current-system/sw/bin", "/run/current-system/profile/bin"}, // NixOS and Guix have the last two
	limit: 5 * time.Second,
}

// user asks getent for a user. Is says whether it is the one asked for: getent takes a
// name of digits for a number. Unknown is the error of the files, which counts where
// there is no getent, or it does not know him either.
func (p programs) user(key string, unknown error, is func(*user.User) bool) (*user.User, error) {
	if key == "" || strings.HasPrefix(key, "-") {
		return nil, unknown
	}
	text, err := p.ask("getent", "passwd", key)
	if exit, ok := errors.AsType[*exitError](err); ok && exit.status == notFound || errors.Is(err, fs.ErrNotExist) {
		return nil, unknown
	}
	if err != nil {
		return nil, fmt.Errorf("user %s: %w", key, err)
	}
	who, err := parsePasswd(text)
	if err == nil && !is(who) {
		err = fmt.Errorf("another user than was asked for: %q", text)
	}
	if err != nil {
		return nil, fmt.Errorf("user %s: getent: %w", key, err)
	}
	return who, nil
}

// notFound is the exit status of getent(1) for a key that is in no database.
const notFound = 2

// parsePasswd reads what getent prints, one line of passwd(5). It refuses what it cannot be
// sure of: a field more may be a colon in somebody's full name.
func parsePasswd(text string) (*user.User, error) {
	line, rest, ended := strings.Cut(text, "\n")
	who, ok := parseEntry(line)
	switch {
	case !ok || !ended || rest != "" || strings.Count(line, ":") != 6:
		return nil, fmt.Errorf("not one line of passwd(5): %q", text)
	case !printable(who.Username):
		return nil, fmt.Errorf("not a name: %q", who.Username)
	case !path.IsAbs(who.HomeDir) || !printable(who.HomeDir):
		return nil, fmt.Errorf("home directory %q: not an absolute path", who.HomeDir)
	}
	return who, nil
}

// parseEntry reads a line of passwd(5). What is no user is passed over, as by the C
// library: comments, and lines for NIS, which begin with + or -.
func parseEntry(line string) (who *user.User, ok bool) {
	f := strings.SplitN(line, ":", 7)
	if len(f) < 6 || f[0] == "" || strings.ContainsRune("+-#", rune(f[0][0])) {
		return nil, false
	}
	who = &user.User{Username: f[0], Uid: f[2], Gid: f[3], HomeDir: f[5]}
	who.Name, _, _ = strings.Cut(f[4], ",")
	_, _, err := IDs(who)
	return who, err == nil
}

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// groups asks id for the groups of a user, after it has looked whether the name is his:
// files and directory may have two users of one name. Without id the error is
// [fs.ErrNotExist].
func (p programs) groups(name string, uid uint32) ([]uint32, error) {
	found, err := p.ask("id", "-u", "--", name)
	if err != nil {
		return nil, err
	}
	if ids, err := parseIDs(found); err != nil || !slices.Equal(ids, []uint32{uid}) {
		return nil, fmt.Errorf("id: its number is not %d but %q", uid, strings.TrimSpace(found))
	}
	text, err := p.ask("id", "-G", "--", name)
	if err != nil {
		return nil, err
	}
	groups, err := parseIDs(text)
	if err != nil {
		return nil, fmt.Errorf("id: %w", err)
	}
	return groups, nil
}

// parseIDs reads one line of numbers, with a space between them.
func parseIDs(text string) (ids []uint32, err error) {
	line, rest, ended := strings.Cut(text, "\n")
	if !ended || rest != "" {
		return nil, fmt.Errorf("not one line: %q", text)
	}
	for number := range strings.SplitSeq(line, " ") {
		id, err := ParseID(number)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// ask runs a program with an environment of its own, and returns what it prints. One that
// is not there is [fs.ErrNotExist]; one that fails, an *exitError.
func (p programs) ask(name string, args ...string) (string, error) {
	file, err := p.find(name)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), p.limit)
	defer cancel()
	var stdout, stderr answer
	cmd := exec.CommandContext(ctx, file, args...)
	cmd.Dir, cmd.Env = "/", []string{"PATH=/usr/bin:/bin", "LC_ALL=C"}
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = time.Second // for what it has started itself
	err = cmd.Run()
	exit, exited := errors.AsType[*exec.ExitError](err)
	switch {
	case err == nil:
		return stdout.text.String(), nil
	case ctx.Err() != nil:
		return "", fmt.Errorf("%s: no answer in %v: %w", name, p.limit, ctx.Err())
	case stdout.full || stderr.full:
		return "", fmt.Errorf("%s: %w", name, errTooMuch)
	case exited:
		return "", &exitError{name, exit.ExitCode(), exit.String(), stderr.text.String()}
	}
	return "", fmt.Errorf("%s: %w", name, err)
}

func (p programs) find(name string) (string, error) {
	for _, dir := range p.dirs {
		if file, err := exec.LookPath(path.Join(dir, name)); err == nil {
			return file, nil
		}
	}
	return "", fmt.Errorf("%s: %w", name, fs.ErrNotExist)
}

// exitError is a program that has failed. It has no method ExitCode: packages for command
// lines take any error with one for tcpka's own.
type exitError struct {
	name   string
	status int // -1 for a signal
	text   string
	stderr string
}

func (e *exitError) Error() string {
	said, _, _ := strings.Cut(strings.TrimSpace(e.stderr), "\n")
	if said == "" {
		return e.name + ": " + e.text
	}
	return e.name + ": " + e.text + ": " + said
}

// The most that a program may print. A user is in 65536 groups at most, NGROUPS_MAX.
const maxAnswer = 1 << 20

var errTooMuch = fmt.Errorf("more than %d bytes of output", maxAnswer)

// answer keeps what is written to it. What is too much is an error, and os/exec closes
// the pipe then.
type answer struct {
	text bytes.Buffer
	full bool
}

func (a *answer) Write(p []byte) (int, error) {
	if a.text.Len()+len(p) > maxAnswer {
		a.full = true
		return 0, errTooMuch
	}
	return a.text.Write(p)
}

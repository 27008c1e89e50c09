package sshconf

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/account"
)

// Programs are OpenSSH as it is installed, which knows best what is in force.
//
// Each call is bounded, in output and in time by Timeout and its context: then the
// program ends, and every process of its group with it. Standard input is empty.
type Programs struct {
	SSH, SSHD string        // absolute paths; empty is not installed
	Timeout   time.Duration // of one call; zero is 10 s

	power []uintptr // capabilities that another user than root keeps
}

// FindPrograms looks for ssh and sshd: in the directories of the system alone for
// root, else in $PATH first.
func FindPrograms() Programs {
	dirs := []string{"/usr/bin", "/bin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/local/sbin"}
	if os.Geteuid() != 0 {
		dirs = append(filepath.SplitList(os.Getenv("PATH")), dirs...)
	}
	find := func(name string) string {
		for _, dir := range dirs {
			if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil && filepath.IsAbs(path) {
				return path
			}
		}
		return ""
	}
	return Programs{SSH: find("ssh"), SSHD: find("sshd")}
}

// ErrNotInstalled is a program that is not there.
var ErrNotInstalled = errors.New("not installed")

// ErrDestination is a destination that is not handed to ssh.
var ErrDestination = errors.New("not a destination for ssh")

// CheckDestination refuses what ssh, or a shell in its configuration, could take
// for something else than a host: an option, white space, control and shell
// characters.
func CheckDestination(dest string) error {
	switch {
	case dest == "":
		return fmt.Errorf("%w: it is empty", ErrDestination)
	case dest[0] == '-':
		return fmt.Errorf("%w: %q begins with a dash", ErrDestination, dest)
	case len(dest) > 1024:
		return fmt.Errorf("%w: it is too long", ErrDestination)
	case !utf8.ValidString(dest):
		return fmt.Errorf("%w: %q is not UTF-8", ErrDestination, dest)
	}
	for _, r := range dest {
		if unicode.IsSpace(r) || !unicode.IsPrint(r) || strings.ContainsRune("'\"`$\\&|;<>(){}*?!#", r) {
			return fmt.Errorf("%w: %q has %q", ErrDestination, dest, r)
		}
	}
	return nil
}

// Options are keywords in lower case and their values as ssh -G or sshd -T prints
// them: times in seconds. Of a keyword that comes several times it is the first.
type Options map[string]string

// ClientVersion is what ssh says of itself: "OpenSSH_9.2p1 Debian-2+deb12u7, ...".
// Equivalent to: ssh -V.
func (p Programs) ClientVersion(ctx context.Context) (string, error) {
	out, err := p.run(ctx, nil, p.SSH, "-V")
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(out.stderr + out.stdout), nil
}

// ServerVersion is what sshd says of itself. Before 9.2 it knows no -V, but prints
// its version beside the error. Equivalent to: sshd -V.
func (p Programs) ServerVersion(ctx context.Context) (string, error) {
	out, err := p.run(ctx, nil, p.SSHD, "-V")
	for line := range strings.Lines(out.stderr + out.stdout) {
		if strings.HasPrefix(line, "OpenSSH_") {
			return strings.TrimSpace(line), nil
		}
	}
	if err == nil {
		err = fmt.Errorf("%s -V: no version: %q", p.SSHD, out.stderr)
	}
	return "", err
}

// Client asks ssh what it would do for a destination, without connecting. It runs
// the commands of every Match exec, and may ask DNS where CanonicalizeHostname
// says so. Equivalent to: ssh -G -- DEST.
//
// Who is the user to run as, and nil the caller. Root that calls for a user must
// name that user, see [Caller]: commands in a user's file are not for root to run.
func (p Programs) Client(ctx context.Context, who *user.User, dest string) (Options, error) {
	return p.client(ctx, who, "--", dest)
}

// ClientFile is [Programs.Client] with one file in place of the user's and the
// system's. Equivalent to: ssh -G -F FILE -- DEST.
func (p Programs) ClientFile(ctx context.Context, who *user.User, file, dest string) (Options, error) {
	return p.client(ctx, who, "-F", file, "--", dest)
}

func (p Programs) client(ctx context.Context, who *user.User, args ...string) (Options, error) {
	if err := CheckDestination(args[len(args)-1]); err != nil {
		return nil, err
	}
	out, err := p.run(ctx, who, p.SSH, append([]string{"-G"}, args...)...)
	if err != nil {
		return nil, err
	}
	return parseOptions(out.stdout), nil
}

// Caller is the user behind sudo, or nil without sudo.
func Caller() (*user.User, error) {
	id := os.Getenv("SUDO_UID")
	if os.Geteuid() != 0 || id == "" {
		return nil, nil
	}
	uid, err := account.ParseID(id)
	if err == nil && uid == 0 {
		return nil, nil
	}
	var who *user.User
	if err == nil {
		who, err = account.ByID(uid)
	}
	if err != nil {
		return nil, fmt.Errorf("the user behind sudo: %w", err)
	}
	return who, nil
}

// Server asks sshd what it would do for a connection. Fields of c that are not
// known get a value that no Match line has. Equivalent to: sshd -T -f FILE -C SPEC.
//
// sshd wants a host key and its run directory even to print its configuration.
// Where either is missing, or may not be read, it is asked again with a key made
// for the purpose, as a user that needs no such directory.
func (p Programs) Server(ctx context.Context, file string, c Connection) (Options, error) {
	args := []string{"-T", "-f", file, "-C", c.spec()}
	out, err := p.run(ctx, nil, p.SSHD, args...)
	if err != nil && (strings.Contains(out.stderr, "no hostkeys available") || strings.Contains(out.stderr, "Missing privilege separation directory")) {
		out, err = p.withoutKeys(ctx, args, err)
	}
	if err != nil {
		return nil, err
	}
	return parseOptions(out.stdout), nil
}

// spec is the connection as sshd -C takes it: complete, because sshd refuses a
// configuration that matches what is missing.
func (c Connection) spec() string {
	or := func(s, preset string) string {
		if s == "" || strings.ContainsAny(s, ",= \t\r\n\x00") {
			return preset
		}
		return s
	}
	port := c.LocalPort
	if port == 0 {
		port = 22
	}
	return fmt.Sprintf("user=%s,host=%s,addr=%s,laddr=%s,lport=%d,rdomain=%s",
		or(c.User, "tcpka-nobody"), or(c.Host, "host.invalid"), or(c.Addr, "192.0.2.1"), or(c.LocalAddr, "192.0.2.2"), port, "-")
}

// withoutKeys runs sshd -T with a host key of its own; as root, as the user nobody.
func (p Programs) withoutKeys(ctx context.Context, args []string, first error) (output, error) {
	dir, err := os.MkdirTemp("", "tcpka-")
	if err != nil {
		return output{}, errors.Join(first, err)
	}
	defer os.RemoveAll(dir)
	key := filepath.Join(dir, "key")
	if _, err := p.run(ctx, nil, filepath.Join(filepath.Dir(p.SSH), "ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", key); err != nil {
		return output{}, errors.Join(first, err)
	}
	var who *user.User
	if os.Geteuid() == 0 {
		who, err = account.ByName("nobody")
		if err != nil {
			return output{}, errors.Join(first, err)
		}
		uid, gid, err := account.IDs(who)
		if err != nil {
			return output{}, errors.Join(first, err)
		}
		if err := errors.Join(os.Chmod(dir, 0o711), os.Chown(key, int(uid), int(gid))); err != nil {
			return output{}, errors.Join(first, err)
		}
	}
	args = append(args, "-h", key)
	out, err := p.run(ctx, who, p.SSHD, args...)
	if err != nil && who != nil && strings.Contains(out.stderr, "Permission denied") {
		// The files are for root alone, as hardening guides have it.
		p.power = []uintptr{unix.CAP_DAC_READ_SEARCH}
		if again, err := p.run(ctx, who, p.SSHD, args...); err == nil || again.stderr != "" {
			return again, err
		}
	}
	return out, err
}

func parseOptions(text string) Options {
	all := Options{}
	for line := range strings.Lines(text) {
		keyword, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		// From OpenSSH 10.4 on sshd prints ClientAliveInterval, before that
		// clientaliveinterval.
		keyword = strings.ToLower(keyword)
		if _, again := all[keyword]; !again {
			all[keyword] = value
		}
	}
	return all
}

// The most that a program may print.
const maxOutput = 1 << 20

type output struct{ stdout, stderr string }

// run runs a program, as another user if who is not nil. An error has the first
// line the program wrote to stderr.
func (p Programs) run(ctx context.Context, who *user.User, path string, args ...string) (output, error) {
	if path == "" {
		return output{}, ErrNotInstalled
	}
	timeout := p.Timeout
	if timeout == 0 {
		timeout = 10 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, AmbientCaps: p.power}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	if err := dress(cmd, who); err != nil {
		return output{}, err
	}
	stdout, stderr := limited{cancel: cancel}, limited{cancel: cancel}
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	out := output{stdout.text.String(), stderr.text.String()}
	name := filepath.Base(path)
	switch {
	case err == nil:
		return out, nil
	case errors.Is(err, fs.ErrNotExist):
		return out, fmt.Errorf("%s: %w", name, ErrNotInstalled)
	case stdout.full || stderr.full:
		return out, fmt.Errorf("%s: more than %d bytes of output", name, maxOutput)
	case ctx.Err() != nil:
		return out, fmt.Errorf("%s: no answer: %w", name, ctx.Err())
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		// Its status is nobody else's: packages for command lines take any error
		// with an ExitCode for the program's own.
		err = errors.New(exit.Error())
	}
	said := bufio.NewScanner(strings.NewReader(out.stderr))
	if said.Scan() {
		return out, fmt.Errorf("%s: %w: %s", name, err, said.Text())
	}
	return out, fmt.Errorf("%s: %w", name, err)
}

// dress gives a program the identity and the environment to run with. Root hands
// on nothing of its own environment.
func dress(cmd *exec.Cmd, who *user.User) error {
	if os.Geteuid() != 0 {
		return nil
	}
	as := who
	if as == nil {
		var err error
		if as, err = account.ByID(0); err != nil {
			return err
		}
	}
	cmd.Env = []string{
		"PATH=/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL=C",
		"HOME=" + as.HomeDir, "USER=" + as.Username, "LOGNAME=" + as.Username,
	}
	if who == nil {
		return nil
	}
	credential, err := account.Credential(who)
	if err != nil {
		return err
	}
	cmd.SysProcAttr.Credential = credential
	return nil
}

// limited keeps what is written to it, and ends the program that writes too much.
type limited struct {
	text   bytes.Buffer
	cancel func()
	full   bool
}

func (l *limited) Write(p []byte) (int, error) {
	if l.full || l.text.Len()+len(p) > maxOutput {
		l.full = true
		l.cancel()
		return len(p), nil
	}
	return l.text.Write(p)
}

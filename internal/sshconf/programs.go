package sshconf

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/account"
	"github.com/tcpka/tcpka/internal/leftover"
)

// Programs are OpenSSH as it is installed, which knows best what is in force.
//
// Each call is bounded, in output and in time by Timeout and its context: then the
// program ends, and every process of its group with it. Standard input is empty.
type Programs struct {
	SSH, SSHD string        // absolute paths; empty is not installed
	Timeout   time.Duration // of one call; zero is 10 s

	power     []uintptr // capabilities that another user than root keeps
	variables []string  // of the environment, "NAME=VALUE", that root hands on
}

// FindPrograms looks for ssh and sshd.
func FindPrograms() Programs { return Programs{SSH: FindProgram("ssh"), SSHD: FindProgram("sshd")} }

// FindProgram looks for a program in the directories of the system alone for root, else
// in $PATH first. Empty is that there is none.
func FindProgram(name string) string {
	dirs := []string{"/usr/bin", "/bin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/local/sbin"}
	if os.Geteuid() != 0 {
		dirs = append(filepath.SplitList(os.Getenv("PATH")), dirs...)
	}
	for _, dir := range dirs {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil && filepath.IsAbs(path) {
			return path
		}
	}
	return ""
}

// ErrNotInstalled is a program that is not there.
var ErrNotInstalled = errors.New("not installed")

// Options are keywords in lower case and their values as ssh -G or sshd -T prints
// them: times in seconds. Of a keyword that comes several times it is the first.
type Options map[string]string

// ClientVersion is what ssh says of itself: "OpenSSH_9.2p1 Debian-2+deb12u7, ...".
// Equivalent to: ssh -V.
func (p Programs) ClientVersion(ctx context.Context) (string, error) {
	out, err := p.Run(ctx, nil, p.SSH, "-V")
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(out.stderr + out.Stdout), nil
}

// ServerVersion is what sshd says of itself. Before 9.2 it knows no -V, but prints
// its version beside the error. Equivalent to: sshd -V.
func (p Programs) ServerVersion(ctx context.Context) (string, error) {
	out, err := p.Run(ctx, nil, p.SSHD, "-V")
	for line := range strings.Lines(out.stderr + out.Stdout) {
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
	for {
		out, err := p.Run(ctx, who, p.SSH, append([]string{"-G"}, args...)...)
		if err == nil {
			return parseOptions(out.Stdout), nil
		}
		refused, ok := errors.AsType[*Refusal](err)
		if !ok {
			return nil, err
		}
		// Files may have ${SSH_AUTH_SOCK} and the like, and ssh names what it lacks.
		variable, ok := handedOn(who, refused.lacks())
		if !ok || len(p.variables) == maxVariables || slices.Contains(p.variables, variable) {
			return nil, err
		}
		p.variables = append(slices.Clone(p.variables), variable)
	}
}

// maxVariables is how many ${...} of the files root hands on.
const maxVariables = 8

// handedOn is a variable of the environment that the files of ssh expand, "NAME=VALUE". ssh
// expands them in paths alone, none of which ssh -G opens.
//
// Root's own ssh gets root's value, but for what decides on how programs run. Another user
// gets nothing of root's: sudo took away what he had, without which ssh would not go on, and
// a path that does not exist stands for it.
func handedOn(who *user.User, name string) (variable string, ok bool) {
	switch {
	case os.Geteuid() != 0 || name == "":
		return "", false
	case who != nil:
		return name + "=/nonexistent", !steers(name)
	}
	value, set := os.LookupEnv(name)
	return name + "=" + value, set && !steers(name)
}

// steers reports whether a variable decides on how a program or a shell runs, and so is
// nothing that a file of ssh may ask for. See ld.so(8), bash(1) and ssh(1), ENVIRONMENT.
func steers(name string) bool {
	for _, prefix := range []string{"LD_", "GLIBC_", "MALLOC_", "BASH", "SSH_ASKPASS", "OPENSSL_", "LC_", "LANG"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return slices.Contains([]string{"PATH", "HOME", "USER", "LOGNAME", "SHELL", "SHELLOPTS", "ENV", "IFS", "CDPATH", "PS4", "DISPLAY"}, name)
}

// Server asks sshd what it would do for a connection. Fields of c that are not
// known get a value that no Match line has. Equivalent to: sshd -T -f FILE -C SPEC.
func (p Programs) Server(ctx context.Context, file string, c Connection) (Options, error) {
	out, err := p.server(ctx, "-T", "-f", file, "-C", c.Spec())
	if err != nil {
		return nil, err
	}
	return parseOptions(out.Stdout), nil
}

// CheckServer has sshd check a configuration and the keys that it names. Equivalent
// to: sshd -t -f FILE.
func (p Programs) CheckServer(ctx context.Context, file string) error {
	_, err := p.server(ctx, "-t", "-f", file)
	return err
}

// server runs sshd. It wants a host key and its run directory even to print its
// configuration. Where either is missing, or may not be read, it is asked again with a
// key made for the purpose, as a user that needs no such directory.
func (p Programs) server(ctx context.Context, args ...string) (output, error) {
	out, err := p.Run(ctx, nil, p.SSHD, args...)
	if err != nil && (strings.Contains(out.stderr, "no hostkeys available") || strings.Contains(out.stderr, "Missing privilege separation directory")) {
		return p.withoutKeys(ctx, args, err)
	}
	return out, err
}

// withoutKeys runs sshd with a host key of its own; as root, as the user nobody. first
// is why.
func (p Programs) withoutKeys(ctx context.Context, args []string, first error) (output, error) {
	// Only first is wrapped: if ssh-keygen is not installed, sshd is.
	failed := func(err error) (output, error) { return output{}, fmt.Errorf("%w; %v", first, err) }
	tmp := ""
	if os.Geteuid() == 0 { // $TMPDIR may be for root alone, and nobody has to read the key
		tmp = "/tmp"
	}
	dir, remove, err := leftover.MkdirTemp(tmp)
	if err != nil {
		return failed(err)
	}
	defer remove()
	key := filepath.Join(dir, "key")
	if _, err := p.Run(ctx, nil, FindProgram("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", key); err != nil {
		return failed(err)
	}
	var who *user.User
	if os.Geteuid() == 0 {
		who, err = account.ByName("nobody")
		if err != nil {
			return failed(err)
		}
		uid, gid, err := account.IDs(who)
		if err != nil {
			return failed(err)
		}
		if err := errors.Join(os.Chmod(dir, 0o711), os.Chown(key, int(uid), int(gid))); err != nil {
			return failed(err)
		}
	}
	args = append(args, "-h", key)
	out, err := p.Run(ctx, who, p.SSHD, args...)
	if err != nil && who != nil && strings.Contains(out.stderr, "Permission denied") {
		// The files are for root alone, as hardening guides have it.
		p.power = []uintptr{unix.CAP_DAC_READ_SEARCH}
		if again, err := p.Run(ctx, who, p.SSHD, args...); err == nil || again.stderr != "" {
			return again, err
		}
	}
	return out, err
}

// Spec is the connection as sshd -C takes it: complete, because sshd refuses a
// configuration that matches what is missing.
func (c Connection) Spec() string {
	or := func(s, preset string) string {
		if s == "" || strings.ContainsAny(s, ",= \t\r\n\x00") {
			return preset
		}
		return s
	}
	return fmt.Sprintf("user=%s,host=%s,addr=%s,laddr=%s,lport=%d,rdomain=-",
		or(c.User, Any.User), or(c.Host, Any.Host), or(c.Addr, Any.Addr), or(c.LocalAddr, Any.LocalAddr), cmp.Or(c.LocalPort, Any.LocalPort))
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

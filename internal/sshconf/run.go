package sshconf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/tcpka/tcpka/internal/account"
)

// The most that a program may print.
const maxOutput = 1 << 20

type output struct{ Stdout, stderr string }

// Run runs a program, as another user if who is not nil. Where it ends with an error that
// is a [*Refusal].
func (p Programs) Run(ctx context.Context, who *user.User, path string, args ...string) (output, error) {
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
	if err := dress(cmd, who, p.variables); err != nil {
		return output{}, err
	}
	stdout, stderr := limited{cancel: cancel}, limited{cancel: cancel}
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := bounded(ctx, cmd)
	if errors.Is(err, errStuck) { // it may still write
		return output{}, fmt.Errorf("%s: no answer, and %w", filepath.Base(path), err)
	}
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
		return out, refusal(name, exit.Error(), out.stderr)
	}
	return out, fmt.Errorf("%s: %w", name, err)
}

// dress gives a program the identity and the environment to run with. Root hands
// on nothing of its own environment, but the variables given.
func dress(cmd *exec.Cmd, who *user.User, variables []string) error {
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
	cmd.Env = append(slices.Clone(variables),
		"PATH=/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL=C",
		"HOME="+as.HomeDir, "USER="+as.Username, "LOGNAME="+as.Username,
	)
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

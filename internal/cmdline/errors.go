package cmdline

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/suggest"
)

// The exit statuses.
const (
	StatusDone   = 0
	StatusFailed = 1 // permission included
	StatusMisuse = 2 // nothing was done
	StatusPartly = 3 // partly done, or written but not in force

	// StatusApart and above are those of a command that passes on the status
	// of another program. It is misuse, too.
	StatusApart = 125
)

// Passed is the exit status of another program, about which nothing is to say.
type Passed int

func (p Passed) Error() string { return fmt.Sprintf("exit status %d", int(p)) }

// Failure is an error with an exit status other than 1, or with a hint: the
// exact thing to do about it.
type Failure struct {
	Err    error
	Status int
	Hint   string
}

func (f *Failure) Error() string { return f.Err.Error() }

func (f *Failure) Unwrap() error { return f.Err }

// Misuse is a command line that makes no sense.
func Misuse(format string, args ...any) *Failure {
	return &Failure{Err: fmt.Errorf(format, args...), Status: StatusMisuse}
}

func Failed(err error) *Failure { return &Failure{Err: err, Status: StatusFailed} }

func (f *Failure) WithHint(format string, args ...any) *Failure {
	f.Hint = fmt.Sprintf(format, args...)
	return f
}

// apart keeps the failures of a command that passes on the status of another
// program out of the range that programs use.
func apart(err error) error {
	if _, ok := errors.AsType[Passed](err); ok || err == nil {
		return err
	}
	f := Failed(err)
	errors.As(err, &f)
	return &Failure{Err: err, Status: max(f.Status, StatusApart), Hint: f.Hint}
}

// StatusOf prints err, if there is one, and returns the exit status.
func StatusOf(err error, stderr io.Writer) int {
	if err == nil {
		return StatusDone
	}
	if p, ok := errors.AsType[Passed](err); ok {
		return int(p)
	}
	f := Failed(err)
	errors.As(err, &f)
	text := strings.ReplaceAll(err.Error(), "\n", "; ") // joined errors
	style := StyleOf(stderr)
	answer.Paragraph(stderr, style, "tcpka: error: ", answer.Escape(text))
	if f.Hint != "" {
		answer.Paragraph(stderr, style, "tcpka: hint: ", answer.Escape(f.Hint))
	}
	return f.Status
}

// Sudo hints at the command that would be allowed.
func (s *Invocation) Sudo() string { return "run: sudo tcpka " + suggest.ShellJoin(s.Args) }

// rootless is the process that --netns names, where that is in a user namespace of the
// caller's own, as in a rootless container: its owner may enter both. rest are the
// arguments without it. Who may read the link may also look into the process, see
// ptrace(2), PTRACE_MODE_READ; user_namespaces(7).
func rootless(args []string, proc string) (pid string, rest []string) {
	for i := 0; i < len(args); i++ {
		value, joined := strings.CutPrefix(args[i], "--netns=")
		switch {
		case joined:
			pid = value
		case args[i] == "--netns" && i+1 < len(args):
			i++
			pid = args[i]
		default:
			rest = append(rest, args[i])
		}
	}
	if pid == "" || strings.Trim(pid, "0123456789") != "" {
		return "", nil
	}
	theirs, err := os.Readlink(proc + "/" + pid + "/ns/user")
	own, err2 := os.Readlink(proc + "/self/ns/user")
	if err != nil || err2 != nil || theirs == own {
		return "", nil
	}
	return pid, rest
}

// Permission adds the exact command to an error for want of privilege.
func (s *Invocation) Permission(err error) error {
	if !errors.Is(err, os.ErrPermission) {
		return err
	}
	if os.Geteuid() != 0 {
		if pid, rest := rootless(s.Args, "/proc"); pid != "" {
			return Failed(err).WithHint("run: nsenter -t %s -U -n --preserve-credentials tcpka %s", pid, suggest.ShellJoin(rest))
		}
		return Failed(err).WithHint("%s", s.Sudo())
	}
	return Failed(err).WithHint("this root may not, as in a container or a user namespace: run it outside")
}

package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/tcpka/tcpka/internal/report"
)

// The exit statuses.
const (
	statusDone   = 0
	statusFailed = 1 // permission included
	statusMisuse = 2 // nothing was done
	statusPartly = 3 // partly done, or written but not in force

	// statusApart and above are those of a command that passes on the status
	// of another program. It is misuse, too.
	statusApart = 125
)

// passed is the exit status of another program, about which nothing is to say.
type passed int

func (p passed) Error() string { return fmt.Sprintf("exit status %d", int(p)) }

// failure is an error with an exit status other than 1, or with a hint: the
// exact thing to do about it.
type failure struct {
	err    error
	status int
	hint   string
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// misuse is a command line that makes no sense.
func misuse(format string, args ...any) *failure {
	return &failure{err: fmt.Errorf(format, args...), status: statusMisuse}
}

func failed(err error) *failure { return &failure{err: err, status: statusFailed} }

func (f *failure) withHint(format string, args ...any) *failure {
	f.hint = fmt.Sprintf(format, args...)
	return f
}

// apart keeps the failures of a command that passes on the status of another
// program out of the range that programs use.
func apart(err error) error {
	if _, ok := errors.AsType[passed](err); ok || err == nil {
		return err
	}
	f := failed(err)
	errors.As(err, &f)
	return &failure{err: err, status: max(f.status, statusApart), hint: f.hint}
}

// statusOf prints err, if there is one, and returns the exit status.
func statusOf(err error, stderr io.Writer) int {
	if err == nil {
		return statusDone
	}
	if p, ok := errors.AsType[passed](err); ok {
		return int(p)
	}
	f := failed(err)
	errors.As(err, &f)
	text := strings.ReplaceAll(err.Error(), "\n", "; ") // joined errors
	style := styleOf(stderr)
	report.Paragraph(stderr, style, "tcpka: error: ", report.Escape(text))
	if f.hint != "" {
		report.Paragraph(stderr, style, "tcpka: hint: ", report.Escape(f.hint))
	}
	return f.status
}

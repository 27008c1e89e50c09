package netns

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// NotFoundError is a name or a PID that leads to no network namespace. It answers
// to [os.ErrNotExist].
type NotFoundError struct {
	Spec  string   // what was looked for
	Known []string // the names there are, in the order of [List]; nil for a PID
}

func (e *NotFoundError) Error() string {
	if isPID(e.Spec) {
		return "no process " + e.Spec
	}
	return fmt.Sprintf("no network namespace %q", e.Spec)
}

// Unwrap returns [os.ErrNotExist].
func (e *NotFoundError) Unwrap() error { return os.ErrNotExist }

// Find opens the namespace that spec means. Close the handle.
//
//   - Digits are a PID: the namespace that the process is in now. The handle
//     stays there if the process moves or ends.
//   - What has a slash is a path. Of a socket, /proc/PID/fd/N, it is the namespace that
//     the socket was made in. Anything but that and a network namespace is
//     [ErrNotNetwork], and is not opened.
//   - Anything else is a name: one that [List] gives, "current", the base name of
//     any mount of a network namespace, or the container of the first process in
//     one, by name or by at least 12 digits of its ID.
//
// What is not there is [os.ErrNotExist], for a PID or a name as a
// [*NotFoundError]. To look at a process of another user takes CAP_SYS_PTRACE, or
// it is [os.ErrPermission].
func Find(spec string) (*Handle, error) {
	switch {
	case isPath(spec):
		return findPath(spec)
	case isPID(spec):
		return findPID(spec)
	}
	return findName(spec)
}

func findPath(path string) (*Handle, error) {
	file, ns, err := open(path)
	if err != nil {
		return nil, err
	}
	return hold(file, ns, func(s *survey) { s.at(ns).asked = path })
}

func findPID(spec string) (*Handle, error) {
	pid, err := strconv.Atoi(spec)
	if err != nil { // more digits than any PID has
		return nil, &NotFoundError{Spec: spec}
	}
	file, ns, err := open(procPath(pid))
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		return nil, &NotFoundError{Spec: spec}
	}
	if errors.Is(err, ErrNotNetwork) { // see followed
		err = &os.PathError{Op: "open", Path: procPath(pid), Err: unix.EACCES}
	}
	if err != nil {
		return nil, err
	}
	return hold(file, ns, func(s *survey) { s.addProcess(pid, ns) })
}

// hold makes a handle of an open namespace, with the name that it has among the
// mounts; add adds what else is known of it.
func hold(file *os.File, ns id, add func(*survey)) (*Handle, error) {
	s, err := newSurvey()
	if err == nil {
		err = s.addMounts()
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	add(s)
	return &Handle{s.finishOne(ns), file}, nil
}

func findName(name string) (*Handle, error) {
	if name == "current" {
		n, err := Current()
		if err != nil {
			return nil, err
		}
		return n.Open()
	}
	s, err := gather()
	if err != nil {
		return nil, err
	}
	all := s.finish()
	if i := s.match(all, name); i >= 0 {
		return all[i].Open()
	}
	sortNamespaces(all)
	known := make([]string, len(all))
	for i, n := range all {
		known[i] = n.Name
	}
	return nil, &NotFoundError{Spec: name, Known: known}
}

// match returns the index of the namespace that name means, -1 for none.
func (s *survey) match(all []Namespace, name string) int {
	i := slices.IndexFunc(all, func(n Namespace) bool { return n.Name == name })
	for r := 0; r < ranks && i < 0; r++ {
		i = slices.IndexFunc(s.entries, func(e *entry) bool {
			return slices.ContainsFunc(e.mounts, func(m string) bool { return rank(m) == r && path.Base(m) == name })
		})
	}
	if i < 0 && name != "" {
		i = slices.IndexFunc(all, func(n Namespace) bool {
			return n.Container == name ||
				len(name) >= shortID && isContainerID(n.Container) && strings.HasPrefix(n.Container, name)
		})
	}
	return i
}

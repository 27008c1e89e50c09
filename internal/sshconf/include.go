package sshconf

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The most that an Include makes us read. Nobody has such files by intention.
const (
	maxFiles    = 500
	maxIncludes = 16      // levels below the main file, as in OpenSSH
	MaxNames    = 100_000 // of the directories in which patterns are looked for
)

// includeAll reads what an Include names, each file as if it stood there. A block
// that begins in one ends with it.
func (s *scan) includeAll(at Position, args []string, sc scope, depth int) error {
	inner := sc
	if !sc.matchOnly {
		inner.never = max(sc.never, sc.active.not())
	}
	for _, arg := range args {
		pattern, ok := s.resolve(arg)
		if !ok {
			s.doubt(fmt.Sprintf("Include %s in %s line %d is not followed", arg, at.File, at.Line))
			continue
		}
		paths, err := s.glob(pattern)
		if err != nil {
			return fmt.Errorf("%s line %d: %w", at.File, at.Line, err)
		}
		for _, path := range paths {
			if err := s.includeOne(at, path, inner, depth); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *scan) includeOne(at Position, path string, sc scope, depth int) error {
	_, err := s.read(path, sc, depth+1)
	if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	if _, hidden := os.Lstat(path); hidden != nil { // glob(3) finds nothing there
		return nil
	}
	// Not wrapped: a main file that may not be read is none, but one that is included
	// has ssh and sshd refuse them all.
	return fmt.Errorf("%s line %d: Include: %v", at.File, at.Line, err)
}

// resolve is an argument of Include as an absolute pattern. ok is false for what is not
// followed: brackets, escapes, tokens, variables, and the home of another user.
func (s *scan) resolve(arg string) (pattern string, ok bool) {
	switch {
	case strings.ContainsAny(arg, `[\%$`):
		return "", false
	case strings.HasPrefix(arg, "~/") && s.home != "":
		return s.home + arg[1:], true
	case strings.HasPrefix(arg, "~"):
		return "", false
	case strings.HasPrefix(arg, "/"):
		return arg, true
	}
	return s.include + "/" + arg, true
}

// glob is glob(3) in the order of bytes, and with the overlay. A pattern without * and ?
// is itself, there or not.
func (s *scan) glob(pattern string) ([]string, error) {
	if !strings.ContainsAny(pattern, "*?") {
		return []string{pattern}, nil
	}
	found := []string{""} // each with the slash behind it
	parts := strings.Split(filepath.Clean(pattern), "/")
	for i, part := range parts {
		var next []string
		for _, dir := range found {
			names := []string{part}
			if strings.ContainsAny(part, "*?") {
				var err error
				if names, err = s.matches(dir, part); err != nil {
					return nil, err
				}
			}
			for _, name := range names {
				if i < len(parts)-1 {
					name += "/"
				}
				next = append(next, dir+name)
			}
		}
		found = next
	}
	if !strings.ContainsAny(pattern, `*?[\`) { // else their directory has answered
		if err := Answers(pattern); err != nil {
			return nil, err
		}
	}
	found = slices.DeleteFunc(found, func(path string) bool {
		_, err := os.Lstat(path)
		if err != nil {
			s.findings.lookThrough(filepath.Dir(path))
		}
		return err != nil
	})
	if o := s.instead; o != nil && filepath.Dir(o.Path) == filepath.Dir(pattern) && !slices.Contains(found, o.Path) &&
		MatchPattern(filepath.Base(o.Path), filepath.Base(pattern)) {
		found = append(found, o.Path)
	}
	slices.Sort(found)
	return found, nil
}

// matches are the names in a directory that match a pattern, whose * and ? do not stand
// for the dot that a name begins with. A directory that cannot be read has none.
func (s *scan) matches(dir, pattern string) (names []string, err error) {
	s.findings.lookThrough(filepath.Clean(cmp.Or(dir, ".")))
	all, err := ReadNames(cmp.Or(dir, "."), MaxNames-s.names+1)
	if errors.Is(err, ErrNoAnswer) {
		return nil, err
	}
	if err != nil {
		return nil, nil
	}
	if s.names += len(all); s.names > MaxNames {
		return nil, fmt.Errorf("more than %d names to look through for Include", MaxNames)
	}
	for _, name := range all {
		if MatchPattern(name, pattern) && (name[0] != '.' || pattern[0] == '.') {
			names = append(names, name)
		}
	}
	return names, nil
}

package sshconf

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

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

// ErrPattern is a pattern of hosts that is not written.
var ErrPattern = errors.New("not a pattern for one line Host")

// CheckPattern refuses what is not a single pattern of ssh_config(5) without
// negation, or could be taken for something else.
func CheckPattern(pattern string) error {
	name := strings.NewReplacer("*", "", "?", "").Replace(pattern)
	if strings.ContainsAny(pattern, "@/,=%") || pattern == "" || name != "" && CheckDestination(name) != nil || pattern[0] == '-' {
		return fmt.Errorf("%w: %q", ErrPattern, pattern)
	}
	return nil
}

package main

import (
	"fmt"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// sudoCaller is the user who called sudo.
type sudoCaller struct {
	user       *user.User
	credential *syscall.Credential
}

// findSudoCaller looks in the environment that sudo leaves for who called it,
// and in the password database for who that is: his groups, and whether he
// exists. It returns nil where there is no sudo, or root called it.
//
// A binary without cgo, such as make build's, reads /etc/passwd and /etc/group
// and does not ask LDAP or SSSD.
func findSudoCaller(getenv func(string) string) (*sudoCaller, error) {
	uid := getenv("SUDO_UID")
	if uid == "" {
		return nil, nil
	}
	id, err := parseID(uid)
	if err != nil {
		return nil, fmt.Errorf("SUDO_UID: %w", err)
	}
	if id == 0 {
		return nil, nil
	}
	u, err := user.LookupId(strconv.FormatUint(uint64(id), 10))
	if err != nil {
		return nil, fmt.Errorf("SUDO_UID: %w", err)
	}
	gid, err := parseID(getenv("SUDO_GID"))
	if err != nil {
		return nil, fmt.Errorf("SUDO_GID: %w", err)
	}
	names, err := u.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("groups of %s: %w", u.Username, err)
	}
	var groups []uint32
	for _, name := range names {
		g, err := parseID(name)
		if err != nil {
			return nil, fmt.Errorf("groups of %s: %w", u.Username, err)
		}
		groups = append(groups, g)
	}
	if !slices.Contains(groups, gid) {
		return nil, fmt.Errorf("SUDO_GID: %s is not in group %d", u.Username, gid)
	}
	return &sudoCaller{u, &syscall.Credential{Uid: id, Gid: gid, Groups: groups}}, nil
}

// parseID reads a user or group number. 4294967295 is no number but "leave it",
// to setuid(2).
func parseID(text string) (uint32, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n == 1<<32-1 {
		return 0, fmt.Errorf("%q is no user or group number", text)
	}
	return uint32(n), nil
}

// environ is env with what sudo has made root's given back to the caller. His
// shell and mailbox are not known here: those of root go.
func (c *sudoCaller) environ(env []string) []string {
	kept := slices.DeleteFunc(slices.Clone(env), func(e string) bool {
		name, _, _ := strings.Cut(e, "=")
		return strings.HasPrefix(name, "SUDO_") || slices.Contains([]string{"HOME", "USER", "LOGNAME", "SHELL", "MAIL"}, name)
	})
	return append(kept, "HOME="+c.user.HomeDir, "USER="+c.user.Username, "LOGNAME="+c.user.Username)
}

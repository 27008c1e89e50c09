package run

import (
	"fmt"
	"os/user"
	"slices"
	"strings"
	"syscall"

	"github.com/tcpka/tcpka/internal/account"
)

// sudoCaller is the user who called sudo.
type sudoCaller struct {
	user       *user.User
	credential *syscall.Credential
}

// findSudoCaller looks in the environment that sudo leaves for who called it, and asks
// this machine who that is: his groups, and whether he exists. It returns nil where there
// is no sudo, or root called it.
func findSudoCaller(getenv func(string) string) (*sudoCaller, error) {
	uid := getenv("SUDO_UID")
	if uid == "" {
		return nil, nil
	}
	id, err := account.ParseID(uid)
	if err != nil {
		return nil, fmt.Errorf("SUDO_UID: %w", err)
	}
	if id == 0 {
		return nil, nil
	}
	u, err := account.Named(id, getenv("SUDO_USER"))
	if err != nil {
		return nil, fmt.Errorf("SUDO_UID: %w", err)
	}
	gid, err := account.ParseID(getenv("SUDO_GID"))
	if err != nil {
		return nil, fmt.Errorf("SUDO_GID: %w", err)
	}
	credential, err := account.Credential(u)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(credential.Groups, gid) {
		return nil, fmt.Errorf("SUDO_GID: %s is not in group %d", u.Username, gid)
	}
	credential.Gid = gid // another of his groups, as after newgrp(1)
	return &sudoCaller{u, credential}, nil
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

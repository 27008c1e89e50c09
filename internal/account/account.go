// Package account looks up the users of this machine and their groups.
//
// The C library knows whom LDAP, SSSD or systemd's userdb knows, and tcpka is built without
// it. So users that /etc/passwd lacks are asked for with getent(1), and groups with id(1),
// which go by /etc/nsswitch.conf. It is always the machine that tcpka runs on that is
// asked, and never an image.
package account

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// ByID looks up the user with a number. A number that nobody has is a
// [user.UnknownUserIdError]. Equivalent to: getent passwd ID.
func ByID(id uint32) (*user.User, error) {
	key := strconv.FormatUint(uint64(id), 10)
	return lookUp(key, user.UnknownUserIdError(id), func(who *user.User) bool { return who.Uid == key })
}

// ByName is [ByID] for a name, and a [user.UnknownUserError].
func ByName(name string) (*user.User, error) {
	return lookUp(name, user.UnknownUserError(name), func(who *user.User) bool { return who.Username == name })
}

// Named is [ByID], and where several users have the number the one with the name. So
// SUDO_UID and SUDO_USER say who called sudo(8).
func Named(id uint32, name string) (*user.User, error) {
	if who, err := ByName(name); err == nil && who.Uid == strconv.FormatUint(uint64(id), 10) {
		return who, nil
	}
	return ByID(id)
}

func lookUp(key string, unknown error, is func(*user.User) bool) (*user.User, error) {
	// Not user.LookupId: to that, this process is who $USER and $HOME say where the
	// file does not know him.
	content, err := os.ReadFile("/etc/passwd")
	for line := range strings.Lines(string(content)) {
		if who, ok := parseEntry(strings.TrimSpace(line)); ok && is(who) {
			return who, nil
		}
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = unknown
	}
	return nss.user(key, err, is)
}

// Current is the user that this process runs as. Whom nobody knows is who $USER and
// $HOME say, as in [user.Current].
func Current() (*user.User, error) {
	who, err := ByID(uint32(os.Getuid()))
	if err != nil {
		return user.Current()
	}
	return who, nil
}

// Credential is what a process needs to be as who: with his numbers and all his groups,
// his own first. It asks id(1), since groups of a user in /etc/passwd may be in LDAP;
// where there is none it reads /etc/group, and where that does not exist either he has
// the one group. Equivalent to: id -G NAME.
func Credential(who *user.User) (*syscall.Credential, error) {
	uid, gid, err := IDs(who)
	if err != nil {
		return nil, err
	}
	groups, err := nss.groups(who.Username, uid)
	if errors.Is(err, fs.ErrNotExist) {
		groups, err = listed(who)
	}
	if err != nil {
		return nil, fmt.Errorf("groups of %s: %w", who.Username, err)
	}
	groups = slices.DeleteFunc(groups, func(g uint32) bool { return g == gid })
	return &syscall.Credential{Uid: uid, Gid: gid, Groups: slices.Insert(groups, 0, gid)}, nil
}

// listed are the groups of a user in /etc/group.
func listed(who *user.User) (groups []uint32, err error) {
	names, err := who.GroupIds()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, name := range names {
		g, errID := ParseID(name)
		err = cmp.Or(err, errID)
		groups = append(groups, g)
	}
	return groups, err
}

// IDs are the numbers of a user and of his own group.
func IDs(who *user.User) (uid, gid uint32, err error) {
	if uid, err = ParseID(who.Uid); err == nil {
		gid, err = ParseID(who.Gid)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("user %s: %w", who.Username, err)
	}
	return uid, gid, nil
}

// ParseID reads the number of a user or group. 4294967295 is none: to setuid(2) it is -1,
// leave it.
func ParseID(text string) (uint32, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n == math.MaxUint32 {
		return 0, fmt.Errorf("%q is no user or group number", text)
	}
	return uint32(n), nil
}

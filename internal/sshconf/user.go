package sshconf

import (
	"fmt"
	"os"
	"os/user"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/account"
)

// Caller is the user behind sudo, or nil without sudo.
func Caller() (*user.User, error) {
	id := os.Getenv("SUDO_UID")
	if os.Geteuid() != 0 || id == "" {
		return nil, nil
	}
	uid, err := account.ParseID(id)
	if err == nil && uid == 0 {
		return nil, nil
	}
	var who *user.User
	if err == nil {
		who, err = account.Named(uid, os.Getenv("SUDO_USER"))
	}
	if err != nil {
		return nil, fmt.Errorf("the user behind sudo: %w", err)
	}
	return who, nil
}

// AsUser runs f with a user's rights to files, and nobody else's: new files are his,
// and what he may not reach, f may not. nil is the caller. See setfsuid(2); with it
// the thread loses root's power over files.
//
// f stays on one thread, and must start no other goroutine and no program.
func AsUser(who *user.User, f func() error) error {
	if who == nil {
		return f()
	}
	as, err := account.Credential(who)
	if err != nil {
		return err
	}
	var groups []int
	for _, g := range as.Groups {
		groups = append(groups, int(g))
	}
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // for ever: the thread ends with the goroutine
		result <- func() error {
			if err := unix.Setgroups(groups); err != nil { // of this thread alone
				return fmt.Errorf("act as %s: %w", who.Username, err)
			}
			for _, set := range []struct {
				call func(int) (int, error)
				id   uint32
			}{{unix.SetfsgidRetGid, as.Gid}, {unix.SetfsuidRetUid, as.Uid}} {
				set.call(int(set.id)) // returns the one before, and no error
				if now, _ := set.call(-1); uint32(now) != set.id {
					return fmt.Errorf("act as %s: %w", who.Username, unix.EPERM)
				}
			}
			return f()
		}()
	}()
	return <-result
}

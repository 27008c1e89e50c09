package sshconf

import (
	"fmt"
	"os/user"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// asUser runs f with a user's rights to files, and nobody else's: new files are his,
// and what he may not reach, f may not. nil is the caller. See setfsuid(2); with it
// the thread loses root's power over files.
//
// f stays on one thread, and must start no other goroutine and no program.
func asUser(who *user.User, f func() error) error {
	if who == nil {
		return f()
	}
	uid, gid, groups, err := numbers(who)
	if err != nil {
		return err
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
				id   int
			}{{unix.SetfsgidRetGid, gid}, {unix.SetfsuidRetUid, uid}} {
				set.call(set.id) // returns the one before, and no error
				if now, _ := set.call(-1); now != set.id {
					return fmt.Errorf("act as %s: %w", who.Username, unix.EPERM)
				}
			}
			return f()
		}()
	}()
	return <-result
}

func numbers(who *user.User) (uid, gid int, groups []int, err error) {
	if uid, err = strconv.Atoi(who.Uid); err == nil {
		gid, err = strconv.Atoi(who.Gid)
	}
	if err != nil {
		return 0, 0, nil, fmt.Errorf("user %s: %w", who.Username, err)
	}
	names, err := who.GroupIds()
	if err != nil {
		return 0, 0, nil, fmt.Errorf("groups of %s: %w", who.Username, err)
	}
	for _, name := range names {
		g, err := strconv.Atoi(name)
		if err != nil {
			return 0, 0, nil, fmt.Errorf("groups of %s: %w", who.Username, err)
		}
		groups = append(groups, g)
	}
	return uid, gid, groups, nil
}

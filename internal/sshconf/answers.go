package sshconf

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ErrNoAnswer is a file system that does not answer, as one of a server that is gone.
var ErrNoAnswer = errors.New("its file system does not answer")

// answerTimeout is how long a file on another machine, or of a program, may take.
const answerTimeout = 5 * time.Second

// local are the types of file systems that answer by themselves. Another one waits for a
// server or a program, for ever if that does not answer, and then this process could not
// even end: see request_wait_answer, fs/fuse/dev.c.
const local = " bcachefs btrfs cgroup2 devpts devtmpfs erofs exfat ext2 ext3 ext4 f2fs hugetlbfs iso9660 jfs mqueue nilfs2 ntfs3 overlay proc ramfs reiserfs rootfs squashfs sysfs tmpfs ubifs udf vfat xfs zfs "

// Answers fails with [ErrNoAnswer] for a file or directory, of someone who may have it
// anywhere, that cannot be read in time. Another process reads it first, with the rights of
// this thread, and is left behind where it hangs. Of a local file, links to it included,
// nothing is asked.
func Answers(path string) error {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	point, kind := remoteOn(path, parseMounts(string(mounts)))
	if point == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), answerTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", `[ -d "$1" ] && exec ls -f -- "$1"; [ -f "$1" ] && exec head -c `+fmt.Sprint(MaxFile)+` -- "$1"`, "sh", path)
	cmd.Dir, cmd.Env = "/", []string{"PATH=/usr/bin:/bin", "LC_ALL=C"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	// An invalid number asks, and changes nothing.
	uid, _ := unix.SetfsuidRetUid(-1)
	if gid, _ := unix.SetfsgidRetGid(-1); uid != os.Geteuid() {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid), NoSetGroups: true}
	}
	bounded(ctx, cmd)
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w: %s on %s", path, ErrNoAnswer, kind, point)
	}
	return nil // whatever it said: the read that follows says it better
}

// bounded is cmd.Run that ends soon after ctx does. What cannot even be killed then goes on
// without us.
func bounded(ctx context.Context, cmd *exec.Cmd) error {
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-ended:
		return err
	case <-time.After(2 * time.Second):
		return errStuck
	}
}

// errStuck is a program that was killed and has not ended.
var errStuck = errors.New("it cannot be ended")

type mountPoint struct{ at, kind string }

// parseMounts reads /proc/PID/mountinfo. See proc_pid_mountinfo(5).
func parseMounts(text string) (all []mountPoint) {
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	for line := range strings.Lines(text) {
		before, after, _ := strings.Cut(line, " - ")
		if fields, kind := strings.Fields(before), strings.Fields(after); len(fields) > 4 && len(kind) > 0 {
			all = append(all, mountPoint{unescape.Replace(fields[4]), kind[0]})
		}
	}
	return all
}

// remoteOn follows a path as far as it is local, and returns the mount where it is not.
func remoteOn(path string, mounts []mountPoint) (point, kind string) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", ""
	}
	at, rest := "/", strings.Split(abs, "/")
	for links := 0; len(rest) > 0 && links < 40; {
		name := rest[0]
		rest = rest[1:]
		at = filepath.Join(at, name)
		var on mountPoint
		for _, m := range mounts { // of two at one place the later one is seen
			if len(m.at) >= len(on.at) && (m.at == "/" || at == m.at || strings.HasPrefix(at, m.at+"/")) {
				on = m
			}
		}
		if on.at != "" && !strings.Contains(local, " "+on.kind+" ") {
			return on.at, on.kind
		}
		if target, err := os.Readlink(at); err == nil {
			links++
			at = filepath.Dir(at)
			if filepath.IsAbs(target) {
				at = "/"
			}
			rest = append(strings.Split(target, "/"), rest...)
		}
	}
	return "", ""
}

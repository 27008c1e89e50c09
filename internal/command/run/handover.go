package run

import (
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/cmdline"
)

// Variables by which systemd tells a process, by its number, what is for it and for none
// of its children: sockets, and that it is watched. See sd_listen_fds(3) and
// sd_watchdog_enabled(3).
var forPID = []string{"LISTEN_PID", "WATCHDOG_PID"}

// handOver has a command be told what this process was told by its number. Only the new
// process knows its own, so tcpka runs there first, as [become].
func handOver(cmd *exec.Cmd) {
	env := cmd.Env
	if env == nil {
		env = os.Environ()
	}
	own := strconv.Itoa(os.Getpid())
	if slices.ContainsFunc(forPID, func(name string) bool { return slices.Contains(env, name+"="+own) }) {
		cmd.Args = append([]string{"tcpka", "run", "--handover", own, "--", cmd.Path}, cmd.Args...)
		cmd.Path = "/proc/self/exe"
	}
}

// become is the other half: this process is the command from now on. words are its path
// and what it is called with.
func become(parent string, words []string) error {
	if len(words) < 2 {
		return cmdline.Misuse("--handover is for tcpka itself")
	}
	env := os.Environ()
	for i, e := range env {
		if name, value, _ := strings.Cut(e, "="); value == parent && slices.Contains(forPID, name) {
			env[i] = name + "=" + strconv.Itoa(os.Getpid())
		}
	}
	// A newer name of the same process, which names it by more than its number.
	env = slices.DeleteFunc(env, func(e string) bool { return strings.HasPrefix(e, "LISTEN_PIDFDID=") })
	err := unix.Exec(words[0], words[1:], env)
	return cannotRun(words[1], &os.PathError{Op: "exec", Path: words[0], Err: err})
}

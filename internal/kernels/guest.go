package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/room"
)

// What follows runs in the guest, as its first process.

// orders are what the guest has to do, in the file /orders.
type orders struct {
	Modules []string // files, in the order to insert them
	Tests   []string // names of packages
	Late    string   // TCPKA_LATE, see internal/nstest
	Run     string   // patterns of tests, for go test
	Skip    string
	Timeout time.Duration // of one package
}

// The guest's second serial line carries what the tests print, and between it
// lines that begin with mark. The first one is the kernel's, so that neither
// can break a line of the other.
const (
	mark    = "@kernels "
	outLine = "/dev/ttyS1"
)

// guest is process 1 of the guest. It does not return.
func guest() {
	err := prepare()
	if err == nil {
		err = obey()
	}
	if err != nil {
		say("failed %v", err)
	}
	unix.Sync()
	if err := unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF); err != nil {
		panic(err) // and the kernel with it
	}
	select {}
}

// say writes a line for the runner.
func say(format string, args ...any) {
	text := strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", " | ")
	fmt.Printf("\n%s%s\n", mark, text)
}

// prepare makes of the unpacked archive a system as programs expect it.
func prepare() error {
	if err := leaveFirstRoot(); err != nil {
		return err
	}
	for _, m := range []struct{ what, where, options string }{
		{"devtmpfs", "/dev", ""},
		{"devpts", "/dev/pts", "mode=620"},
		{"proc", "/proc", ""},
		{"sysfs", "/sys", ""},
		{"tmpfs", "/tmp", "mode=1777"},
		{"tmpfs", "/run", "mode=755"},
		{"cgroup2", "/sys/fs/cgroup", ""},
	} {
		if err := os.MkdirAll(m.where, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m.what, m.where, m.what, 0, m.options); err != nil {
			return fmt.Errorf("mount %s: %w", m.where, err)
		}
	}
	for name, target := range map[string]string{"fd": "", "stdin": "/0", "stdout": "/1", "stderr": "/2"} {
		if err := os.Symlink("/proc/self/fd"+target, "/dev/"+name); err != nil {
			return err
		}
	}
	out, err := os.OpenFile(outLine, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	os.Stdout, os.Stderr = out, out
	for key, value := range map[string]string{
		"PATH": searchPath, "HOME": "/root", "USER": "root", "TMPDIR": "/tmp",
	} {
		if err := os.Setenv(key, value); err != nil {
			return err
		}
	}
	return room.Up("lo")
}

// leaveFirstRoot puts another view of the unpacked archive over the mount that it
// was unpacked into, which pivot_root(2) refuses to replace.
func leaveFirstRoot() error {
	const view = "/view"
	return errors.Join(
		os.Mkdir(view, 0o755),
		unix.Mount("/", view, "", unix.MS_BIND, ""),
		os.Chdir(view),
		unix.Mount(".", "/", "", unix.MS_MOVE, ""),
		unix.Chroot("."),
		os.Chdir("/"))
}

func obey() error {
	var o orders
	data, err := os.ReadFile("/orders")
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, &o); err != nil {
		return fmt.Errorf("/orders: %w", err)
	}
	for _, m := range o.Modules {
		f, err := os.Open(m)
		if err != nil {
			return err
		}
		if err := unix.FinitModule(int(f.Fd()), "", 0); err != nil {
			return fmt.Errorf("insert %s: %w", m, err)
		}
		f.Close()
	}
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return err
	}
	say("kernel %s %s", unix.ByteSliceToString(name.Release[:]), unix.ByteSliceToString(name.Version[:]))
	say("timer %s", keepaliveTimer())
	for _, t := range o.Tests {
		program, err := moved("/tests/" + t + "/test")
		if err != nil {
			return err
		}
		cmd := exec.Command(program, "-test.v", "-test.timeout="+o.Timeout.String(), "-test.run="+o.Run, "-test.skip="+o.Skip)
		cmd.Dir = "/tests/" + t
		cmd.Env = append(os.Environ(), "TCPKA_LATE="+o.Late)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		say("begin %s", t)
		from := time.Now()
		err = cmd.Run()
		status := "ok"
		if err != nil {
			status = err.Error()
		}
		say("end %s %.0f %s", t, time.Since(from).Seconds(), status)
	}
	for _, line := range complaints() {
		say("complaint %s", line)
	}
	say("done")
	return nil
}

// moved is a program in the file system of /tmp, where testscript can give it the
// names of commands by links. Elsewhere it makes a copy for each, in each child.
func moved(program string) (string, error) {
	data, err := os.ReadFile(program)
	if err != nil {
		return "", err
	}
	const to = "/tmp/test"
	os.Remove(to)
	return to, errors.Join(os.WriteFile(to, data, 0o755), os.Remove(program))
}

// keepaliveTimer is the member that holds the timer in this kernel.
func keepaliveTimer() string {
	btf, err := os.ReadFile("/sys/kernel/btf/vmlinux")
	switch {
	case err != nil:
		return "unknown"
	case bytes.Contains(btf, []byte("\x00icsk_keepalive_timer\x00")):
		return "icsk_keepalive_timer"
	}
	return "sk_timer"
}

// complaints are lines of the kernel's log in which it says that something is
// wrong with it.
func complaints() (lines []string) {
	const readAll = 3 // SYSLOG_ACTION_READ_ALL
	buf := make([]byte, 1<<20)
	n, err := unix.Klogctl(readAll, buf)
	if err != nil {
		return []string{"its log cannot be read: " + err.Error()}
	}
	for line := range strings.Lines(string(buf[:n])) {
		for _, word := range []string{"WARNING: ", "BUG: ", "Oops", "rcu_sched detected stalls", "general protection fault"} {
			if strings.Contains(line, word) {
				lines = append(lines, strings.TrimSpace(line))
			}
		}
	}
	return lines
}

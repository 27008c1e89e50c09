//go:build linux

package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/command/run"
	"github.com/tcpka/tcpka/internal/nstest"
)

// signalledMain names the signals it gets, and ends with status 3 at SIGTERM. It
// begins with the pid of its parent.
func signalledMain() {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, run.Relayed...)
	fmt.Println("parent", os.Getppid())
	for sig := range signals {
		fmt.Println(sig)
		if sig == unix.SIGTERM {
			os.Exit(3)
		}
	}
}

// connectingMain makes a connection for each line of its input, and prints
// whether keepalive is on, and the time. Package net sets it to 15 s.
func connectingMain() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	for input := bufio.NewScanner(os.Stdin); input.Scan(); {
		c, err := net.Dial("tcp", l.Addr().String())
		must(err)
		raw, err := c.(*net.TCPConn).SyscallConn()
		must(err)
		must(raw.Control(func(fd uintptr) {
			on, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_KEEPALIVE)
			must(err)
			idle, err := unix.GetsockoptInt(int(fd), unix.SOL_TCP, unix.TCP_KEEPIDLE)
			must(err)
			fmt.Println(on, idle)
		}))
	}
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(99)
	}
}

// running is tcpka run at work, or a shell around it.
type running struct {
	t     *testing.T
	cmd   *exec.Cmd
	stdin io.Writer
	lines <-chan string // what it prints; closed at the end
}

// startRun starts tcpka run where no terminal is. Closing the pipe it returns
// ends the input.
func startRun(t *testing.T, args ...string) (*running, io.Closer) {
	t.Helper()
	cmd := exec.Command("tcpka", append([]string{"run"}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	return started(t, cmd, stdin, stdout), stdin
}

func started(t *testing.T, cmd *exec.Cmd, stdin io.Writer, stdout io.Reader) *running {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	lines := make(chan string)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(stdout); s.Scan(); {
			lines <- s.Text()
		}
	}()
	return &running{t, cmd, stdin, lines}
}

// line is the next one it prints.
func (r *running) line() string {
	r.t.Helper()
	select {
	case line, ok := <-r.lines:
		if !ok {
			r.t.Fatal("it says nothing more")
		}
		return line
	case <-time.After(5 * time.Minute):
		r.t.Fatal("it says nothing")
		return ""
	}
}

func (r *running) expect(want string) {
	r.t.Helper()
	if got := r.line(); got != want {
		r.t.Fatalf("got %q, want %q", got, want)
	}
}

func (r *running) expectStatus(want int) {
	r.t.Helper()
	for range r.lines {
	}
	r.cmd.Wait()
	if got := r.cmd.ProcessState.ExitCode(); got != want {
		r.t.Errorf("exit status %d, want %d", got, want)
	}
}

// parent reads the pid that signalled begins with.
func (r *running) parent() int {
	r.t.Helper()
	text, ok := strings.CutPrefix(r.line(), "parent ")
	pid, err := strconv.Atoi(text)
	if err != nil || !ok {
		r.t.Fatalf("%q: %v", text, err)
	}
	return pid
}

func TestRootRunPassesSignalsOn(t *testing.T) {
	nstest.Parallel(t)
	nstest.RunRoot(t, func(t *testing.T) {
		nstest.Cgroup(t)
		r, _ := startRun(t, "signalled")
		if got := r.parent(); got != r.cmd.Process.Pid {
			t.Errorf("its parent is %d, not tcpka (%d)", got, r.cmd.Process.Pid)
		}
		for _, sig := range run.Relayed {
			if err := r.cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			r.expect(sig.String())
			if sig == unix.SIGTERM {
				r.expectStatus(3)
				r, _ = startRun(t, "signalled")
				r.parent()
			}
		}
	})
}

func TestRootRunInATerminal(t *testing.T) {
	nstest.Parallel(t)
	nstest.RunRoot(t, func(t *testing.T) {
		nstest.Cgroup(t)
		const script = `
			set -m
			tcpka run signalled
			echo "stopped: $?"
			fg >/dev/null
			echo "ended: $?"`
		master, slave := terminal(t, 80)
		defer slave.Close()
		noEcho(t, slave)
		cmd := exec.Command(nstest.Program(t, "bash"), "-c", script)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
		r := started(t, cmd, master, master)
		tcpka := r.parent()

		press := func(key string) {
			t.Helper()
			if _, err := io.WriteString(master, key); err != nil {
				t.Fatal(err)
			}
		}
		// Each of them once: the kernel sends it to both.
		press("\x03") // Ctrl-C
		r.expect("interrupt")
		press("\x1c") // Ctrl-\
		r.expect("quit")
		if err := unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 33, Col: 99}); err != nil {
			t.Fatal(err)
		}
		r.expect("window changed")
		press("\x1a") // Ctrl-Z
		r.expect("")  // bash ends the line, and tells the user
		if line := r.line(); !strings.Contains(line, "Stopped") {
			t.Errorf("bash says %q", line)
		}
		r.expect(fmt.Sprintf("stopped: %d", 128+unix.SIGTSTP))
		r.expect("continued") // by fg
		for _, sig := range []unix.Signal{unix.SIGUSR1, unix.SIGTERM} {
			if err := unix.Kill(tcpka, sig); err != nil {
				t.Fatal(err)
			}
			r.expect(sig.String())
		}
		r.expect("ended: 3")
	})
}

// noEcho has a terminal show what programs write, and not the keys pressed.
func noEcho(t *testing.T, slave *os.File) {
	t.Helper()
	mode, err := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
	if err == nil {
		mode.Lflag &^= unix.ECHO
		err = unix.IoctlSetTermios(int(slave.Fd()), unix.TCSETS, mode)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestRootRunKilled(t *testing.T) {
	nstest.Parallel(t)
	nstest.RunRoot(t, func(t *testing.T) {
		own := nstest.Cgroup(t)
		r, stdin := startRun(t, "--time", "45", "--force", "connecting")
		connect := func(want string) {
			t.Helper()
			fmt.Fprintln(r.stdin)
			r.expect(want)
		}
		connect("1 45")
		if err := r.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		r.cmd.Process.Wait()
		connect("1 45") // the program goes on, and so does the force

		status(t, 0, "true")
		if got := cgroups(t, own); got != 1 {
			t.Errorf("%d cgroups while it runs, want its own", got)
		}
		stdin.Close()
		awaitEmpty(t, own)
		status(t, 0, "true")
		if got := cgroups(t, own); got != 0 {
			t.Errorf("%d cgroups are left", got)
		}
	})
}

func TestRootRunLeavesBackgroundProcesses(t *testing.T) {
	nstest.Parallel(t)
	nstest.RunRoot(t, func(t *testing.T) {
		own := nstest.Cgroup(t)
		r, _ := startRun(t, "sh", "-c", "sleep 60 >/dev/null 2>&1 & echo $!; exit 5")
		pid, err := strconv.Atoi(r.line())
		if err != nil {
			t.Fatal(err)
		}
		r.expectStatus(5)
		if err := unix.Kill(pid, unix.SIGTERM); err != nil {
			t.Errorf("it does not live: %v", err)
		}
		awaitEmpty(t, own)
		status(t, 0, "true")
		if got := cgroups(t, own); got != 0 {
			t.Errorf("%d cgroups are left", got)
		}
	})
}

func TestRootRunManyAtOnce(t *testing.T) {
	nstest.Parallel(t)
	nstest.RunRoot(t, func(t *testing.T) {
		own := nstest.Cgroup(t)
		var wg sync.WaitGroup
		for n := range 10 {
			wg.Go(func() { status(t, n, "--force", "sh", "-c", "exit "+strconv.Itoa(n)) })
		}
		wg.Wait()
		if got := cgroups(t, own); got != 0 {
			t.Errorf("%d cgroups are left", got)
		}
	})
}

// status runs tcpka run, which must say nothing.
func status(t *testing.T, want int, args ...string) {
	t.Helper()
	cmd := exec.Command("tcpka", append([]string{"run"}, args...)...)
	out, _ := cmd.CombinedOutput()
	if got := cmd.ProcessState.ExitCode(); got != want || len(out) > 0 {
		t.Errorf("tcpka run %s: exit status %d, want %d\n%s", args, got, want, out)
	}
}

func cgroups(t *testing.T, own string) int {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(own, "tcpka-run-*"))
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// awaitEmpty waits until nothing runs in the cgroups that runs have left.
func awaitEmpty(t *testing.T, own string) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Minute); ; time.Sleep(5 * time.Millisecond) {
		list, err := filepath.Glob(filepath.Join(own, "tcpka-run-*", "cgroup.events"))
		if err != nil {
			t.Fatal(err)
		}
		populated := false
		for _, file := range list {
			text, _ := os.ReadFile(file)
			populated = populated || strings.Contains(string(text), "populated 1")
		}
		if !populated {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("something still runs")
		}
	}
}

//go:build linux

package main

import (
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
)

// screen collects what a program writes to a terminal.
type screen struct {
	master *os.File
	mu     sync.Mutex
	text   string
}

func newScreen(master *os.File) *screen {
	s := &screen{master: master}
	go func() {
		for b := make([]byte, 4096); ; {
			n, err := master.Read(b) // EIO when nobody has the other end
			if err != nil {
				return
			}
			s.mu.Lock()
			s.text += string(b[:n])
			s.mu.Unlock()
		}
	}()
	return s
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text
}

// await waits for a frame, or an end, that is like this.
func (s *screen) await(t *testing.T, what string, like func(string) bool) {
	t.Helper()
	for range 60_000 {
		if like(s.String()) {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("%s: not seen in %q", what, s.String())
}

// frames are the pictures that were drawn, without what moves the cursor.
func frames(text string) []string {
	all := strings.Split(text, "\x1b[H")[1:]
	for i, f := range all {
		f, _, _ = strings.Cut(f, "\x1b[J")
		f = strings.ReplaceAll(f, "\x1b[K", "")
		all[i] = regexp.MustCompile(`\x1b\[[0-9]*m`).ReplaceAllString(f, "")
	}
	return all
}

func TestWatchDrawsOverItself(t *testing.T) {
	nstest.Parallel(t)
	nstest.Run(t, func(t *testing.T) {
		// A peer that is gone, one that answers, one without keepalive.
		for _, w := range []wish{{on: true, time: 1, intvl: 1, probes: 100, deaf: true}, {on: true, time: 600}, {}} {
			if _, _, err := w.connect(); err != nil {
				t.Fatal(err)
			}
		}
		const enter, leave = "\x1b[?1049h", "\x1b[?1049l"
		for _, end := range []struct {
			name string
			by   func(master *os.File, p *os.Process) error
			ok   func(syscall.WaitStatus) bool
		}{
			{"ctrl-c", func(_ *os.File, p *os.Process) error { return p.Signal(unix.SIGINT) },
				func(ws syscall.WaitStatus) bool { return ws.Signaled() && ws.Signal() == unix.SIGINT }},
			{"terminated", func(_ *os.File, p *os.Process) error { return p.Signal(unix.SIGTERM) },
				func(ws syscall.WaitStatus) bool { return ws.Signaled() && ws.Signal() == unix.SIGTERM }},
			{"q", func(master *os.File, _ *os.Process) error { _, err := master.WriteString("q"); return err },
				func(ws syscall.WaitStatus) bool { return ws.Exited() && ws.ExitStatus() == 0 }},
		} {
			t.Run(end.name, func(t *testing.T) {
				master, slave := terminal(t, 80)
				before, err := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
				if err != nil {
					t.Fatal(err)
				}
				screen := newScreen(master)
				cmd := exec.Command("tcpka", "show", "sockets", "--watch=100ms", "--keepalive", "on")
				cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
				cmd.Env = append(os.Environ(), "TERM=xterm", "NO_COLOR=1")
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				defer cmd.Process.Kill()
				screen.await(t, "the probed connection on top", func(text string) bool {
					f := frames(text)
					if len(f) < 2 {
						return false
					}
					lines := strings.Split(f[len(f)-2], "\r\n")
					return len(lines) > 4 && strings.Contains(lines[0], "every 100ms") && strings.Contains(lines[0], "being probed: 1") &&
						regexp.MustCompile(`^DIES IN +LOST `).MatchString(lines[2]) &&
						regexp.MustCompile(`^[0-9][0-9.ms]*s +[0-9]+/100 +[0-9.]+s `).MatchString(lines[3]) &&
						strings.HasPrefix(lines[4], "- ") && strings.Contains(lines[4], "600*/75/9") &&
						lines[len(lines)-1] == "q or Ctrl-C ends"
				})

				// A smaller terminal gets a smaller picture.
				if err := unix.IoctlSetWinsize(int(slave.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 5, Col: 30}); err != nil {
					t.Fatal(err)
				}
				if err := cmd.Process.Signal(unix.SIGWINCH); err != nil {
					t.Fatal(err)
				}
				screen.await(t, "a smaller picture", func(text string) bool {
					f := frames(text)
					lines := strings.Split(f[len(f)-1], "\r\n")
					if len(lines) > 5 {
						return false
					}
					for _, line := range lines {
						if len(line) > 30 {
							return false
						}
					}
					return strings.HasSuffix(text, "\x1b[J") && len(lines) == 5 &&
						regexp.MustCompile(`^q or Ctrl-C ends; [12] more s`).MatchString(lines[4])
				})

				// Stopped, it gives the terminal back, and takes it again.
				if err := cmd.Process.Signal(unix.SIGTSTP); err != nil {
					t.Fatal(err)
				}
				screen.await(t, "the screen as it was", func(text string) bool { return strings.HasSuffix(text, leave) })
				for stopped := false; !stopped; time.Sleep(5 * time.Millisecond) {
					stat, err := os.ReadFile("/proc/" + strconv.Itoa(cmd.Process.Pid) + "/stat")
					if err != nil {
						t.Fatal(err)
					}
					stopped = strings.Contains(string(stat), ") T ")
				}
				if err := cmd.Process.Signal(unix.SIGCONT); err != nil {
					t.Fatal(err)
				}
				screen.await(t, "another picture", func(text string) bool {
					return strings.Count(text, enter) == 2 && strings.Contains(text[strings.LastIndex(text, enter):], "\x1b[J")
				})

				if err := end.by(master, cmd.Process); err != nil {
					t.Fatal(err)
				}
				cmd.Wait()
				if ws := cmd.ProcessState.Sys().(syscall.WaitStatus); !end.ok(ws) {
					t.Errorf("it ended by %v", cmd.ProcessState)
				}
				screen.await(t, "the screen as it was", func(text string) bool { return strings.HasSuffix(text, leave) })
				after, err := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
				if err != nil {
					t.Fatal(err)
				}
				if *after != *before {
					t.Errorf("the terminal is left as %+v, it was %+v", after, before)
				}
			})
		}
	})
}

// A signal that is ignored when it starts must not leave it between ending and
// going on.
func TestWatchGoesOnAfterAnIgnoredSignal(t *testing.T) {
	nstest.Parallel(t)
	nstest.Run(t, func(t *testing.T) {
		master, slave := terminal(t, 80)
		screen := newScreen(master)
		cmd := exec.Command("sh", "-c", "trap '' INT; exec tcpka show sockets --watch=100ms")
		cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
		cmd.Env = append(os.Environ(), "TERM=xterm", "NO_COLOR=1")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer cmd.Process.Kill()
		screen.await(t, "a picture", func(text string) bool { return len(frames(text)) > 1 })
		if err := cmd.Process.Signal(unix.SIGINT); err != nil {
			t.Fatal(err)
		}
		seen := len(frames(screen.String()))
		screen.await(t, "more pictures", func(text string) bool { return len(frames(text)) > seen+1 })
		if _, err := master.WriteString("q"); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
}

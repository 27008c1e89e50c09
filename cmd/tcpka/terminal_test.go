//go:build linux

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
)

// terminal opens a pseudo-terminal of a width. See pty(7).
func terminal(t *testing.T, columns int) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		nstest.Missing(t, err.Error())
	}
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		nstest.Missing(t, err.Error())
	}
	if err := unix.IoctlSetWinsize(int(slave.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: uint16(columns)}); err != nil {
		t.Fatal(err)
	}
	return master, slave
}

// onTerminal returns what a command writes to a terminal.
func onTerminal(t *testing.T, columns int, args ...string) string {
	t.Helper()
	master, slave := terminal(t, columns)
	read := make(chan string)
	go func() {
		text, _ := io.ReadAll(master) // EIO when nobody has the other end
		read <- string(text)
	}()
	var stderr bytes.Buffer
	if status := execute(args, nil, slave, &stderr); status != 0 {
		t.Errorf("status %d, %s", status, &stderr)
	}
	slave.Close()
	return strings.ReplaceAll(<-read, "\r\n", "\n")
}

var explainArgs = []string{"explain", "--time", "7200", "--intvl", "75", "--probes", "0"}

func TestColoursOnATerminal(t *testing.T) {
	for _, tt := range []struct {
		name, variable, value string
		want                  bool
	}{
		{"by default", "TERM", "xterm", true},
		{"not with NO_COLOR", "NO_COLOR", "1", false},
		{"whatever NO_COLOR says", "NO_COLOR", "yes", false},
		{"but an empty one does not count", "NO_COLOR", "", true},
		{"not on a terminal that knows none", "TERM", "dumb", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("NO_COLOR", "")
			t.Setenv("TERM", "xterm")
			t.Setenv(tt.variable, tt.value)
			text := onTerminal(t, 80, explainArgs...)
			if got := strings.Contains(text, "\x1b["); got != tt.want {
				t.Errorf("colours: %t, want %t\n%q", got, tt.want, text)
			}
			if json := onTerminal(t, 80, append(explainArgs, "--json")...); strings.Contains(json, "\x1b") {
				t.Errorf("colours in JSON: %q", json)
			}
		})
	}
}

func TestTheTimelineFitsTheTerminal(t *testing.T) {
	t.Setenv("NO_COLOR", "1")
	for _, columns := range []int{40, 60, 80, 120} {
		t.Run(fmt.Sprint(columns), func(t *testing.T) {
			for _, locale := range []string{"C", "C.UTF-8"} {
				t.Setenv("LC_ALL", locale)
				text := onTerminal(t, columns, explainArgs...)
				if ascii := !strings.ContainsFunc(text, func(r rune) bool { return r >= utf8.RuneSelf }); ascii != (locale == "C") {
					t.Errorf("in the locale %s: only ASCII: %t", locale, ascii)
				}
				line := ""
				for l := range strings.Lines(text) {
					if strings.Contains(l, "-----") || strings.Contains(l, "─────") {
						line = strings.TrimSuffix(l, "\n")
						break
					}
				}
				if n := utf8.RuneCountInString(line); n == 0 || n > columns || n < columns/2 {
					t.Errorf("the timeline is %d wide on a terminal of %d:\n%s", n, columns, text)
				}
			}
		})
	}
}

// TestAnswersFitTheTerminal asks for what is long: no line is wider than the
// terminal, but for a command or an address that is to be copied.
func TestAnswersFitTheTerminal(t *testing.T) {
	t.Setenv("NO_COLOR", "1")
	t.Setenv("LC_ALL", "C")
	for _, args := range [][]string{
		{"explain", "--time", "60", "--intvl", "900", "--probes", "6", "--user-timeout", "90s"},
		{"explain", "ssh", "--side", "server", "--openssh-version", "9.2", "--interval", "60"},
		{"plan", "--behind", "aws-nlb", "--detect-within", "2m"},
		{"show", "paths"},
		{"show", "paths", "aws-alb"},
	} {
		text := onTerminal(t, 80, args...)
		for line := range strings.Lines(text) {
			copied := strings.HasPrefix(line, "  sudo tcpka ") || strings.HasPrefix(line, "  source         https://")
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 && !copied {
				t.Errorf("%q: a line of %d: %s", args, n, line)
			}
		}
	}
}

// TestErrorsFitTheTerminal reads what is said on stderr.
func TestErrorsFitTheTerminal(t *testing.T) {
	master, slave := terminal(t, 80)
	if status := execute([]string{"set", "--user-timeout", "5"}, nil, io.Discard, slave); status != 2 {
		t.Errorf("status %d", status)
	}
	slave.Close()
	text, _ := io.ReadAll(master)
	want := `tcpka: error: --user-timeout: there is no sysctl for it
tcpka: hint: TCP_USER_TIMEOUT is an option of each socket:
             tcpka set sockets --user-timeout gives it to running connections,
             tcpka run --user-timeout to a new program
`
	if got := strings.ReplaceAll(string(text), "\r\n", "\n"); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// TestAClosedPipeIsSilent closes the reading end before anything is written, as
// head does.
func TestAClosedPipeIsSilent(t *testing.T) {
	for _, args := range [][]string{{"show"}, {"show", "--json"}, {"show", "sockets"}, {"show", "sockets", "--json"}, explainArgs, {"--help"}, {"completion", "bash"}} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		r.Close()
		cmd := exec.Command("tcpka", args...)
		var stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = w, &stderr
		err = cmd.Run()
		w.Close()
		if ws, ok := cmd.ProcessState.Sys().(interface{ Signaled() bool }); !ok || !ws.Signaled() || stderr.Len() > 0 {
			t.Errorf("%q: %v, want an end by SIGPIPE, as other programs have it\n%s", args, err, &stderr)
		}
	}
}

// TestCtrlCWhileAsked ends the program by the signal: a shell says 130.
func TestCtrlCWhileAsked(t *testing.T) {
	nstest.Parallel(t)
	nstest.Run(t, func(t *testing.T) {
		furnish(t)
		t.Setenv("HOME", t.TempDir())
		master, slave := terminal(t, 80)
		defer slave.Close()
		cmd := exec.Command("tcpka", "set", "--time", "600", "--netns", "all")
		cmd.Stdin, cmd.Stderr = slave, slave
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		asked := make(chan bool)
		go func() {
			var text []byte
			for b := make([]byte, 512); !bytes.Contains(text, []byte("[y/N]")); {
				n, err := master.Read(b)
				if err != nil {
					break
				}
				text = append(text, b[:n]...)
			}
			asked <- true
		}()
		select {
		case <-asked:
		case <-time.After(5 * time.Minute):
			t.Error("it does not ask")
		}
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		cmd.Wait()
		ws, ok := cmd.ProcessState.Sys().(interface{ Signal() unix.Signal })
		if !ok || ws.Signal() != unix.SIGINT {
			t.Errorf("it ended by %v, want SIGINT", cmd.ProcessState)
		}
		if got := settings(t, ""); got != "7200 75 9" {
			t.Errorf("the kernel holds %s", got)
		}
	})
}

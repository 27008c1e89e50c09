//go:build linux

package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/sockets"
)

// left is what the keepalive timer of a socket has left; negative is no timer.
func left(t *testing.T, fd int) time.Duration {
	t.Helper()
	cookie, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
	if err != nil {
		t.Fatal(err)
	}
	d := time.Duration(-1)
	_, err = sockets.List(sockets.Query{Sysctl: keepalive.Defaults()}, func(s *sockets.Socket) error {
		if s.Cookie == cookie && s.Timer == sockets.TimerKeepalive {
			d = s.Left
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// The timers of sockets that follow the sysctl start anew, and the sockets go on
// following it. Those with a time of their own keep their timer.
func TestRearm(t *testing.T) {
	bothRooms(t, func(t *testing.T) {
		p := listenHere(t)
		follows, off := p.connect(t, options{1, 0, 0, 0, 0})
		own, _ := p.connect(t, options{1, 5000, 0, 0, 0})
		same, _ := p.connect(t, options{1, 7200, 0, 0, 0}) // its own, and the sysctl's
		few := func(d time.Duration) string {
			switch {
			case d < 0:
				return "none"
			case d <= 600*time.Second:
				return "new"
			case d <= 5000*time.Second:
				return "own"
			}
			return "old"
		}
		check := func(when, wantFollows string) {
			t.Helper()
			got := map[string]string{"follows": few(left(t, follows)), "own": few(left(t, own)), "same": few(left(t, same)), "off": few(left(t, off))}
			if diff := cmp.Diff(map[string]string{"follows": wantFollows, "own": "own", "same": "old", "off": "none"}, got); diff != "" {
				t.Errorf("%s: the timers (-want +got):\n%s", when, diff)
			}
		}
		check("at first", "old")
		tcpkaProcess(t, 0, "set", "--time", "600")
		check("the time alone", "old")
		_, stderr := tcpkaProcess(t, 2, "set", "--rearm")
		if !strings.Contains(stderr, "this changes the timer") {
			t.Errorf("without a terminal: %s", stderr)
		}
		tcpkaProcess(t, 0, "set", "--rearm", "-n")
		check("a dry run", "old")
		text, _ := tcpkaProcess(t, 0, "set", "--rearm", "--yes", "--json")
		if a := decode(t, text); !a.Changed || a.Rearmed.Done != 1 || a.Rearmed.Failed != 0 || a.Undo != nil {
			t.Errorf("rearm: %+v", a)
		}
		check("rearmed", "new")
		want(t, "follows", follows, options{1, 600, 75, 9, 0})
		text, _ = tcpkaProcess(t, 0, "set", "--rearm", "--json")
		if a := decode(t, text); a.Changed || a.Rearmed.Sockets != 0 {
			t.Errorf("again: %+v", a)
		}

		// Both at once, and back.
		tcpkaProcess(t, 0, "undo")
		want(t, "follows", follows, options{1, 7200, 75, 9, 0})
		fresh, _ := p.connect(t, options{1, 0, 0, 0, 0})
		text, _ = tcpkaProcess(t, 0, "set", "--time", "600", "--rearm", "--yes", "--json")
		if a := decode(t, text); !a.Changed || a.Rearmed.Done != 1 || a.Undo == nil {
			t.Errorf("set and rearm: %+v", a)
		}
		if got := few(left(t, fresh)); got != "new" {
			t.Errorf("fresh: %s", got)
		}
		check("at once", "new")
		tcpkaProcess(t, 0, "undo")
		want(t, "fresh", fresh, options{1, 7200, 75, 9, 0})
	})
}

// What was shown before the question is not said again: on a terminal the answer is
// what came of it. Into a file it is whole.
func TestRearmIsShownOnce(t *testing.T) {
	bothRooms(t, func(t *testing.T) {
		p := listenHere(t)
		p.connect(t, options{1, 0, 0, 0, 0})
		for _, to := range []string{"the terminal", "a file"} {
			master, slave := terminal(t, 80)
			file, err := os.Create(filepath.Join(t.TempDir(), "answer"))
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			if _, err := master.WriteString("y\n"); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("tcpka", "set", "--time", "600", "--rearm")
			cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
			if to == "a file" {
				cmd.Stdout = file
			}
			if err := cmd.Run(); err != nil {
				t.Error(err)
			}
			slave.Close()
			seen, _ := io.ReadAll(master) // EIO when nobody has the other end
			text := strings.ReplaceAll(string(seen), "\r\n", "\n")
			written, err := os.ReadFile(file.Name())
			if err != nil {
				t.Fatal(err)
			}
			_, answer, asked := strings.Cut(text, "Change the timer of 1 connection? [y/N] ")
			answer = strings.TrimPrefix(answer, "y\n") // the terminal's echo, first or only now
			want, whole := "Done as shown.\n1 timer was armed anew.\n\nTo take it back: tcpka undo ", ""
			if to == "a file" {
				answer, want, whole = string(written), "net.ipv4.tcp_keepalive_time = 600 ", "\nNot affected:\n"
			}
			if !asked || !strings.Contains(text, "\nNot affected:\n") || !strings.HasPrefix(answer, want) || !strings.Contains(answer, whole) {
				t.Errorf("into %s:\n%s\n%s", to, text, written)
			}
			tcpkaProcess(t, 0, "undo")
			p.connect(t, options{1, 0, 0, 0, 0})
		}
	})
}

// A time that is in effect already is not set, but it holds from then on: a timer
// that was armed for longer begins anew, also where another value changes. What
// has its timer already is left alone, and to say it again does nothing.
func TestSetSocketsLeavesNoOlderTimer(t *testing.T) {
	bothRooms(t, func(t *testing.T) {
		p := listenHere(t)
		late, off := p.connect(t, options{1, 0, 0, 0, 0})
		own, _ := p.connect(t, options{1, 600, 0, 0, 0})
		tcpkaProcess(t, 0, "set", "--time", "600")
		fresh, _ := p.connect(t, options{1, 0, 0, 0, 0})
		check := func(when string, runs map[int]time.Duration) {
			t.Helper()
			for fd, most := range runs {
				if got := left(t, fd); got < most-30*time.Second || got > most {
					t.Errorf("%s: socket %d has %v left of its timer, want up to %v", when, fd, got, most)
				}
			}
		}
		const old, new = 7200 * time.Second, 600 * time.Second
		check("at first", map[int]time.Duration{late: old, own: new, fresh: new})

		set := []string{"set", "sockets", "--port", p.number, "--keepalive", "on", "--time", "600"}
		_, stderr := tcpkaProcess(t, 2, set...)
		if !strings.Contains(stderr, "this changes the timer of 1 connection of ") {
			t.Errorf("without a terminal: %s", stderr)
		}
		set = append(set, "--yes")
		text, _ := tcpkaProcess(t, 0, append(set, "-n")...)
		if !strings.Contains(text, "\n3 sockets have these values already.\n1 timer that runs by an older time begins anew.\n") {
			t.Errorf("a dry run: %s", text)
		}
		check("a dry run", map[int]time.Duration{late: old})
		text, _ = tcpkaProcess(t, 0, append(set, "--json")...)
		if a := decode(t, text); !a.Changed || len(a.Changes) != 0 || a.Undo != nil || a.Rearmed.Done != 1 || a.Sockets["changing"] != 0 || a.Sockets["already"] != 3 {
			t.Errorf("set: %+v", a)
		}
		check("set", map[int]time.Duration{late: new, own: new, fresh: new})
		text, _ = tcpkaProcess(t, 0, append(set, "--json")...)
		if a := decode(t, text); a.Changed || a.Rearmed.Sockets != 0 {
			t.Errorf("again: %+v", a)
		}

		// The steps that plan proposes, without the --rearm of the first.
		tcpkaProcess(t, 0, "set", "--time", "287", "--intvl", "21", "--probes", "3")
		text, _ = tcpkaProcess(t, 0, "set", "sockets", "--port", p.number, "--on", "--time", "287", "--intvl", "21", "--probes", "3", "--user-timeout", "350s", "--yes")
		if !strings.Contains(text, "\n6 sockets were changed.\n2 timers that ran by an older time began anew.\n") {
			t.Errorf("set: %s", text)
		}
		const planned = 287 * time.Second
		check("as planned", map[int]time.Duration{late: planned, own: planned, fresh: planned, off: planned})
		nstest.Sysctl(t, "net.ipv4.tcp_keepalive_time", "5000")
		want(t, "it follows the sysctl", late, options{1, 5000, 21, 3, 350000})
		want(t, "it does not", own, options{1, 287, 21, 3, 350000})
	})
}

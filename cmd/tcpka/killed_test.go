//go:build linux && (amd64 || arm64)

package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/internal/nstest"
)

// eachScene runs f in every scene.
func eachScene(t *testing.T, f func(s scene, before, after []byte)) {
	for _, live := range []bool{true, false} {
		for _, edited := range []bool{false, true} {
			name := fmt.Sprintf("live=%t,boot file=%t", live, edited)
			t.Run(name, func(t *testing.T) {
				s := scene{t: t, home: room(t) + "/home"}
				t.Setenv("HOME", s.home)
				if !live {
					s.root = room(t) + "/image"
				}
				after := "# Written by tcpka. Undo with: tcpka undo\n"
				if edited {
					after += "# mine\n"
					s.file = []byte(after + "net.ipv4.tcp_keepalive_time = 300\n")
				}
				after += "net.ipv4.tcp_keepalive_time = 600\nnet.ipv4.tcp_keepalive_intvl = 10\n"
				if !edited {
					after = "# Written by tcpka. Undo with: tcpka undo\nnet.ipv4.tcp_keepalive_intvl = 10\nnet.ipv4.tcp_keepalive_time = 600\n"
				}
				f(s, s.file, []byte(after))
			})
		}
	}
}

var setCommand = []string{"set", "--time", "600", "--intvl", "10", "--persist"}

// TestSetKilledAtEachStep kills set before every system call that could change
// something. Each value and the boot file are then old or new, the journal can be
// read, and undo brings everything back.
func TestSetKilledAtEachStep(t *testing.T) {
	nstest.Parallel(t)
	nstest.Run(t, func(t *testing.T) {
		furnish(t)
		eachScene(t, func(s scene, _, after []byte) {
			var seen []string
			for n := 1; ; n++ {
				s.setUp()
				reached, end := stopAt(s.t, n, sends(unix.SIGKILL), s.args(setCommand...)...)
				if !reached {
					if end.ExitStatus() != 0 {
						s.t.Fatalf("set, left alone: %v", end)
					}
					break
				}
				state := s.look(after)
				if len(seen) == 0 || seen[len(seen)-1] != state {
					seen = append(seen, state)
				}
				status, _, stderr := s.tcpka("undo")
				nothing := strings.HasPrefix(state, "not recorded")
				if nothing != (status == 1 && strings.Contains(stderr, "nothing to undo")) || !nothing && status != 0 {
					s.t.Errorf("step %d, %s: undo: status %d, %s", n, state, status, stderr)
				}
				if got := s.look(after); !strings.HasSuffix(got, ": nothing changed") {
					s.t.Errorf("step %d, %s: after undo: %s", n, state, got)
				}
				if s.t.Failed() {
					return
				}
			}
			want := []string{
				"not recorded: nothing changed",
				"interrupted: nothing changed",
				"interrupted: time changed",
				"interrupted: time, intvl changed",
				"interrupted: time, intvl, boot file changed",
				"done: time, intvl, boot file changed",
			}
			if diff := cmp.Diff(want, seen); diff != "" {
				s.t.Errorf("the states between the steps (-want +got):\n%s", diff)
			}
		})
	})
}

// TestUndoKilledAtEachStep does the same to undo. What it has not finished,
// another undo finishes.
func TestUndoKilledAtEachStep(t *testing.T) {
	nstest.Parallel(t)
	nstest.Run(t, func(t *testing.T) {
		furnish(t)
		eachScene(t, func(s scene, _, after []byte) {
			var seen []string
			for n := 1; ; n++ {
				s.setUp()
				if status, _, stderr := s.tcpka(setCommand...); status != 0 {
					s.t.Fatalf("set: status %d, %s", status, stderr)
				}
				reached, end := stopAt(s.t, n, sends(unix.SIGKILL), s.args("undo")...)
				if !reached {
					if end.ExitStatus() != 0 {
						s.t.Fatalf("undo, left alone: %v", end)
					}
					break
				}
				state := s.look(after)
				if len(seen) == 0 || seen[len(seen)-1] != state {
					seen = append(seen, state)
				}
				if status, _, stderr := s.tcpka("undo"); status != 0 && !strings.HasPrefix(state, "undone") {
					s.t.Errorf("step %d, %s: undo again: status %d, %s", n, state, status, stderr)
				}
				if got := s.look(after); got != "undone: nothing changed" {
					s.t.Errorf("step %d, %s: after another undo: %s", n, state, got)
				}
				if s.t.Failed() {
					return
				}
			}
			want := []string{
				"done: time, intvl, boot file changed",
				"done: time, boot file changed",
				"done: boot file changed",
				"done: nothing changed",
				"undone: nothing changed",
			}
			if diff := cmp.Diff(want, seen); diff != "" {
				s.t.Errorf("the states between the steps (-want +got):\n%s", diff)
			}
		})
	})
}

// TestSetIsNotInterrupted sends the signals that a user or a shutdown sends. What
// has begun is finished.
func TestSetIsNotInterrupted(t *testing.T) {
	nstest.Parallel(t)
	nstest.Run(t, func(t *testing.T) {
		furnish(t)
		for _, signal := range []unix.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP} {
			t.Run(unix.SignalName(signal), func(t *testing.T) {
				s := scene{t: t, home: room(t) + "/home"}
				t.Setenv("HOME", s.home)
				after := []byte("# Written by tcpka. Undo with: tcpka undo\nnet.ipv4.tcp_keepalive_intvl = 10\nnet.ipv4.tcp_keepalive_time = 600\n")
				var seen []string
				for n := 1; ; n++ {
					s.setUp()
					reached, end := stopAt(t, n, sends(signal), s.args(setCommand...)...)
					if !reached {
						break
					}
					state := s.look(after)
					if !slices.Contains(seen, state) {
						seen = append(seen, state)
					}
					if end.Signaled() && end.Signal() != signal {
						t.Errorf("step %d: it ended by %v", n, end.Signal())
					}
				}
				want := []string{"not recorded: nothing changed", "done: time, intvl, boot file changed"}
				if diff := cmp.Diff(want, seen); diff != "" {
					t.Errorf("the states (-want +got):\n%s", diff)
				}
			})
		}
	})
}

// TestWhatCannotBeRestoredIsStillKnown refuses the second value, and from one step
// on also the first: so that, at one of them, it is written and cannot be
// restored. The record of it stays then, and undo takes it back.
func TestWhatCannotBeRestoredIsStillKnown(t *testing.T) {
	nstest.Parallel(t)
	nstest.Run(t, func(t *testing.T) {
		furnish(t)
		const dir = "/proc/sys/net/ipv4/"
		const other = dir + "tcp_syn_retries" // takes at most 127
		s := scene{t: t, home: room(t) + "/home"}
		t.Setenv("HOME", s.home)
		s.must(unix.Mount(other, dir+"tcp_keepalive_probes", "", unix.MS_BIND, ""))
		left := 0
		for n := 1; ; n++ {
			nstest.Sysctl(t, "net.ipv4.tcp_keepalive_time", "7200")
			s.must(os.RemoveAll(s.home))
			refuse := func(int, int) error { return unix.Mount(other, dir+"tcp_keepalive_time", "", unix.MS_BIND, "") }
			reached, end := stopAt(t, n, refuse, "set", "--time", "600", "--probes", "200")
			if end.ExitStatus() != cmdline.StatusFailed {
				t.Errorf("step %d: status %d, want 1", n, end.ExitStatus())
			}
			if !reached {
				break
			}
			s.must(unix.Unmount(dir+"tcp_keepalive_time", unix.MNT_DETACH))
			if settings(t, "") != "7200 75 6" {
				left++
				if state := s.recorded(); state != "interrupted" {
					t.Errorf("step %d: the time is not restored, and the record is %s", n, state)
				}
			}
			s.tcpka("undo")
			if got := settings(t, ""); got != "7200 75 6" {
				t.Errorf("step %d: after undo: %s", n, got)
			}
		}
		if left == 0 {
			t.Error("it was always restored")
		}
	})
}

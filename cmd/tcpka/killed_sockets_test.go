//go:build linux && (amd64 || arm64)

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
)

// patients are two connections of this process, one with values of its own and
// one with the sysctl's, in the state before and what is set.
type patients struct {
	port     *port
	fds      [2]int
	old, new [2]options
}

func admit(t *testing.T) patients {
	p := patients{port: listenHere(t)}
	p.old = [2]options{{0, 300, 30, 3, 0}, {1, 7200, 75, 9, 0}}
	p.new = [2]options{{1, 600, 10, 3, 0}, {1, 600, 10, 9, 0}}
	p.fds[0], _ = p.port.connect(t, p.old[0])
	p.fds[1], _ = p.port.connect(t, options{1, 0, 0, 0, 0})
	return p
}

func (p patients) set() []string {
	return []string{"set", "sockets", "--remote", ":" + p.port.number, "--on", "--time", "600", "--intvl", "10", "--yes"}
}

// look counts the options that are new, and fails the test where one is neither.
func (p patients) look(t *testing.T) (changed int) {
	t.Helper()
	for i, fd := range p.fds {
		for j, v := range optionsHeld(t, fd) {
			switch v {
			case p.old[i][j]:
			case p.new[i][j]:
				changed++
			default:
				t.Errorf("socket %d: option %d is %d: neither old nor new", i, j, v)
			}
		}
	}
	return changed
}

// TestSetSocketsKilledAtEachStep kills set sockets before every system call that
// could change something. Whatever it had done by then is recorded, and undo
// brings the values back.
func TestSetSocketsKilledAtEachStep(t *testing.T) {
	nstest.Parallel(t)
	nstest.Run(t, func(t *testing.T) {
		furnish(t)
		s := scene{t: t, home: room(t) + "/home"}
		t.Setenv("HOME", s.home)
		var seen []string
		// Each step costs the walks over /proc before it, traced: the first are left
		// out, but for some.
		for n := 10; ; n++ {
			p := admit(t)
			s.must(os.RemoveAll(s.home))
			reached, end := stopAt(t, n, sends(unix.SIGKILL), p.set()...)
			changed := p.look(t)
			if !reached {
				if end.ExitStatus() != 0 || changed != 5 {
					t.Fatalf("set sockets, left alone: %v, %d changed", end, changed)
				}
				break
			}
			recorded := s.recorded()
			if state := fmt.Sprintf("%s: %d changed", recorded, changed); len(seen) == 0 || seen[len(seen)-1] != state {
				seen = append(seen, state)
			}
			status, _, stderr := s.tcpka("undo")
			switch {
			case recorded == "not recorded" && status == 1 && strings.Contains(stderr, "nothing to undo"):
			case recorded != "not recorded" && (status == 0 || status == 3):
			default:
				t.Errorf("step %d, %s: undo: status %d, %s", n, recorded, status, stderr)
			}
			if got := p.look(t); got != 0 {
				t.Errorf("step %d, %s: after undo %d are still changed", n, recorded, got)
			}
			if t.Failed() {
				return
			}
		}
		want := []string{
			"not recorded: 0 changed",
			"interrupted: 0 changed", "interrupted: 1 changed", "interrupted: 2 changed",
			"interrupted: 3 changed", "interrupted: 4 changed", "interrupted: 5 changed",
			"done: 5 changed",
		}
		if diff := cmp.Diff(want, seen); diff != "" {
			t.Errorf("the states between the steps (-want +got):\n%s", diff)
		}
	})
}

// TestUndoOfSocketsKilledAtEachStep does the same to undo: another one finishes
// it.
func TestUndoOfSocketsKilledAtEachStep(t *testing.T) {
	nstest.Parallel(t)
	nstest.Run(t, func(t *testing.T) {
		furnish(t)
		s := scene{t: t, home: room(t) + "/home"}
		t.Setenv("HOME", s.home)
		var seen []int
		for n := 3; ; n++ {
			p := admit(t)
			s.must(os.RemoveAll(s.home))
			if status, _, stderr := s.tcpka(p.set()...); status != 0 {
				t.Fatalf("set sockets: status %d, %s", status, stderr)
			}
			reached, end := stopAt(t, n, sends(unix.SIGKILL), "undo")
			changed := p.look(t)
			if !reached {
				if end.ExitStatus() != 0 || changed != 0 {
					t.Fatalf("undo, left alone: %v, %d changed", end, changed)
				}
				break
			}
			if !slices.Contains(seen, changed) {
				seen = append(seen, changed)
			}
			recorded := s.recorded()
			if status, _, stderr := s.tcpka("undo"); status != 0 && recorded != "undone" {
				t.Errorf("step %d, %s: undo again: status %d, %s", n, recorded, status, stderr)
			}
			if got, state := p.look(t), s.recorded(); got != 0 || state != "undone" {
				t.Errorf("step %d: after another undo %d are changed, and it is %s", n, got, state)
			}
			if t.Failed() {
				return
			}
		}
		if diff := cmp.Diff([]int{5, 4, 3, 2, 1, 0}, seen); diff != "" {
			t.Errorf("how many were changed between the steps (-want +got):\n%s", diff)
		}
	})
}

// TestTwoSetsMeetAtTheLock stops one set at each step at which it holds the
// journal, and starts another. That waits; then it sees what the first has made
// of the values: its record begins there, and where nothing is left to do, there
// is none.
func TestTwoSetsMeetAtTheLock(t *testing.T) {
	nstest.Parallel(t)
	nstest.Run(t, func(t *testing.T) {
		furnish(t)
		s := scene{t: t, home: room(t) + "/home"}
		t.Setenv("HOME", s.home)
		for _, other := range []string{"500", "600"} {
			t.Run(other, func(t *testing.T) {
				s.t = t
				met := 0
				for n := 1; ; n++ {
					reset(t)
					s.must(os.RemoveAll(s.home))
					var second *exec.Cmd
					ended := make(chan error, 1)
					meet := func(pid, _ int) error {
						if !hasJournal(pid) || !s.locked() {
							return nil
						}
						second = exec.Command("tcpka", "set", "--time", other)
						// By another thread: the tracer waits for all children of its own.
						started := make(chan error)
						go func() { started <- second.Start() }()
						if err := <-started; err != nil {
							return err
						}
						go func() { ended <- second.Wait() }()
						for until := time.Now().Add(5 * time.Minute); !hasJournal(second.Process.Pid); time.Sleep(time.Millisecond) {
							if len(ended) > 0 { // it found that there is nothing left to do
								return nil
							}
							if time.Now().After(until) {
								return fmt.Errorf("step %d: the second does not come to the journal", n)
							}
						}
						return nil
					}
					reached, end := stopAt(t, n, meet, "set", "--time", "600")
					if end.ExitStatus() != 0 {
						t.Fatalf("step %d: the first: %v", n, end)
					}
					if !reached {
						break
					}
					if second == nil {
						continue
					}
					met++
					if err := <-ended; err != nil {
						t.Fatalf("step %d: the second: %v", n, err)
					}
					want := map[string][]string{"500": {"600 500", "7200 600"}, "600": {"7200 600"}}[other]
					if diff := cmp.Diff(want, s.records()); diff != "" {
						t.Errorf("step %d: the records, the newest first (-want +got):\n%s", n, diff)
					}
					for range want {
						if status, _, stderr := s.tcpka("undo"); status != 0 {
							t.Errorf("step %d: undo: %s", n, stderr)
						}
					}
					if got := settings(t, ""); got != "7200 75 9" {
						t.Errorf("step %d: after undo: %s", n, got)
					}
				}
				if met < 3 { // before the record, before the write, before the mark
					t.Errorf("they met at %d steps", met)
				}
			})
		}
	})
}

// hasJournal reports whether a process has the journal open.
func hasJournal(pid int) bool {
	links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	return slices.ContainsFunc(links, func(link string) bool {
		to, _ := os.Readlink(link)
		return strings.HasSuffix(to, "/journal.jsonl")
	})
}

// locked reports whether someone has locked the journal.
func (s scene) locked() bool {
	s.t.Helper()
	for _, dir := range []string{"/var/lib/tcpka", s.home + "/.local/state/tcpka"} {
		f, err := os.OpenFile(dir+"/journal.jsonl", os.O_RDWR, 0)
		if err != nil {
			continue
		}
		defer f.Close()
		if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == unix.EWOULDBLOCK {
			return true
		}
	}
	return false
}

// records are the old and new values in the journal.
func (s scene) records() []string {
	s.t.Helper()
	_, stdout, _ := s.tcpka("undo", "--list", "--json")
	var list struct {
		Entries []struct{ Changes []struct{ Old, New string } }
	}
	s.must(json.Unmarshal([]byte(stdout), &list))
	var records []string
	for _, e := range list.Entries {
		for _, c := range e.Changes {
			records = append(records, c.Old+" "+c.New)
		}
		if len(e.Changes) == 0 {
			records = append(records, "none")
		}
	}
	return records
}

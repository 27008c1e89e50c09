//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
)

// A local user keeps the lock of one socket. Every command ends, names process and
// descriptor, and changes nothing that would take a walk.
func TestRootStuckLock(t *testing.T) {
	t.Parallel()
	nstest.RunRoot(t, func(t *testing.T) {
		p := listenHere(t)
		healthy, _ := p.connect(t, options{1, 0, 0, 0, 0})
		stuck, _ := p.connect(t, options{1, 0, 0, 0, 0})
		nstest.KeepLock(t, stuck)
		name := fmt.Sprintf("process %d has kept the lock of the socket that is its descriptor %d for over a second", os.Getpid(), stuck)
		for _, row := range []struct {
			args   string
			status int
		}{
			{"show sockets", 0},
			{"show sockets --port 1", 0},
			{"show sockets --summary", 0},
			{"check --path-timeout 24h --port 1", 3},
			{"set sockets --all --time 60 -y", 1},
			{"set sockets --port 1 --time 60 -y", 1},
			{"set sockets --all --time 60 -n", 1},
			{"set --time 600 --rearm -y", 1},
		} {
			began := time.Now()
			stdout, stderr, status := tcpka(t, 0, strings.Fields(row.args)...)
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("%s: hangs until the lock is released, %v", row.args, took)
			}
			if status != row.status || !strings.Contains(strings.Join(strings.Fields(stdout+stderr), " "), name) {
				t.Errorf("%s: status %d, want %d and %q:\n%s%s", row.args, status, row.status, name, stdout, stderr)
			}
		}
		stdout, _, status := tcpka(t, 0, "show", "sockets", "--json")
		var d struct {
			Source     string
			Incomplete []struct{ PID, FD int }
		}
		if err := json.Unmarshal([]byte(stdout), &d); err != nil || status != 0 || d.Source != "sock_diag" ||
			len(d.Incomplete) == 0 || d.Incomplete[0].PID != os.Getpid() || d.Incomplete[0].FD != stuck {
			t.Errorf("--json: %v, status %d, %+v", err, status, d)
		}
		if now, err := unix.GetsockoptInt(healthy, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE); err != nil || now != 7200 {
			t.Errorf("the other connection has %d, %v", now, err)
		}
	})
}

// A descriptor that was closed while its send hangs is not seen by the look: the walk
// hangs. Only the first does; those after it end, and say whom they found.
func TestRootOnlyOneWalkHangs(t *testing.T) {
	t.Parallel()
	nstest.RunRoot(t, func(t *testing.T) {
		p := listenHere(t)
		p.connect(t, options{1, 0, 0, 0, 0})
		stuck, _ := p.connect(t, options{1, 0, 0, 0, 0})
		release := nstest.KeepLock(t, stuck)
		unix.Close(stuck)
		first := exec.Command("tcpka", "show", "sockets")
		if err := first.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error)
		go func() { ended <- first.Wait() }()
		select {
		case err := <-ended:
			t.Fatalf("the first ends: %v", err)
		case <-time.After(2 * time.Second):
		}
		name := fmt.Sprintf("process %d, a walk before this one, waits for the lock of a socket", first.Process.Pid)
		for args, want := range map[string]int{"show sockets": 0, "check --path-timeout 24h --port 1": 3, "set sockets --all --time 60 -y": 1, "set --time 600 --rearm -y": 1} {
			began := time.Now()
			stdout, stderr, status := tcpka(t, 0, strings.Fields(args)...)
			if took := time.Since(began); took > 15*time.Second {
				t.Errorf("%s: hangs until the lock is released, %v", args, took)
			}
			if status != want || !strings.Contains(strings.Join(strings.Fields(stdout+stderr), " "), name) {
				t.Errorf("%s: status %d, want %d and %q:\n%s%s", args, status, want, name, stdout, stderr)
			}
		}
		release()
		if err := <-ended; err != nil {
			t.Errorf("the first, once the lock is released: %v", err)
		}
		if _, stderr, status := tcpka(t, 0, "show", "sockets"); status != 0 || stderr != "" {
			t.Errorf("afterwards: status %d, %s", status, stderr)
		}
	})
}

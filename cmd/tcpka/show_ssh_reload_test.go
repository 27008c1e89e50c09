//go:build linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tcpka/tcpka/internal/nstest"
)

// TestShowSSHAfterReload has sshd read its files again. It and the sessions from then on
// have what the files say, those before keep what they had.
func TestShowSSHAfterReload(t *testing.T) {
	nstest.Parallel(t)
	nstest.Run(t, func(t *testing.T) {
		dir := t.TempDir()
		config, pidFile := filepath.Join(dir, "sshd_config"), filepath.Join(dir, "pid")
		nstest.WriteFile(t, config, "ClientAliveInterval 100\n")
		server := nstest.StartSSHD(t, "-f", config, "-o", "PidFile="+pidFile)
		local := func(c *exec.Cmd) string {
			connectSSH(t, c)
			return showSSH(t, nil).process(t, c.Process.Pid).Socket.Local
		}
		// Longer than what the clock of processes is off: where sshd took long to begin, its
		// PID file is a reload, and whether the session came before it has to be seen.
		time.Sleep(200 * time.Millisecond)
		before := local(server.Client(t, "-F", "none", "127.0.0.1", "exec sh"))
		unsure := func(d shownSSH) (listener, old string, running shownProcess) {
			running = d.process(t, server.Process.Pid)
			return running.Unsure["ClientAliveInterval"], ofSession(t, d, before).Unsure["ClientAliveInterval"], running
		}
		if listener, old, _ := unsure(showSSH(t, nil)); listener != "" || old != "" {
			t.Errorf("nothing has changed yet: %q, %q", listener, old)
		}

		time.Sleep(200 * time.Millisecond) // longer than what the clock of processes is off
		nstest.WriteFile(t, config, "ClientAliveInterval 77\n")
		if listener, old, _ := unsure(showSSH(t, nil)); listener != config+" has changed since it last read its files" || old != config+" has changed since its sshd last read its files" {
			t.Errorf("before the reload: %q, %q", listener, old)
		}

		if err := os.Remove(pidFile); err != nil {
			t.Fatal(err)
		}
		if err := server.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		for wait := 0; ; wait++ {
			if text, err := os.ReadFile(pidFile); err == nil && len(text) > 1 {
				break
			}
			if wait == 15_000 {
				t.Fatal("sshd does not come back")
			}
			time.Sleep(20 * time.Millisecond)
		}
		time.Sleep(200 * time.Millisecond)
		after := local(server.Client(t, "-F", "none", "127.0.0.1", "exec sh"))
		d := showSSH(t, nil)
		listener, old, running := unsure(d)
		if listener != "" || *running.Interval != 77 {
			t.Errorf("the sshd that listens, after the reload: %d, %q", *running.Interval, listener)
		}
		if old != config+" has changed since its sshd began, and was read again only after this session had begun" {
			t.Errorf("the session before: %q", old)
		}
		if s := ofSession(t, d, after); len(s.Unsure) != 0 || *s.Interval != 77 {
			t.Errorf("the session after: %d, %v", *s.Interval, s.Unsure)
		}

		// A PID file of another process says nothing.
		nstest.WriteFile(t, pidFile, "2\n")
		if listener, old, _ := unsure(showSSH(t, nil)); listener != config+" has changed since it began; whether it was told to reload since is not known" || !strings.HasSuffix(old, "before this session is not known") {
			t.Errorf("without its PID file: %q, %q", listener, old)
		}
	})
}

//go:build linux

package main

import (
	"cmp"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/internal/sshend"
)

// TestShowSSHFilesTakenBack has real sessions go on with what they read, after tcpka undo
// has taken the files away: no value that they have is shown as sure to be another.
func TestShowSSHFilesTakenBack(t *testing.T) {
	nstest.Parallel(t)
	nstest.Run(t, func(t *testing.T) {
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		must(unix.Mount("tmpfs", "/etc/ssh", "tmpfs", 0, "mode=0755"))
		must(os.Mkdir("/etc/ssh/sshd_config.d", 0o755))
		pidFile := t.TempDir() + "/pid"
		nstest.WriteFile(t, "/etc/ssh/sshd_config", "PidFile "+pidFile+"\nInclude /etc/ssh/sshd_config.d/*.conf\nMatch User bob\nClientAliveInterval 7\n")
		must(os.Chmod("/etc/ssh/sshd_config", 0o644))
		nstest.WriteFile(t, "/etc/ssh/sshd_config.d/10-tcpka.conf", "ClientAliveInterval 60\n")
		must(os.Chmod("/etc/ssh/sshd_config.d/10-tcpka.conf", 0o644))
		config := t.TempDir() + "/config"
		nstest.WriteFile(t, config, "ServerAliveInterval 20\n")
		server := nstest.StartSSHD(t)
		time.Sleep(2 * sshend.ClockError)
		client := server.Client(t, "-F", config, "127.0.0.1", "exec sh")
		connectSSH(t, client)

		d := showSSH(t, nil)
		before := d.process(t, client.Process.Pid)
		if *before.Interval != 20 || len(before.Unsure) > 0 {
			t.Fatalf("ssh before: %+v", before)
		}
		for _, w := range d.Server.Warnings {
			if w.ID == "not_reloaded" {
				t.Errorf("nothing has changed yet: %q", w.Text)
			}
		}
		must(os.Remove(config))
		must(os.Remove("/etc/ssh/sshd_config.d/10-tcpka.conf"))

		d = showSSH(t, nil)
		for _, c := range []struct {
			name, keyword, want string
			shownProcess
		}{
			{"ssh", "ServerAliveInterval", config + " is not there, and may have been: " + filepath.Dir(config) + " has changed since it began", d.process(t, client.Process.Pid)},
			{"its sshd", "ClientAliveInterval", "/etc/ssh/sshd_config.d has changed since its sshd ", ofSession(t, d, before.Socket.Local)},
			{"the sshd that listens", "ClientAliveInterval", "/etc/ssh/sshd_config.d has changed since it ", d.process(t, server.Process.Pid)},
		} {
			if got := c.Unsure[c.keyword]; !strings.HasPrefix(got, c.want) {
				t.Errorf("%s: %q, want %q", c.name, got, c.want)
			}
		}
		told := ""
		for _, w := range d.Server.Warnings {
			if w.ID == "not_reloaded" {
				told = w.Text
			}
		}
		if !strings.Contains(told, "process "+strconv.Itoa(server.Process.Pid)+", may give new connections other values: /etc/ssh/sshd_config.d has changed") || !strings.HasSuffix(told, ": tcpka set ssh --side server --reload") {
			t.Errorf("new connections: %q", cmp.Or(told, "nothing is said"))
		}
	})
}

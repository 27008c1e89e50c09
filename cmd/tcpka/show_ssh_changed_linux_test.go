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
	"github.com/tcpka/tcpka/sshconf"
)

// TestChangedSince does to the files of an ssh what people do while it runs.
func TestChangedSince(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(home string) error
		want string // HOME stands for the directory
	}{
		{"nothing", func(string) error { return nil }, ""},
		{"the file is edited", func(home string) error {
			return os.WriteFile(home+"/.ssh/config", []byte("#"), 0o600)
		}, "HOME/.ssh/config has changed"},
		{"the file is taken away", func(home string) error { return os.Remove(home + "/.ssh/config") },
			"HOME/.ssh/config is not there, and may have been: HOME/.ssh has changed"},
		{"the file is taken away, and its directory", func(home string) error { return os.RemoveAll(home + "/.ssh") },
			"HOME/.ssh/config is not there, and may have been: HOME has changed"},
		{"an older file takes its place", func(home string) error { return os.Rename(home+"/old", home+"/.ssh/config") },
			"HOME/.ssh/config has changed"},
		{"something else is made beside it", func(home string) error {
			return os.WriteFile(home+"/.ssh/known_hosts", nil, 0o600)
		}, ""},
		{"the last file of an Include is taken away", func(home string) error { return os.Remove(home + "/more.d/a.conf") },
			"HOME/more.d/a.conf is not there, and may have been: HOME/more.d has changed"},
		{"what an Include names is taken away", func(home string) error { return os.RemoveAll(home + "/more.d") },
			"HOME/more.d/a.conf is not there, and may have been: HOME has changed"},
		{"a link leads to another file, as old as the first", func(home string) error {
			if err := os.Remove(home + "/link"); err != nil {
				return err
			}
			return os.Symlink("old", home+"/link")
		}, "HOME/link has changed"},
		{"what a link leads to is taken away", func(home string) error { return os.Remove(home + "/dots/config") },
			"HOME/link is not there, and may have been: HOME/dots has changed"},
	} {
		home := t.TempDir()
		for _, dir := range []string{".ssh", "more.d", "dots"} {
			if err := os.Mkdir(filepath.Join(home, dir), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		for _, file := range []string{".ssh/config", "more.d/a.conf", "old", "dots/config"} {
			writeFile(t, filepath.Join(home, file), "")
		}
		if err := os.Symlink("dots/config", home+"/link"); err != nil {
			t.Fatal(err)
		}
		found := sshconf.Findings{
			Files: []string{home + "/.ssh/config", home + "/more.d/a.conf", home + "/link"},
			Dirs:  []string{home + "/more.d"},
		}
		clockTick()
		since := time.Now()
		clockTick()
		if err := tt.do(home); err != nil {
			t.Fatal(err)
		}
		if got := strings.ReplaceAll(changedSince(found, since), home, "HOME"); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}

	// Whoever looks now finds nothing any more of what is gone: its directory is left.
	home := t.TempDir()
	writeFile(t, home+"/config", "Include "+home+"/more.d/*.conf\nInclude "+home+"/*/here\n")
	if err := os.MkdirAll(home+"/more.d", 0o700); err != nil {
		t.Fatal(err)
	}
	writeFile(t, home+"/more.d/a.conf", "")
	writeFile(t, home+"/more.d/here", "")
	for _, c := range []struct{ gone, want string }{
		{"/more.d/a.conf", "HOME/more.d has changed"},
		{"/more.d/here", "HOME/more.d has changed"},
		{"/more.d", "HOME has changed"},
	} {
		clockTick()
		since := time.Now()
		clockTick()
		if err := os.Remove(home + c.gone); err != nil {
			t.Fatal(err)
		}
		found, err := sshconf.FindClient(sshconf.Client{Host: "a", UserFile: home + "/config"})
		if err != nil {
			t.Fatal(err)
		}
		got := strings.ReplaceAll(changedSince(found, since), home, "HOME")
		if got != c.want {
			t.Errorf("without %s: %q, want %q", c.gone, got, c.want)
		}
	}
}

// clockTick waits for the clock of files, which goes on with CONFIG_HZ.
func clockTick() { time.Sleep(30 * time.Millisecond) }

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
		writeFile(t, "/etc/ssh/sshd_config", "PidFile "+pidFile+"\nInclude /etc/ssh/sshd_config.d/*.conf\nMatch User bob\nClientAliveInterval 7\n")
		must(os.Chmod("/etc/ssh/sshd_config", 0o644))
		writeFile(t, "/etc/ssh/sshd_config.d/10-tcpka.conf", "ClientAliveInterval 60\n")
		must(os.Chmod("/etc/ssh/sshd_config.d/10-tcpka.conf", 0o644))
		config := t.TempDir() + "/config"
		writeFile(t, config, "ServerAliveInterval 20\n")
		server := nstest.StartSSHD(t)
		time.Sleep(2 * clockError)
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

package sshconf_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/internal/sshconf"
	"github.com/tcpka/tcpka/internal/sshtest"
)

// tally counts what became of the comparisons.
type tally struct{ same, unsure, refused int }

// compare checks settings against what the program says.
func (c *tally) compare(t *testing.T, what string, scanned []sshconf.Setting, said sshconf.Options) {
	t.Helper()
	for _, s := range scanned {
		if s.Unsure != "" {
			c.unsure++
			continue
		}
		got := s.Value
		switch {
		case s.Line == 0:
			got = map[sshconf.Keyword]string{
				sshconf.ServerAliveInterval: "0", sshconf.ClientAliveInterval: "0",
				sshconf.ServerAliveCountMax: "3", sshconf.ClientAliveCountMax: "3", sshconf.TCPKeepAlive: "yes",
			}[s.Keyword]
		case strings.HasSuffix(string(s.Keyword), "Interval"):
			d, err := sshconf.ParseTime(s.Value)
			if err != nil {
				t.Errorf("%s: %s: %v", what, s.Source(), err)
			}
			got = strconv.Itoa(int(d / time.Second))
		}
		if want := said[strings.ToLower(string(s.Keyword))]; got != want {
			t.Errorf("%s: %s is %s by %q, scanned %s", what, s.Keyword, want, s.Source(), got)
		}
		c.same++
	}
}

func (c tally) enough(t *testing.T) {
	t.Helper()
	t.Logf("%d the same, %d not sure, %d configurations refused", c.same, c.unsure, c.refused)
	if c.same < 3*60 || c.same < c.unsure || c.refused > sshtest.Trees/2 {
		t.Error("too few comparisons")
	}
}

func TestFindClientSaysWhatSSHDoes(t *testing.T) {
	t.Parallel()
	nstest.Run(t, func(t *testing.T) {
		home, p := sshtest.Room(t), sshtest.Programs(t)
		w := &sshtest.Writer{Rand: rand.New(rand.NewPCG(1, 2)), Client: true}
		var c tally
		for n := range sshtest.Trees {
			for _, dir := range []string{home + "/.ssh", "/etc/ssh"} {
				entries, _ := filepath.Glob(dir + "/*")
				for _, e := range entries {
					os.RemoveAll(e)
				}
			}
			w.Generate(t, home+"/.ssh", "config")
			if n%2 == 0 {
				// A file of the system cannot use ~.
				w.Generate(t, "/etc/ssh", "ssh_config")
				for name := range w.Files {
					text, _ := os.ReadFile("/etc/ssh/" + name)
					sshtest.Write(t, "/etc/ssh/"+name, strings.ReplaceAll(string(text), "~/.ssh", "/etc/ssh"))
				}
			}
			for _, dest := range []string{"web1", "WEB1", "bob@web1", "db", "10.0.0.1"} {
				said, err := p.Client(t.Context(), nil, dest)
				if err != nil {
					c.refused++
					break
				}
				found, err := sshconf.FindClient(sshconf.NewClient(dest, "root", home))
				if err != nil {
					t.Errorf("tree %d: %v", n, err)
					break
				}
				c.compare(t, fmt.Sprintf("tree %d, %s", n, dest), found.Settings, said)
			}
			if t.Failed() {
				sshtest.Show(t, home+"/.ssh", "/etc/ssh")
				break
			}
		}
		c.enough(t)
	})
}

func TestFindServerSaysWhatSSHDDoes(t *testing.T) {
	t.Parallel()
	nstest.Run(t, func(t *testing.T) {
		sshtest.Room(t)
		p := sshtest.Programs(t)
		if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/etc/ssh/ssh_host_ed25519_key").CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen: %v: %s", err, out)
		}
		w := &sshtest.Writer{Rand: rand.New(rand.NewPCG(3, 4))}
		var c tally
		for n := range sshtest.Trees {
			entries, _ := filepath.Glob("/etc/ssh/d*")
			for _, e := range entries {
				os.RemoveAll(e)
			}
			w.Generate(t, "/etc/ssh", "sshd_config")
			for _, from := range []sshconf.Connection{
				{User: "bob", Host: "client.example", Addr: "10.0.0.9", LocalAddr: "192.0.2.7", LocalPort: 22},
				{User: "carol", Host: "10.9.8.7", Addr: "10.9.8.7", LocalAddr: "192.0.2.7", LocalPort: 2222},
				{},
			} {
				said, err := p.Server(t.Context(), "/etc/ssh/sshd_config", from)
				if err != nil {
					c.refused++
					break
				}
				found, err := sshconf.FindServer(sshconf.Server{File: "/etc/ssh/sshd_config", Connection: from})
				if err != nil {
					t.Errorf("tree %d: %v", n, err)
					break
				}
				c.compare(t, fmt.Sprintf("tree %d, %+v", n, from), found.Settings, said)
			}
			if t.Failed() {
				sshtest.Show(t, "/etc/ssh")
				break
			}
		}
		c.enough(t)
	})
}

func TestVersions(t *testing.T) {
	p := sshtest.Programs(t)
	for name, version := range map[string]func(context.Context) (string, error){"ssh": p.ClientVersion, "sshd": p.ServerVersion} {
		if v, err := version(t.Context()); err != nil || !strings.HasPrefix(v, "OpenSSH_") {
			t.Errorf("%s: %q, %v", name, v, err)
		}
	}
	if _, err := (sshconf.Programs{}).ClientVersion(t.Context()); !errors.Is(err, sshconf.ErrNotInstalled) {
		t.Errorf("no ssh: %v", err)
	}
	if _, err := (sshconf.Programs{SSHD: "/nowhere/sshd"}).ServerVersion(t.Context()); !errors.Is(err, sshconf.ErrNotInstalled) {
		t.Errorf("no sshd there: %v", err)
	}
}

// TestServerWithoutItsKeys asks an sshd that has neither keys nor, as root, a run
// directory.
func TestServerWithoutItsKeys(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "sshd_config")
	sshtest.Write(t, file, "HostKey "+dir+"/none\nClientAliveInterval 5m\nMatch LocalPort 22\nClientAliveCountMax 7\n")
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	said, err := sshtest.Programs(t).Server(t.Context(), file, sshconf.Connection{})
	if err != nil || said["clientaliveinterval"] != "300" || said["clientalivecountmax"] != "7" || said["tcpkeepalive"] != "yes" {
		t.Errorf("%v, %v", err, said)
	}
	sshtest.Write(t, file, "ClientAliveIntervall 5m\n")
	if _, err := sshtest.Programs(t).Server(t.Context(), file, sshconf.Connection{}); err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("a misspelt keyword: %v", err)
	}
	if err := os.Chmod(file, 0o600); err != nil {
		t.Fatal(err)
	}
	sshtest.Write(t, file, "HostKey "+dir+"/none\nClientAliveInterval 6m\n")
	if said, err := sshtest.Programs(t).Server(t.Context(), file, sshconf.Connection{}); err != nil || said["clientaliveinterval"] != "360" {
		t.Errorf("for root alone: %v, %v", err, said)
	}
}

// TestServerWithoutAKeyOrSSHKeygen: sshd cannot be asked, which is not to say that it is
// not installed.
func TestServerWithoutAKeyOrSSHKeygen(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		p := sshtest.Programs(t)
		dir := filepath.Dir(nstest.Program(t, "ssh-keygen"))
		if dir == filepath.Dir(p.SSHD) {
			nstest.Missing(t, "sshd and ssh-keygen are in one directory")
		}
		t.Setenv("PATH", dir)
		file := filepath.Join(t.TempDir(), "sshd_config")
		sshtest.Write(t, file, "HostKey /nowhere\n")
		if err := unix.Mount("none", dir, "tmpfs", 0, ""); err != nil {
			t.Fatal(err)
		}
		if err := p.CheckServer(t.Context(), file); err == nil || errors.Is(err, sshconf.ErrNotInstalled) || !strings.Contains(err.Error(), "sshd: ") {
			t.Error(err)
		}
	})
}

func TestCheckDestination(t *testing.T) {
	for _, dest := range []string{"web1", "bob@web1", "ssh://bob@web1:22", "::1", "fe80::1%eth0", "10.0.0.1", "a_b-c.d", "büro", "user+tag@host"} {
		if err := sshconf.CheckDestination(dest); err != nil {
			t.Errorf("%q: %v", dest, err)
		}
	}
	p := sshconf.Programs{SSH: "/bin/false"}
	for _, dest := range []string{"", "-oProxyCommand=x", "-", "a b", "a\nb", "a\x00b", "a;b", "$(x)", "`x`", "a|b", "a'b", `a"b`, `a\b`, "*", "a\x1bb", "\xff", "a\u202eb", strings.Repeat("a", 2000)} {
		if _, err := p.Client(t.Context(), nil, dest); !errors.Is(err, sshconf.ErrDestination) {
			t.Errorf("%.40q: %v", dest, err)
		}
	}
}

// TestProgramsAreBounded runs scripts in place of ssh.
func TestProgramsAreBounded(t *testing.T) {
	script := func(text string) sshconf.Programs {
		file := filepath.Join(t.TempDir(), "ssh")
		sshtest.Write(t, file, "#!/bin/sh\n"+text)
		if err := os.Chmod(file, 0o755); err != nil {
			t.Fatal(err)
		}
		return sshconf.Programs{SSH: file, Timeout: 500 * time.Millisecond}
	}
	lateness, start := nstest.WatchLateness(), time.Now()
	for name, tt := range map[string]struct{ text, want string }{
		"one that hangs":               {"sleep 60 & sleep 60", "no answer"},
		"one that waits for input":     {"cat; exit 3", "exit status 3"},
		"one that never stops":         {"yes", "more than 1048576 bytes of output"},
		"one that fails with a reason": {"echo 'config: line 7: bad' >&2; exit 255", "exit status 255: config: line 7: bad"},
	} {
		if _, err := script(tt.text).Client(t.Context(), nil, "web1"); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
	if took := time.Since(start); took > 10*time.Second+lateness.Since(start) {
		t.Errorf("took %s", took)
	}
}

// TestRootRunsSSHAsTheCaller makes sure that a Match exec in a user's file is not
// run as root, nor with root's environment.
func TestRootRunsSSHAsTheCaller(t *testing.T) {
	nstest.RunRoot(t, func(t *testing.T) {
		dir := t.TempDir()
		for d := dir; d != "/tmp" && d != "/"; d = filepath.Dir(d) {
			if err := os.Chmod(d, 0o777); err != nil {
				t.Fatal(err)
			}
		}
		sshtest.Write(t, dir+"/passwd", "root:x:0:0::/root:/bin/sh\nalice:x:4242:4242::"+dir+":/bin/sh\n")
		os.Chmod(dir+"/passwd", 0o644)
		if err := unix.Mount(dir+"/passwd", "/etc/passwd", "", unix.MS_BIND, ""); err != nil {
			t.Fatal(err)
		}
		sshtest.Write(t, dir+"/.ssh/config", "Match exec \"(id -u; echo $HOME $SECRET) >"+dir+"/ran\"\nServerAliveInterval 77\n")
		for _, f := range []string{dir + "/.ssh", dir + "/.ssh/config"} {
			if err := os.Chown(f, 4242, 4242); err != nil {
				t.Fatal(err)
			}
		}
		t.Setenv("SECRET", "secret")
		t.Setenv("SUDO_UID", "4242")
		who, err := sshconf.Caller()
		if err != nil || who == nil {
			t.Fatalf("caller: %v, %v", who, err)
		}
		said, err := sshtest.Programs(t).Client(t.Context(), who, "web1")
		if err != nil || said["serveraliveinterval"] != "77" {
			t.Errorf("%v, %v", err, said)
		}
		ran, err := os.ReadFile(dir + "/ran")
		if want := "4242\n" + dir + "\n"; err != nil || string(ran) != want {
			t.Errorf("the command ran as %q, %v; want %q", ran, err, want)
		}
	})
}

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
	"github.com/tcpka/tcpka/sshconf"
)

// room replaces /etc/ssh, /etc/passwd and /run by the test's own.
func room(t *testing.T) (home string) {
	t.Helper()
	dir := t.TempDir()
	home = filepath.Join(dir, "home")
	etc := filepath.Join(dir, "etc")
	for _, d := range []string{home + "/.ssh", etc} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write(t, dir+"/passwd", "root:x:0:0::"+home+":/bin/sh\nsshd:x:100:65534::/run/sshd:/bin/false\n")
	for from, to := range map[string]string{etc: "/etc/ssh", dir + "/passwd": "/etc/passwd"} {
		if err := unix.Mount(from, to, "", unix.MS_BIND, ""); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mount("none", "/run", "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir("/run/sshd", 0o755); err != nil {
		t.Fatal(err)
	}
	return home
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func programs(t *testing.T) sshconf.Programs {
	return sshconf.Programs{SSH: nstest.Program(t, "ssh"), SSHD: nstest.Program(t, "sshd")}
}

// trees is how many configurations are generated for either side.
const trees = 80

// writer makes up configuration files. Every value is a number used once, so that
// a value found says which line it is from.
type writer struct {
	*rand.Rand
	next   int
	client bool
	files  map[string]string
}

func (w *writer) pick(of ...string) string { return of[w.IntN(len(of))] }

// option is a line with a keyword, in one of many spellings.
func (w *writer) option(keyword, value string) string {
	switch w.IntN(5) {
	case 0:
		keyword = strings.ToLower(keyword)
	case 1:
		keyword = strings.ToUpper(keyword)
	case 2:
		keyword = `"` + keyword + `"`
	}
	separator := w.pick(" ", "  ", "\t", "=", " = ", "\t=", "= ")
	if keyword[0] == '"' {
		separator = " "
	}
	return w.pick("", "", "  ", "\t") + keyword + separator + w.pick(value, value, `"`+value+`"`) + w.pick("", "", " ", "\t\f", " # comment", "\r")
}

func (w *writer) lines(depth, n int) string {
	var b strings.Builder
	for range n {
		w.next++
		side := map[bool]string{true: "Server", false: "Client"}[w.client]
		line := ""
		switch w.IntN(12) {
		case 0, 1, 2:
			line = w.option(side+"AliveInterval", strconv.Itoa(w.next)+w.pick("", "", "s", "m"))
		case 3, 4:
			line = w.option(side+"AliveCountMax", strconv.Itoa(w.next))
		case 5:
			line = w.option(w.pick("TCPKeepAlive", "KeepAlive"), w.pick("yes", "no"))
			if !w.client && depth > 0 { // not allowed after Match
				line = ""
			}
		case 6:
			line = w.pick("", "# "+side+"AliveInterval 1", "   ", "#")
		case 7, 8:
			line = w.block()
		case 9:
			if depth < 3 {
				line = w.include(depth)
			}
		case 10:
			if w.client {
				line = w.pick(w.option("HostName", w.pick("db", "web1", "other.example")), w.option("User", w.pick("bob", "carol")), w.option("ServerAliveInterval", "none"), "BatchMode "+w.pick("yes", "no"))
			}
		case 11:
			line = w.option("Port", "22")
			if !w.client {
				line = w.option("MaxSessions", "7")
			}
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}

func (w *writer) block() string {
	if !w.client {
		return w.pick("Match", "match", "\tMATCH") + " " + w.pick(
			"all", "User bob", "User carol,b*", "user !bob,*", "Address 10.0.0.0/8", "address 10.9.*", "Address 10.0.0.9", "Host *.example",
			"host client.EXAMPLE", "LocalPort 2222", "LocalPort 22", "LocalAddress 192.0.2.0/24", "User bob Address 10.0.0.0/24", "User carol LocalPort 22", "Group wheel")
	}
	return w.pick(
		"Host *", "Host web1", "host web?", "HOST db web*", "Host !web1 *", "Host * !db", "Host=web1", "Host \"web1\"", "Host WEB1", "Host 10.*",
		"Match all", "Match host web1", "match HOST db,other.*", "Match originalhost web*", "Match user bob", "Match user root", "Match localuser root",
		"Match !host web1", "Match host web* user bob", "Match final", "Match final all", "Match canonical", "Match !final host web1",
		"Match exec true", "Match exec false", "Match host nowhere exec true")
}

// include makes up a file, or several, and names them.
func (w *writer) include(depth int) string {
	w.next++
	dir := fmt.Sprintf("d%d", w.next)
	for _, name := range []string{"10-a.conf", "9-b.conf", ".hidden.conf", "Z.conf"}[:1+w.IntN(4)] {
		w.files[dir+"/"+name] = w.lines(depth+1, w.IntN(6))
	}
	where := w.pick(dir+"/*.conf", dir+"/10-a.conf", dir+"/?-b.conf", dir+"/10-a.conf "+dir+"/missing.conf", "BASE/"+dir+"/*.conf")
	if w.client {
		where = strings.ReplaceAll(where, "BASE", w.pick("BASE", "~/.ssh"))
	}
	return w.pick("Include ", "include=", "\tInclude\t") + where
}

// generate writes one tree below base, its main file under the name given.
func (w *writer) generate(t *testing.T, base, main string) {
	w.files = map[string]string{}
	w.files[main] = w.lines(0, 3+w.IntN(14))
	for name, content := range w.files {
		content = strings.ReplaceAll(content, "BASE", base)
		if w.IntN(4) == 0 {
			content = strings.TrimSuffix(content, "\n")
		}
		write(t, filepath.Join(base, name), content)
	}
}

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
	if c.same < 3*60 || c.same < c.unsure || c.refused > trees/2 {
		t.Error("too few comparisons")
	}
}

func TestFindClientSaysWhatSSHDoes(t *testing.T) {
	t.Parallel()
	nstest.Run(t, func(t *testing.T) {
		home, p := room(t), programs(t)
		w := &writer{Rand: rand.New(rand.NewPCG(1, 2)), client: true}
		var c tally
		for n := range trees {
			for _, dir := range []string{home + "/.ssh", "/etc/ssh"} {
				entries, _ := filepath.Glob(dir + "/*")
				for _, e := range entries {
					os.RemoveAll(e)
				}
			}
			w.generate(t, home+"/.ssh", "config")
			if n%2 == 0 {
				// A file of the system cannot use ~.
				w.generate(t, "/etc/ssh", "ssh_config")
				for name := range w.files {
					text, _ := os.ReadFile("/etc/ssh/" + name)
					write(t, "/etc/ssh/"+name, strings.ReplaceAll(string(text), "~/.ssh", "/etc/ssh"))
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
				show(t, home+"/.ssh", "/etc/ssh")
				break
			}
		}
		c.enough(t)
	})
}

// show logs every file below the directories.
func show(t *testing.T, dirs ...string) {
	for _, dir := range dirs {
		filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() && !strings.Contains(path, "key") {
				text, _ := os.ReadFile(path)
				t.Logf("== %s\n%s", path, text)
			}
			return nil
		})
	}
}

func TestFindServerSaysWhatSSHDDoes(t *testing.T) {
	t.Parallel()
	nstest.Run(t, func(t *testing.T) {
		room(t)
		p := programs(t)
		if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/etc/ssh/ssh_host_ed25519_key").CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen: %v: %s", err, out)
		}
		w := &writer{Rand: rand.New(rand.NewPCG(3, 4))}
		var c tally
		for n := range trees {
			entries, _ := filepath.Glob("/etc/ssh/d*")
			for _, e := range entries {
				os.RemoveAll(e)
			}
			w.generate(t, "/etc/ssh", "sshd_config")
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
				show(t, "/etc/ssh")
				break
			}
		}
		c.enough(t)
	})
}

func TestVersions(t *testing.T) {
	p := programs(t)
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
	write(t, file, "HostKey "+dir+"/none\nClientAliveInterval 5m\nMatch LocalPort 22\nClientAliveCountMax 7\n")
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	said, err := programs(t).Server(t.Context(), file, sshconf.Connection{})
	if err != nil || said["clientaliveinterval"] != "300" || said["clientalivecountmax"] != "7" || said["tcpkeepalive"] != "yes" {
		t.Errorf("%v, %v", err, said)
	}
	write(t, file, "ClientAliveIntervall 5m\n")
	if _, err := programs(t).Server(t.Context(), file, sshconf.Connection{}); err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("a misspelt keyword: %v", err)
	}
	if err := os.Chmod(file, 0o600); err != nil {
		t.Fatal(err)
	}
	write(t, file, "HostKey "+dir+"/none\nClientAliveInterval 6m\n")
	if said, err := programs(t).Server(t.Context(), file, sshconf.Connection{}); err != nil || said["clientaliveinterval"] != "360" {
		t.Errorf("for root alone: %v, %v", err, said)
	}
}

// TestServerWithoutAKeyOrSSHKeygen: sshd cannot be asked, which is not to say that it is
// not installed.
func TestServerWithoutAKeyOrSSHKeygen(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		p := programs(t)
		dir := filepath.Dir(nstest.Program(t, "ssh-keygen"))
		if dir == filepath.Dir(p.SSHD) {
			nstest.Missing(t, "sshd and ssh-keygen are in one directory")
		}
		t.Setenv("PATH", dir)
		file := filepath.Join(t.TempDir(), "sshd_config")
		write(t, file, "HostKey /nowhere\n")
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
		write(t, file, "#!/bin/sh\n"+text)
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
		write(t, dir+"/passwd", "root:x:0:0::/root:/bin/sh\nalice:x:4242:4242::"+dir+":/bin/sh\n")
		os.Chmod(dir+"/passwd", 0o644)
		if err := unix.Mount(dir+"/passwd", "/etc/passwd", "", unix.MS_BIND, ""); err != nil {
			t.Fatal(err)
		}
		write(t, dir+"/.ssh/config", "Match exec \"(id -u; echo $HOME $SECRET) >"+dir+"/ran\"\nServerAliveInterval 77\n")
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
		said, err := programs(t).Client(t.Context(), who, "web1")
		if err != nil || said["serveraliveinterval"] != "77" {
			t.Errorf("%v, %v", err, said)
		}
		ran, err := os.ReadFile(dir + "/ran")
		if want := "4242\n" + dir + "\n"; err != nil || string(ran) != want {
			t.Errorf("the command ran as %q, %v; want %q", ran, err, want)
		}
	})
}

//go:build linux

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/tcpka/tcpka/internal/nstest"
)

// namedShell is a shell that can be given another name. That of busybox cannot: it is
// what it is called.
func namedShell(t *testing.T, script string, args ...string) *exec.Cmd {
	t.Helper()
	probe := exec.Command("/bin/sh", "-c", "true")
	probe.Args[0] = "ssh"
	if err := probe.Run(); err != nil {
		nstest.Missing(t, "/bin/sh is one only by that name")
	}
	return exec.Command("/bin/sh", append([]string{"-c", script}, args...)...)
}

// startNamed starts such a shell, which writes a line once it has its name. It ends with
// the test.
func startNamed(t *testing.T, shell *exec.Cmd) {
	t.Helper()
	in, err := shell.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := shell.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		shell.Wait()
	})
	bufio.NewReader(out).ReadString('\n')
}

// TestShowSSHHostileProcess runs a program that calls itself sshd, with a title that
// would paint the terminal.
func TestShowSSHHostileProcess(t *testing.T) {
	nstest.Parallel(t)
	nstest.Run(t, func(t *testing.T) {
		sleeper := namedShell(t, `printf sshd >/proc/$$/comm; echo; read x`)
		sleeper.Args[0] = "sshd: \x1b[31mroot@\x07pts/0\n"
		startNamed(t, sleeper)
		shown := helper("tcpka", "show", "ssh")
		text, err := shown.Output()
		if err != nil || !bytes.Contains(text, []byte(`\x1b[31mroot@\apts/0\n`)) || bytes.ContainsAny(text, "\x1b\x07") {
			t.Errorf("%v: %q", err, text)
		}
	})
}

// TestRootShowSSHOfAnother looks at an ssh of root as nobody, who may not read what it
// has read.
func TestRootShowSSHOfAnother(t *testing.T) {
	nstest.Parallel(t)
	nstest.RunRoot(t, func(t *testing.T) {
		furnish(t)
		home := filepath.Join(room(t), "home")
		dir, config := filepath.Join(home, ".ssh"), filepath.Join(home, ".ssh", "config")
		passwd := "root:x:0:0::" + home + ":/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n"
		if err := errors.Join(os.Chmod(filepath.Dir(home), 0o755), os.MkdirAll(dir, 0o700),
			os.WriteFile(config, []byte("ServerAliveInterval 11\n"), 0o600), os.WriteFile("/etc/passwd", []byte(passwd), 0o644)); err != nil {
			t.Fatal(err)
		}
		ssh := namedShell(t, `printf ssh >/proc/$$/comm; echo; read x`, "web1")
		ssh.Args[0] = "ssh" // to ssh, -c is a cipher
		startNamed(t, ssh)
		look := func() shownProcess {
			t.Helper()
			var d shownSSH
			text, err := helper("nobody", "tcpka", "show", "ssh", "--json").Output()
			if err == nil {
				err = json.Unmarshal(text, &d)
			}
			if err != nil {
				t.Fatalf("%v: %s", err, text)
			}
			return d.process(t, ssh.Process.Pid)
		}
		if p := look(); p.Unsure["ServerAliveInterval"] != config+" may not be read" {
			t.Errorf("kept from others: %+v", p)
		}
		for path, mode := range map[string]os.FileMode{home: 0o755, dir: 0o755, config: 0o644} {
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
		}
		if p := look(); p.Interval == nil || *p.Interval != 11 {
			t.Errorf("for all to read: %+v", p)
		}
	})
}

// TestShowSSHListenerByItsTitle has what calls itself an sshd that listens, with command
// lines that no file of this test can be mistaken for.
func TestShowSSHListenerByItsTitle(t *testing.T) {
	nstest.Parallel(t)
	nstest.Run(t, func(t *testing.T) {
		t.Chdir(t.TempDir())
		for _, name := range []string{"sshd_config", "none"} {
			nstest.WriteFile(t, name, "ClientAliveInterval 11\n")
		}
		for _, tt := range []struct {
			name, args string
			interval   *int
			unsure     string
		}{
			{"an option whose words are apart", "-o ClientAliveInterval 60 -f none", new(60), ""},
			{"no file", "-f NONE", new(0), ""},
			{"a relative path: sshd works in / by now", "-f sshd_config", nil, "its file, sshd_config, was named by a relative path"},
		} {
			sshd := namedShell(t, `printf sshd >/proc/$$/comm; echo; read x`)
			sshd.Args[0] = "sshd: /usr/sbin/sshd -D " + tt.args + " [listener] 0 of 10-100 startups"
			startNamed(t, sshd)
			p := showSSH(t, []string{"SSH_CONNECTION="}).process(t, sshd.Process.Pid)
			if (p.Interval == nil) != (tt.interval == nil) || p.Interval != nil && *p.Interval != *tt.interval || p.Unsure["ClientAliveInterval"] != tt.unsure {
				t.Errorf("%s: %v, %q", tt.name, p.Interval, p.Unsure["ClientAliveInterval"])
			}
		}
	})
}

// TestRootShowSSHOfARelativeFile looks as nobody at an ssh of root, whose directory may not
// be seen. A file of that name is in nobody's own, and says nothing.
func TestRootShowSSHOfARelativeFile(t *testing.T) {
	nstest.Parallel(t)
	nstest.RunRoot(t, func(t *testing.T) {
		dir := room(t)
		if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(dir+"/config", []byte("ServerAliveInterval 11\n"), 0o644)); err != nil {
			t.Fatal(err)
		}
		ssh := namedShell(t, `printf ssh >/proc/$$/comm; echo; read x`, "-F", "config", "web1")
		ssh.Args[0], ssh.Dir = "ssh", "/"
		startNamed(t, ssh)
		look := helper("nobody", "tcpka", "show", "ssh", "--json")
		look.Dir = dir
		text, err := look.Output()
		var d shownSSH
		if err == nil {
			err = json.Unmarshal(text, &d)
		}
		if err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if p := d.process(t, ssh.Process.Pid); p.Interval != nil || p.Unsure["ServerAliveInterval"] != "its file, config, was named by a relative path" {
			t.Errorf("%v, %q", p.Interval, p.Unsure)
		}
	})
}

// TestRootShowSSHReadsWhatTheUserMay runs a program that calls itself sshd, as a user,
// with a file that is for root alone.
func TestRootShowSSHReadsWhatTheUserMay(t *testing.T) {
	nstest.Parallel(t)
	nstest.RunRoot(t, func(t *testing.T) {
		furnish(t)
		dir := room(t)
		if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile("/etc/passwd", []byte("root:x:0:0::/:/bin/sh\nmallory:x:4242:4242::/:/bin/sh\n"), 0o644)); err != nil {
			t.Fatal(err)
		}
		file := dir + "/config"
		if err := os.WriteFile(file, []byte("ClientAliveInterval 11\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		sshd := namedShell(t, "printf sshd >/proc/$$/comm; echo; read x")
		sshd.Args[0] = "sshd: /usr/sbin/sshd -f " + file + " [listener] 0 of 10-100 startups"
		sshd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 4242, Gid: 4242}}
		startNamed(t, sshd)
		read := func() bool {
			p := showSSH(t, []string{"SSH_CONNECTION="}).process(t, sshd.Process.Pid)
			return p.Interval != nil && *p.Interval == 11
		}
		if read() {
			t.Error("the file of root was read for a user's sshd")
		}
		if err := os.Chmod(file, 0o644); err != nil {
			t.Fatal(err)
		}
		if !read() {
			t.Error("the file was not read, although the user may")
		}
	})
}

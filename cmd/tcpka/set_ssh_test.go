//go:build linux

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/internal/sshproc"
)

// TestSetSSHReload changes what a real sshd probes with. A session that begins after
// that is dropped when its client stops; the one before is not even probed, and goes
// on when its client does.
func TestSetSSHReload(t *testing.T) {
	nstest.Parallel(t)
	nstest.Run(t, func(t *testing.T) {
		r := newSSHRoom(t)
		config := r.dir + "/sshd_config"
		r.write(config, fmt.Sprintf(quietServer, "2222", r.dir))
		d := r.start(config)
		old := r.connect("2222")

		s := scene{t: t}
		status, stdout, stderr := s.tcpka("set", "ssh", "--side", "server", "--interval", "1", "--count", "1", "--file", config, "--reload")
		if status != 0 || !strings.Contains(stdout, "sshd has read its files again") {
			t.Fatalf("status %d\n%s%s", status, stdout, stderr)
		}
		r.await(d, "Server listening", 2)
		late := r.connect("2222")
		for _, c := range []*shellSession{old, late} {
			r.must(c.Process.Signal(unix.SIGSTOP))
		}
		r.await(d, "Timeout, client not responding", 1)
		// Had the old one probes, it would be as far by now: it was silent for longer.
		r.must(old.Process.Signal(unix.SIGCONT))
		r.hello(old)
		r.must(late.Process.Signal(unix.SIGCONT))
		if err := late.Wait(); err == nil {
			t.Error("the new session ended as if nothing were")
		}

		// What was not reloaded before is reloaded by the same command.
		status, stdout, stderr = s.tcpka("set", "ssh", "--side", "server", "--interval", "1", "--count", "1", "--file", config, "--reload", "--json")
		if status != 0 || !strings.Contains(stdout, `"reloaded": true`) || !strings.Contains(stdout, `"changed": false`) {
			t.Errorf("again: status %d\n%s%s", status, stdout, stderr)
		}
		r.await(d, "Server listening", 3)
		r.hello(old)
	})
}

// TestSetSSHReloadTellsOtherEdits: what someone else has changed in the files of sshd, and
// not had it read, is told before --reload puts it in force, and after that no more.
func TestSetSSHReloadTellsOtherEdits(t *testing.T) {
	nstest.Parallel(t)
	nstest.Run(t, func(t *testing.T) {
		r := newSSHRoom(t)
		config, more, pidFile := r.dir+"/sshd_config", r.dir+"/sshd_config.d", r.dir+"/pid"
		r.must(os.Mkdir(more, 0o755))
		r.write(more+"/50-other.conf", "LoginGraceTime 60\n")
		r.write(config, "Include "+more+"/*.conf\n"+strings.Replace(fmt.Sprintf(quietServer, "2222", r.dir), "PidFile none", "PidFile "+pidFile, 1))
		d := r.start(config)
		listens := func(n int) { // and has written its PID file, which it does then
			t.Helper()
			r.await(d, "Server listening", n)
			for until := time.Now().Add(5 * time.Minute); ; time.Sleep(5 * time.Millisecond) {
				text, err := os.ReadFile(pidFile)
				if len(text) > 1 {
					return
				}
				if time.Now().After(until) {
					t.Fatalf("sshd writes no PID file: %v", err)
				}
			}
		}
		listens(1)
		s := scene{t: t}
		others := func(interval string, more ...string) string {
			t.Helper()
			time.Sleep(200 * time.Millisecond) // longer than what the clock of processes is off
			status, stdout, stderr := s.tcpka(append([]string{"set", "ssh", "--side", "server", "--interval", interval, "--file", config, "--reload", "--json"}, more...)...)
			if status != 0 {
				t.Fatalf("status %d\n%s%s", status, stdout, stderr)
			}
			var a struct{ Warnings []struct{ ID, Text string } }
			r.must(json.Unmarshal([]byte(stdout), &a))
			for _, w := range a.Warnings {
				if w.ID == "other_edits" {
					return w.Text
				}
			}
			return ""
		}
		if got := others("60", "-n"); got != "" {
			t.Errorf("nobody has changed anything: %q", got)
		}
		r.write(more+"/50-other.conf", "LoginGraceTime 61\n")
		const alone = "sshd reads all of its files anew, not this change alone: "
		want := alone + more + "/50-other.conf has changed since it last read its files"
		for _, more := range [][]string{{"-n"}, nil} {
			if got := others("60", more...); got != want {
				t.Errorf("%v: %q, want %q", more, got, want)
			}
		}
		listens(2)
		if got := others("70"); got != "" {
			t.Errorf("all of it was read: %q", got)
		}
		listens(3)
		r.write(more+"/60-new.conf", "")
		r.must(os.Remove(pidFile))
		if got := others("80", "-n"); !strings.HasPrefix(got, alone) || !strings.HasSuffix(got, " has changed since it began; whether it was told to reload since is not known") {
			t.Errorf("without a PID file: %q", got)
		}
	})
}

// TestUndoSSHReload takes back what a real sshd has read, and has it read that.
func TestUndoSSHReload(t *testing.T) {
	nstest.Parallel(t)
	nstest.Run(t, func(t *testing.T) {
		r := newSSHRoom(t)
		config := r.dir + "/sshd_config"
		before := fmt.Sprintf(quietServer, "2222", r.dir)
		r.write(config, before)
		d := r.start(config)
		s := scene{t: t}
		set := func() string {
			status, stdout, stderr := s.tcpka("set", "ssh", "--side", "server", "--interval", "1", "--count", "1", "--file", config, "--reload")
			_, undo, found := strings.Cut(stdout, "To take it back: tcpka ")
			if status != 0 || !found || !strings.HasSuffix(undo, " --file "+config+" --reload\n") {
				t.Fatalf("status %d\n%s%s", status, stdout, stderr)
			}
			return undo
		}
		undo := strings.Fields(set())
		r.await(d, "Server listening", 2)

		// The line that was printed.
		status, stdout, stderr := s.tcpka(append(undo, "-n")...)
		if status != 0 || strings.Contains(stdout, "has read") {
			t.Errorf("dry run: status %d\n%s%s", status, stdout, stderr)
		}
		status, stdout, stderr = s.tcpka(undo...)
		if text, _ := os.ReadFile(config); status != 0 || !strings.Contains(stdout, "sshd has read its files again") || string(text) != before {
			t.Errorf("status %d\n%s%s\n%s", status, stdout, stderr, text)
		}
		r.await(d, "Server listening", 3)
		// A new session is not probed: else it would be gone with the one second.
		c := r.connect("2222")
		r.must(c.Process.Signal(unix.SIGSTOP))
		time.Sleep(5 * time.Second)
		r.must(c.Process.Signal(unix.SIGCONT))
		r.hello(c)

		// Without it sshd is left alone, and that is said.
		set()
		r.await(d, "Server listening", 4)
		status, stdout, _ = s.tcpka("undo", "--file", config)
		_, reload, found := strings.Cut(stdout, "until sshd reads its files again: tcpka ")
		if status != 0 || !found {
			t.Fatalf("status %d\n%s", status, stdout)
		}
		reload, _, _ = strings.Cut(reload, "\n")

		// The line that was printed has it read, and changes nothing.
		status, stdout, stderr = s.tcpka(append(strings.Fields(reload), "-n")...)
		if status != 0 || !strings.Contains(stdout, "\nsshd would read its files again.\n") {
			t.Errorf("dry run of the reload: status %d\n%s%s", status, stdout, stderr)
		}
		r.await(d, "Server listening", 4)
		status, stdout, stderr = s.tcpka(strings.Fields(reload)...)
		if text, _ := os.ReadFile(config); status != 0 || !strings.Contains(stdout, "ClientAliveInterval = 0 ") || !strings.Contains(stdout, "\nsshd has read its files again") || string(text) != before {
			t.Errorf("the reload: status %d\n%s%s\n%s", status, stdout, stderr, text)
		}
		r.await(d, "Server listening", 5)

		// Nobody is there to be told: nothing is taken back.
		set()
		r.await(d, "Server listening", 6)
		r.must(d.Process.Kill())
		d.Wait()
		status, stdout, stderr = s.tcpka("undo", "--file", config, "--reload")
		if text, _ := os.ReadFile(config); status != 1 || !strings.Contains(stderr, "error: --reload: no sshd that listens") || !strings.Contains(stderr, "hint: nothing was taken back") || string(text) == before {
			t.Errorf("without sshd: status %d\n%s%s\n%s", status, stdout, stderr, text)
		}
		if status, _, stderr = s.tcpka("undo", "--file", config); status != 0 {
			t.Errorf("without --reload: status %d, %s", status, stderr)
		}
	})
}

// TestSetSSHReloadOfAnother makes sure that only the sshd is told that reads the file.
func TestSetSSHReloadOfAnother(t *testing.T) {
	nstest.Parallel(t)
	nstest.Run(t, func(t *testing.T) {
		r := newSSHRoom(t)
		s := scene{t: t}
		one, two := r.dir+"/one", r.dir+"/two"
		r.write(one, fmt.Sprintf(quietServer, "2222", r.dir))
		r.write(two, fmt.Sprintf(quietServer, "2223", r.dir))
		d := r.start(one)
		set := func(file string) (int, string) {
			status, stdout, stderr := s.tcpka("set", "ssh", "--side", "server", "--interval", "5", "--file", file, "--reload")
			return status, stdout + stderr
		}
		if status, said := set(two); status != 1 || !strings.Contains(said, "no sshd that listens with this file was found") {
			t.Errorf("status %d, %s", status, said)
		}
		if text, _ := os.ReadFile(two); strings.Contains(string(text), "ClientAlive") {
			t.Error("the file has changed")
		}
		// Two with one file.
		r.start(one, "-p", "2224")
		if status, said := set(one); status != 1 || !strings.Contains(said, "several sshd listen with this file: processes ") {
			t.Errorf("status %d, %s", status, said)
		}
		// One whose command line says something else.
		r.start(two, "-o", "ClientAliveInterval=9")
		if status, said := set(two); status != 3 || !strings.Contains(said, "sshd has another value on its command line: -o ClientAliveInterval=9") {
			t.Errorf("status %d, %s", status, said)
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		for _, line := range d.log {
			if strings.Contains(line, "SIGHUP") {
				t.Errorf("the first one was told: %s", line)
			}
		}
	})
}

// TestRootSetSSHReloadThatWouldEnd takes away what sshd needs to come back from a reload. It
// is not told, and nothing is written.
func TestRootSetSSHReloadThatWouldEnd(t *testing.T) {
	nstest.Parallel(t)
	nstest.RunRoot(t, func(t *testing.T) {
		r := newSSHRoom(t)
		users, err := os.ReadFile("/etc/passwd")
		r.must(err)
		r.write("/etc/passwd", string(users)+"nobody:x:65534:65534::/nonexistent:/bin/false\n") // whom sshd -T runs as without keys
		s := scene{t: t}
		config, key := r.dir+"/sshd_config", r.dir+"/host"
		text := fmt.Sprintf(quietServer, "2222", r.dir)
		r.write(config, text)
		d := r.start(config)
		refused := func(what, text, reason string) {
			t.Helper()
			r.write(config, text)
			status, stdout, stderr := s.tcpka("set", "ssh", "--side", "server", "--interval", "5", "--file", config, "--reload")
			if status != 1 || !strings.Contains(stderr, "would not come back from a reload: "+reason) {
				t.Errorf("%s: status %d\n%s%s", what, status, stdout, stderr)
			}
			if got, _ := os.ReadFile(config); string(got) != text {
				t.Errorf("%s: the file is %q", what, got)
			}
		}
		r.must(os.Rename(key, key+".away"))
		refused("no key", text, "sshd: exit status 1: ")
		r.must(os.Rename(key+".away", key))
		refused("no address", strings.Replace(text, "127.0.0.1", "192.0.2.77", 1), "listen at 192.0.2.77:2222: ")
		r.must(os.Remove("/run/sshd"))
		refused("no directory", text, "sshd: exit status 255: Missing privilege separation directory")
		r.must(os.Mkdir("/run/sshd", 0o755))
		r.write(config, text)
		if status, stdout, stderr := s.tcpka("set", "ssh", "--side", "server", "--interval", "5", "--file", config, "--reload"); status != 0 {
			t.Errorf("with everything: status %d\n%s%s", status, stdout, stderr)
		}
		r.await(d, "Server listening", 2)
	})
}

// TestRootSetSSHReloadOfAUser has an sshd that a user runs with the file that is meant.
func TestRootSetSSHReloadOfAUser(t *testing.T) {
	nstest.Parallel(t)
	nstest.RunRoot(t, func(t *testing.T) {
		r := newSSHRoom(t)
		config, key := r.dir+"/sshd_config", r.dir+"/host"
		r.write(config, fmt.Sprintf(quietServer, "2222", r.dir))
		r.must(errors.Join(os.Chmod(r.dir, 0o755), os.Chown(key, sessionUID, sessionUID)))
		sshd := exec.Command(r.sshd, "-D", "-e", "-f", config)
		sshd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: sessionUID, Gid: sessionUID}, Pdeathsig: syscall.SIGKILL}
		log, err := sshd.StderrPipe()
		r.must(err)
		r.must(sshd.Start())
		defer sshd.Wait()
		defer sshd.Process.Kill()
		if line, err := bufio.NewReader(log).ReadString('\n'); err != nil || !strings.Contains(line, "Server listening") {
			t.Fatalf("%v: %s", err, line)
		}
		if found, err := sshproc.FindDaemon(config); !errors.Is(err, sshproc.ErrNoDaemon) {
			t.Errorf("%+v, %v", found, err)
		}
	})
}

// TestRootSetSSHReloadsTheService has sshd in a cgroup like that of its service, and a
// systemctl that says what it was told.
func TestRootSetSSHReloadsTheService(t *testing.T) {
	nstest.Parallel(t)
	nstest.RunRoot(t, func(t *testing.T) {
		systemctl := nstest.Program(t, "systemctl")
		r := newSSHRoom(t)
		service := nstest.Cgroup(t) + "/ssh.service"
		r.must(os.Mkdir(service, 0o755))
		config := r.dir + "/sshd_config"
		r.write(config, fmt.Sprintf(quietServer, "2222", r.dir))
		d := r.start(config)
		r.must(os.WriteFile(service+"/cgroup.procs", []byte(fmt.Sprint(d.Process.Pid)), 0))
		r.must(os.MkdirAll("/run/systemd/system", 0o755))
		fake := r.dir + "/systemctl"
		r.write(fake, fmt.Sprintf("#!/bin/sh\necho \"$@\" >%s/told\nexec kill -HUP %d\n", r.dir, d.Process.Pid))
		r.must(os.Chmod(fake, 0o755))
		r.must(unix.Mount(fake, systemctl, "", unix.MS_BIND, ""))

		s := scene{t: t}
		status, stdout, stderr := s.tcpka("set", "ssh", "--side", "server", "--interval", "5", "--file", config, "--reload")
		if told, _ := os.ReadFile(r.dir + "/told"); status != 0 || string(told) != "reload ssh.service\n" {
			t.Errorf("status %d, systemctl was told %q\n%s%s", status, told, stdout, stderr)
		}
		r.await(d, "Server listening", 2)

		// One that ends: the change stays, and is said not to be in force.
		r.write(fake, fmt.Sprintf("#!/bin/sh\nexec kill -TERM %d\n", d.Process.Pid))
		status, stdout, stderr = s.tcpka("set", "ssh", "--side", "server", "--interval", "6", "--file", config, "--reload")
		if status != 3 || !strings.Contains(stderr, "the file is right, but sshd has not read it: sshd ") || !strings.Contains(stderr, "has ended") {
			t.Errorf("status %d\n%s%s", status, stdout, stderr)
		}
	})
}

// TestSetSSHKilledAtEachStep kills set ssh before every system call that could change
// something. The file is then old or new, the journal can be read, and undo brings
// everything back.
func TestSetSSHKilledAtEachStep(t *testing.T) {
	nstest.Parallel(t)
	nstest.Run(t, func(t *testing.T) {
		r := newSSHRoom(t)
		config := os.Getenv("HOME") + "/.ssh/config"
		for _, before := range []string{"", "Host web1\n  User bob\n"} {
			name := map[bool]string{true: "a new file", false: "a file that is there"}[before == ""]
			t.Run(name, func(t *testing.T) {
				s := scene{t: t}
				t.Setenv("TMPDIR", t.TempDir()) // who is killed leaves the candidate there
				after := before + "\nHost *\n  ServerAliveInterval 60\n"
				after = strings.TrimPrefix(after, "\n")
				look := func() string {
					text, err := os.ReadFile(config)
					switch {
					case os.IsNotExist(err) && before == "", err == nil && string(text) == before && before != "":
						return s.recorded() + ": old"
					case err == nil && string(text) == after:
						return s.recorded() + ": new"
					}
					t.Errorf("neither old nor new: %q, %v", text, err)
					return ""
				}
				var seen []string
				for n := 1; ; n++ {
					r.must(os.RemoveAll(os.Getenv("HOME")))
					r.must(os.MkdirAll(filepath.Dir(config), 0o700))
					if before != "" {
						r.must(os.WriteFile(config, []byte(before), 0o600))
					}
					reached, end := stopAt(t, n, sends(unix.SIGKILL), "set", "ssh", "--side", "client", "--interval", "60")
					if !reached {
						if end.ExitStatus() != 0 {
							t.Fatalf("set ssh, left alone: %v", end)
						}
						break
					}
					state := look()
					// ssh runs meanwhile: the steps of one run are not quite those of
					// another, and may go back.
					if !slices.Contains(seen, state) {
						seen = append(seen, state)
					}
					status, _, stderr := s.tcpka("undo")
					if nothing := strings.HasPrefix(state, "not recorded"); !nothing && status != 0 {
						t.Errorf("step %d, %s: undo: status %d, %s", n, state, status, stderr)
					}
					if got := look(); !strings.HasSuffix(got, ": old") {
						t.Errorf("step %d, %s: after undo: %s", n, state, got)
					}
					left, _ := filepath.Glob(filepath.Dir(config) + "/[^.]*")
					for _, file := range left {
						if file != config {
							t.Errorf("step %d: %s was left, and could be read", n, file)
						}
					}
					if t.Failed() {
						return
					}
				}
				want := "not recorded: old, interrupted: old, interrupted: new, done: new"
				if got := strings.Join(seen, ", "); got != want {
					t.Errorf("the states between the steps: %s, want %s", got, want)
				}
			})
		}
	})
}

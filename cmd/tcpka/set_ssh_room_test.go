//go:build linux

package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
)

// sshRoom has what ssh and sshd need in a room that is furnished: users, keys, and a
// home directory.
type sshRoom struct {
	*testing.T
	ssh, sshd, dir string
}

// sessionUser is who sshd runs as, and lets in: as root it would want more privilege
// than a user namespace has.
const sessionUser, sessionUID = "tcpka-test", 4242

func newSSHRoom(t *testing.T) sshRoom {
	t.Helper()
	furnish(t)
	r := sshRoom{T: t, ssh: nstest.Program(t, "ssh"), sshd: nstest.Program(t, "sshd"), dir: room(t)}
	home := r.dir + "/home"
	r.must(os.MkdirAll(home+"/.ssh", 0o700))
	t.Setenv("HOME", home)
	r.write("/etc/passwd", fmt.Sprintf("root:x:0:0::%[1]s:/bin/sh\nsshd:x:100:65534::/run/sshd:/bin/false\n%[2]s:x:%[3]d:%[3]d::%[1]s:/bin/sh\n", home, sessionUser, sessionUID))
	r.must(os.Mkdir("/run/sshd", 0o755))
	for _, key := range []string{"host", "user"} {
		if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", r.dir+"/"+key).CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen: %v: %s", err, out)
		}
	}
	return r
}

func (r sshRoom) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func (r sshRoom) write(file, content string) {
	r.Helper()
	r.must(os.WriteFile(file, []byte(content), 0o644))
}

// sshDaemon is an sshd that runs.
type sshDaemon struct {
	*exec.Cmd
	mu   sync.Mutex
	log  []string
	more chan struct{} // one for every line
}

// start runs sshd with a file, until the test ends.
func (r sshRoom) start(config string, args ...string) *sshDaemon {
	r.Helper()
	d := &sshDaemon{Cmd: exec.Command(r.sshd, append([]string{"-D", "-e", "-f", config}, args...)...), more: make(chan struct{}, 1000)}
	d.SysProcAttr = &syscall.SysProcAttr{
		// The first process of a PID namespace takes all others with it.
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWPID,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: sessionUID, Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: sessionUID, Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
	}
	log, err := d.StderrPipe()
	r.must(err)
	r.must(d.Start())
	r.Cleanup(func() {
		d.Process.Kill()
		d.Wait()
	})
	go func() {
		for lines := bufio.NewScanner(log); lines.Scan(); {
			d.mu.Lock()
			d.log = append(d.log, lines.Text())
			d.mu.Unlock()
			d.more <- struct{}{}
		}
	}()
	r.await(d, "Server listening", 1)
	return d
}

// await waits until sshd has said something n times.
func (r sshRoom) await(d *sshDaemon, text string, n int) {
	r.Helper()
	late := time.After(5 * time.Minute)
	for {
		d.mu.Lock()
		count := 0
		for _, line := range d.log {
			if strings.Contains(line, text) {
				count++
			}
		}
		log := strings.Join(d.log, "\n")
		d.mu.Unlock()
		if count >= n {
			return
		}
		select {
		case <-d.more:
		case <-late:
			r.Fatalf("sshd never said %q:\n%s", text, log)
		}
	}
}

// shellSession is an ssh with a shell at the other end.
type shellSession struct {
	*exec.Cmd
	in  io.Writer
	out *bufio.Reader
}

func (r sshRoom) connect(port string) *shellSession {
	r.Helper()
	s := &shellSession{Cmd: exec.Command(r.ssh, "-F", "none", "-T", "-p", port, "-l", sessionUser, "-i", r.dir+"/user",
		"-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
		"-o", "GlobalKnownHostsFile=/dev/null", "-o", "BatchMode=yes", "-o", "ServerAliveInterval=0", "-o", "LogLevel=ERROR", "127.0.0.1", "exec sh")}
	s.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	s.Stderr = os.Stderr
	in, err := s.StdinPipe()
	r.must(err)
	out, err := s.StdoutPipe()
	r.must(err)
	r.must(s.Start())
	r.Cleanup(func() {
		s.Process.Kill()
		s.Wait()
	})
	s.in, s.out = in, bufio.NewReader(out)
	r.hello(s)
	return s
}

// hello has a line carried there and back.
func (r sshRoom) hello(s *shellSession) {
	r.Helper()
	_, err := io.WriteString(s.in, "echo hello\n")
	r.must(err)
	if line, err := s.out.ReadString('\n'); line != "hello\n" {
		r.Fatalf("the session says %q, %v", line, err)
	}
}

const quietServer = "ListenAddress 127.0.0.1\nPort %s\nHostKey %s/host\nAuthorizedKeysFile %[2]s/user.pub\nStrictModes no\nUsePAM no\nPidFile none\nLogLevel INFO\n"

package calc_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/nstest"
)

// sshUser is who sshd runs as and lets in: as root it would want more privilege
// than a user namespace has.
const sshUser, sshUID = "tcpka-test", 4242

// sshLab has the programs and what they need.
type sshLab struct {
	ssh, sshd, dir string
	version        map[calc.SSHSide]calc.SSHVersion
	lateness       nstest.Lateness

	// ready is when all sessions are set up: nothing is measured while keys are
	// still exchanged.
	ready sync.WaitGroup
}

func newSSHLab(t *testing.T) *sshLab {
	lab := &sshLab{ssh: nstest.Program(t, "ssh"), sshd: nstest.Program(t, "sshd"), dir: t.TempDir(), lateness: nstest.WatchLateness()}
	out, err := exec.Command(lab.ssh, "-V").CombinedOutput()
	if err != nil {
		t.Fatalf("ssh -V: %v", err)
	}
	client, err := calc.ParseSSHVersion(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	// Before 9.2 sshd has no -V, but answers anything unknown with its version.
	out, _ = exec.Command(lab.sshd, "-V").CombinedOutput()
	var server calc.SSHVersion
	for line := range strings.Lines(string(out)) {
		if v, err := calc.ParseSSHVersion(strings.TrimSpace(line)); err == nil {
			server = v
		}
	}
	if !server.Known() {
		t.Fatalf("sshd -V: %q", out)
	}
	lab.version = map[calc.SSHSide]calc.SSHVersion{calc.SSHClient: client, calc.SSHServer: server}
	t.Logf("ssh %s, sshd %s", client, server)

	passwd := lab.file("passwd")
	home := fmt.Sprintf("root:x:0:0::%[1]s:/bin/sh\n%[2]s:x:%[3]d:%[3]d::%[1]s:/bin/sh\n", lab.dir, sshUser, sshUID)
	if err := os.WriteFile(passwd, []byte(home), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(passwd, "/etc/passwd", "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"host", "user"} {
		if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", lab.file(key)).CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen: %v: %s", err, out)
		}
	}
	return lab
}

func (lab *sshLab) file(name string) string { return filepath.Join(lab.dir, name) }

func (lab *sshLab) end(side calc.SSHSide, interval, count int) calc.SSH {
	return calc.SSH{
		Side: side, Interval: time.Duration(interval) * time.Second, CountMax: count,
		TCPKeepAlive: true, Version: lab.version[side],
	}
}

// sshSession is one ssh connected to one sshd, in a network namespace of the
// calling thread.
type sshSession struct {
	server, client *exec.Cmd
	stdin          io.WriteCloser
	stdout         *bufio.Reader
	said, heard    time.Time // both ends last heard of each other between these, the client first

	once   sync.Once
	over   chan struct{} // closed when the end that probes has given up
	overAt time.Time
	errs   bytes.Buffer // of ssh
}

func (s *sshSession) ended() { s.once.Do(func() { s.overAt = time.Now(); close(s.over) }) }

const sshPort = "2222"

// start connects a session with the options of end.
func (lab *sshLab) start(end calc.SSH) (*sshSession, error) {
	s := &sshSession{over: make(chan struct{})}
	client, server := end, calc.SSH{CountMax: 3}
	if end.Side == calc.SSHServer {
		client, server = server, end
	}
	keep := map[bool]string{true: "yes", false: "no"}[end.TCPKeepAlive]
	options := func(more ...string) (args []string) {
		for _, o := range append(more, "TCPKeepAlive="+keep) {
			args = append(args, "-o", o)
		}
		return args
	}
	number := func(name string, n int64) string { return name + "=" + strconv.FormatInt(n, 10) }

	s.server = exec.Command(lab.sshd, append([]string{"-D", "-e", "-f", "/dev/null"}, options(
		"ListenAddress=127.0.0.1", "Port="+sshPort, "HostKey="+lab.file("host"), "PidFile=none",
		"AuthorizedKeysFile="+lab.file("user.pub"), "StrictModes=no", "UsePAM=no", "LogLevel=INFO",
		number("ClientAliveInterval", int64(server.Interval/time.Second)),
		number("ClientAliveCountMax", int64(server.CountMax)))...)...)
	s.server.SysProcAttr = &syscall.SysProcAttr{
		// The first process of a PID namespace takes all others with it.
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWPID,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: sshUID, Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: sshUID, Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
	}
	log, err := s.server.StderrPipe()
	if err == nil {
		err = s.server.Start()
	}
	if err != nil {
		return s, fmt.Errorf("start sshd: %w", err)
	}
	listening := make(chan error, 1)
	go func() {
		all := ""
		for lines := bufio.NewScanner(log); lines.Scan(); {
			all += lines.Text() + "\n"
			switch {
			case strings.HasPrefix(lines.Text(), "Server listening"):
				listening <- nil
			case strings.Contains(lines.Text(), "Timeout, client not responding") && end.Side == calc.SSHServer:
				s.ended()
			}
		}
		listening <- fmt.Errorf("sshd ended: %s", all)
	}()
	if err := <-listening; err != nil {
		return s, err
	}

	s.client = exec.Command(lab.ssh, append(append([]string{"-F", "none", "-T"}, options(
		"Port="+sshPort, "User="+sshUser, "IdentityFile="+lab.file("user"), "IdentitiesOnly=yes", "IdentityAgent=none",
		"StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "GlobalKnownHostsFile=/dev/null",
		"PasswordAuthentication=no", "KbdInteractiveAuthentication=no", "ControlPath=none", "LogLevel=ERROR",
		number("ServerAliveInterval", int64(client.Interval/time.Second)),
		number("ServerAliveCountMax", int64(client.CountMax)))...),
		"127.0.0.1", "exec sh")...)
	s.client.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	s.client.Stderr = &s.errs
	s.stdin, err = s.client.StdinPipe()
	if err != nil {
		return s, err
	}
	stdout, printed, err := os.Pipe()
	if err != nil {
		return s, err
	}
	s.client.Stdout = printed
	err = s.client.Start()
	printed.Close()
	if err != nil {
		return s, fmt.Errorf("start ssh: %w", err)
	}
	s.stdout = bufio.NewReader(stdout)
	if err := s.hello(); err != nil {
		return s, err
	}
	if end.Side == calc.SSHClient {
		go func() {
			s.client.Wait()
			s.ended()
		}()
	}
	return s, nil
}

func (s *sshSession) close() {
	for _, c := range []*exec.Cmd{s.client, s.server} {
		if c != nil && c.Process != nil {
			c.Process.Kill()
			c.Wait()
		}
	}
}

// hello has a line carried there and back, the last that both ends hear of each
// other.
func (s *sshSession) hello() error {
	s.said = time.Now()
	if err := s.say("echo hello"); err != nil {
		return err
	}
	line, err := s.stdout.ReadString('\n')
	s.heard = time.Now()
	if line != "hello\n" {
		return fmt.Errorf("ssh printed %q: %w: %s", line, err, s.errs.String())
	}
	return nil
}

// say writes a line to the shell at the other end.
func (s *sshSession) say(line string) error {
	_, err := io.WriteString(s.stdin, line+"\n")
	return err
}

func (s *sshSession) nothing() error { return nil }

// printAndStop has the session print more often than any interval, and stops the
// peer.
func (s *sshSession) printAndStop() error {
	err := s.say("while :; do echo tick; sleep 0.3; done")
	if err == nil {
		_, err = s.stdout.ReadString('\n')
	}
	return errors.Join(err, s.stop())
}

// peer is every process of the end that does not probe.
func (s *sshSession) peer() ([]int, error) {
	if s.probes() == s.server {
		return []int{s.client.Process.Pid}, nil
	}
	return descendants(s.server.Process.Pid)
}

// probes is the program that has probes switched on.
func (s *sshSession) probes() *exec.Cmd {
	for _, a := range s.server.Args {
		if n, ok := strings.CutPrefix(a, "ClientAliveInterval="); ok && n != "0" {
			return s.server
		}
	}
	return s.client
}

// stop stops the peer; its kernel goes on to acknowledge.
func (s *sshSession) stop() error {
	pids, err := s.peer()
	return errors.Join(err, stopAll(pids))
}

// stopAll stops processes. One that has ended since they were listed, as a login
// leaves some, is as good as stopped.
func stopAll(pids []int) (err error) {
	for _, pid := range pids {
		if e := unix.Kill(pid, unix.SIGSTOP); e != unix.ESRCH {
			err = errors.Join(err, e)
		}
	}
	return err
}

// deafen drops every packet that arrives for the peer's socket, so that no
// acknowledgement comes back.
func (s *sshSession) deafen() error {
	pids, err := s.peer()
	deaf := 0
	for _, pid := range pids {
		n, failed := deafenProcess(pid)
		deaf, err = deaf+n, errors.Join(err, failed)
	}
	if deaf == 0 {
		err = errors.Join(err, errors.New("the peer has no TCP socket"))
	}
	return err
}

// deafenProcess does so for every connection of a process, and returns how many it
// has.
func deafenProcess(pid int) (n int, err error) {
	process, err := unix.PidfdOpen(pid, 0)
	if err == unix.ESRCH {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer unix.Close(process)
	for number := range 32 {
		fd, err := unix.PidfdGetfd(process, number, 0)
		if errors.Is(err, unix.EBADF) {
			continue
		}
		if err != nil {
			return n, fmt.Errorf("descriptor %d of process %d: %w", number, pid, err)
		}
		protocol, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL)
		if _, e := unix.Getpeername(fd); e == nil && protocol == unix.IPPROTO_TCP {
			err = nstest.DropAll(fd)
			n++
		}
		unix.Close(fd)
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// descendants are the children of a process, and theirs.
func descendants(pid int) (all []int, err error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	parent := map[int]int{}
	for _, file := range stats {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		// pid (comm) state ppid ...; see proc(5)
		id, rest, _ := strings.Cut(string(text), " ")
		fields := strings.Fields(rest[strings.LastIndexByte(rest, ')')+1:])
		child, _ := strconv.Atoi(id)
		parent[child], _ = strconv.Atoi(fields[1])
	}
	for child := range parent {
		for p := parent[child]; p > 1; p = parent[p] {
			if p == pid {
				all = append(all, child)
				break
			}
		}
	}
	slices.Sort(all)
	if len(all) == 0 {
		err = fmt.Errorf("process %d has no children", pid)
	}
	return all, err
}

// within runs f with a session in a network namespace of its own, in which
// sysctls of net.ipv4 are set first.
func (lab *sshLab) within(end calc.SSH, sysctls []string, f func(s *sshSession) error) (err error) {
	apart := nstest.Apart(func() {
		for _, pair := range sysctls {
			key, value, _ := strings.Cut(pair, "=")
			if err = os.WriteFile("/proc/sys/net/ipv4/"+key, []byte(value), 0); err != nil {
				return
			}
		}
		if end.CountMax == 0 { // it would not last until the others are ready
			lab.ready.Done()
			lab.ready.Wait()
			time.Sleep(time.Second) // and shall not disturb them
		}
		var s *sshSession
		s, err = lab.start(end)
		defer s.close()
		if end.CountMax > 0 {
			lab.ready.Done()
			lab.ready.Wait()
		}
		if err == nil {
			err = s.hello()
		}
		if err == nil {
			err = f(s)
		}
	})
	return errors.Join(apart, err)
}

// measure cuts the peer off and waits for the end that probes to give up, or for
// some time where it is predicted that it does not.
func (lab *sshLab) measure(end calc.SSH, want calc.Prediction, cut func(*sshSession) error, sysctls ...string) (report string, err error) {
	err = lab.within(end, sysctls, func(s *sshSession) error {
		if err := cut(s); err != nil {
			return err
		}
		patience := 10 * time.Second
		if !want.Never {
			patience = want.Latest + end.Lateness() + wake
		}
		for over := false; !over; {
			watched := time.Since(s.heard)
			left := patience - watched
			if !want.Never {
				left += lab.lateness.Since(s.heard)
			}
			if left <= 0 {
				report = fmt.Sprintf("still there after %s; %s", watched.Round(time.Millisecond), span(want))
				if !want.Never {
					return errors.New(report)
				}
				return nil
			}
			select {
			case <-s.over:
				over = true
			case <-time.After(left):
			}
		}
		report = fmt.Sprintf("gave up after %s; %s", s.overAt.Sub(s.heard).Round(time.Millisecond), span(want))
		if want.Never || s.overAt.Sub(s.said) < want.Earliest {
			return errors.New(report)
		}
		return nil
	})
	return report, err
}

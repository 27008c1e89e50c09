//go:build linux

package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/sockets"
)

// A server is a program from the distribution, started by the test itself on a
// port of a network namespace of its own, with its files in a temporary directory.
type server struct {
	name string
	port int
	// What an accepted connection has: as the server makes it, and once the
	// listener was given "77 7 7".
	unchanged, inherited string

	start func(t *testing.T, dir string)
	dial  func(t *testing.T, port int) client
}

// A client is connected to a server.
type client interface {
	ask(t *testing.T)    // a question that the server answers
	fd(t *testing.T) int // of its socket
	port(t *testing.T) uint16
}

const kernels = "7200 75 9"

var redis = server{
	name: "redis", port: 6379, unchanged: "300 100 3", inherited: "300 100 3",
	start: func(t *testing.T, dir string) {
		startAsNobody(t, "redis-server", redisArgs(6379, dir)...)
	},
	dial: func(t *testing.T, port int) client {
		return &connection{TCPConn: connect(t, port), question: "PING\r\n", answer: func(r *bufio.Reader) error {
			if line, err := r.ReadString('\n'); err != nil || line != "+PONG\r\n" {
				return fmt.Errorf("%q, %w", line, err)
			}
			return nil
		}}
	},
}

var servers = []server{
	{
		name: "postgresql", port: 5432, unchanged: kernels, inherited: slow,
		start: startPostgres,
		dial:  func(t *testing.T, _ int) client { return dialPostgres(t) },
	},
	redis,
	{
		name: "nginx", port: 8080, unchanged: "off", inherited: slow,
		start: startNginx,
		dial: func(t *testing.T, port int) client {
			return &connection{TCPConn: connect(t, port), question: "GET / HTTP/1.1\r\nHost: a\r\n\r\n", answer: func(r *bufio.Reader) error {
				res, err := http.ReadResponse(r, nil)
				if err != nil {
					return err
				}
				_, err = io.Copy(io.Discard, res.Body)
				return err
			}}
		},
	},
	{
		name: "sshd", port: 2222, unchanged: kernels, inherited: slow,
		start: startSSHD,
		dial:  func(t *testing.T, _ int) client { return startSSH(t) },
	},
}

// directory is one that servers may use as another user.
func directory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tcpka-server-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	return dir
}

const nobody = 65534

// startAsNobody starts a program as the user nobody.
func startAsNobody(t *testing.T, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(nstest.Program(t, name), args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	serving(t, cmd)
}

// serving starts a program that serves until the test ends.
func serving(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	var out bytes.Buffer
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "HOME=/"}
	if strings.HasPrefix(filepath.Base(cmd.Path), "tcpka") {
		cmd.Env = os.Environ()
	}
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		cmd.Process.Signal(unix.SIGINT)
		select {
		case <-ended:
		case <-time.After(time.Minute):
			cmd.Process.Kill()
			<-ended
		}
		if t.Failed() {
			t.Logf("%s said:\n%s", cmd.Args[0], out.String())
		}
	})
}

func redisArgs(port int, dir string) []string {
	return []string{"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--save", "", "--dir", dir}
}

func startPostgres(t *testing.T, dir string) {
	initdb := exec.Command(nstest.Program(t, "initdb"), "-D", dir+"/data", "-A", "trust", "-U", "tester", "--no-sync", "--locale=C", "--encoding=UTF8")
	initdb.Dir = dir
	initdb.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C"}
	initdb.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	if out, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	startAsNobody(t, "postgres", "-D", dir+"/data", "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
		"-c", "fsync=off", "-c", "shared_buffers=1MB", "-c", "dynamic_shared_memory_type=mmap", "-c", "max_connections=10")
}

func startNginx(t *testing.T, dir string) {
	paths := ""
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		paths += fmt.Sprintf("    %s_temp_path %s/%s;\n", kind, dir, kind)
	}
	config := filepath.Join(dir, "nginx.conf")
	text := fmt.Sprintf(`daemon off;
error_log stderr;
pid %s/pid;
events {}
http {
    access_log off;
%s    keepalive_timeout 1h;
    server {
        listen 127.0.0.1:8080;
        return 200 "fine";
    }
}
`, dir, paths)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	startAsNobody(t, "nginx", "-p", dir, "-c", config)
}

func startSSHD(t *testing.T, dir string) {
	for _, key := range []string{"host", "user"} {
		if out, err := exec.Command(nstest.Program(t, "ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", "/run/sshd/"+key).CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen: %v: %s", err, out)
		}
	}
	serving(t, exec.Command(nstest.Program(t, "sshd"), "-D", "-e", "-f", "/dev/null", "-p", "2222", "-h", "/run/sshd/host",
		"-o", "ListenAddress=127.0.0.1", "-o", "PidFile=none", "-o", "UsePAM=no", "-o", "StrictModes=no", "-o", "AuthorizedKeysFile=/run/sshd/user.pub"))
}

// connection is a client that is this test.
type connection struct {
	*net.TCPConn
	question string
	answer   func(*bufio.Reader) error
	r        *bufio.Reader
}

// connect waits for a server to listen.
func connect(t *testing.T, port int) *net.TCPConn {
	t.Helper()
	d := net.Dialer{KeepAlive: -1}
	for deadline := time.Now().Add(5 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		c, err := d.Dial("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err == nil {
			t.Cleanup(func() { c.Close() })
			return c.(*net.TCPConn)
		}
		if !errors.Is(err, unix.ECONNREFUSED) || time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func (c *connection) ask(t *testing.T) {
	t.Helper()
	if c.r == nil {
		c.r = bufio.NewReader(c)
	}
	c.SetDeadline(time.Now().Add(5 * time.Minute))
	if _, err := io.WriteString(c, c.question); err != nil {
		t.Fatal(err)
	}
	if err := c.answer(c.r); err != nil {
		t.Fatalf("the answer to %q: %v", c.question, err)
	}
}

func (c *connection) port(*testing.T) uint16 {
	return netip.MustParseAddrPort(c.LocalAddr().String()).Port()
}

// fd is a duplicate, which lives as long as the test.
func (c *connection) fd(t *testing.T) int {
	t.Helper()
	f, err := c.File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return int(f.Fd())
}

// dialPostgres begins a session. See the chapter Frontend/Backend Protocol of
// PostgreSQL's manual.
func dialPostgres(t *testing.T) *connection {
	message := func(kind, text string) string {
		return kind + string(binary.BigEndian.AppendUint32(nil, uint32(4+len(text)))) + text
	}
	untilReady := func(r *bufio.Reader) error {
		for {
			kind, err := r.ReadByte()
			if err != nil {
				return err
			}
			var size uint32
			if err := binary.Read(r, binary.BigEndian, &size); err != nil {
				return err
			}
			body := make([]byte, size-4)
			if _, err := io.ReadFull(r, body); err != nil {
				return err
			}
			switch kind {
			case 'E':
				return fmt.Errorf("%q", body)
			case 'Z':
				return nil
			}
		}
	}
	const protocol3 = "\x00\x03\x00\x00"
	for deadline := time.Now().Add(5 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		c := &connection{TCPConn: connect(t, 5432), question: message("Q", "SELECT 1\x00"), answer: untilReady}
		c.r = bufio.NewReader(c)
		if _, err := io.WriteString(c, message("", protocol3+"user\x00tester\x00database\x00postgres\x00\x00")); err != nil {
			t.Fatal(err)
		}
		err := untilReady(c.r)
		if err == nil {
			return c
		}
		// "the database system is starting up" comes as an error.
		if !strings.Contains(err.Error(), "57P03") || time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// sshSession is the ssh program with cat(1) at the other end.
type sshSession struct {
	cmd    *exec.Cmd
	stdin  io.Writer
	stdout *bufio.Reader
}

func startSSH(t *testing.T) *sshSession {
	connect(t, 2222).Close()
	cmd := exec.Command(nstest.Program(t, "ssh"), "-F", "none", "-i", "/run/sshd/user", "-p", "2222",
		"-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "root@127.0.0.1", "cat")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return &sshSession{cmd, stdin, bufio.NewReader(stdout)}
}

func (c *sshSession) ask(t *testing.T) {
	t.Helper()
	if _, err := io.WriteString(c.stdin, "are you there\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := c.stdout.ReadString('\n'); err != nil || line != "are you there\n" {
		t.Fatalf("through ssh came %q, %v", line, err)
	}
}

func (c *sshSession) socket(t *testing.T) (found sockets.Socket) {
	t.Helper()
	if _, err := sockets.List(sockets.Query{Sysctl: keepalive.Defaults()}, func(s *sockets.Socket) error {
		if len(s.Owners) > 0 && s.Owners[0].PID == c.cmd.Process.Pid {
			found = *s
			found.Owners = append([]sockets.Owner(nil), s.Owners...)
		}
		return nil
	}); err != nil || len(found.Owners) == 0 {
		t.Fatalf("the socket of ssh: %v, %+v", err, found)
	}
	return found
}

func (c *sshSession) port(t *testing.T) uint16 { return c.socket(t).Local.Port() }

// fd is borrowed from ssh, and lives as long as the test.
func (c *sshSession) fd(t *testing.T) int {
	t.Helper()
	pidfd, err := unix.PidfdOpen(c.cmd.Process.Pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pidfd)
	fd, err := unix.PidfdGetfd(pidfd, c.socket(t).Owners[0].FD, 0)
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

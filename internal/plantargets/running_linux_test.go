package plantargets

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
)

// These tests start the program, on a port of a private namespace, and look at
// what it says and at the sockets that it holds.

// nobody is who PostgreSQL's server runs as: it refuses root.
const nobody = 65534

func TestRootPostgreSQL(t *testing.T) {
	t.Parallel()
	nstest.RunRoot(t, func(t *testing.T) {
		psql := nstest.Program(t, "psql")
		dir, err := os.MkdirTemp("", "tcpka-postgresql-")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		if err := os.Chown(dir, nobody, nobody); err != nil {
			t.Fatal(err)
		}
		passwd := write(t, dir, "passwd", "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n")
		if err := os.Chmod(passwd, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount(passwd, "/etc/passwd", "", unix.MS_BIND, ""); err != nil {
			t.Fatal(err)
		}
		asNobody := func(name string, args ...string) *exec.Cmd {
			cmd := exec.Command(nstest.Program(t, name), args...)
			cmd.Dir = dir
			cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C"}
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
			return cmd
		}
		data := dir + "/data"
		if out, err := asNobody("initdb", "-D", data, "-A", "trust", "-U", "tester", "--no-sync", "--locale=C", "--encoding=UTF8").CombinedOutput(); err != nil {
			t.Fatalf("initdb: %v\n%s", err, out)
		}
		config, err := os.OpenFile(data+"/postgresql.conf", os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(config, "\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\nfsync = off\nshared_buffers = 1MB\ndynamic_shared_memory_type = mmap\n%s", snippetOf(t, "postgresql"))
		if err := config.Close(); err != nil {
			t.Fatal(err)
		}
		serve(t, asNobody("postgres", "-D", data))

		// The session is made with what libpq is told, so that both ends are seen.
		where := "host=127.0.0.1 dbname=postgres user=tester "
		for _, line := range strings.Split(snippetOf(t, "libpq"), "\n") {
			if !strings.HasPrefix(line, "#") {
				where += line
			}
		}
		eventually(t, func() error { return exec.Command(psql, where, "-Atc", "SELECT 1").Run() })
		session := exec.Command(psql, where, "-XAtq")
		stdin, err := session.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		stdout, err := session.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		serve(t, session)
		fmt.Fprintln(stdin, `SHOW tcp_keepalives_idle; SHOW tcp_keepalives_interval; SHOW tcp_keepalives_count; SHOW tcp_user_timeout; SELECT 'end';`)
		var shown []string
		for lines := bufio.NewScanner(stdout); lines.Scan() && lines.Text() != "end"; {
			shown = append(shown, lines.Text())
		}
		if got := strings.Join(shown, " "); got != "86 10 3 115s" && got != "86 10 3 115000" {
			t.Errorf("SHOW gives %q", got)
		}
		if got := heldBy(t, session.Process.Pid); got != readBack {
			t.Errorf("the socket of psql holds %q, want %s", got, readBack)
		}
	})
}

func TestRedis(t *testing.T) {
	t.Parallel()
	nstest.Run(t, func(t *testing.T) {
		dir := t.TempDir()
		cli := nstest.Program(t, "redis-cli")
		config := write(t, dir, "redis.conf", "bind 127.0.0.1\nsave \"\"\ndir "+dir+"\n"+snippetOf(t, "redis"))
		server := exec.Command(nstest.Program(t, "redis-server"), config)
		serve(t, server)
		eventually(t, func() error { return exec.Command(cli, "ping").Run() })
		if got := output(t, dir, "redis-cli", "config", "get", "tcp-keepalive"); got != "tcp-keepalive\n56\n" {
			t.Errorf("CONFIG GET gives %q", got)
		}
		client := exec.Command(cli, "subscribe", "nothing")
		stdout, err := client.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		serve(t, client)
		if _, err := bufio.NewReader(stdout).ReadString('\n'); err != nil { // it is connected
			t.Fatal(err)
		}
		if got := heldBy(t, server.Process.Pid); got != "1 56 18 3 0" {
			t.Errorf("the socket of the server holds %q", got)
		}
	})
}

func TestNode(t *testing.T) {
	t.Parallel()
	nstest.Run(t, func(t *testing.T) {
		// Releases that take all three, and those before, for which the line is a comment.
		text, want := snippetOf(t, "node"), "1 86 10 3 0"
		var major, minor int
		if _, err := fmt.Sscanf(output(t, t.TempDir(), "node", "--version"), "v%d.%d", &major, &minor); err != nil {
			t.Fatal(err)
		}
		if major < 24 || major == 24 && minor < 19 || major == 25 || major == 26 && minor < 4 {
			text, want = strings.TrimPrefix(text[strings.LastIndex(text, "// socket.setKeepAlive"):], "// "), "1 107 1 10 0"
		}
		node := exec.Command(nstest.Program(t, "node"), "-e", `
const server = require('net').createServer().listen(0, '127.0.0.1', () => {
  const socket = require('net').connect(server.address().port, '127.0.0.1', () => {
`+text+`
    console.log('connected');
  });
});
server.on('connection', (s) => s.pause());
`)
		stdout, err := node.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		serve(t, node)
		if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
			t.Fatalf("%q, %v", line, err)
		}
		// Both ends are its own; the other one is as the kernel made it.
		if got := heldBy(t, node.Process.Pid); !strings.Contains(got, want) {
			t.Errorf("the sockets of node hold %q", got)
		}
	})
}

func TestNginxAccepts(t *testing.T) {
	t.Parallel()
	nstest.Run(t, func(t *testing.T) {
		dir := t.TempDir()
		nginx := exec.Command(nstest.Program(t, "nginx"), "-p", dir, "-c", nginxConfig(t, dir, "daemon off;\nmaster_process off;\n"))
		serve(t, nginx)
		dial(t, "127.0.0.1:443")
		eventuallyHolds(t, nginx.Process.Pid, "1 86 10 3 0")
	})
}

func TestHAProxyAcceptsAndConnects(t *testing.T) {
	t.Parallel()
	nstest.Run(t, func(t *testing.T) {
		dir := t.TempDir()
		behind, err := net.Listen("tcp", "127.0.0.1:1")
		if err != nil {
			t.Fatal(err)
		}
		defer behind.Close()
		// One process, and not as another user.
		haproxy := exec.Command(nstest.Program(t, "haproxy"), "-db", "-f", haproxyConfig(t, dir))
		serve(t, haproxy)
		dial(t, "127.0.0.1:18443")
		eventuallyHolds(t, haproxy.Process.Pid, readBack+", "+readBack)
	})
}

func TestSysctl(t *testing.T) {
	t.Parallel()
	nstest.Run(t, func(t *testing.T) {
		dir := t.TempDir()
		output(t, dir, "sysctl", "-q", "-p", write(t, dir, "99-tcpka.conf", snippetOf(t, "sysctl")))
		for name, want := range map[string]string{"time": "86\n", "intvl": "10\n", "probes": "3\n"} {
			if got, err := os.ReadFile("/proc/sys/net/ipv4/tcp_keepalive_" + name); err != nil || string(got) != want {
				t.Errorf("%s is %q, %v", name, got, err)
			}
		}
	})
}

// dial connects until the test ends.
func dial(t *testing.T, address string) {
	t.Helper()
	eventually(t, func() error {
		c, err := net.Dial("tcp", address)
		if err == nil {
			t.Cleanup(func() { c.Close() })
		}
		return err
	})
}

// eventuallyHolds waits until a process has connections with these values.
func eventuallyHolds(t *testing.T, pid int, want string) {
	t.Helper()
	eventually(t, func() error {
		if got := heldBy(t, pid); got != want {
			return fmt.Errorf("its sockets hold %q, want %q", got, want)
		}
		return nil
	})
}

// serve starts a program that runs until the test ends.
func serve(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	var problems bytes.Buffer
	if cmd.Stdout == nil {
		cmd.Stdout = &problems
	}
	cmd.Stderr = &problems
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		cmd.Process.Signal(unix.SIGTERM)
		select {
		case <-ended:
		case <-time.After(5 * time.Second):
			cmd.Process.Kill()
			<-ended
		}
		if t.Failed() {
			t.Logf("%s said:\n%s", cmd.Args[0], problems.String())
		}
	})
}

// eventually waits until something works.
func eventually(t *testing.T, f func() error) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// heldBy is what the connected TCP sockets of another process hold, as readBack.
func heldBy(t *testing.T, pid int) string {
	t.Helper()
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pidfd)
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		var number int
		if _, err := fmt.Sscan(e.Name(), &number); err != nil {
			t.Fatal(err)
		}
		fd, err := unix.PidfdGetfd(pidfd, number, 0)
		if err != nil {
			continue // closed meanwhile
		}
		if _, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			if _, err := unix.Getpeername(fd); err == nil {
				all = append(all, held(t, fd))
			}
		}
		unix.Close(fd)
	}
	return strings.Join(all, ", ")
}

func held(t *testing.T, fd int) string {
	t.Helper()
	var values []string
	for _, o := range [][2]int{
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE},
		{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE},
		{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL},
		{unix.IPPROTO_TCP, unix.TCP_KEEPCNT},
		{unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT},
	} {
		v, err := unix.GetsockoptInt(fd, o[0], o[1])
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, fmt.Sprint(v))
	}
	return strings.Join(values, " ")
}

func TestRootPgBouncer(t *testing.T) {
	t.Parallel()
	nstest.RunRoot(t, func(t *testing.T) {
		dir, err := os.MkdirTemp("", "tcpka-pgbouncer-")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		if err := os.Chown(dir, nobody, nobody); err != nil {
			t.Fatal(err)
		}
		config := write(t, dir, "pgbouncer.ini", snippetOf(t, "pgbouncer")+"listen_addr = 127.0.0.1\nlisten_port = 6432\nunix_socket_dir =\nauth_type = any\n[databases]\nx = host=127.0.0.1\n")
		if err := os.Chown(config, nobody, nobody); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(nstest.Program(t, "pgbouncer"), config)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		serve(t, cmd)
		dial(t, "127.0.0.1:6432")
		eventuallyHolds(t, cmd.Process.Pid, readBack)
	})
}

func TestStunnelAcceptsAndConnects(t *testing.T) {
	t.Parallel()
	nstest.Run(t, func(t *testing.T) {
		dir := t.TempDir()
		behind, err := net.Listen("tcp", "127.0.0.1:1")
		if err != nil {
			t.Fatal(err)
		}
		defer behind.Close()
		cmd := exec.Command(nstest.Program(t, "stunnel4"), write(t, dir, "stunnel.conf", "foreground = yes\npid =\n"+snippetOf(t, "stunnel")+"[x]\nclient = yes\naccept = 127.0.0.1:18443\nconnect = 127.0.0.1:1\n"))
		serve(t, cmd)
		dial(t, "127.0.0.1:18443")
		eventuallyHolds(t, cmd.Process.Pid, "1 86 10 3 0, 1 86 10 3 0")
	})
}

func TestSocatAcceptsAndConnects(t *testing.T) {
	t.Parallel()
	nstest.Run(t, func(t *testing.T) {
		behind, err := net.Listen("tcp", "127.0.0.1:1")
		if err != nil {
			t.Fatal(err)
		}
		defer behind.Close()
		nstest.Program(t, "socat")
		// Without fork it is one process that holds both.
		command := strings.NewReplacer("fork,", "", "HOST:80", "127.0.0.1:1").Replace(snippetOf(t, "socat"))
		cmd := exec.Command("sh", "-c", "exec "+command[strings.Index(command, "socat TCP"):])
		serve(t, cmd)
		dial(t, "127.0.0.1:8080")
		eventuallyHolds(t, cmd.Process.Pid, readBack+", "+readBack)
	})
}

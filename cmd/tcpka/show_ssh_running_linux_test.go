package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
)

// shownSSH is what these tests look at in tcpka/ssh/v1.
type shownSSH struct {
	Session *struct {
		Client, Server string
		PID            *int
		Survives       *float64 `json:"survives_seconds"`
		SurvivesBy     *string  `json:"survives_by"`
		Detection      *float64 `json:"detection_seconds"`
		DetectionBy    *string  `json:"detection_by"`
		Socket         *shownSocket
		Warnings       []struct{ ID string }
	}
	Server struct {
		Warnings []struct{ ID, Text string }
	}
	Running []shownProcess
}

type shownSocket struct {
	Local, Remote, Timer string
	Keepalive            *bool
	Time                 *int     `json:"time_seconds"`
	Left                 *float64 `json:"timer_seconds"`
}

type shownProcess struct {
	PID          int
	Side, Role   string
	User         string
	Destination  *string
	Interval     *int     `json:"interval_seconds"`
	CountMax     *int     `json:"count_max"`
	TCPKeepAlive *bool    `json:"tcp_keepalive"`
	Detection    *float64 `json:"detection_seconds"`
	DetectionBy  *string  `json:"detection_by"`
	Sources      map[string]string
	Unsure       map[string]string
	Socket       *shownSocket
	Warnings     []struct{ ID string }
}

// showSSH runs tcpka show ssh with an environment of its own.
func showSSH(t *testing.T, env []string, args ...string) (d shownSSH) {
	t.Helper()
	cmd := helper("tcpka", append([]string{"show", "ssh", "--json"}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, &d)
	}
	if err != nil {
		t.Fatalf("%v: %s\n%s", err, stderr.String(), out)
	}
	return d
}

// process is the one with a PID; the machine may have others.
func (d shownSSH) process(t *testing.T, pid int) shownProcess {
	t.Helper()
	i := slices.IndexFunc(d.Running, func(p shownProcess) bool { return p.PID == pid })
	if i < 0 {
		t.Fatalf("no process %d in %+v", pid, d.Running)
	}
	return d.Running[i]
}

// connectSSH starts ssh with a shell at the other end, and says where its input goes
// and what it prints.
func connectSSH(t *testing.T, cmd *exec.Cmd) (in io.Writer, out *bufio.Reader) {
	t.Helper()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	io.WriteString(stdin, "echo hello $SSH_CONNECTION\n")
	out = bufio.NewReader(stdout)
	if line, err := out.ReadString('\n'); err != nil || !strings.HasPrefix(line, "hello") {
		t.Fatalf("ssh printed %q, %v: %s", line, err, errs.String())
	}
	return stdin, out
}

// TestShowSSHRunning looks at a real sshd and sessions of a real ssh: what was given on
// the command line beats the files, a file that changes leaves what runs in doubt, and
// the socket is what it is.
func TestShowSSHRunning(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		dir := t.TempDir()
		sshd := filepath.Join(dir, "sshd_config")
		config := filepath.Join(dir, "config")
		writeFile(t, sshd, "ClientAliveInterval 100\nClientAliveCountMax 2\n")
		writeFile(t, config, "Host 127.0.0.*\n  ServerAliveInterval 30\n  ServerAliveCountMax 5\nServerAliveInterval 99\n")
		server := nstest.StartSSHD(t, "-f", sshd, "-o", "ClientAliveCountMax=4")
		nstest.Sysctl(t, "net.ipv4.tcp_keepalive_time", "1234")
		time.Sleep(200 * time.Millisecond) // the files are older than what starts now

		plain := server.Client(t, "-F", config, "-o", "ServerAliveCountMax=7", "-L", "127.0.0.1:4711:127.0.0.1:"+nstest.SSHPort, nstest.SSHUser+"@127.0.0.1", "exec sh")
		connectSSH(t, plain)
		// A connection that it forwards is not its own.
		forwarded, err := net.Dial("tcp4", "127.0.0.1:4711")
		if err != nil {
			t.Fatal(err)
		}
		defer forwarded.Close()
		if _, err := forwarded.Read(make([]byte, 1)); err != nil { // sshd's banner: it is there
			t.Fatal(err)
		}
		control := filepath.Join(dir, "mux")
		master := server.Client(t, "-F", "none", "-M", "-S", control, "-o", "TCPKeepAlive=no", "127.0.0.1", "exec sh")
		connectSSH(t, master)
		through := server.Client(t, "-F", "none", "-S", control, "-o", "ServerAliveInterval=1", "127.0.0.1", "exec sh")
		connectSSH(t, through)

		d := showSSH(t, nil)
		p := d.process(t, plain.Process.Pid)
		local := p.Socket.Local
		if p.Socket.Left == nil || *p.Socket.Left > 1234 || *p.Socket.Left < 1134 {
			t.Errorf("the timer of ssh: %v", p.Socket.Left)
		}
		p.Socket.Left = nil
		want := shownProcess{
			PID: plain.Process.Pid, Side: "client", Role: "session", User: "root", Destination: new("tcpka-test@127.0.0.1"),
			Interval: new(30), CountMax: new(7), TCPKeepAlive: new(true), Detection: new(240.0), DetectionBy: new("ServerAliveCountMax"),
			Sources:  map[string]string{"ServerAliveCountMax": "command line", "ServerAliveInterval": config + ":2"},
			Unsure:   map[string]string{},
			Socket:   &shownSocket{Local: local, Remote: "127.0.0.1:2222", Timer: "keepalive", Keepalive: new(true), Time: new(1234)},
			Warnings: []struct{ ID string }{},
		}
		if diff := cmp.Diff(want, p); diff != "" {
			t.Errorf("ssh (-want +got):\n%s", diff)
		}

		p = d.process(t, master.Process.Pid)
		if p.Role != "master" || *p.Interval != 0 || p.Detection != nil || *p.TCPKeepAlive || p.Socket == nil || *p.Socket.Keepalive || p.Socket.Timer != "none" {
			t.Errorf("the master: %+v, %+v", p, p.Socket)
		}
		if p = d.process(t, through.Process.Pid); p.Role != "through_master" || p.Interval != nil || p.Socket != nil {
			t.Errorf("through the master: %+v", p)
		}

		p = d.process(t, server.Process.Pid)
		if p.Role != "listener" || *p.Interval != 100 || *p.CountMax != 4 || p.Sources["ClientAliveCountMax"] != "command line" || p.Socket != nil {
			t.Errorf("the sshd that listens: %+v", p)
		}
		if !slices.ContainsFunc(d.Server.Warnings, func(w struct{ ID, Text string }) bool {
			return w.ID == "command_line" && strings.Contains(w.Text, strconv.Itoa(server.Process.Pid))
		}) {
			t.Errorf("no warning of sshd's own options: %+v", d.Server.Warnings)
		}
		session := ofSession(t, d, local)
		if session.Role != "session" || *session.Destination != "tcpka-test@notty" || *session.Interval != 100 || *session.CountMax != 4 || len(session.Unsure) > 0 || !*session.Socket.Keepalive {
			t.Errorf("the session of sshd: %+v", session)
		}

		// sshd probes first, or twice as late; either way the table has no never.
		if session.Detection == nil || session.DetectionBy == nil {
			t.Errorf("when the session of sshd ends: %+v", session)
		}

		// With a destination, its sessions alone.
		for _, p := range showSSH(t, nil, "127.0.0.1").Running {
			if p.Side != "client" {
				t.Errorf("asked for 127.0.0.1: %+v", p)
			}
		}

		// Files that change.
		writeFile(t, config, "ServerAliveInterval 5\n")
		writeFile(t, sshd, "ClientAliveInterval 6\n")
		d = showSSH(t, nil)
		p = d.process(t, plain.Process.Pid)
		if want := map[string]string{"ServerAliveInterval": config + " has changed since it began", "TCPKeepAlive": config + " has changed since it began"}; cmp.Diff(want, p.Unsure) != "" {
			t.Errorf("a file that changed (-want +got):\n%s", cmp.Diff(want, p.Unsure))
		}
		if session = ofSession(t, d, local); !strings.Contains(session.Unsure["ClientAliveInterval"], sshd+" has changed since") || session.Unsure["ClientAliveCountMax"] != "" {
			t.Errorf("sshd's file changed: %v", session.Unsure)
		}
	})
}

// TestShowSSHRunningEndsByTCP has sessions that TCP ends first: by its keepalive where they
// send no probes, and else because nobody acknowledges one.
func TestShowSSHRunningEndsByTCP(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		nstest.Sysctl(t, "net.ipv4.tcp_keepalive_time", "600")
		nstest.Sysctl(t, "net.ipv4.tcp_keepalive_intvl", "10")
		nstest.Sysctl(t, "net.ipv4.tcp_keepalive_probes", "3")
		server := nstest.StartSSHD(t, "-f", "/dev/null")
		off := server.Client(t, "-F", "none", "127.0.0.1", "exec sh")
		connectSSH(t, off)
		slow := server.Client(t, "-F", "none", "-o", "ServerAliveInterval=700", "127.0.0.1", "exec sh")
		connectSSH(t, slow)
		without := server.Client(t, "-F", "none", "-o", "TCPKeepAlive=no", "127.0.0.1", "exec sh")
		connectSSH(t, without)
		nstest.Sysctl(t, "net.ipv4.tcp_keepalive_time", "900")

		d := showSSH(t, nil)
		ends := func(p shownProcess) string {
			if p.Detection == nil {
				return "never"
			}
			return fmt.Sprint(*p.Detection, " by ", *p.DetectionBy)
		}
		for name, c := range map[string]struct {
			process shownProcess
			want    string
		}{
			"ssh without probes":            {d.process(t, off.Process.Pid), "930 by probes"},
			"its sshd":                      {ofSession(t, d, d.process(t, off.Process.Pid).Socket.Local), "930 by probes"},
			"the sshd that listens":         {d.process(t, server.Process.Pid), "930 by probes"},
			"ssh whose probes come earlier": {d.process(t, slow.Process.Pid), " by tcp_retries2"},
			"ssh without either":            {d.process(t, without.Process.Pid), "never"},
		} {
			if got := ends(c.process); !strings.HasSuffix(got, c.want) {
				t.Errorf("%s ends %s, want %s", name, got, c.want)
			}
		}
	})
}

// TestShowSSHAfterReload has sshd read its files again. It and the sessions from then on
// have what the files say, those before keep what they had.
func TestShowSSHAfterReload(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		dir := t.TempDir()
		config, pidFile := filepath.Join(dir, "sshd_config"), filepath.Join(dir, "pid")
		writeFile(t, config, "ClientAliveInterval 100\n")
		server := nstest.StartSSHD(t, "-f", config, "-o", "PidFile="+pidFile)
		local := func(c *exec.Cmd) string {
			connectSSH(t, c)
			return showSSH(t, nil).process(t, c.Process.Pid).Socket.Local
		}
		before := local(server.Client(t, "-F", "none", "127.0.0.1", "exec sh"))
		unsure := func(d shownSSH) (listener, old string, running shownProcess) {
			running = d.process(t, server.Process.Pid)
			return running.Unsure["ClientAliveInterval"], ofSession(t, d, before).Unsure["ClientAliveInterval"], running
		}
		if listener, old, _ := unsure(showSSH(t, nil)); listener != "" || old != "" {
			t.Errorf("nothing has changed yet: %q, %q", listener, old)
		}

		time.Sleep(200 * time.Millisecond) // longer than what the clock of processes is off
		writeFile(t, config, "ClientAliveInterval 77\n")
		if listener, old, _ := unsure(showSSH(t, nil)); listener != config+" has changed since it last read its files" || old != config+" has changed since its sshd last read its files" {
			t.Errorf("before the reload: %q, %q", listener, old)
		}

		if err := os.Remove(pidFile); err != nil {
			t.Fatal(err)
		}
		if err := server.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		for wait := 0; ; wait++ {
			if text, err := os.ReadFile(pidFile); err == nil && len(text) > 1 {
				break
			}
			if wait == 3000 {
				t.Fatal("sshd does not come back")
			}
			time.Sleep(20 * time.Millisecond)
		}
		time.Sleep(200 * time.Millisecond)
		after := local(server.Client(t, "-F", "none", "127.0.0.1", "exec sh"))
		d := showSSH(t, nil)
		listener, old, running := unsure(d)
		if listener != "" || *running.Interval != 77 {
			t.Errorf("the sshd that listens, after the reload: %d, %q", *running.Interval, listener)
		}
		if old != config+" has changed since its sshd began, and was read again only after this session had begun" {
			t.Errorf("the session before: %q", old)
		}
		if s := ofSession(t, d, after); len(s.Unsure) != 0 || *s.Interval != 77 {
			t.Errorf("the session after: %d, %v", *s.Interval, s.Unsure)
		}

		// A PID file of another process says nothing.
		writeFile(t, pidFile, "2\n")
		if listener, old, _ := unsure(showSSH(t, nil)); listener != config+" has changed since it began; whether it was told to reload since is not known" || !strings.HasSuffix(old, "before this session is not known") {
			t.Errorf("without its PID file: %q, %q", listener, old)
		}
	})
}

// ofSession is the sshd at the other end of a connection.
func ofSession(t *testing.T, d shownSSH, remote string) shownProcess {
	t.Helper()
	for _, p := range d.Running {
		if p.Side == "server" && p.Socket != nil && p.Socket.Remote == remote {
			return p
		}
	}
	t.Fatalf("no sshd for %s in %+v", remote, d.Running)
	return shownProcess{}
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestShowSSHInsideASession is tcpka called in a session: by its SSH_CONNECTION, and
// as a child of its sshd.
func TestShowSSHInsideASession(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		dir := t.TempDir()
		config := filepath.Join(dir, "sshd_config")
		writeFile(t, config, "ClientAliveInterval 100\nClientAliveCountMax 2\nTCPKeepAlive yes\n")
		nstest.Sysctl(t, "net.ipv4.tcp_keepalive_time", "40")
		server := nstest.StartSSHD(t, "-f", config)
		client := server.Client(t, "-F", "none", "-T", "127.0.0.1", "exec sh")
		in, out := connectSSH(t, client)
		ask := func() string {
			fmt.Fprintln(in, "echo $SSH_CONNECTION")
			line, err := out.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			return strings.TrimSpace(line)
		}
		connection := ask()
		ends := strings.Fields(connection)
		d := showSSH(t, []string{"SSH_CONNECTION=" + connection})
		s := d.Session
		if s == nil {
			t.Fatal("no session")
		}
		if s.Client != net.JoinHostPort(ends[0], ends[1]) || s.Server != "127.0.0.1:2222" || s.PID == nil || s.Socket == nil || s.Socket.Remote != s.Client || !*s.Socket.Keepalive {
			t.Errorf("%+v, %+v", s, s.Socket)
		}
		// TCP's 40 s come before sshd's 100 s, or twice that; so do its probes.
		if s.Survives == nil || *s.Survives != 75 || *s.SurvivesBy != "tcp" {
			t.Errorf("survives %v by %v", s.Survives, s.SurvivesBy)
		}
		if s.Detection == nil || *s.Detection <= 0 {
			t.Errorf("detection %v", s.Detection)
		}

		// What it began with can no longer be known.
		time.Sleep(200 * time.Millisecond)
		writeFile(t, config, "ClientAliveInterval 7\n")
		d = showSSH(t, []string{"SSH_CONNECTION=" + connection})
		if ids := fmt.Sprint(d.Session.Warnings); !strings.Contains(ids, "session_values_not_sure") {
			t.Errorf("warnings: %s", ids)
		}

		// One that is not there, and what is no connection at all.
		d = showSSH(t, []string{"SSH_CONNECTION=192.0.2.1 1 192.0.2.2 22"})
		if d.Session == nil || d.Session.Socket != nil || !strings.Contains(fmt.Sprint(d.Session.Warnings), "session_gone") {
			t.Errorf("%+v", d.Session)
		}
		for _, nonsense := range []string{"", "a b", "\x1b[31m \x1b \x1b \x1b", "1 2 3 99999999999999999999", "fe80::1%eth0 1 fe80::2 22"} {
			showSSH(t, []string{"SSH_CONNECTION=" + nonsense})
		}
	})
}

// TestShowSSHUnderSudo is tcpka without SSH_CONNECTION, below what calls itself sshd and
// has a connection on which keepalive is off.
func TestShowSSHUnderSudo(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		binary, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		sshd := exec.Command(nstest.Program(t, "bash"), "-c",
			`printf sshd >/proc/$$/comm; exec 3<>/dev/tcp/127.0.0.1/$PORT; (exec -a tcpka "$BINARY" show ssh --json); exit`)
		sshd.Args[0] = "sshd: bob@pts/0"
		sshd.Env = append(os.Environ(), "SSH_CONNECTION=", "BINARY="+binary, fmt.Sprintf("PORT=%d", l.Addr().(*net.TCPAddr).Port))
		out, err := sshd.Output()
		var d shownSSH
		if err == nil {
			err = json.Unmarshal(out, &d)
		}
		if err != nil || d.Session == nil {
			t.Fatalf("%v: %s", err, out)
		}
		s := d.Session
		if *s.PID != sshd.Process.Pid || s.Client != l.Addr().String() || s.Socket == nil || *s.Socket.Keepalive || s.Survives != nil || s.Detection != nil {
			t.Errorf("%+v, %+v", s, s.Socket)
		}
	})
}

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

// TestShowSSHHostileProcess runs a program that calls itself sshd, with a title that
// would paint the terminal.
func TestShowSSHHostileProcess(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		sleeper := namedShell(t, `printf sshd >/proc/$$/comm; echo; read x`)
		sleeper.Args[0] = "sshd: \x1b[31mroot@\x07pts/0\n"
		in, err := sleeper.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := sleeper.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := sleeper.Start(); err != nil {
			t.Fatal(err)
		}
		defer sleeper.Wait()
		defer in.Close()
		bufio.NewReader(out).ReadString('\n')
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
	nstest.RunRoot(t, func(t *testing.T) {
		if err := unix.Mount("none", "/root", "tmpfs", 0, ""); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.Mkdir("/root/.ssh", 0o700), os.WriteFile("/root/.ssh/config", []byte("ServerAliveInterval 11\n"), 0o600)); err != nil {
			t.Fatal(err)
		}
		ssh := namedShell(t, `printf ssh >/proc/$$/comm; echo; read x`, "web1")
		ssh.Args[0] = "ssh" // to ssh, -c is a cipher
		in, err := ssh.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := ssh.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := ssh.Start(); err != nil {
			t.Fatal(err)
		}
		defer ssh.Wait()
		defer in.Close()
		bufio.NewReader(out).ReadString('\n')
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
		if p := look(); p.Unsure["ServerAliveInterval"] != "/root/.ssh/config may not be read" {
			t.Errorf("kept from others: %+v", p)
		}
		for path, mode := range map[string]os.FileMode{"/root": 0o755, "/root/.ssh": 0o755, "/root/.ssh/config": 0o644} {
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
		}
		if p := look(); p.Interval == nil || *p.Interval != 11 {
			t.Errorf("for all to read: %+v", p)
		}
	})
}

// TestRootShowSSHReadsWhatTheUserMay runs a program that calls itself sshd, as a user,
// with a file that is for root alone.
func TestRootShowSSHReadsWhatTheUserMay(t *testing.T) {
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
		in, err := sshd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := sshd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := sshd.Start(); err != nil {
			t.Fatal(err)
		}
		defer sshd.Wait()
		defer in.Close()
		bufio.NewReader(out).ReadString('\n')
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

//go:build linux

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
	nstest.Parallel(t)
	nstest.Run(t, func(t *testing.T) {
		dir := t.TempDir()
		sshd := filepath.Join(dir, "sshd_config")
		config := filepath.Join(dir, "config")
		nstest.WriteFile(t, sshd, "ClientAliveInterval 100\nClientAliveCountMax 2\n")
		nstest.WriteFile(t, config, "Host 127.0.0.*\n  ServerAliveInterval 30\n  ServerAliveCountMax 5\nServerAliveInterval 99\n")
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
		nstest.WriteFile(t, config, "ServerAliveInterval 5\n")
		nstest.WriteFile(t, sshd, "ClientAliveInterval 6\n")
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
	nstest.Parallel(t)
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

//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tcpka/tcpka/internal/nstest"
)

// TestShowSSHInsideASession is tcpka called in a session: by its SSH_CONNECTION, and
// as a child of its sshd.
func TestShowSSHInsideASession(t *testing.T) {
	nstest.Parallel(t)
	nstest.Run(t, func(t *testing.T) {
		dir := t.TempDir()
		config := filepath.Join(dir, "sshd_config")
		nstest.WriteFile(t, config, "ClientAliveInterval 100\nClientAliveCountMax 2\nTCPKeepAlive yes\n")
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
		nstest.WriteFile(t, config, "ClientAliveInterval 7\n")
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
	nstest.Parallel(t)
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

package sshclients_test

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/internal/sshclients"
	"github.com/tcpka/tcpka/internal/sshtest"
)

// TestPlinkReadsWhatWasWritten has PuTTY's plink load sessions that were changed here,
// connect to a real sshd and do nothing: what its socket then sends is the keepalive.
func TestPlinkReadsWhatWasWritten(t *testing.T) {
	t.Parallel()
	nstest.Run(t, func(t *testing.T) {
		plink, lab := nstest.Program(t, "plink"), newPuTTYLab(t)
		lateness := nstest.WatchLateness()
		on, off := new(true), new(false)
		for _, tt := range []struct {
			name     string
			before   string // what the file has of it before
			wanted   sshclients.Wanted
			interval time.Duration
			tcp      bool
		}{
			{"a file without the keys", "", sshclients.Wanted{Interval: new(time.Second), TCPKeepAlive: on}, time.Second, true},
			{"other values, and one twice", "PingInterval=7\nTCPKeepalives=0\nPingIntervalSecs=40\nPingIntervalSecs=50\n", sshclients.Wanted{Interval: new(2 * time.Second), TCPKeepAlive: on}, 2 * time.Second, true},
			{"switched off", "PingIntervalSecs=1\r\nTCPKeepalives=1\r\n", sshclients.Wanted{Interval: new(time.Duration(0)), TCPKeepAlive: off}, 0, false},
			{"one of the two", "TCPKeepalives=1", sshclients.Wanted{Interval: new(time.Second)}, time.Second, true},
		} {
			t.Run(tt.name, func(t *testing.T) {
				t.Parallel()
				home := puttyHome(t, "my%20box%2F1", "HostName=127.0.0.1\nPortNumber=2222\nProtocol=ssh\nUserName=tcpka-test\n"+tt.before, tt.wanted)
				fd := lab.connect(t, plink, home, "my box/1")
				if n, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE); err != nil || n != 0 != tt.tcp {
					t.Errorf("SO_KEEPALIVE is %d, %v", n, err)
				}
				patience := 3 * time.Second
				if tt.interval > 0 {
					patience = 20 * tt.interval
				}
				start, last, pings := time.Now(), bytesSent(t, fd), 0
				for pings < 3 && time.Since(start) < patience+lateness.Since(start) {
					time.Sleep(20 * time.Millisecond)
					if now := bytesSent(t, fd); now != last {
						last, pings = now, pings+1
					}
				}
				took := time.Since(start)
				t.Logf("%d keepalives in %s", pings, took.Round(time.Millisecond))
				// Of three, two periods are whole.
				if tt.interval == 0 && pings > 0 || tt.interval > 0 && (pings < 3 || took < 2*tt.interval-100*time.Millisecond) {
					t.Errorf("%d keepalives in %s, the period is %s", pings, took, tt.interval)
				}
			})
		}
	})
}

func bytesSent(t *testing.T, fd int) uint64 {
	t.Helper()
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		t.Fatal(err)
	}
	return info.Bytes_sent
}

// puttyLab is an sshd, and a key that it lets in.
type puttyLab struct{ dir, fingerprint string }

func newPuTTYLab(t *testing.T) puttyLab {
	dir := nstest.StartSSHD(t, "-f", "/dev/null").Dir
	convert := exec.Command(nstest.Program(t, "puttygen"), dir+"/user", "-o", dir+"/user.ppk")
	convert.Env = append(os.Environ(), "HOME="+dir)
	if out, err := convert.CombinedOutput(); err != nil {
		t.Fatalf("puttygen: %v: %s", err, out)
	}
	print, err := exec.Command("ssh-keygen", "-l", "-f", dir+"/host.pub").Output()
	if err != nil {
		t.Fatal(err)
	}
	return puttyLab{dir: dir, fingerprint: strings.Fields(string(print))[1]}
}

// connect has plink open a session, and borrows its socket. Nothing is typed from
// then on, and nothing printed.
func (lab puttyLab) connect(t *testing.T, plink, home, session string) (fd int) {
	t.Helper()
	cmd := exec.Command(plink, "-load", session, "-T", "-batch", "-i", lab.dir+"/user.ppk", "-hostkey", lab.fingerprint, "echo hello; exec sh")
	cmd.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		cmd.Process.Kill()
		cmd.Wait()
	})
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || line != "hello\n" {
		t.Fatalf("plink printed %q, %v, %s", line, err, errs.String())
	}
	process, err := unix.PidfdOpen(cmd.Process.Pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(process)
	for number := range 32 {
		fd, err := unix.PidfdGetfd(process, number, 0)
		if err != nil {
			continue
		}
		if _, err := unix.Getpeername(fd); err == nil {
			t.Cleanup(func() { unix.Close(fd) })
			return fd
		}
		unix.Close(fd)
	}
	t.Fatal("plink has no connection")
	return -1
}

// puttyHome is a home with one session of PuTTY, to which w was written.
func puttyHome(t *testing.T, name, content string, w sshclients.Wanted) string {
	t.Helper()
	home := t.TempDir()
	path := filepath.Join(home, ".putty/sessions", name)
	f, err := sshclients.ParseFile(path, []byte(content))
	if err != nil {
		t.Fatal(err)
	}
	changed, err := f.Edit([]byte(content), w)
	if err != nil {
		t.Fatal(err)
	}
	sshtest.Write(t, path, string(changed))
	t.Logf("%s:\n%s", path, changed)
	return home
}

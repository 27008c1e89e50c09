package nstest

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// SSHD is a real sshd on a loopback port of the test's own namespace, with its own
// keys and without a file of the machine. It lets in one user, with a key.
type SSHD struct {
	Dir     string // of its keys
	Key     string // of the user, for ssh -i
	Process *os.Process
}

// SSHUser is who [StartSSHD] lets in, and SSHPort is where.
const (
	SSHUser = "tcpka-test"
	SSHPort = "2222"
)

// sshUID is who sshd runs as: as root it would want more privilege than a user
// namespace has.
const sshUID = 4242

// StartSSHD starts sshd with its arguments beside those that it needs: a file (-f) and
// options (-o). It ends with the test, and so does every session. The namespaces must
// be those of [Run].
func StartSSHD(t *testing.T, args ...string) SSHD {
	t.Helper()
	s := SSHD{Dir: t.TempDir()}
	s.Key = filepath.Join(s.Dir, "user")
	for _, key := range []string{"host", "user"} {
		if out, err := exec.Command(Program(t, "ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(s.Dir, key)).CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen: %v: %s", err, out)
		}
	}
	passwd := filepath.Join(s.Dir, "passwd")
	home := "x:4242:4242::" + s.Dir + ":/bin/sh\n"
	if err := os.WriteFile(passwd, []byte("root:x:0:0::"+s.Dir+":/bin/sh\n"+SSHUser+":"+home), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(passwd, "/etc/passwd", "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(Program(t, "sshd"), append([]string{"-D", "-e"}, args...)...)
	for _, o := range []string{
		"ListenAddress=127.0.0.1", "Port=" + SSHPort, "HostKey=" + filepath.Join(s.Dir, "host"), "PidFile=none",
		"AuthorizedKeysFile=" + s.Key + ".pub", "StrictModes=no", "UsePAM=no",
	} {
		cmd.Args = append(cmd.Args, "-o", o)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		// The first process of a PID namespace takes all others with it.
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWPID,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: sshUID, Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: sshUID, Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
	}
	log, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		unix.Unmount("/etc/passwd", unix.MNT_DETACH)
	})
	s.Process = cmd.Process
	said := ""
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		said += lines.Text() + "\n"
		if strings.HasPrefix(lines.Text(), "Server listening") {
			go io.Copy(io.Discard, log)
			return s
		}
	}
	t.Fatalf("sshd does not listen: %s", said)
	return s
}

// Client is a command that connects to it: ssh with the options that it needs, the
// arguments given, and the destination.
func (s SSHD) Client(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(Program(t, "ssh"))
	for _, o := range []string{
		"Port=" + SSHPort, "User=" + SSHUser, "IdentityFile=" + s.Key, "IdentitiesOnly=yes", "IdentityAgent=none",
		"StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "GlobalKnownHostsFile=/dev/null",
		"PasswordAuthentication=no", "KbdInteractiveAuthentication=no", "LogLevel=ERROR",
	} {
		cmd.Args = append(cmd.Args, "-o", o)
	}
	cmd.Args = append(cmd.Args, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

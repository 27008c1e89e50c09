//go:build linux

package main

import (
	"bufio"
	"errors"
	"os"
	"syscall"
	"testing"

	"github.com/tcpka/tcpka/internal/nstest"
)

// TestRootShowSSHKnowsUsersOfADirectory runs a program that calls itself sshd, as a user
// whom the files do not know, with a file that she may read as one of a group.
func TestRootShowSSHKnowsUsersOfADirectory(t *testing.T) {
	nstest.Parallel(t)
	nstest.RunRoot(t, func(t *testing.T) {
		const grace = `{"userName":"grace","uid":5711,"gid":5712,"homeDirectory":"/home/grace","shell":"/bin/sh","disposition":"regular"}`
		const crew = `{"groupName":"crew","gid":5713,"disposition":"regular"}`
		userdb := map[string]string{"5711.user": grace, "grace.user": grace, "5713.group": crew, "crew.group": crew, "grace:crew.membership": "{}"}
		furnish(t)
		nstest.UserDB(t, "root:x:0:0::/:/bin/sh\n", "root:x:0:\n", userdb)
		dir := room(t)
		file := dir + "/config"
		err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(file, []byte("ClientAliveInterval 11\n"), 0o640), os.Chown(file, 0, 5713))
		if err != nil {
			t.Fatal(err)
		}
		sshd := namedShell(t, "printf sshd >/proc/$$/comm; echo; read x")
		sshd.Args[0] = "sshd: /usr/sbin/sshd -f " + file + " [listener] 0 of 10-100 startups"
		sshd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 5711, Gid: 5712}}
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
		p := showSSH(t, []string{"SSH_CONNECTION="}).process(t, sshd.Process.Pid)
		if p.User != "grace" || p.Interval == nil || *p.Interval != 11 {
			t.Errorf("with her group: %+v", p)
		}
		if err := os.Remove("/run/userdb/grace:crew.membership"); err != nil {
			t.Fatal(err)
		}
		if p := showSSH(t, []string{"SSH_CONNECTION="}).process(t, sshd.Process.Pid); p.Interval != nil && *p.Interval == 11 {
			t.Errorf("without: %+v", p)
		}
	})
}

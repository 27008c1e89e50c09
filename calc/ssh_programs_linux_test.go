package calc_test

import (
	"bufio"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/nstest"
)

// TestRealDropbear measures Dropbear's client against its rule: the server is
// stopped, and the time until the client gives up is taken.
func TestRealDropbear(t *testing.T) {
	t.Parallel()
	nstest.Run(t, func(t *testing.T) {
		client, convert := nstest.Program(t, "dbclient"), nstest.Program(t, "dropbearconvert")
		lab := newSSHLab(t)
		if out, err := exec.Command(convert, "openssh", "dropbear", lab.file("user"), lab.file("user.db")).CombinedOutput(); err != nil {
			t.Fatalf("dropbearconvert: %v: %s", err, out)
		}
		intervals := []int{2, 4}
		lab.ready.Add(len(intervals))
		measure := func(interval int) error {
			end := calc.OtherSSH{Program: calc.Dropbear, Interval: time.Duration(interval) * time.Second}
			return lab.within(calc.SSH{Side: calc.SSHServer, CountMax: 3}, nil, func(s *sshSession) error {
				dropbear := exec.Command(client, "-y", "-y", "-T", "-K", fmt.Sprint(interval), "-i", lab.file("user.db"), "-p", sshPort, sshUser+"@127.0.0.1", "exec sh")
				dropbear.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
				stdin, err := dropbear.StdinPipe()
				if err != nil {
					return err
				}
				defer stdin.Close() // and not before: the shell at the other end would go
				stdout, err := dropbear.StdoutPipe()
				if err != nil {
					return err
				}
				if err := dropbear.Start(); err != nil {
					return err
				}
				defer dropbear.Process.Kill()
				said := time.Now()
				io.WriteString(stdin, "echo hello\n")
				if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "hello\n" {
					return fmt.Errorf("dbclient printed %q, %v", line, err)
				}
				// The server's side is what stops; s is a session beside it.
				pids, err := descendants(s.server.Process.Pid)
				if err != nil {
					return err
				}
				heard := time.Now()
				if err := stopAll(pids); err != nil {
					return err
				}
				// The output has ended, and not the process: it may wait for its input.
				io.Copy(io.Discard, stdout)
				took, late, want := time.Since(heard), lab.lateness.Since(heard), end.Detection()
				t.Logf("-K %d: gave up after %s; %s", interval, took.Round(time.Millisecond), span(want))
				if time.Since(said) < want.Earliest || took > want.Latest+wake+late {
					return fmt.Errorf("-K %d: gave up after %s; %s", interval, took, span(want))
				}
				return nil
			})
		}
		var wg sync.WaitGroup
		for _, interval := range intervals {
			wg.Go(func() {
				if err := measure(interval); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
}

package check

import (
	"fmt"
	"testing"
	"time"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/goal"
	"github.com/tcpka/tcpka/keepalive"
)

// The fix for an sshd is right for its release: what is written then meets the
// goal. Those from 9.2 to 9.4 probe at twice their interval.
func TestCheckFixesSSHDByItsRelease(t *testing.T) {
	for _, c := range []struct {
		release  calc.SSHVersion
		interval int
	}{
		{calc.SSHVersion{}, 29}, {calc.SSHVersion{Major: 9, Minor: 1}, 29},
		{calc.SSHVersion{Major: 9, Minor: 2}, 14}, {calc.SSHVersion{Major: 9, Minor: 4}, 14},
		{calc.SSHVersion{Major: 9, Minor: 5}, 29},
	} {
		ck := &checker{kernel: calc.DefaultKernel(), here: keepalive.Defaults(), Aim: goal.Aim{Detect: 2 * time.Minute}, noTCP: true}
		end := calc.SSH{Side: calc.SSHServer, Interval: 29 * time.Second, CountMax: 4, Version: c.release}
		ck.sshEnd("ssh_server", "sshd", end)
		want := fmt.Sprintf("sudo tcpka set ssh --side server --interval %d --count 3 --reload", c.interval)
		if len(ck.doc.Findings) != 1 || ck.doc.Findings[0].Fix == nil || *ck.doc.Findings[0].Fix != want {
			t.Errorf("sshd %s: %+v, want %s", c.release, ck.doc.Findings, want)
			continue
		}
		end.Interval, end.CountMax = time.Duration(c.interval)*time.Second, 3
		ck.doc.Findings = nil
		if ck.sshEnd("ssh_server", "sshd", end); len(ck.doc.Findings) != 0 {
			t.Errorf("sshd %s, mended: %+v", c.release, ck.doc.Findings)
		}
	}
}

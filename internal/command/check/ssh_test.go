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

// An end is judged by what really ends its sessions: by SSH, by the socket that it has,
// or has not, and by TCP, which gives up on what SSH sends.
func TestCheckJudgesAnEndByWhatEndsIt(t *testing.T) {
	client, server := calc.SSHClient, calc.SSHServer
	for _, c := range []struct {
		what    string
		aim     goal.Aim
		end     calc.SSH
		sysctls keepalive.Settings
		text    string // empty: nothing is found
		fix     string
	}{
		{"probes that are never enough for sshd, and TCP is in time", goal.Aim{Detect: 40 * time.Minute},
			calc.SSH{Side: server, Interval: 5 * time.Minute, TCPKeepAlive: true}, keepalive.Defaults(), "", ""},
		{"without SO_KEEPALIVE, too", goal.Aim{Detect: 40 * time.Minute}, calc.SSH{Side: server, Interval: 5 * time.Minute}, keepalive.Defaults(), "", ""},
		{"TCP is not in time", goal.Aim{Detect: 20 * time.Minute}, calc.SSH{Side: server, Interval: 5 * time.Minute, TCPKeepAlive: true}, keepalive.Defaults(),
			"it never drops a dead peer, wanted is within 1200 s; where nothing comes back, TCP gives up on a probe of SSH after up to 1349.2 s (22m29s), by tcp_retries2",
			"sudo tcpka set ssh --side server --interval 299 --count 3 --reload"},
		{"a proxy: the sysctls would do", goal.Aim{Detect: 10 * time.Minute}, calc.SSH{Side: client, CountMax: 3, TCPKeepAlive: true, Proxied: true},
			keepalive.Settings{Time: time.Minute, Intvl: 10 * time.Second, Probes: 3}, "it sends no probes; it goes through a proxy, where ssh has no socket for TCPKeepAlive",
			"tcpka set ssh --side client --interval 149 --count 3"},
		{"the same without one", goal.Aim{Detect: 10 * time.Minute}, calc.SSH{Side: client, CountMax: 3, TCPKeepAlive: true},
			keepalive.Settings{Time: time.Minute, Intvl: 10 * time.Second, Probes: 3}, "", ""},
		{"no goal, and the probes go on", goal.Aim{}, calc.SSH{Side: client, Interval: time.Minute, TCPKeepAlive: true}, keepalive.Defaults(),
			"ServerAliveCountMax is 0: ssh drops a healthy session after 60 s of silence, without a single probe", "tcpka set ssh --side client --interval 60 --count 3"},
		{"a session that ends is no goal met, however good the sysctls", goal.Aim{Detect: 10 * time.Minute}, calc.SSH{Side: client, Interval: 5 * time.Minute, TCPKeepAlive: true},
			keepalive.Settings{Time: time.Minute, Intvl: 10 * time.Second, Probes: 3}, "a healthy session is dropped after 300 s of silence",
			"tcpka set ssh --side client --interval 149 --count 3"},
	} {
		g, _ := c.aim.TCP()
		ck := &checker{kernel: calc.DefaultKernel(), here: c.sysctls, Aim: c.aim, goal: g}
		ck.sshEnd("id", "it", c.end)
		text, fix := "", ""
		for _, f := range ck.doc.Findings {
			text, fix = f.Text, *f.Fix
		}
		if text != c.text || fix != c.fix {
			t.Errorf("%s:\n%q, %q, want\n%q, %q", c.what, text, fix, c.text, c.fix)
		}
	}
}

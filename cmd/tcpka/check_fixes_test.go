//go:build linux

package main

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/command/check"
	"github.com/tcpka/tcpka/internal/nstest"
)

// A command that check prints is one that tcpka takes: whatever was asked of whatever
// connections. Each is tried out, as a dry run, and finds what it is for.
func TestEveryFixOfCheckIsTaken(t *testing.T) {
	nstest.Parallel(t)
	nstest.Run(t, func(t *testing.T) {
		furnish(t)
		alone(t)
		home := t.TempDir()
		os.Setenv("HOME", home) // of this process, which runs nothing else
		for name, text := range map[string]string{"/etc/passwd": "root:x:0:0::" + home + ":/bin/sh\nsshd:x:9:9::/:/bin/false\n", "/etc/ssh/ssh_config": "", home + "/.ssh/config": ""} {
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if err := nstest.Up("lo"); err != nil {
			t.Log(err) // it is
		}
		sysctl := func(pairs ...string) {
			t.Helper()
			for _, pair := range pairs {
				key, value, _ := strings.Cut(pair, "=")
				if err := os.WriteFile("/proc/sys/net/ipv4/"+key, []byte(value), 0); err != nil {
					t.Fatal(err)
				}
			}
		}
		seen := map[string]bool{}
		asked := func(goal, filter string, wants ...string) {
			t.Helper()
			args := strings.Fields("check " + goal + " " + filter + " --json")
			stdout, stderr, _ := tcpka(t, 0, args...)
			var d check.Document
			if err := json.Unmarshal([]byte(stdout), &d); err != nil {
				t.Errorf("%q: %v\n%s%s", args, err, stdout, stderr)
				return
			}
			var ids []string
			for _, f := range d.Findings {
				ids = append(ids, f.ID)
				if f.Fix != nil {
					seen[f.ID] = true
					takes(t, strings.Join(args, " ")+": "+f.ID, *f.Fix)
				}
			}
			for _, want := range wants {
				if !slices.Contains(ids, want) {
					t.Errorf("%q: %q, want %s", args, ids, want)
				}
			}
		}

		sysctl("tcp_keepalive_time=7200", "tcp_keepalive_intvl=75", "tcp_keepalive_probes=9")
		port, pid := hold(t, "-on", "-comm", "late")
		sysctl("tcp_keepalive_time=60", "tcp_keepalive_intvl=10", "tcp_keepalive_probes=3")
		asked("--behind aws-nlb", "--local :"+port, "old_timer")
		asked("--behind aws-nlb", "--netns "+pid+" --local :"+port, "old_timer")

		// Half-closed: one end is in FIN-WAIT-2, the other in CLOSE-WAIT.
		half, _ := hold(t, "-half-closed", "-comm", "half")
		asked("--detect-within 2m", "--remote :"+half, "keepalive_off")

		hold(t, "-comm", "off")
		hold(t, "-6", "-comm", "off")
		hold(t, "-listen", "-comm", "listening")
		hold(t, "-on", "-comm", "a/b") // as tokio and kthreads have it
		hold(t, "-comm", "a/b")
		hold(t, "-comm", "/c")
		hold(t, "-comm", "./d")
		hold(t, "-comm", "-dash")
		hold(t, "-comm", "a,b c'd")
		hold(t, "-comm", `"a|\nb"`)
		hold(t, "-on", "-time", "32767", "-intvl", "32767", "-comm", "slow")
		hold(t, "-on", "-time", "60", "-intvl", "10", "-probes", "1", "-comm", "one")
		hold(t, "-on", "-user-timeout", "20000", "-comm", "cut")
		hold(t, "-on", "-user-timeout", "7000000", "-comm", "outlasts")
		hold(t, "-on", "-time", "7200", "-user-timeout", "7300000", "-comm", "both")
		hold(t, "-on", "-n", "11", "-time", "7200", "-comm", "crowd")
		hold(t, "-on", "-time", "30", "-intvl", "1000", "-comm", "millis")
		hold(t, "-on", "-time", "60", "-intvl", "10", "-user-timeout", "90", "-comm", "uto")
		hold(t, "-on", "-deaf", "-written", "-comm", "stuck")
		time.Sleep(time.Second)

		goals := []string{
			"", "--behind aws-nlb", "--path-timeout 366d --survive-loss 126", "--detect-within 2m", "--detect-within 3s", "--survive-loss 126",
		}
		for _, goal := range goals {
			asked(goal, "--local 127.0.0.1,::1")
		}
		asked("--behind aws-alb", "")
		asked("--detect-within 2m", "--ssh")
		asked("--detect-within 30s", "--ssh")
		for _, state := range []string{"estab", "fin-wait-2", "close-wait", "listen", "connected", "all", "estab,listen,syn-sent"} {
			asked("--detect-within 2m", "--keepalive off --state "+state, "keepalive_off")
		}
		for _, filter := range []string{
			"--comm off,half", "--comm off --comm half", "--pid " + pid, "--origin socket", "--origin sysctl", "--keepalive on",
			"--remote 127.0.0.0/8", "--port " + port, "--netns current --local 127.0.0.1", "--netns /proc/" + pid + "/ns/net --local 127.0.0.1", "--netns all --local 127.0.0.1",
		} {
			asked("--detect-within 1m", filter)
		}

		// Another namespace, with a process, by every name that it has.
		other, otherPID := hold(t, "-newnet", "-comm", "other")
		asked("--detect-within 1m", "--netns all --local :"+other, "keepalive_off")
		asked("--detect-within 1m", "--netns "+otherPID+" --local :"+other, "keepalive_off")
		asked("--detect-within 1m", "--pid "+otherPID, check.FindOtherNamespace)

		// Settings that are harmful, or more than a socket takes.
		for _, pairs := range [][]string{
			{"tcp_keepalive_time=-5"}, {"tcp_keepalive_time=0"}, {"tcp_keepalive_time=2000000"}, {"tcp_keepalive_time=7200", "tcp_keepalive_intvl=0"},
			{"tcp_keepalive_intvl=-1"}, {"tcp_keepalive_intvl=2000000"}, {"tcp_keepalive_intvl=75", "tcp_keepalive_probes=0"}, {"tcp_keepalive_probes=1"}, {"tcp_keepalive_probes=255"},
		} {
			sysctl(pairs...)
			asked("", "--local 127.0.0.1")
		}
		// What a hint says to type is taken, too.
		hinted := 0
		for _, args := range []string{"--netns nowhere", "--behind nowhere", "--state time-wait", "--remote localhost", "--port ssh", "--bogus"} {
			_, stderr, _ := tcpka(t, 0, strings.Fields("check "+args)...)
			if m := regexp.MustCompile(`hint: .*?(tcpka [a-z -]*[a-z])`).FindStringSubmatch(stderr); m != nil {
				hinted++
				takes(t, args, m[1])
			}
		}
		if hinted == 0 {
			t.Error("no hint was tried")
		}
		_, err := exec.LookPath("ssh")
		for _, id := range check.FindingIDs() {
			// Some have no fix; what wants host, MPTCP or sshd in force has other tests.
			without := []string{check.FindBootDiffers, check.FindNotSeen, check.FindNoMatch, "unanswered", "mptcp_values", check.FindSSHServer, check.FindSSHEnds, check.FindProgramSilent, check.FindPeerSilent}
			if !seen[id] && !slices.Contains(without, id) && (id != check.FindSSHClient || err == nil) {
				t.Errorf("%s: no fix was tried", id)
			}
		}
	})
}

// hold starts a process that holds a connection, until the test ends.
func hold(t *testing.T, flags ...string) (port, pid string) {
	t.Helper()
	cmd := helper("connection-holder", flags...)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stdin.Close(); cmd.Wait() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil && err != io.EOF {
		t.Fatal(err)
	}
	port, pid, ok := strings.Cut(strings.TrimSpace(line), " ")
	if _, err := strconv.Atoi(pid); !ok || err != nil {
		t.Fatalf("connection-holder %q: %q", flags, line)
	}
	return port, pid
}

// takes runs a command that was printed for someone to copy, as a dry run.
func takes(t *testing.T, of, command string) {
	t.Helper()
	set, sockets := regexp.MustCompile(`tcpka set `).MatchString(command), strings.Contains(command, " set sockets ")
	more := ""
	if set {
		more = " --dry-run"
	}
	if sockets {
		more += " --json"
	}
	cmd := exec.Command("sh", "-c", `sudo() { "$@"; }; `+command+more)
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true}
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if strings.Contains(stderr.String(), "error: ") || set && err != nil {
		t.Errorf("%s\n%s%s: %v\n%s", of, command, more, err, &stderr)
		return
	}
	var d struct{ Sockets struct{ Found, Changing int } }
	if !sockets {
		return
	}
	if err := json.Unmarshal([]byte(stdout.String()), &d); err != nil || d.Sockets.Changing == 0 {
		t.Errorf("%s\n%s: %v, %+v", of, command, err, d)
	}
}

// In FIN-WAIT-2 a connection is judged and changed while its program holds it: only
// keepalive ends it where the peer is gone. What was closed the kernel ends alone.
func TestHalfClosedForEver(t *testing.T) {
	nstest.Parallel(t)
	nstest.Run(t, func(t *testing.T) {
		furnish(t)
		os.Setenv("HOME", t.TempDir()) // of this process, which runs nothing else
		half := func() (fd int, port string) {
			_, fd, err := wish{halfClosed: true}.connect()
			if err != nil {
				t.Fatal(err)
			}
			awaitState(t, fd, 5) // FIN_WAIT2
			at, err := unix.Getpeername(fd)
			if err != nil {
				t.Fatal(err)
			}
			return fd, strconv.Itoa(at.(*unix.SockaddrInet4).Port)
		}
		held, port := half()
		orphan, closed := half()
		if err := unix.SetsockoptInt(orphan, unix.IPPROTO_TCP, unix.TCP_LINGER2, 100); err != nil {
			t.Fatal(err)
		}
		unix.Close(orphan)
		for _, row := range []struct {
			of     string
			status int
			check  []string
			fix    int // sockets that set sockets finds
		}{
			{port, 2, []string{"keepalive_off"}, 1},
			{closed, 3, []string{check.FindNoMatch}, 0},
		} {
			stdout, stderr, status := tcpka(t, 0, "check", "--detect-within", "4h", "--remote", ":"+row.of, "--state", "fin-wait-2", "--json")
			var d check.Document
			if err := json.Unmarshal([]byte(stdout), &d); err != nil || status != row.status {
				t.Fatalf("status %d, %v\n%s%s", status, err, stdout, stderr)
			}
			var ids []string
			for _, f := range d.Findings {
				ids = append(ids, f.ID)
			}
			if !slices.Equal(ids, row.check) {
				t.Errorf("check found %q, want %q", ids, row.check)
			}
			stdout, stderr, status = tcpka(t, 0, "set", "sockets", "--remote", ":"+row.of, "--state", "fin-wait-2", "--on", "--yes", "--json")
			var set struct {
				Sockets  struct{ Found, Changed int }
				Warnings []struct{ ID string }
			}
			if err := json.Unmarshal([]byte(stdout), &set); err != nil || status != 0 {
				t.Fatalf("status %d, %v\n%s%s", status, err, stdout, stderr)
			}
			if set.Sockets.Found != row.fix || set.Sockets.Changed != row.fix || len(set.Warnings) != 0 {
				t.Errorf("set sockets: %+v, want %d changed", set, row.fix)
			}
		}
		if on, err := unix.GetsockoptInt(held, unix.SOL_SOCKET, unix.SO_KEEPALIVE); err != nil || on != 1 {
			t.Errorf("keepalive is %d, %v", on, err)
		}
	})
}

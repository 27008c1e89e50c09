//go:build linux

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/command/probe"
	"github.com/tcpka/tcpka/internal/middlebox"
	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/internal/stall"
)

// responding starts tcpka probe --serve, and returns where it listens, and what ends
// it and returns what it has printed.
func responding(t *testing.T, args ...string) (at string, end func(os.Signal) (stdout string, status int)) {
	t.Helper()
	cmd := exec.Command("tcpka", append([]string{"probe", "--serve", "127.0.0.1:0"}, args...)...)
	var stdout bytes.Buffer
	cmd.Stdout = &stdout
	stderr, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(stderr)
	line, _ := r.ReadString('\n')
	m := regexp.MustCompile(`^tcpka: listening on (\S+); Ctrl-C ends it\n$`).FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("it says %q", line)
	}
	return m[1], func(sig os.Signal) (string, int) {
		cmd.Process.Signal(sig)
		rest, _ := io.ReadAll(r)
		cmd.Wait()
		if len(rest) > 0 {
			t.Errorf("--serve complains: %s", rest)
		}
		return stdout.String(), cmd.ProcessState.ExitCode()
	}
}

// tcpka runs the program; a SIGINT comes after some time if that is not 0.
func tcpka(t *testing.T, interrupt time.Duration, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	cmd := exec.Command("tcpka", args...)
	var out, err bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &err
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if interrupt > 0 {
		time.AfterFunc(interrupt, func() { cmd.Process.Signal(os.Interrupt) })
	}
	cmd.Wait()
	return out.String(), err.String(), cmd.ProcessState.ExitCode()
}

func TestProbe(t *testing.T) {
	nstest.Parallel(t)
	nstest.Run(t, func(t *testing.T) {
		at, end := responding(t, "--at", "3,4")
		var wg sync.WaitGroup

		wg.Go(func() {
			stdout, stderr, status := tcpka(t, 0, "probe", at, "--at", "1s,2", "--json")
			var d struct {
				Schema, Target, Address, Direction, How string
				Survived                                *float64 `json:"survived_seconds"`
				Failed                                  *float64 `json:"failed_seconds"`
				Closed                                  *float64 `json:"closed_by_server_seconds"`
				Samples                                 []struct {
					Wanted  float64 `json:"wanted_seconds"`
					Silence float64 `json:"silence_seconds"`
					Outcome string
				}
				Advice struct {
					PathTimeout *float64 `json:"path_timeout_seconds"`
					Settings    *struct{}
					Reason      string
					Commands    []string
				}
			}
			if err := json.Unmarshal([]byte(stdout), &d); err != nil || status != 0 || stderr != "" {
				t.Fatalf("status %d, %s, %v\n%s", status, stderr, err, stdout)
			}
			if d.Schema != "tcpka/probe/v1" || d.Target != at || d.Address != at || d.Direction != "client-to-server" ||
				d.How != "none" || d.Survived == nil || *d.Survived < 2 || d.Failed != nil || d.Closed != nil ||
				len(d.Samples) != 2 || d.Samples[0].Wanted != 1 || d.Samples[0].Silence < 1 || d.Samples[1].Outcome != "answered" ||
				d.Advice.PathTimeout != nil || d.Advice.Settings != nil || len(d.Advice.Commands) != 0 ||
				!strings.HasPrefix(d.Advice.Reason, "no silence failed: the path remembers for at least 2") {
				t.Errorf("%s", stdout)
			}
			// What it advises where one failed can be typed as it is.
			commands := probe.Probed(probe.Target{Text: at}, middlebox.Measured{Address: netip.MustParseAddrPort(at), Samples: []middlebox.Sample{
				{Silence: 20 * time.Second, Outcome: middlebox.Answered}, {Silence: 30 * time.Second, Outcome: middlebox.Rejected},
			}}, false, calc.DefaultKernel()).Advice.Commands
			for _, c := range commands {
				args := strings.Fields(strings.TrimPrefix(strings.TrimPrefix(c, "sudo "), "tcpka "))
				if args[0] == "set" {
					args = append(args, "-n")
				}
				if _, stderr, status := tcpka(t, 0, args...); status != 0 {
					t.Errorf("%s: status %d, %s", c, status, stderr)
				}
			}
			if n := len(commands); n < 4 || !strings.HasPrefix(commands[n-1], "sudo tcpka set sockets --remote "+at+" --on --time ") {
				t.Errorf("advised are %q", commands)
			}
		})
		wg.Go(func() {
			stdout, stderr, status := tcpka(t, 0, "probe", at, "--hold", "--max", "5")
			if status != 0 || stderr != "" || !strings.HasPrefix(stdout, "The path from "+at+"\n  survived       a silence of ") ||
				!strings.Contains(stdout, "the far end spoke by itself") || !strings.Contains(stdout, "- no silence failed: ") || strings.Contains(stdout, "\nNext\n") {
				t.Errorf("status %d, %s\n%s", status, stderr, stdout)
			}
		})
		wg.Go(func() {
			stdout, stderr, status := tcpka(t, 10*time.Second, "probe", at, "--at", "1,1h")
			if status != 130 || stderr != "" || !strings.HasPrefix(stdout, "The path to "+at+"\n  survived       a silence of ") ||
				!strings.Contains(stdout, "- interrupted: ") || !strings.Contains(stdout, "  3600 s (1h), not reached  ") || strings.Contains(stdout, "--time") {
				t.Errorf("status %d, %s\n%s", status, stderr, stdout)
			}
		})
		wg.Wait()

		stdout, status := end(unix.SIGTERM)
		for _, want := range []string{
			`(?m)^127\.0\.0\.1:\d+  silent for \d+(\.\d+)? s: its probe came through$`,
			`(?m)^127\.0\.0\.1:\d+  silent for ([4-9]|\d\d+)(\.\d+)? s: the probe was answered$`,
			`(?m)^The path from here to 127\.0\.0\.1\n  survived       a silence of ([4-9]|\d\d+)`,
		} {
			if !regexp.MustCompile(want).MatchString(stdout) {
				t.Errorf("--serve has printed nothing like %s:\n%s", want, stdout)
			}
		}
		if status != 128+int(unix.SIGTERM) {
			t.Errorf("--serve ended with %d", status)
		}
	})
}

// Something that is no server says so in its own words, which are escaped.
func TestProbeOfWhatHangsUp(t *testing.T) {
	nstest.Parallel(t)
	nstest.Run(t, func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				c.Write([]byte("go away \x1b[31m\n"))
				c.Close()
			}
		}()
		stdout, stderr, status := tcpka(t, 0, "probe", l.Addr().String())
		if status != 1 || stdout != "" || !strings.Contains(stderr, `closed at once by the far end, which said "go away \x1b[31m\n"`) || strings.Contains(stderr, "\x1b") {
			t.Errorf("status %d\n%q\n%s", status, stderr, stdout)
		}
	})
}

// On a terminal one line shows how it goes, and is gone at the end.
func TestProbeShowsHowItGoes(t *testing.T) {
	nstest.Parallel(t)
	nstest.Run(t, func(t *testing.T) {
		at, end := responding(t)
		defer end(unix.SIGTERM)
		master, slave := terminal(t, 60)
		read := make(chan string)
		go func() {
			text, _ := io.ReadAll(master)
			read <- string(text)
		}()
		cmd := exec.Command("tcpka", "probe", at, "--at", "1,4")
		var stdout bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, slave
		err := cmd.Run()
		slave.Close()
		text := <-read
		if err != nil || !strings.Contains(text, "\rtcpka: survived 1s, 1 connection silent, ") || !strings.HasSuffix(text, " \r") || strings.Contains(text, "\n") {
			t.Errorf("%v %q", err, text)
		}
		for line := range strings.SplitSeq(text, "\r") {
			if len(line) >= 60 {
				t.Errorf("%d columns on a terminal of 60: %q", len(line), line)
			}
		}
	})
}

// TestThePlanOnThePath follows the commands that probe advises: behind a router
// that forgets after 6 seconds, a connection that would have died idle lives, one that
// was open before too, and one whose peer is gone is noticed within the goal.
func TestThePlanOnThePath(t *testing.T) {
	nstest.Parallel(t)
	nstest.Run(t, func(t *testing.T) {
		furnish(t)
		os.Setenv("HOME", t.TempDir()) // of this process, which runs nothing else
		const limit, goal = 6, 12 * time.Second
		r := nstest.NewRouter(t, 0, limit, false, nstest.Swallows)
		var listener int
		var at netip.AddrPort
		if err := r.InServer(func() (err error) {
			listener, at, err = middlebox.Listen(netip.AddrPortFrom(r.Server, 7000))
			return err
		}); err != nil {
			t.Fatal(err)
		}
		before, beforeServer := through(t, listener, at)
		without, withoutServer := through(t, listener, at) // whose values are its own
		if err := unix.SetsockoptInt(without, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 7200); err != nil {
			t.Fatal(err)
		}

		stdout, stderr, status := tcpka(t, 0, "plan", "--path-timeout", "6", "--detect-within", "12", "--survive-loss", "1", "--json")
		var plan struct{ Commands []string }
		if err := json.Unmarshal([]byte(stdout), &plan); err != nil || status != 0 {
			t.Fatalf("status %d, %s %v", status, stderr, err)
		}
		followed := false
		for _, c := range plan.Commands {
			if args, ok := strings.CutPrefix(c, "sudo tcpka set --"); ok {
				t.Log(c)
				_, stderr, status := tcpka(t, 0, strings.Fields("set --"+args+" --yes")...)
				if status != 0 {
					t.Fatalf("%s: status %d, %s", c, status, stderr)
				}
				followed = true
			}
		}
		if !followed {
			t.Fatalf("no command to follow in %q", plan.Commands)
		}
		after, afterServer := through(t, listener, at)
		gone, goneServer := through(t, listener, at)

		time.Sleep((limit + 3) * time.Second)
		if !dead(without, withoutServer) {
			t.Error("without the plan: it lives, although the router forgot it")
		}
		if !lives(before, beforeServer) {
			t.Error("with the plan: one that was open before died idle")
		}
		if !lives(after, afterServer) {
			t.Error("with the plan: it died idle")
		}

		// It lived until now, as the other one did. Now its peer vanishes.
		stalls := stall.Watch(10 * time.Millisecond)
		defer stalls.End()
		start := stall.Now()
		if err := nstest.DropAll(goneServer); err != nil {
			t.Fatal(err)
		}
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(gone)}}, 300_000)
		took := stall.Now() - start
		late := stalls.Between(start, stall.Now()) + nstest.Late()
		errno, _ := unix.GetsockoptInt(gone, unix.SOL_SOCKET, unix.SO_ERROR)
		t.Logf("noticed after %v: %v", took, unix.Errno(errno))
		if err != nil || n == 0 || took > goal+late || unix.Errno(errno) != unix.ETIMEDOUT {
			t.Errorf("a vanished peer: %v, %v after %v, want within %v, and the machine was late by %v", err, unix.Errno(errno), took, goal, late)
		}
	})
}

// through makes a connection with keepalive on and no values of its own.
func through(t *testing.T, listener int, at netip.AddrPort) (client, server int) {
	t.Helper()
	client, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err == nil {
		if err = unix.SetsockoptInt(client, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1); err == nil {
			if err = unix.Connect(client, &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}); err == nil {
				if _, err = unix.Poll([]unix.PollFd{{Fd: int32(listener), Events: unix.POLLIN}}, 300_000); err == nil {
					server, _, err = unix.Accept4(listener, unix.SOCK_CLOEXEC)
				}
			}
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return client, server
}

// lives reports whether what is written at one end arrives at the other, and dead
// whether it has not after a while.
func lives(client, server int) bool { return arrives(client, server, 5*time.Minute) }

func dead(client, server int) bool { return !arrives(client, server, 2*time.Second) }

func arrives(client, server int, within time.Duration) bool {
	unix.Write(client, []byte("x"))
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(server), Events: unix.POLLIN}}, int(within.Milliseconds()))
	return err == nil && n == 1
}

// A real sshd is recognized, gets two connections and no more, and closes them
// itself: that is not taken for the path.
func TestProbeOfSSHD(t *testing.T) {
	nstest.Parallel(t)
	nstest.Run(t, func(t *testing.T) {
		nstest.StartSSHD(t, "-f", "/dev/null", "-o", "LoginGraceTime=6")
		stdout, stderr, status := tcpka(t, 0, "probe", "127.0.0.1:"+nstest.SSHPort, "--max", "20", "--json")
		var d struct {
			Survived *float64 `json:"survived_seconds"`
			Failed   *float64 `json:"failed_seconds"`
			Closed   *float64 `json:"closed_by_server_seconds"`
			Samples  []any
			Notes    []string
		}
		if err := json.Unmarshal([]byte(stdout), &d); err != nil || status != 0 {
			t.Fatalf("status %d, %s, %v", status, stderr, err)
		}
		if d.Closed == nil || *d.Closed < 5.9 || d.Survived == nil || *d.Survived >= *d.Closed || d.Failed != nil || len(d.Samples) != 2 ||
			!strings.Contains(strings.Join(d.Notes, "\n"), "two connections only") {
			t.Errorf("%s", stdout)
		}
	})
}

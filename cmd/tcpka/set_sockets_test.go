//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/internal/stall"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/procfs"
)

// The sockets of these tests are this process's, and tcpka is another one.

// The sockets that were meant have the values and no others, however mixed they
// were; to say it again changes nothing; undo brings back what can be brought
// back.
func TestSetSocketsAndUndo(t *testing.T) {
	bothRooms(t, func(t *testing.T) {
		p, other := listenHere(t), listenHere(t)
		before := map[int]options{}
		for i := range 30 { // more than are changed by descriptor
			o := options{i % 2, 0, 0, 0, 0}
			if i%3 == 0 {
				o[1], o[4] = 300+i, 5000+i
			}
			client, server := p.connect(t, o)
			for _, fd := range []int{client, server} {
				before[fd] = optionsHeld(t, fd)
			}
		}
		apart, apartServer := other.connect(t, options{1, 50, 0, 0, 0})

		set := []string{"set", "sockets", "--port", p.number, "--time", "600", "--intvl", "10", "--user-timeout", "30", "--on", "--json"}
		dry, _ := tcpkaProcess(t, 0, append(set, "-n")...)
		if a := decode(t, dry); !a.Changed || a.Sockets["changing"] != 60 || a.Sockets["changed"] != 0 || len(a.Changes) != 45+60+60+60 {
			t.Errorf("dry run: %+v, %d changes", a.Sockets, len(a.Changes))
		}
		_, stderr := tcpkaProcess(t, 2, set...)
		if !strings.Contains(stderr, "this changes 60 sockets of ") || !strings.Contains(stderr, "hint: add --yes") {
			t.Errorf("without a terminal: %s", stderr)
		}
		for fd, o := range before {
			want(t, "before", fd, o)
		}

		done, stderr := tcpkaProcess(t, 0, append(set, "--yes")...)
		a := decode(t, done)
		if !a.Changed || a.Undo == nil || a.Sockets["changed"] != 60 || stderr != "" {
			t.Errorf("set: %+v, %s", a, stderr)
		}
		for _, c := range a.Changes {
			if !c.Applied || c.Target != "socket" || c.Option != c.Key || c.PID != os.Getpid() || !strings.HasPrefix(c.Cookie, "0x") {
				t.Fatalf("change %+v", c)
			}
		}
		for fd, o := range before {
			want(t, "after set", fd, options{1, 600, 10, o[3], 30000})
		}
		want(t, "another connection", apart, options{1, 50, 75, 9, 0})
		want(t, "its other end", apartServer, kernelsOwn)

		again, _ := tcpkaProcess(t, 0, append(set, "--yes")...)
		if a := decode(t, again); a.Changed || a.Undo != nil || len(a.Changes) != 0 || a.Sockets["already"] != 60 {
			t.Errorf("again: %+v", a)
		}

		// The sysctl has another value when it is taken back: what followed it gets
		// that, and keeps it.
		nstest.Sysctl(t, "net.ipv4.tcp_keepalive_time", "1000")
		text, stderr := tcpkaProcess(t, 0, "undo", "--json")
		left := "what 60 sockets had, perhaps from the sysctl: "
		if slices.ContainsFunc(a.Changes, func(c optionChange) bool { return c.Inherited != nil && *c.Inherited }) { // BPF tells
			left = "what 60 sockets had from the sysctl: "
		}
		if a := decode(t, text); a.Partly || len(a.Left) > 0 || len(a.Notes) != 1 || !strings.HasPrefix(a.Notes[0], left) {
			t.Errorf("undo leaves %q, notes %q", a.Left, a.Notes)
		}
		if stderr != "" {
			t.Errorf("undo: %s", stderr)
		}
		nstest.Sysctl(t, "net.ipv4.tcp_keepalive_time", "2000")
		for fd, o := range before {
			if o[1] == 7200 {
				o[1] = 1000
			}
			want(t, "after undo", fd, o)
		}
		_, stderr = tcpkaProcess(t, 1, "undo")
		if !strings.Contains(stderr, "nothing to undo") {
			t.Errorf("undo again: %s", stderr)
		}
	})
}

// What it asks about is what it changes: a connection that comes between question
// and answer, on the same port and of the same program, is not touched.
func TestSetSocketsChangesWhatItHasShown(t *testing.T) {
	bothRooms(t, func(t *testing.T) {
		p := listenHere(t)
		shown, _ := p.connect(t, options{1, 300, 0, 0, 0})
		master, slave := terminal(t, 80)
		defer slave.Close()
		cmd := exec.Command("tcpka", "set", "sockets", "--port", p.number, "--keepalive", "on", "--time", "600", "--json")
		var out bytes.Buffer
		cmd.Stdin, cmd.Stderr, cmd.Stdout = slave, slave, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer cmd.Process.Kill()
		var text []byte
		for b := make([]byte, 512); !bytes.Contains(text, []byte("[y/N]")); {
			n, err := master.Read(b)
			if err != nil {
				t.Fatalf("%v after %q", err, text)
			}
			text = append(text, b[:n]...)
		}
		if !bytes.Contains(text, []byte("Change 1 socket of ")) || !bytes.Contains(text, []byte("TCP_KEEPIDLE = 600")) {
			t.Errorf("it asks %q", text)
		}
		late, _ := p.connect(t, options{1, 300, 0, 0, 0})
		if _, err := master.Write([]byte("y\n")); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Fatalf("%v\n%s", err, &out)
		}
		if a := decode(t, out.String()); a.Sockets["changed"] != 1 || a.Sockets["found"] != 1 {
			t.Errorf("%+v", a.Sockets)
		}
		want(t, "shown", shown, options{1, 600, 75, 9, 0})
		want(t, "came later", late, options{1, 300, 75, 9, 0})
	})
}

// A program that sets its own values all the time has the last word. It is told,
// and undo leaves such a socket alone.
func TestSetSocketsTellsWhatTheProgramSetBack(t *testing.T) {
	bothRooms(t, func(t *testing.T) {
		p := listenHere(t)
		stubborn, _ := p.connect(t, options{1, 100, 0, 0, 0})
		other, _ := p.connect(t, options{1, 100, 0, 0, 0})
		var stop atomic.Bool
		stopped := make(chan bool)
		go func() {
			defer close(stopped)
			for !stop.Load() {
				unix.SetsockoptInt(stubborn, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 100)
			}
		}()
		// Whether the program gets to run between the change and the second look is
		// up to the scheduler. Where it did not, status 0 is right, and it is tried
		// again.
		told := false
		for range 50 {
			status, text, stderr := tcpkaStatus(t, "set", "sockets", "--port", p.number, "--keepalive", "on", "--time", "600", "--yes", "--json")
			a := decode(t, text)
			if told = status == 3; told {
				if a.Sockets["changed"] != 1 || a.Sockets["set_back"]+a.Sockets["failed"] != 1 || !strings.Contains(stderr, "someone else set") {
					t.Errorf("%+v\n%s", a.Sockets, stderr)
				}
				break
			}
			if status != 0 || a.Sockets["changed"] != 2 {
				t.Fatalf("status %d: %+v\n%s", status, a.Sockets, stderr)
			}
			tcpkaStatus(t, "undo") // which has the same odds
			options{0, 100, 0, 0, 0}.give(t, other)
		}
		stop.Store(true)
		<-stopped
		if !told {
			t.Fatal("what the program set back was never told")
		}
		want(t, "stubborn", stubborn, options{1, 100, 75, 9, 0})
		want(t, "other", other, options{1, 600, 75, 9, 0})
		tcpkaProcess(t, 0, "undo")
		want(t, "other", other, options{1, 100, 75, 9, 0})
	})
}

// What connects to a listener later has its values; what was accepted before has not,
// nor what waits to be accepted, which is told.
func TestSetSocketsOfAListener(t *testing.T) {
	bothRooms(t, func(t *testing.T) {
		p := listenHere(t)
		_, earlier := p.connect(t, options{})
		client, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.Connect(client, p.at); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{{"--listen", "--state", "listen"}, {"--listen"}, {"--keepalive", "off"}} {
			text, _ := tcpkaProcess(t, 0, append([]string{"set", "sockets", "--local", ":" + p.number, "--on", "-n"}, args...)...)
			if !strings.Contains(text, "warning: 1 connection that waits to be accepted keeps its values") {
				t.Errorf("%v: it is not told that one waits: %s", args, text)
			}
		}
		text, _ := tcpkaProcess(t, 0, "set", "sockets", "--local", ":"+p.number, "--state", "listen", "--listen", "--on", "--time", "600", "--probes", "3", "--yes")
		if !strings.Contains(text, "1 connection that waits") {
			t.Errorf("it is not told that one waits: %s", text)
		}
		waiting, _, err := unix.Accept4(p.listener, unix.SOCK_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		want(t, "waiting", waiting, kernelsOwn)
		_, later := p.connect(t, options{})
		want(t, "earlier", earlier, kernelsOwn)
		want(t, "listener", p.listener, options{1, 600, 75, 3, 0})
		want(t, "later", later, options{1, 600, 75, 3, 0})
		tcpkaProcess(t, 0, "undo")
		_, last := p.connect(t, options{})
		want(t, "after undo", last, kernelsOwn)
	})
}

// An MPTCP socket has all but a user timeout.
func TestSetSocketsOfMPTCP(t *testing.T) {
	bothRooms(t, func(t *testing.T) {
		listener, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_MPTCP)
		if err != nil {
			nstest.Missing(t, "no MPTCP: "+err.Error())
		}
		if err := errors.Join(unix.Bind(listener, nstest.Loopback(unix.AF_INET)), unix.Listen(listener, 5)); err != nil {
			t.Fatal(err)
		}
		at, err := unix.Getsockname(listener)
		if err != nil {
			t.Fatal(err)
		}
		client, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_MPTCP)
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.Connect(client, at); err != nil {
			t.Fatal(err)
		}
		if _, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		if _, err := unix.GetsockoptInt(client, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE); err != nil {
			nstest.Missing(t, "MPTCP without TCP_KEEPIDLE: "+err.Error())
		}
		stdout, stderr := tcpkaProcess(t, 3, "set", "sockets", "--remote", fmt.Sprintf(":%d", at.(*unix.SockaddrInet4).Port), "--on", "--time", "600", "--user-timeout", "30", "--yes", "--json")
		if !strings.Contains(stderr, "1 MPTCP socket has no user timeout") {
			t.Errorf("stderr: %s", stderr)
		}
		// When its program notices, where the kernel says how much later that is.
		noticed := `null`
		if more, err := (procfs.FS{}).MPTCPCloseTimeout(); err == nil {
			noticed = fmt.Sprintf(`{"old":null,"new":%d}`, 600+9*75+more/time.Second)
		}
		var d struct {
			Detection json.RawMessage `json:"detection_seconds"`
			Changes   []struct {
				Detection json.RawMessage `json:"detection_seconds"`
			}
		}
		if err := json.Unmarshal([]byte(stdout), &d); err != nil || len(d.Changes) == 0 {
			t.Fatal(err, stdout)
		}
		for _, got := range []json.RawMessage{d.Detection, d.Changes[0].Detection} {
			var line bytes.Buffer
			if json.Compact(&line, got); line.String() != noticed {
				t.Errorf("noticed: %s, want %s", &line, noticed)
			}
		}
		want(t, "client", client, options{1, 600, 75, 9, 0})
		tcpkaProcess(t, 0, "undo")
		want(t, "client", client, kernelsOwn)
	})
}

// A peer that is gone is noticed at the new time, as calculated, and not two
// hours later.
func TestADeadPeerIsNoticedAtTheNewTime(t *testing.T) {
	bothRooms(t, func(t *testing.T) {
		p := listenHere(t)
		stalls := stall.Watch(10 * time.Millisecond)
		defer stalls.End()
		before := tick() // the last segment comes between these
		fd, server := p.connect(t, options{1, 0, 0, 0, 0})
		if err := nstest.DropAll(server); err != nil {
			t.Fatal(err)
		}
		after, begin := time.Now(), stall.Now()
		tcpkaProcess(t, 0, "set", "sockets", "--remote", ":"+p.number, "--time", "2", "--intvl", "1", "--probes", "2", "--yes")
		kernel := calc.DefaultKernel()
		hz, err := procfs.HZ()
		if err != nil {
			t.Fatal(err)
		}
		kernel.HZ = hz
		predicted := kernel.IdlePeerGone(keepalive.Settings{Time: 2 * time.Second, Intvl: time.Second, Probes: 2})
		fds := []unix.PollFd{{Fd: int32(fd)}}
		for {
			n, err := unix.Poll(fds, 300_000)
			if err == unix.EINTR {
				continue
			}
			if err != nil || n == 0 {
				t.Fatalf("not noticed after %v, predicted %+v: %v", time.Since(after), predicted, err)
			}
			break
		}
		most, least := time.Since(before), time.Since(after)
		late := stalls.Between(begin, stall.Now()) + 250*time.Millisecond + nstest.Late()
		if errno, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR); err != nil || errno != int(unix.ETIMEDOUT) {
			t.Errorf("it ended by %v, %v", unix.Errno(errno), err)
		}
		if most < predicted.Earliest || least > predicted.Latest+late {
			t.Errorf("noticed after %v to %v, predicted %+v, and the machine was late by %v", least, most, predicted, late)
		}
	})
}

// A socket that is overdue is changed in its turn, and what an interrupt leaves
// is left: told, not recorded as made, and not taken back.
func TestJitterCanBeInterrupted(t *testing.T) {
	bothRooms(t, func(t *testing.T) {
		p := listenHere(t)
		var fds []int
		for range 20 {
			fd, _ := p.connect(t, options{1, 300, 0, 0, 0})
			fds = append(fds, fd)
		}
		idle, _ := p.connect(t, options{0, 300, 0, 0, 0})
		time.Sleep(1100 * time.Millisecond) // silent for longer than the new time
		cmd := exec.Command("tcpka", "set", "sockets", "--remote", ":"+p.number, "--time", "1", "--jitter", "1h", "--yes", "--json")
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer cmd.Process.Kill()
		changed := func() (n int) {
			for _, fd := range fds {
				if optionsHeld(t, fd)[1] == 1 {
					n++
				}
			}
			return n
		}
		for until := time.Now().Add(5 * time.Minute); changed() == 0 && time.Now().Before(until); {
			time.Sleep(5 * time.Millisecond)
		}
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		cmd.Wait()
		if got := cmd.ProcessState.ExitCode(); got != 3 {
			t.Errorf("status %d, want 3\n%s%s", got, &out, &errs)
		}
		if n := changed(); n != 1 {
			t.Errorf("%d were changed in the first moment of an hour", n)
		}
		want(t, "one that is not probed at once", idle, options{0, 1, 75, 9, 0})
		if !strings.Contains(errs.String(), "stopped by interrupt: 1 of 20 sockets that were to be spread were changed\ntcpka: hint: the others are as they were") {
			t.Errorf("stderr: %s", &errs)
		}
		if a := decode(t, out.String()); a.Sockets["changed"] != 2 || a.Sockets["overdue"] != 20 || a.Undo == nil {
			t.Errorf("%+v", a)
		}
		tcpkaProcess(t, 0, "undo")
		for _, fd := range fds {
			want(t, "undone", fd, options{1, 300, 75, 9, 0})
		}
	})
}

// A socket that no process holds cannot be judged by its owner. That is told, once for
// each command, and nothing fails for it: no privilege would show more.
func TestRootSetSocketsTellsWhatNoProcessHolds(t *testing.T) {
	nstest.Parallel(t)
	nstest.RunRoot(t, func(t *testing.T) {
		furnish(t)
		t.Setenv("HOME", room(t))
		p := listenHere(t)
		client, server := p.connect(t, options{1, 0, 0, 0, 0})
		ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.Sendmsg(ends[0], []byte("x"), unix.UnixRights(client), nil, 0); err != nil {
			t.Fatal(err)
		}
		unix.Close(client) // on its way from now on
		const told = "tcpka: not known: whether the filter wants any of 1 socket: held by the kernel or an io_uring, by processes of another PID namespace, in transit, or just made\n"
		pid := fmt.Sprint(os.Getpid())
		out, stderr := tcpkaProcess(t, 0, "set", "sockets", "--pid", pid, "--on", "--time", "600", "--yes", "--json")
		if a := decode(t, out); stderr != told || a.Sockets["changed"] != 1 || a.Sockets["found"] != 1 {
			t.Errorf("set: %+v\n%s", a.Sockets, stderr)
		}
		want(t, "the one that is held", server, options{1, 600, 75, 9, 0})
		if _, stderr := tcpkaProcess(t, 0, "show", "sockets", "--pid", pid); stderr != told {
			t.Errorf("show: %s", stderr)
		}
		if _, stderr := tcpkaProcess(t, 0, "show", "sockets", "--pid", pid, "--port", "1"); stderr != "" {
			t.Errorf("show another port: %s", stderr)
		}
	})
}

// A connection whose peer has closed its window ends by a user timeout that is set on it,
// although the peer answers. That is said before.
func TestSetSocketsTellsWhomAUserTimeoutEnds(t *testing.T) {
	bothRooms(t, func(t *testing.T) {
		p := listenHere(t)
		fd, _ := p.connect(t, options{})
		if err := unix.SetNonblock(fd, true); err != nil {
			t.Fatal(err)
		}
		for err := error(nil); err == nil; { // until neither end has room
			_, err = unix.Write(fd, make([]byte, 1<<16))
		}
		const id = "ends_waiting"
		warned := false
		for until := time.Now().Add(5 * time.Minute); !warned && time.Now().Before(until); {
			text, _ := tcpkaProcess(t, 0, "set", "sockets", "--remote", ":"+p.number, "--user-timeout", "1", "-n", "--json")
			warned = slices.ContainsFunc(decode(t, text).Warnings, func(w struct{ ID string }) bool { return w.ID == id })
		}
		if !warned {
			t.Fatal("it is not said")
		}
		tcpkaProcess(t, 0, "set", "sockets", "--remote", ":"+p.number, "--user-timeout", "1", "--yes")
		fds := []unix.PollFd{{Fd: int32(fd)}}
		for until := time.Now().Add(5 * time.Minute); fds[0].Revents&unix.POLLERR == 0; {
			if _, err := unix.Poll(fds, 1000); err != nil && err != unix.EINTR || time.Now().After(until) {
				t.Fatalf("it does not end: %v", err)
			}
		}
	})
}

// Where another tcpka makes changes, a way around the record is no way out.
func TestWhileAnotherMakesChanges(t *testing.T) {
	nstest.Parallel(t)
	nstest.Run(t, func(t *testing.T) {
		furnish(t)
		s := scene{t: t, home: room(t) + "/home"}
		t.Setenv("HOME", s.home)
		tcpkaProcess(t, 0, "set", "--time", "600")
		f, err := os.OpenFile(s.home+"/.local/state/tcpka/journal.jsonl", os.O_RDWR, 0)
		s.must(err)
		defer f.Close()
		s.must(unix.Flock(int(f.Fd()), unix.LOCK_EX))
		_, stderr := tcpkaProcess(t, 1, "set", "--time", "700")
		if !strings.Contains(stderr, "another tcpka is making changes\n") || !strings.Contains(stderr, "hint: wait for it: ") {
			t.Errorf("stderr: %s", stderr)
		}
	})
}

package sockets_test

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/sockets"
)

// retold is what another process could change.
type retold struct {
	WhyNotBPF string
	ByBPF     string // the error, where BPF was to be used whatever comes of it
	Results   map[uint64]sockets.Result
	Errs      map[uint64]string
	Own       []uint64
}

func retuneAndTell(in io.Reader) error {
	var targets []sockets.Target
	if err := json.NewDecoder(in).Decode(&targets); err != nil {
		return err
	}
	out := retold{Results: map[uint64]sockets.Result{}, Errs: map[uint64]string{}}
	client, server, err := nstest.Pair(unix.AF_INET, nil)
	if err != nil {
		return err
	}
	for _, fd := range []int{client, server} {
		cookie, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
		if err != nil {
			return err
		}
		out.Own = append(out.Own, cookie)
		targets = append(targets, sockets.Target{
			Cookie: cookie, Owners: []sockets.Owner{{PID: os.Getpid(), FD: fd}},
			Change: keepalive.Change{Enabled: new(true), Time: new(time.Minute)},
		})
	}
	visit := func(o *sockets.Outcome) error {
		out.Results[o.Target.Cookie] = o.Result
		out.Errs[o.Target.Cookie] = fmt.Sprint(o.Err)
		return nil
	}
	q := sockets.RetuneQuery{Sysctl: keepalive.Defaults(), Way: sockets.ByBPF}
	_, err = sockets.Retune(q, targets, visit)
	out.ByBPF = fmt.Sprint(err)
	q.Way = sockets.AnyWay
	r, err := sockets.Retune(q, targets, visit)
	if err != nil {
		return err
	}
	out.WhyNotBPF = fmt.Sprint(r.WhyNotBPF)
	return json.NewEncoder(os.Stdout).Encode(out)
}

// Nobody may change what root's processes hold, and is told so; its own sockets
// it changes without any privilege.
func TestRootRetuneAsNobody(t *testing.T) {
	nstest.RunRoot(t, func(t *testing.T) {
		client, _, err := nstest.Pair(unix.AF_INET, nil)
		if err != nil {
			t.Fatal(err)
		}
		h := look(t, client, sockets.Established, [3]bool{})
		holder := hold(t, client, "holder")
		foreign := target(h, keepalive.Change{Enabled: new(true), Time: new(time.Minute)})
		foreign.Owners = []sockets.Owner{{PID: holder.Process.Pid, FD: 3}}
		gone := sockets.Target{Cookie: h.cookie + 1<<40, Owners: foreign.Owners, Change: foreign.Change}
		in, err := json.Marshal([]sockets.Target{foreign, gone})
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = []string{roleEnv + "=retune"}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		cmd.Stdin, cmd.Stderr = strings.NewReader(string(in)), os.Stderr
		b, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		var r retold
		if err := json.Unmarshal(b, &r); err != nil {
			t.Fatalf("%v in %q", err, b)
		}
		if !strings.Contains(r.ByBPF, "operation not permitted") || !strings.Contains(r.WhyNotBPF, "operation not permitted") {
			t.Errorf("BPF: %q, and %q", r.ByBPF, r.WhyNotBPF)
		}
		for _, own := range r.Own {
			if r.Results[own] != sockets.Done {
				t.Errorf("its own socket: %v, %s", r.Results[own], r.Errs[own])
			}
		}
		want := fmt.Sprintf("descriptor 3 of process %d: pidfd_getfd: operation not permitted", holder.Process.Pid)
		if r.Results[h.cookie] != sockets.Failed || r.Errs[h.cookie] != want {
			t.Errorf("root's socket: %v, %s, want %s", r.Results[h.cookie], r.Errs[h.cookie], want)
		}
		if r.Results[gone.Cookie] != sockets.Gone {
			t.Errorf("no socket: %v, %s", r.Results[gone.Cookie], r.Errs[gone.Cookie])
		}
		if now := look(t, client, sockets.Established, [3]bool{}); now != h {
			t.Errorf("root's socket was changed: %+v", now)
		}
	})
}

// The owners that are named may have closed the descriptor, or have ended, and
// another file or process may have the number now.
func TestRetuneOnlyThroughAnOwnerThatStillHasIt(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		client, server, err := nstest.Pair(unix.AF_INET, nil)
		if err != nil {
			t.Fatal(err)
		}
		wrong := look(t, server, sockets.Established, [3]bool{})
		right := look(t, client, sockets.Established, [3]bool{})
		unixSocket, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		var pipe [2]int
		if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		self := os.Getpid()
		x := target(right, keepalive.Change{Time: new(time.Minute)})
		x.Owners = []sockets.Owner{
			{PID: 1 << 22, FD: 3},           // no process
			{PID: self, FD: 1 << 20},        // no descriptor
			{PID: self, FD: pipe[0]},        // no socket
			{PID: self, FD: unixSocket},     // no TCP
			{PID: self, FD: wrong.fd},       // another connection
			{PID: self, FD: right.fd},       // it
			{PID: self, FD: right.fd + 100}, // not looked at any more
		}
		if o := retuneOne(t, tuneByDescriptor, x); o.Result != sockets.Done || o.After.Time != time.Minute {
			t.Errorf("%+v", o)
		}
		x.Owners = x.Owners[:5]
		x.Change.Time = new(2 * time.Minute)
		if o := retuneOne(t, tuneByDescriptor, x); o.Result != sockets.Failed || o.Err == nil || o.State != sockets.Established {
			t.Errorf("no owner has it: %+v", o)
		}
		if now := look(t, wrong.fd, wrong.state, wrong.own); now != wrong {
			t.Errorf("another socket was changed: %+v", now)
		}
		if now := look(t, right.fd, right.state, right.own); now.settings.Time != time.Minute {
			t.Errorf("changed through nobody: %+v", now)
		}
	})
}

// A socket of which another process has a descriptor, too, is one socket.
func TestRetuneThroughAnotherProcess(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		client, _, err := nstest.Pair(unix.AF_INET, nil)
		if err != nil {
			t.Fatal(err)
		}
		h := look(t, client, sockets.Established, [3]bool{})
		x := target(h, everyChange(1))
		x.Owners = []sockets.Owner{{PID: hold(t, client, "holder").Process.Pid, FD: 3}}
		o := retuneOne(t, tuneByDescriptor, x)
		if now := look(t, client, h.state, h.own); o.Result != sockets.Done || now.settings != o.After.Settings || now.on != sockets.On {
			t.Errorf("%+v\nthe socket: %+v", o, now)
		}
	})
}

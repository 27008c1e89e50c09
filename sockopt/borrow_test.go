package sockopt_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/sockopt"
)

const ownerEnv = "TCPKA_SOCKOPT_OWNER"

func TestBorrowReachesAnotherProcess(t *testing.T) {
	if os.Getenv(ownerEnv) != "" {
		owner(t)
		return
	}
	o := startOwner(t)
	var before sockopt.State
	var cookie uint64
	err := sockopt.Borrow(o.pid, o.fd, func(fd int) (err error) {
		if before, err = sockopt.GetFD(fd); err != nil {
			return err
		}
		if cookie, err = sockopt.Cookie(fd); err != nil {
			return err
		}
		return sockopt.SetFD(fd, everyOption)
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(on(700, 70, 7, 7000), before); diff != "" {
		t.Errorf("read from outside (-want +got):\n%s", diff)
	}
	got := o.ask(t)
	if diff := cmp.Diff(ownerView{State: on(600, 60, 5, 9000), Cookie: cookie}, got); diff != "" {
		t.Errorf("what the owner sees (-want +got):\n%s", diff)
	}
}

func TestBorrowGivesTheDuplicateBack(t *testing.T) {
	c, _ := pair(t)
	var dup int
	err := control(t, c, func(fd int) error {
		return sockopt.Borrow(os.Getpid(), fd, func(d int) error {
			dup = d
			if flags, err := unix.FcntlInt(uintptr(d), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
				t.Errorf("flags of the duplicate: %#x, %v; want close-on-exec", flags, err)
			}
			return io.ErrUnexpectedEOF
		})
	})
	if err != io.ErrUnexpectedEOF {
		t.Errorf("got %v, want the error of the function", err)
	}
	if _, err := unix.FcntlInt(uintptr(dup), unix.F_GETFD, 0); err != unix.EBADF {
		t.Errorf("the duplicate is still open: %v", err)
	}
}

func TestBorrowSaysWhyNot(t *testing.T) {
	gone := exec.Command("/proc/self/exe", "-test.run=^$")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name    string
		pid, fd int
		want    error
	}{
		{"a process that is gone", gone.Process.Pid, 0, os.ErrProcessDone},
		{"a process that is gone, by its errno", gone.Process.Pid, 0, unix.ESRCH},
		{"a descriptor that is not open", os.Getpid(), 1 << 20, unix.EBADF},
		{"a negative descriptor", os.Getpid(), -1, unix.EBADF},
		{"pid 0", 0, 0, unix.EINVAL},
		{"a negative pid", -1, 0, unix.EINVAL},
	} {
		t.Run(row.name, func(t *testing.T) {
			err := sockopt.Borrow(row.pid, row.fd, func(int) error {
				t.Error("the function ran")
				return nil
			})
			if !errors.Is(err, row.want) {
				t.Errorf("got %v, want %v", err, row.want)
			}
		})
	}
}

// Seen from a user namespace of its own, the process outside is out of reach.
func TestBorrowNeedsPermission(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		err := sockopt.Borrow(os.Getppid(), 0, func(int) error { return nil })
		if !errors.Is(err, os.ErrPermission) {
			t.Errorf("got %v, want os.ErrPermission", err)
		}
	})
}

// The owner is a process of its own with a connection, which it describes when
// asked.

type ownerView struct {
	State  sockopt.State
	Cookie uint64
}

// owner is the child: it prints the number of a descriptor, waits for a line,
// and prints what that socket then has.
func owner(t *testing.T) {
	c, _ := pair(t)
	set(t, c, keepalive.Change{
		Enabled: new(true), Time: new(700 * time.Second), Intvl: new(70 * time.Second), Probes: new(7), UserTimeout: new(7 * time.Second),
	})
	err := control(t, c, func(fd int) error {
		fmt.Println(fd)
		bufio.NewReader(os.Stdin).ReadString('\n')
		cookie, err := sockopt.Cookie(fd)
		if err != nil {
			return err
		}
		state, err := sockopt.GetFD(fd)
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(ownerView{State: state, Cookie: cookie})
	})
	if err != nil {
		t.Fatal(err)
	}
}

type ownerProcess struct {
	pid, fd int
	in      io.Writer
	out     *bufio.Reader
}

func startOwner(t *testing.T) ownerProcess {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), ownerEnv+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		io.Copy(io.Discard, out)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the owner of the socket: %v", err)
		}
	})
	o := ownerProcess{pid: cmd.Process.Pid, in: in, out: bufio.NewReader(out)}
	line, err := o.out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscan(strings.TrimSpace(line), &o.fd); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	return o
}

// ask returns what the owner sees on its socket.
func (o ownerProcess) ask(t *testing.T) ownerView {
	t.Helper()
	fmt.Fprintln(o.in)
	var v ownerView
	line, err := o.out.ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(line, &v); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	return v
}

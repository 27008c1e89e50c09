package launch

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/keepalive"
)

// TestInheritedSocketsAreGivenKeepalive hands on sockets of every kind.
func TestInheritedSocketsAreGivenKeepalive(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		socket := func(domain, kind, protocol int) int {
			fd, err := unix.Socket(domain, kind, protocol) // without SOCK_CLOEXEC
			if err != nil {
				t.Fatal(err)
			}
			return fd
		}
		listener, kept := socket(unix.AF_INET, unix.SOCK_STREAM, 0), socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		unix.CloseOnExec(kept)
		connected, bare := socket(unix.AF_INET6, unix.SOCK_STREAM, 0), socket(unix.AF_INET6, unix.SOCK_STREAM, 0)
		others := []int{socket(unix.AF_INET, unix.SOCK_DGRAM, 0), socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)}
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		must(unix.Bind(listener, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
		must(unix.Listen(listener, 5))
		at, err := unix.Getsockname(listener)
		must(err)
		port := at.(*unix.SockaddrInet4).Port
		must(unix.Connect(connected, &unix.SockaddrInet6{Port: port, Addr: [16]byte{10: 255, 11: 255, 12: 127, 15: 1}}))
		before, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
		must(err)

		given, err := GiveInherited(given())
		must(err)
		if diff := cmp.Diff([]int{listener, connected, bare}, given); diff != "" {
			t.Errorf("given (-want +got):\n%s", diff)
		}
		c, err := net.Dial("tcp", fmt.Sprint("127.0.0.1:", port))
		must(err)
		defer c.Close()
		accepted, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
		must(err)
		for name, row := range map[string]struct {
			fd   int
			want string
		}{
			"the listener":                 {listener, "1 45 5 3 10000"},
			"a connection":                 {connected, "1 45 5 3 10000"},
			"a socket that is neither yet": {bare, "1 45 5 3 10000"},
			"what the listener accepts":    {accepted, "1 45 5 3 10000"},
			"what it accepted before":      {before, "0 7200 75 9 0"},
			"what is closed on exec":       {kept, "0 7200 75 9 0"},
		} {
			if got, err := values(row.fd); got != row.want {
				t.Errorf("%s: %q, %v, want %q", name, got, err, row.want)
			}
		}
		for _, fd := range others {
			if on, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE); on != 0 {
				t.Errorf("another socket has keepalive: %d, %v", on, err)
			}
		}
	})
}

// TestInheritedSocketOfMPTCP has no user timeout: that is told, and the rest is set.
func TestInheritedSocketOfMPTCP(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP)
		if err != nil {
			nstest.Missing(t, "MPTCP: "+err.Error())
		}
		_, err = GiveInherited(given())
		if want := fmt.Sprintf("descriptor %d, which the command is handed: TCP_USER_TIMEOUT: protocol not available", fd); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
		if on, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE); on != 1 {
			t.Errorf("keepalive is %d, %v", on, err)
		}
	})
}

// TestRootInheritedSocketsAreOfAnotherCgroup shows why they are set before, and what force
// cannot do: a setsockopt is watched for the cgroup of the socket, not of the program.
func TestRootInheritedSocketsAreOfAnotherCgroup(t *testing.T) {
	t.Parallel()
	nstest.RunRoot(t, func(t *testing.T) {
		nstest.Cgroup(t)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		file, err := l.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		cmd := role("accept-3")
		cmd.ExtraFiles = []*os.File{file}
		// The connection is of the group; what is accepted is not.
		const want = "accepted 0 7200 75 9 0\nafter setsockopt 0 77 75 9 0"
		if got := output(t, newGroup(t, keepalive.Change{}, true), cmd); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// TestRootWhatRunsOnKeepsTheGroup has a program that goes on after Close, in the
// background, and starts others.
func TestRootWhatRunsOnKeepsTheGroup(t *testing.T) {
	t.Parallel()
	nstest.RunRoot(t, func(t *testing.T) {
		nstest.Cgroup(t)
		g := newGroup(t, given(), true)
		cmd := exec.Command("sh", "-c", "read line; exec setsid \"$0\"", "/proc/"+fmt.Sprint(os.Getpid())+"/exe")
		cmd.Env = append(os.Environ(), roleEnv+"=go")
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		cmd.Stdout = &out
		if err := g.Start(cmd); err != nil {
			t.Fatal(err)
		}
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(stdin)
		if err := cmd.Wait(); err != nil {
			t.Fatal(err)
		}
		const want = "1 45 5 3 10000\n1 45 5 3 10000\n"
		if out.String() != want {
			t.Errorf("got %q, want %q", out.String(), want)
		}
	})
}

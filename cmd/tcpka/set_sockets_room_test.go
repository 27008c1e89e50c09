//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
)

// options are SO_KEEPALIVE, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT and
// TCP_USER_TIMEOUT as the owner sees them.
type options [5]int

var (
	kernelsOwn = options{0, 7200, 75, 9, 0}
	codes      = [5][2]int{
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE},
		{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE}, {unix.IPPROTO_TCP, unix.TCP_KEEPINTVL},
		{unix.IPPROTO_TCP, unix.TCP_KEEPCNT}, {unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT},
	}
)

// optionsHeld reads them; an MPTCP socket has no user timeout.
func optionsHeld(t *testing.T, fd int) (o options) {
	t.Helper()
	for i, c := range codes {
		v, err := unix.GetsockoptInt(fd, c[0], c[1])
		if err != nil && !(i == 4 && errors.Is(err, unix.EOPNOTSUPP)) {
			t.Fatalf("getsockopt %v: %v", c, err)
		}
		o[i] = v
	}
	return o
}

// give sets the options that are not 0.
func (o options) give(t *testing.T, fd int) {
	t.Helper()
	for i, v := range o {
		if v == 0 {
			continue
		}
		if err := unix.SetsockoptInt(fd, codes[i][0], codes[i][1], v); err != nil {
			t.Fatalf("setsockopt %v %d: %v", codes[i], v, err)
		}
	}
}

// port is a listener of this process and its connections.
type port struct {
	listener int
	at       unix.Sockaddr
	number   string
}

func listenHere(t *testing.T) *port {
	t.Helper()
	fd, at, err := nstest.Listen(unix.AF_INET)
	if err != nil {
		t.Fatal(err)
	}
	return &port{fd, at, fmt.Sprint(at.(*unix.SockaddrInet4).Port)}
}

// connect returns both ends of a new connection; the client gets the options.
func (p *port) connect(t *testing.T, o options) (client, server int) {
	t.Helper()
	client, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err != nil {
		t.Fatal(err)
	}
	o.give(t, client)
	if err := unix.Connect(client, p.at); err != nil {
		t.Fatal(err)
	}
	if server, _, err = unix.Accept4(p.listener, unix.SOCK_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	return client, server
}

// tcpkaProcess runs tcpka as a program without a terminal.
func tcpkaProcess(t *testing.T, status int, args ...string) (stdout, stderr string) {
	t.Helper()
	got, stdout, stderr := tcpkaStatus(t, args...)
	if got != status {
		t.Fatalf("tcpka %q: status %d, want %d\n%s%s", args, got, status, stdout, stderr)
	}
	return stdout, stderr
}

// tcpkaStatus is the same, however it ends.
func tcpkaStatus(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	cmd := exec.Command("tcpka", args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// optionChange is one of the changes in it.
type optionChange struct {
	Target, Key, Option, Old, New, Cookie, Comm string
	PID                                         int
	Applied                                     bool
	Inherited                                   *bool
	Detection                                   *struct{ Old, New *float64 } `json:"detection_seconds"`
}

// answer is the part of a tcpka/set/v1 document that these tests look at.
type answer struct {
	Changed  bool
	Changes  []optionChange
	Undo     *string
	Warnings []struct{ ID string }
	Sockets  map[string]int
	Rearmed  struct{ Sockets, Done, Gone, Left, Failed int }
	Left     []string
	Partly   bool
	Notes    []string
}

func decode(t *testing.T, text string) (a answer) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return a
}

// bothRooms runs a test as the root of a private user namespace, where BPF is not
// to be had, and as the machine's, where it is.
func bothRooms(t *testing.T, f func(t *testing.T)) {
	nstest.Parallel(t)
	inside := func(t *testing.T) {
		furnish(t)
		t.Setenv("HOME", room(t))
		f(t)
	}
	t.Run("user", func(t *testing.T) {
		nstest.Parallel(t)
		nstest.Run(t, inside)
	})
	t.Run("root", func(t *testing.T) {
		nstest.Parallel(t)
		nstest.RunRoot(t, inside)
	})
}

func want(t *testing.T, what string, fd int, o options) {
	t.Helper()
	if got := optionsHeld(t, fd); got != o {
		t.Errorf("%s: the socket has %v, want %v", what, got, o)
	}
}

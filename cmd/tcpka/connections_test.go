//go:build linux

package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
)

// A wish is what a connection shall be like.
type wish struct {
	on                        bool
	time, intvl, probes, ms   int // 0: not set; ms is the user timeout
	family, protocol          int
	deaf, halfClosed, written bool
}

// connect makes a connection; the wishes are about the client.
func (w wish) connect() (client, server int, err error) {
	if w.family == 0 {
		w.family = unix.AF_INET
	}
	listener, at, err := nstest.Listen(w.family)
	if w.protocol == unix.IPPROTO_MPTCP {
		unix.Close(listener)
		if listener, err = unix.Socket(w.family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, w.protocol); err == nil {
			if err = unix.Bind(listener, nstest.Loopback(w.family)); err == nil {
				if err = unix.Listen(listener, 16); err == nil {
					at, err = unix.Getsockname(listener)
				}
			}
		}
	}
	if err != nil {
		return -1, -1, err
	}
	defer unix.Close(listener)
	if client, err = unix.Socket(w.family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, w.protocol); err != nil {
		return -1, -1, err
	}
	if err := w.set(client); err != nil {
		return -1, -1, err
	}
	// connect may choose a port that a connection to elsewhere has; bind does not,
	// and scripts tell connections apart by it.
	if err := unix.Bind(client, nstest.Loopback(w.family)); err != nil {
		return -1, -1, err
	}
	if err := unix.Connect(client, at); err != nil {
		return -1, -1, err
	}
	if server, _, err = unix.Accept4(listener, unix.SOCK_CLOEXEC); err != nil {
		return -1, -1, err
	}
	if w.deaf {
		err = nstest.DropAll(server)
	}
	if w.halfClosed && err == nil {
		err = unix.Shutdown(server, unix.SHUT_WR)
	}
	if w.written && err == nil {
		_, err = unix.Write(client, []byte("x"))
	}
	return client, server, err
}

func (w wish) set(fd int) error {
	on := 0
	if w.on {
		on = 1
	}
	for _, o := range []struct{ level, option, value int }{
		{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, w.time},
		{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, w.intvl},
		{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, w.probes},
		{unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, w.ms},
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE, on},
	} {
		if o.value == 0 {
			continue
		}
		if err := unix.SetsockoptInt(fd, o.level, o.option, o.value); err != nil {
			return fmt.Errorf("setsockopt %d %d: %w", o.level, o.option, err)
		}
	}
	return nil
}

// connectionMain holds a connection, or more, until its input ends.
func connectionMain() {
	var w wish
	flag.BoolVar(&w.on, "on", false, "")
	flag.IntVar(&w.time, "time", 0, "")
	flag.IntVar(&w.intvl, "intvl", 0, "")
	flag.IntVar(&w.probes, "probes", 0, "")
	flag.IntVar(&w.ms, "user-timeout", 0, "")
	flag.BoolVar(&w.deaf, "deaf", false, "")
	flag.BoolVar(&w.halfClosed, "half-closed", false, "")
	flag.BoolVar(&w.written, "written", false, "")
	six := flag.Bool("6", false, "")
	listening := flag.Bool("listen", false, "")
	comm := flag.String("comm", "holder", "")
	n := flag.Int("n", 1, "")
	newNet := flag.Bool("newnet", false, "")
	flag.Parse()
	if unquoted, err := strconv.Unquote(*comm); err == nil {
		*comm = unquoted
	}
	must := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	// The name of the first thread, which is that of the process.
	must(os.WriteFile("/proc/self/comm", []byte(*comm), 0))
	if *six {
		w.family = unix.AF_INET6
	}
	if *newNet {
		must(unix.Unshare(unix.CLONE_NEWNET)) // this thread, which is the first
		must(nstest.Up("lo"))
	}
	port := 0
	for range *n {
		fd, server, err := w.connect()
		must(err)
		if *listening {
			unix.Close(fd)
			unix.Close(server)
			fd, _, err = nstest.Listen(unix.AF_INET)
			must(err)
			must(w.set(fd))
		}
		at, err := unix.Getsockname(fd)
		must(err)
		switch at := at.(type) {
		case *unix.SockaddrInet4:
			port = at.Port
		case *unix.SockaddrInet6:
			port = at.Port
		}
	}
	fmt.Println(port, os.Getpid())
	io.Copy(io.Discard, os.Stdin)
}

// cmdConnection starts one in the script's namespace.
func cmdConnection(ts *testscript.TestScript, neg bool, args []string) {
	const text = "connection [-nobody] [-netns=PATH] VAR [FLAG...]"
	program := []string{"connection-holder"}
	if len(args) > 0 && args[0] == "-nobody" {
		program, args = []string{"nobody", "connection-holder"}, args[1:]
	}
	p, args := placeOf(ts, args)
	usage(ts, neg, len(args) > 0, text)
	var line string
	ts.Check(p.do(func() error {
		if err := nstest.Up("lo"); err != nil && p.netns != "" {
			return err
		}
		cmd := helper(program[0], append(program[1:], args[1:]...)...)
		cmd.Stderr = os.Stderr
		stdin, err := cmd.StdinPipe()
		if err != nil {
			return err
		}
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			return err
		}
		if err := cmd.Start(); err != nil {
			return err
		}
		ts.Defer(func() { stdin.Close(); cmd.Wait() })
		for b := make([]byte, 1); !strings.HasSuffix(line, "\n"); line += string(b) {
			if _, err := io.ReadFull(stdout, b); err != nil {
				return err
			}
		}
		return nil
	}))
	port, pid, _ := strings.Cut(strings.TrimSpace(line), " ")
	ts.Setenv(args[0], port)
	ts.Setenv(args[0]+"_PID", pid)
}

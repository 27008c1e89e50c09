package sockopt_test

import (
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"time"

	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/sockopt"
)

// Every TCP connection that package net dials has keepalive on, with values of
// Go's own.
func ExampleGet() {
	conn := dial()
	defer conn.Close()
	raw, err := conn.SyscallConn()
	if err != nil {
		log.Fatal(err)
	}
	s, err := sockopt.Get(raw)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.Enabled, s.Time, s.Intvl, s.Probes, s.UserTimeout)
	// Output: true 15s 15s 9 0s
}

// What is nil in the change stays as it is.
func ExampleSet() {
	conn := dial()
	defer conn.Close()
	raw, err := conn.SyscallConn()
	if err != nil {
		log.Fatal(err)
	}
	err = sockopt.Set(raw, keepalive.Change{
		Time:        new(10 * time.Minute),
		Probes:      new(5),
		UserTimeout: new(90 * time.Second),
	})
	if err != nil {
		log.Fatal(err)
	}
	s, err := sockopt.Get(raw)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.Enabled, s.Time, s.Intvl, s.Probes, s.UserTimeout)
	// Output: true 10m0s 15s 5 1m30s
}

// The values outlast the switch.
func ExampleSet_offAndOn() {
	conn := dial()
	defer conn.Close()
	raw, err := conn.SyscallConn()
	if err != nil {
		log.Fatal(err)
	}
	for _, on := range []bool{false, true} {
		if err := sockopt.Set(raw, keepalive.Change{Enabled: new(on)}); err != nil {
			log.Fatal(err)
		}
		s, err := sockopt.Get(raw)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(s.Enabled, s.Time, s.Intvl, s.Probes)
	}
	// Output:
	// false 15s 15s 9
	// true 15s 15s 9
}

func ExampleControl_dialer() {
	ln := listen()
	defer ln.Close()

	d := net.Dialer{
		KeepAlive: -1, // without it Go sets 15 s, 15 s, 9 over the values below
		Control: sockopt.Control(keepalive.Change{
			Enabled: new(true),
			Time:    new(10 * time.Minute),
			Intvl:   new(1 * time.Minute),
			Probes:  new(5),
		}),
	}
	conn, err := d.Dial("tcp", ln.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	show(conn)
	// Output: true 10m0s 1m0s 5 0s
}

func ExampleControl_listenConfig() {
	lc := net.ListenConfig{
		KeepAlive: -1, // without it Go sets 15 s, 15 s, 9 on what it accepts
		Control: sockopt.Control(keepalive.Change{
			Enabled:     new(true),
			Time:        new(10 * time.Minute),
			Intvl:       new(1 * time.Minute),
			Probes:      new(5),
			UserTimeout: new(12 * time.Minute),
		}),
	}
	lc.SetMultipathTCP(false) // an MPTCP socket has no user timeout
	ln, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer ln.Close()

	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	accepted, err := ln.Accept()
	if err != nil {
		log.Fatal(err)
	}
	defer accepted.Close()
	show(accepted)
	// Output: true 10m0s 1m0s 5 12m0s
}

// A process may borrow from itself; for another's socket put its pid and the
// number in its /proc/PID/fd.
func ExampleBorrow() {
	conn := dial()
	defer conn.Close()
	pid, fd := os.Getpid(), number(conn)

	var before, after sockopt.State
	err := sockopt.Borrow(pid, fd, func(fd int) (err error) {
		if before, err = sockopt.GetFD(fd); err != nil {
			return err
		}
		if err := sockopt.SetFD(fd, keepalive.Change{Time: new(10 * time.Minute)}); err != nil {
			return err
		}
		after, err = sockopt.GetFD(fd)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(before.Time, "->", after.Time)
	// Output: 15s -> 10m0s
}

func listen() net.Listener {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	return ln
}

func dial() *net.TCPConn {
	ln := listen()
	defer ln.Close()
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	return conn.(*net.TCPConn)
}

func show(conn net.Conn) {
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		log.Fatal(err)
	}
	s, err := sockopt.Get(raw)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.Enabled, s.Time, s.Intvl, s.Probes, s.UserTimeout)
}

func number(conn *net.TCPConn) (fd int) {
	raw, err := conn.SyscallConn()
	if err != nil {
		log.Fatal(err)
	}
	if err := raw.Control(func(f uintptr) { fd = int(f) }); err != nil {
		log.Fatal(err)
	}
	return fd
}

// Package room gives a thread a network namespace of its own, and makes in it the
// ways a peer can be gone, with loopback sockets and nothing else. The tests and
// tcpka selftest measure the kernel in such rooms.
package room

import (
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// Apart runs f on a thread of its own, in a network namespace of its own whose
// loopback interface is up, and waits for it. Many can run at once. The namespace
// is gone when f has returned and the last socket made in it is closed. It needs
// CAP_SYS_ADMIN and CAP_NET_ADMIN over the user namespace it runs in; the root of
// a private one has them. Equivalent to: unshare -n.
//
// Whatever f starts with the go statement runs on other threads, elsewhere; open
// sockets may be handed to it.
func Apart(f func()) error {
	return OnThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("unshare the network namespace: %w", err)
		}
		if err := Up("lo"); err != nil {
			return err
		}
		f()
		return nil
	})
}

// OnThread runs f on a thread of its own that ends with it, and takes to the end
// what f made of it. It is never the process's first thread, which does not end,
// and whose namespaces are those of the process to everyone outside. Where f ends
// its goroutine instead of returning, as Fatal and Skip of a test do, the error is
// [ErrEnded].
func OnThread(f func() error) error {
	done := make(chan error)
	go func() {
		err := ErrEnded
		defer func() { done <- err }()
		runtime.LockOSThread() // and never unlocked, so that the thread ends
		if unix.Gettid() == unix.Getpid() {
			err = OnThread(f)
			runtime.UnlockOSThread()
			return
		}
		err = f()
	}()
	return <-done
}

// ErrEnded says that a function has not returned. See [runtime.Goexit].
var ErrEnded = errors.New("the function has ended its goroutine")

// Up brings a network interface of this thread's namespace up.
func Up(name string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr); err != nil {
		return fmt.Errorf("bring %s up: %w", name, err)
	}
	return nil
}

// DropAll makes a socket deaf: everything that arrives for it is dropped before
// TCP sees it, so it answers with nothing, neither ACK nor RST. On a connected
// socket that is a host that vanished, on a listening one an address that does
// not answer. What the socket sends still leaves.
// See socket(7), SO_ATTACH_FILTER.
func DropAll(fd int) error {
	nothing := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: 0}}
	err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
		&unix.SockFprog{Len: uint16(len(nothing)), Filter: &nothing[0]})
	if err != nil {
		return fmt.Errorf("SO_ATTACH_FILTER: %w", err)
	}
	return nil
}

// Forget closes a connected TCP socket without a FIN or a RST, as a reboot does:
// the peer learns of it when it sends something and gets a RST. It needs
// CAP_NET_ADMIN in the socket's namespace. See tcp(7), TCP_REPAIR.
func Forget(fd int) error {
	err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_REPAIR, 1)
	if err != nil {
		err = fmt.Errorf("TCP_REPAIR: %w", err)
	}
	return errors.Join(err, unix.Close(fd))
}

// Loopback is a free port of the loopback address of the family AF_INET or
// AF_INET6, for bind(2).
func Loopback(family int) unix.Sockaddr {
	if family == unix.AF_INET6 {
		return &unix.SockaddrInet6{Addr: [16]byte{15: 1}}
	}
	return &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
}

// Listen returns a TCP socket that listens on a free port of the loopback
// address, and the address. It is plain TCP, never MPTCP.
func Listen(family int) (fd int, at unix.Sockaddr, err error) {
	fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err != nil {
		return -1, nil, fmt.Errorf("socket: %w", err)
	}
	if err = unix.Bind(fd, Loopback(family)); err == nil {
		if err = unix.Listen(fd, 16); err == nil {
			at, err = unix.Getsockname(fd)
		}
	}
	if err != nil {
		unix.Close(fd)
		return -1, nil, fmt.Errorf("listen on loopback: %w", err)
	}
	return fd, at, nil
}

// Pair returns the two ends of a TCP connection on loopback. Before it connects,
// prepare may set options of the client; nil sets none.
func Pair(family int, prepare func(client int) error) (client, server int, err error) {
	listener, at, err := Listen(family)
	if err != nil {
		return -1, -1, err
	}
	defer unix.Close(listener)
	client, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err != nil {
		return -1, -1, fmt.Errorf("socket: %w", err)
	}
	if prepare != nil {
		err = prepare(client)
	}
	if err == nil {
		if err = unix.Connect(client, at); err == nil {
			server, _, err = unix.Accept4(listener, unix.SOCK_CLOEXEC)
		}
	}
	if err != nil {
		unix.Close(client)
		return -1, -1, fmt.Errorf("connect on loopback: %w", err)
	}
	return client, server, nil
}

// HalfOpen asks an IPv4 loopback listener for a connection with one SYN that is
// never repeated, and lets every SYN-ACK vanish. Closing hole ends that: the next
// SYN-ACK is then answered with a RST.
func HalfOpen(listener unix.Sockaddr) (hole int, err error) {
	deaf := func(at unix.Sockaddr) (int, error) {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
		if err != nil {
			return -1, err
		}
		if err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err == nil {
			if err = DropAll(fd); err == nil {
				if err = unix.Bind(fd, at); err == nil {
					return fd, nil
				}
			}
		}
		unix.Close(fd)
		return -1, err
	}
	client, err := deaf(Loopback(unix.AF_INET))
	if err != nil {
		return -1, fmt.Errorf("half-open: %w", err)
	}
	defer unix.Close(client) // so that it sends no other SYN
	at, err := unix.Getsockname(client)
	if err != nil {
		return -1, fmt.Errorf("half-open: %w", err)
	}
	// What comes for the client's address when the client is gone.
	if hole, err = deaf(at); err != nil {
		return -1, fmt.Errorf("half-open: %w", err)
	}
	if err = unix.Listen(hole, 1); err == nil {
		if err = unix.Connect(client, listener); err == unix.EINPROGRESS {
			return hole, nil
		}
	}
	unix.Close(hole)
	return -1, fmt.Errorf("half-open: %w", err)
}

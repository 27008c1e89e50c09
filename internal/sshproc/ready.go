package sshproc

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/sshconf"
)

// ErrNotReady is a daemon that would end if it were told to reload.
var ErrNotReady = errors.New("would not come back from a reload")

// Ready looks whether the daemon comes back from a reload: by its files, with the
// options of its command line, with the keys and the directory that it wants, and with
// an address to listen at. Nothing of that is made up for here, unlike in
// [Programs.CheckServer]: it is missing to the daemon, too.
//
// Equivalent to: sshd -t -f FILE OPTIONS.
//
// Errors to test for: [ErrNotReady].
func (d *Daemon) Ready(ctx context.Context, p sshconf.Programs) error {
	if _, err := p.Run(ctx, nil, p.SSHD, append([]string{"-t"}, d.again...)...); err != nil {
		return fmt.Errorf("sshd %d %w: %w", d.PID, ErrNotReady, err)
	}
	out, err := p.Run(ctx, nil, p.SSHD, append([]string{"-T", "-C", sshconf.Any.Spec()}, d.again...)...)
	if err != nil {
		return fmt.Errorf("sshd %d %w: %w", d.PID, ErrNotReady, err)
	}
	mine, err1 := namespaceOf("/proc/self/ns/net")
	its, err2 := namespaceOf(d.proc + "/ns/net")
	if err := listenable(out.Stdout); err != nil && err1 == nil && err2 == nil && mine == its {
		return fmt.Errorf("sshd %d %w: %w", d.PID, ErrNotReady, err)
	}
	return nil
}

// listenable looks whether one of the addresses that sshd -T prints is to be had: sshd
// ends where none is. Nothing listens meanwhile.
func listenable(said string) (err error) {
	for line := range strings.Lines(said) {
		keyword, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if !strings.EqualFold(keyword, "listenaddress") {
			continue
		}
		at, parseErr := netip.ParseAddrPort(value)
		if parseErr != nil { // with a routing domain
			return nil
		}
		if err = bindable(at); err == nil {
			return nil
		}
	}
	return err
}

// bindable fails where an address is not one of this machine. One that is in use is:
// the daemon has it.
func bindable(at netip.AddrPort) error {
	family, sa := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16()})
	if at.Addr().Is4() {
		family, sa = unix.AF_INET, &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		defer unix.Close(fd)
		err = unix.Bind(fd, sa)
	}
	if errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.EAFNOSUPPORT) {
		return fmt.Errorf("listen at %s: %w", at, err)
	}
	return nil
}

package launch

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/keepalive"
)

// GiveInherited sets the options of change on the TCP sockets that this process hands on
// to what it starts: its first three descriptors, as from inetd, and those that are not
// closed on exec, as from systemd's socket activation. A group has no part in them: they
// belong to the cgroup that they were made in. What a listener among them accepts from then
// on has its options; see [New]. It returns their descriptors; the error names those on
// which an option could not be set.
// Source: net/core/sock.c, sk_clone_lock, copies sk_cgrp_data with the rest.
func GiveInherited(change keepalive.Change) (given []int, err error) {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil || !isInherited(fd) || !isTCP(fd) {
			continue
		}
		given = append(given, fd)
		for _, o := range options(change) {
			if err := unix.SetsockoptInt(fd, int(o.Level), int(o.Name), int(o.Value)); err != nil {
				errs = append(errs, fmt.Errorf("descriptor %d, which the command is handed: %s: %w", fd, optionName(int(o.Level), int(o.Name)), err))
			}
		}
	}
	slices.Sort(given)
	return given, errors.Join(errs...)
}

func isInherited(fd int) bool {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	return err == nil && (fd <= 2 || flags&unix.FD_CLOEXEC == 0)
}

// isTCP reports whether a descriptor is a socket of TCP or MPTCP, in whatever state.
func isTCP(fd int) bool {
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil || domain != unix.AF_INET && domain != unix.AF_INET6 {
		return false
	}
	protocol, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL)
	return err == nil && (protocol == unix.IPPROTO_TCP || protocol == unix.IPPROTO_MPTCP)
}

func optionName(level, name int) string {
	if level == unix.SOL_SOCKET {
		return "SO_KEEPALIVE"
	}
	return map[int]string{
		unix.TCP_KEEPIDLE: "TCP_KEEPIDLE", unix.TCP_KEEPINTVL: "TCP_KEEPINTVL", unix.TCP_KEEPCNT: "TCP_KEEPCNT",
		unix.TCP_USER_TIMEOUT: "TCP_USER_TIMEOUT",
	}[name]
}

// Package procfs reads and writes the TCP keepalive sysctls of one network
// namespace, and reads what belongs to them: the sysctls that decide what
// keepalive leaves open, and the counters.
//
// The namespace is that of the thread that opens a file. The kernel picks it at
// open(2), from the caller and not from the mount: a container's /proc seen from
// outside still shows the caller's own values. To reach another namespace, call
// these functions on a thread that has entered it.
//
// Source: net/sysctl_net.c, net_ctl_header_lookup; proc_sys(5).
package procfs

import "github.com/tcpka/tcpka/internal/rootfs"

// FS is a tree that holds a proc directory: this machine's, or an image of one.
// The zero value is this machine's.
type FS struct {
	root rootfs.FS
}

// Open returns the FS of the tree in dir, such as an image: every path is looked up in it,
// and no link leads out of it. A directory whose proc is the live one is refused.
func Open(dir string) (FS, error) {
	root, err := rootfs.Open(dir)
	return FS{root}, err
}

// New is the same of a tree that is open already. It is for tcpka; others use [Open].
func New(root rootfs.FS) FS { return FS{root} }

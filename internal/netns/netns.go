// Package netns finds, names and enters network namespaces.
//
// It sees a namespace that a process or a thread is in, or that a descriptor of one
// keeps, as far as the caller may look at the process; and one that is mounted
// somewhere, as by ip-netns(8) and the container runtimes. One in which only sockets
// were left is found by the path of such a socket, /proc/PID/fd/N.
//
// See network_namespaces(7), setns(2), and for the files proc_pid_ns(5).
package netns

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Namespace describes a network namespace as it was when it was looked at.
type Namespace struct {
	// Name is one that [Find] accepts, and different for each namespace in a
	// [List]. It is the first of these that is there and not ambiguous:
	//
	//   - "host", where it is proven that this is the machine's own: we are in
	//     the initial PID namespace, and process 1 is in this namespace;
	//   - the base name of a mount, those in /run/netns before others;
	//   - the container of a process in it: 12 digits of the ID, or the name;
	//   - "current" for our own, "nginx:812" by command and PID for another;
	//   - Path.
	//
	// It may hold any bytes but a slash, Path even that: escape it for a
	// terminal.
	Name string

	// Dev and Inode identify it among all that exist at a time; the numbers are
	// used again. [Cookie] identifies it until the next boot.
	Dev, Inode uint64

	// Current says that the calling thread was in it.
	Current bool

	// PID is a process in it: this one if Current, otherwise the lowest that was
	// found, or a thread where no process is. 0 is none.
	PID int

	// Container is the full ID or the name of the container PID runs in, "" for
	// none.
	Container string

	// Path opens it: a mount, or a file under /proc. What lies there may change;
	// [Namespace.Open] notices.
	Path string
}

// id tells network namespaces apart. The device is that of nsfs, one for all.
type id struct {
	dev, ino uint64
}

func (n Namespace) id() id { return id{n.Dev, n.Inode} }

// selfPath is the namespace of the thread that opens it. /proc/self/ns/net would
// be that of the first thread.
const selfPath = "/proc/thread-self/ns/net"

// Current returns the namespace of the calling thread. It needs no privilege,
// and does not look for other processes.
//
// As an ordinary user before Linux 6.18 nothing can be proven about process 1,
// and the machine's own namespace is "current" like any other.
func Current() (Namespace, error) {
	s, err := newSurvey()
	if err != nil {
		return Namespace{}, err
	}
	if s.current != s.host {
		if err := s.addMounts(); err != nil {
			return Namespace{}, err
		}
	}
	return s.finishOne(s.current), nil
}

// statID returns the namespace that the file at path stands for.
func statID(path string) (id, error) {
	var st unix.Stat_t
	err := unix.Stat(path, &st)
	if err == nil {
		err = followed(&st)
	}
	if err != nil {
		return id{}, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	return idOf(&st), nil
}

func idOf(st *unix.Stat_t) id { return id{uint64(st.Dev), st.Ino} }

// followed refuses what is no namespace at the end of a link in /proc/PID/ns.
// Some releases of Linux, 6.12.100 is one, lead to the directory of the link where
// the caller may not see the namespace, and others refuse. Source:
// fs/proc/namespaces.c, proc_ns_get_link; fs/namei.c, pick_link.
func followed(st *unix.Stat_t) error {
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return unix.EACCES
	}
	return nil
}

func procPath(pid int) string { return fmt.Sprintf("/proc/%d/ns/net", pid) }

package target

import (
	"fmt"
	"strings"

	"github.com/tcpka/tcpka/internal/holders"
	"github.com/tcpka/tcpka/internal/netns"
)

// maxBorrowed bounds how many sockets are asked for their namespace.
const maxBorrowed = 1024

// everyNamespace is [netns.List], and of processes also the namespaces in which only
// sockets of theirs were left, held open: the sockets are asked, a duplicate of each. To
// ask those of all processes would touch every connection of the host.
func everyNamespace(pids []int) ([]Namespace, error) {
	list, err := netns.List()
	if err != nil {
		return nil, err
	}
	var all []Namespace
	known := map[uint64]bool{}
	for _, ns := range list {
		all = append(all, Namespace{Namespace: ns})
		known[ns.Inode] = true
	}
	if len(pids) == 0 {
		return all, nil
	}
	asked, cookies := 0, map[uint64]bool{}
	holders.TCP(pids, nil, func(d holders.Descriptor) bool {
		asked++
		if cookie, err := netns.SocketCookie(d.PID, d.FD, d.Inode); err == nil && cookies[cookie] {
			return asked < maxBorrowed
		} else if err == nil {
			cookies[cookie] = true
		}
		h, err := netns.Find(pathOf(d))
		switch {
		case err != nil:
		case known[h.Inode]:
			h.Close()
		default:
			known[h.Inode] = true
			all = append(all, Namespace{Namespace: h.Namespace, held: h})
		}
		return asked < maxBorrowed
	})
	return all, nil
}

// Stray says of a process whose sockets are in another network namespace than it is, as
// those of a thread can be, what to give to --netns. It is "" where there are none.
func Stray(pid int, w Where) string {
	here := map[uint64]bool{}
	for _, ns := range w.Namespaces {
		ns.Do(func() error {
			if cookie, ok := netns.Cookie(); ok {
				here[cookie] = true
			}
			return nil
		})
	}
	if len(here) == 0 { // before Linux 5.14
		return ""
	}
	path, asked := "", 0
	holders.TCP([]int{pid}, nil, func(d holders.Descriptor) bool {
		asked++
		if cookie, err := netns.SocketCookie(d.PID, d.FD, d.Inode); err == nil && !here[cookie] {
			path = pathOf(d)
		}
		return path == "" && asked < maxBorrowed
	})
	if path == "" {
		return ""
	}
	h, err := netns.Find(path)
	if err != nil {
		return path
	}
	defer h.Close()
	list, _ := netns.List()
	for _, ns := range list {
		if ns.Inode == h.Inode && plain(ns.Name) {
			return ns.Name
		}
	}
	return path
}

// plain reports whether a name needs no quotes in a shell.
func plain(name string) bool {
	return strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:") == ""
}

// pathOf is what opens the namespace of a socket.
func pathOf(d holders.Descriptor) string { return fmt.Sprintf("/proc/%d/fd/%d", d.PID, d.FD) }

package netns

// The inode numbers of the namespaces that the kernel starts with. Those made
// later have numbers from 0xF0000000 on, so none of them is ever taken for one of
// these. Source: include/uapi/linux/nsfs.h, enum init_ns_ino; before that
// include/linux/proc_ns.h.
const (
	initialPIDInode = 0xEFFFFFFC // PID_NS_INIT_INO, Linux 3.8
	initialNetInode = 0xEFFFFFF9 // NET_NS_INIT_INO, Linux 6.18; before, any number
)

// findHost returns the namespace of process 1 of the machine, or the zero id
// where it cannot be proven which one that is.
func findHost(nsfs uint64) id {
	pidns, err := statID("/proc/self/ns/pid")
	if err != nil {
		return id{}
	}
	first, err := statID(procPath(1))
	return hostOf(pidns, first, err, nsfs)
}

// hostOf decides from our PID namespace and from the network namespace of
// process 1, or the error of looking at it. Most processes may not look; from
// Linux 6.18 on the number of the initial network namespace stands in.
func hostOf(pidns, first id, err error, nsfs uint64) id {
	if pidns.ino != initialPIDInode {
		return id{}
	}
	if err != nil {
		return id{nsfs, initialNetInode}
	}
	return first
}

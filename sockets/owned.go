package sockets

import "fmt"

// FindOwners looks for the descriptors of sockets by [Socket.Inode], by inode. It also
// finds those of sockets that [List] does not show: an MPTCP connection without a
// subflow. Processes that the caller may not look into are passed over.
func FindOwners(inodes ...uint32) (map[uint32][]Owner, error) {
	table, _, err := procOwners("/proc")
	if err != nil {
		return nil, fmt.Errorf("find owners: %w", err)
	}
	owners := make(map[uint32][]Owner, len(inodes))
	for _, inode := range inodes {
		if found := table.find(nil, inode); len(found) > 0 {
			owners[inode] = found
		}
	}
	return owners, nil
}

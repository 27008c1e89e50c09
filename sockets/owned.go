package sockets

import (
	"fmt"

	"github.com/tcpka/tcpka/internal/holders"
)

// procOwners is the table of [holders.Descriptors].
func procOwners(proc string) (t *ownerTable, hidden []int, err error) {
	t = new(ownerTable)
	hidden, err = holders.Descriptors(proc, t.add)
	t.index()
	return t, hidden, err
}

// findIn appends the owners of a socket that no descriptor is, but an io_uring holds.
func (s *Shared) findIn(owners []Owner, inode uint32) []Owner {
	if s.rings == nil {
		s.rings = new(ownerTable)
		holders.Rings("/proc", s.rings.add)
		s.rings.index()
	}
	from := len(owners)
	owners = s.rings.find(owners, inode)
	for i := range owners[from:] {
		owners[from+i].Ring = true
	}
	return owners
}

// inodesHere adds the inodes of the TCP sockets in the network namespace of the calling
// thread to seen. It needs no privilege.
func inodesHere(seen map[uint32]bool) error {
	return dumpSockets(AllStates, func(s *Socket) error {
		if s.Inode != 0 {
			seen[s.Inode] = true
		}
		return nil
	})
}

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

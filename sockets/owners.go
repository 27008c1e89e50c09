package sockets

import (
	"cmp"
	"slices"
)

// ownerTable finds the descriptors that are a socket, by the inode number of the
// socket. It holds 12 bytes for each and 4 to 8 for the index.
type ownerTable struct {
	processes []process
	chunks    [][]entry
	n         int      // entries
	heads     []uint32 // by hash of the inode: the first entry plus one; 0 ends a chain
}

// process has the entries from first to the next process's first.
type process struct {
	pid   int
	comm  string
	first uint32
}

type entry struct {
	inode, fd uint32
	next      uint32 // as in heads
}

const chunkLen = 1 << 12

// add adds a descriptor. Those of one process should come in a row.
func (t *ownerTable) add(pid int, comm []byte, inode, fd uint32) {
	if last := len(t.processes) - 1; last < 0 || t.processes[last].pid != pid || t.processes[last].comm != string(comm) {
		t.processes = append(t.processes, process{pid, string(comm), uint32(t.n)})
	}
	if t.n%chunkLen == 0 {
		t.chunks = append(t.chunks, make([]entry, chunkLen))
	}
	*t.at(uint32(t.n)) = entry{inode: inode, fd: fd}
	t.n++
}

func (t *ownerTable) at(i uint32) *entry { return &t.chunks[i/chunkLen][i%chunkLen] }

// index makes what was added ready for find.
func (t *ownerTable) index() {
	size := 1
	for size < t.n {
		size *= 2
	}
	t.heads = make([]uint32, size)
	for i := range uint32(t.n) {
		e := t.at(i)
		head := t.head(e.inode)
		e.next, *head = *head, i+1
	}
}

func (t *ownerTable) head(inode uint32) *uint32 {
	return &t.heads[uint64(inode*0x9e3779b1)*uint64(len(t.heads))>>32] // Fibonacci hashing
}

func (t *ownerTable) processOf(i uint32) *process {
	from, to := 0, len(t.processes)
	for to-from > 1 {
		if middle := (from + to) / 2; t.processes[middle].first <= i {
			from = middle
		} else {
			to = middle
		}
	}
	return &t.processes[from]
}

// find appends the owners of a socket to owners, by PID and FD, each once.
func (t *ownerTable) find(owners []Owner, inode uint32) []Owner {
	if inode == 0 || len(t.heads) == 0 {
		return owners
	}
	for i := *t.head(inode); i != 0; {
		e := t.at(i - 1)
		if e.inode == inode {
			p := t.processOf(i - 1)
			owners = append(owners, Owner{PID: p.pid, FD: int(e.fd), Comm: p.comm})
		}
		i = e.next
	}
	if len(owners) > 1 {
		slices.SortFunc(owners, func(a, b Owner) int { return cmp.Or(cmp.Compare(a.PID, b.PID), cmp.Compare(a.FD, b.FD)) })
		owners = slices.CompactFunc(owners, func(a, b Owner) bool { return a.PID == b.PID && a.FD == b.FD })
	}
	return owners
}

package bpf

import "bytes"

// Row is a socket as the kernel has it. The names and the order are those of
// struct row in sockets.c.
type Row struct {
	Cookie uint64
	Cgroup uint64 // ID in the cgroup v2 hierarchy; 0 is none
	Inode  uint32 // 0: it has no file, because nobody accepted it yet or because it was closed
	UID    uint32

	Local, Remote         [16]byte // of IPv4 the first four
	LocalPort, RemotePort uint16
	Family, State         uint8
	Timer                 uint8 // idiag_timer
	Flags                 Flags

	Time, Intvl uint32 // jiffies; 0: the sysctl's
	UserTimeout uint32 // milliseconds
	Idle        uint32 // jiffies since the last segment from the peer
	RTO         uint32 // jiffies
	Probes      uint8  // 0: the sysctl's
	Unanswered  uint8  // idiag_retrans
	Backoff     uint8  // tcpi_backoff
	SynRetries  uint8  // TCP_SYNCNT; 0: the sysctl's
	Expires     int64  // jiffies until Timer; past ones are negative

	// Spent is how long the clock has run by which the kernel gives up, if Running
	// is set: since the first retransmission or the SYN in milliseconds, and since
	// the first window probe in jiffies.
	Spent  uint32
	Data   uint32 // jiffies since the last data from the peer
	RTOMax uint32 // jiffies; 0: the kernel keeps none for a socket
	_      uint32
}

// Flags are the yes or no of a [Row].
type Flags uint8

const (
	Keepalive Flags = 1 << iota // SO_KEEPALIVE is on
	// Full is a whole socket. Another is what the kernel keeps of a connection
	// in TIME-WAIT or SYN-RECV: it has no keepalive.
	Full
	// MPTCP is a subflow of an MPTCP connection, or what listens for them. A
	// connection that asked for MPTCP and got TCP is neither.
	MPTCP
	// Running is a clock that has begun, see Spent; Stopped one that has not.
	// Without both the kernel does not say, or no such timer runs.
	Running
	Stopped
	// WindowClosed: the peer takes no more data.
	WindowClosed
)

// Owner is a descriptor that is a stream socket of IPv4 or IPv6: struct owner in
// sockets.c.
type Owner struct {
	Inode uint32
	PID   uint32 // of the process, in the PID namespace of the reader
	FD    uint32
	// Locked is 0 if no process has the socket's lock, and else another number for
	// other sequence numbers: as long as it stays the same, the socket stands still.
	Locked uint32
	Comm   [16]byte // NUL-terminated; of the process's first thread
}

// Name is Comm without what ends it.
func (o *Owner) Name() []byte {
	name, _, _ := bytes.Cut(o.Comm[:], []byte{0})
	return name
}

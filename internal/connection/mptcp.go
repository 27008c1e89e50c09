package connection

import (
	"time"

	"github.com/tcpka/tcpka/procfs"
	"github.com/tcpka/tcpka/sockets"
)

// IsMPTCP reports whether a socket is a subflow of an MPTCP connection, or the
// listener for some: it has values, and no user timeout.
func IsMPTCP(s *sockets.Socket) bool { return s.ValuesKnown && !s.UserTimeoutKnown }

// Outliving is how long the MPTCP connections of a namespace outlive their last
// subflow: only then their programs hear of it.
type Outliving struct {
	Looked bool
	time.Duration
	Known bool
}

// Look reads it, once, in the calling thread's namespace. Older kernels do not
// say; a negative number, which the kernel takes, is no time.
func (o *Outliving) Look() (d time.Duration, known bool) {
	if !o.Looked {
		d, err := procfs.FS{}.MPTCPCloseTimeout()
		*o = Outliving{true, d, err == nil && d >= 0}
	}
	return o.Duration, o.Known
}

// Certain is the same for an MPTCP socket in a state; before there is a connection,
// nobody knows whether it will be MPTCP.
func (o *Outliving) Certain(state sockets.State) (d time.Duration, known bool) {
	if state == sockets.Listen || state == sockets.SynSent {
		return 0, false
	}
	return o.Look()
}

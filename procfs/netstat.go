package procfs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
)

// Counters count from the creation of the namespace. Nil is unknown: the kernel,
// or the image, does not have the counter.
type Counters struct {
	// KeepaliveProbesSent is TcpExt TCPKeepAlive. It counts attempts: a probe
	// that never left the machine is in it. Source: net/ipv4/tcp_output.c,
	// tcp_xmit_probe_skb.
	KeepaliveProbesSent *uint64

	// AbortedOnTimeout is TcpExt TCPAbortOnTimeout: connections given up by
	// keepalive, by retransmission, by zero-window probes, or while connecting.
	// One that the peer reset is not in it. Source: net/ipv4/tcp_timer.c,
	// tcp_write_err.
	AbortedOnTimeout *uint64
}

// Counters reads the keepalive counters of the calling thread's namespace. No
// privilege is needed. A missing file leaves them unknown; a garbled one is an
// error.
//
// Equivalent to: nstat -az TcpExtTCPKeepAlive TcpExtTCPAbortOnTimeout
func (fs FS) Counters() (Counters, error) {
	name := "/proc/net/netstat"
	if fs.root.Live() {
		// /proc/net is /proc/self/net: that of the thread-group leader, which
		// need not be in the namespace that this thread is in.
		name = "/proc/thread-self/net/netstat"
	}
	data, err := fs.root.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return Counters{}, nil
	}
	if err != nil {
		return Counters{}, err
	}
	c, err := parseNetstat(data)
	if err != nil {
		return Counters{}, &os.PathError{Op: "read", Path: fs.root.Path(name), Err: err}
	}
	return c, nil
}

// parseNetstat understands /proc/net/netstat: pairs of lines with the same
// prefix, the names of the counters above their values.
//
//	TcpExt: SyncookiesSent SyncookiesRecv ...
//	TcpExt: 0 0 ...
//
// The order of the pairs and of the columns is free, and only the counters
// wanted are looked at. Source: net/ipv4/proc.c, netstat_seq_show.
func parseNetstat(data []byte) (Counters, error) {
	data = bytes.TrimRight(data, "\n")
	if len(data) == 0 {
		return Counters{}, errors.New("empty")
	}
	lines := bytes.Split(data, []byte("\n"))
	if len(lines)%2 != 0 {
		return Counters{}, fmt.Errorf("line %d: %s: names without values", len(lines), excerpt(lines[len(lines)-1]))
	}
	var c Counters
	for i := 0; i < len(lines); i += 2 {
		names, values := bytes.Fields(lines[i]), bytes.Fields(lines[i+1])
		if len(names) == 0 || !bytes.HasSuffix(names[0], []byte(":")) {
			return Counters{}, fmt.Errorf("line %d: %s: no names of counters", i+1, excerpt(lines[i]))
		}
		if len(values) != len(names) || !bytes.Equal(values[0], names[0]) {
			return Counters{}, fmt.Errorf("line %d: %s: not the values of the line above", i+2, excerpt(lines[i+1]))
		}
		if string(names[0]) != "TcpExt:" {
			continue
		}
		for j, name := range names {
			var to **uint64
			switch string(name) {
			case "TCPKeepAlive":
				to = &c.KeepaliveProbesSent
			case "TCPAbortOnTimeout":
				to = &c.AbortedOnTimeout
			default:
				continue
			}
			n, err := strconv.ParseUint(string(values[j]), 10, 64)
			if err != nil {
				return Counters{}, fmt.Errorf("%s: %s: not a counter", name, excerpt(values[j]))
			}
			*to = &n
		}
	}
	return c, nil
}

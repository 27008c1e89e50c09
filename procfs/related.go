package procfs

import (
	"errors"
	"os"
	"slices"
	"time"
)

// Related are the sysctls that decide when a connection ends where keepalive
// does not: with data in flight, while connecting, after close. See tcp(7) and
// Documentation/networking/ip-sysctl.rst, which name them tcp_retries2 and so on.
type Related struct {
	Retries2          int           // how often data is retransmitted, as a measure of time
	RTOMax            time.Duration // longest wait between two retransmissions; whole ms
	SynRetries        int           // of a connection being made, the waits doubling
	SynLinearTimeouts int           // of a connection being made, 1 s apart, before those
	SynackRetries     int           // of a connection being accepted
	OrphanRetries     int           // of a closed socket; 0 means 8

	// Assumed names the sysctls that were not there, in full and sorted; their
	// fields hold what a kernel without them does, or starts with. Nil when all
	// were read.
	Assumed []string
}

// Related reads them. A file that is not there is no error: older kernels lack
// tcp_rto_max_ms (before 6.15) and tcp_syn_linear_timeouts (before 6.5), and an
// image may lack them all. See Assumed. What is there and is not a number is an
// error.
func (fs FS) Related() (Related, error) {
	var (
		r    Related
		errs []error
	)
	read := func(name string, absent int) int {
		key := "net.ipv4." + name
		n, err := fs.readInt(key)
		if errors.Is(err, os.ErrNotExist) {
			r.Assumed = append(r.Assumed, key)
			return absent
		}
		if err != nil {
			errs = append(errs, err)
		}
		return n
	}
	// The defaults: include/net/tcp.h, TCP_RETR2, TCP_RTO_MAX, TCP_SYN_RETRIES,
	// TCP_SYNACK_RETRIES; net/ipv4/tcp_ipv4.c, tcp_sk_init.
	r.Retries2 = read("tcp_retries2", 15)
	r.RTOMax = time.Duration(read("tcp_rto_max_ms", 120_000)) * time.Millisecond
	r.SynRetries = read("tcp_syn_retries", 6)
	r.SynackRetries = read("tcp_synack_retries", 5)
	r.OrphanRetries = read("tcp_orphan_retries", 0)

	// A kernel that has tcp_syn_retries but no linear timeouts doubles from the
	// first one on. Where both are missing, nothing says how old the kernel is.
	linear := 0
	if slices.Contains(r.Assumed, "net.ipv4.tcp_syn_retries") {
		linear = 4
	}
	r.SynLinearTimeouts = read("tcp_syn_linear_timeouts", linear)

	if len(errs) > 0 {
		return Related{}, errors.Join(errs...)
	}
	slices.Sort(r.Assumed)
	return r, nil
}

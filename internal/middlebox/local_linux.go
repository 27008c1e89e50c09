package middlebox

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/rootfs"
)

// A Limit is how long this host itself, as a middlebox for others and for its
// own connections, remembers a silent one.
type Limit struct {
	Box  string        // the name in the catalogue: "conntrack", "ipvs"
	Key  string        // what it was read from
	Idle time.Duration // zero where Err is not nil
	Err  error         // it is there, but cannot be read; errors.Is os.ErrPermission without privilege
}

const (
	conntrackKey = "net.netfilter.nf_conntrack_tcp_timeout_established"
	ipvsTable    = "/proc/net/ip_vs" // there once the kernel has IPVS
)

// Local reads the limits of the calling thread's network namespace, or of an
// image. What the kernel does not have is not listed: conntrack and IPVS are
// there once they are loaded. IPVS cannot be read from an image, and needs
// CAP_NET_ADMIN.
//
// That conntrack is loaded does not mean that it tracks: it starts in a
// namespace with the first firewall rule that needs it.
//
// Equivalent to: sysctl net.netfilter.nf_conntrack_tcp_timeout_established;
// ipvsadm -L --timeout.
func Local(root rootfs.FS) []Limit {
	var limits []Limit
	if l, ok := conntrack(root); ok {
		limits = append(limits, l)
	}
	if !root.Live() {
		return limits
	}
	if _, err := root.Stat(ipvsTable); err == nil {
		limits = append(limits, ipvs())
	}
	return limits
}

func conntrack(root rootfs.FS) (Limit, bool) {
	l := Limit{Box: "conntrack", Key: conntrackKey}
	data, err := root.ReadFile("/proc/sys/" + strings.ReplaceAll(conntrackKey, ".", "/"))
	if errors.Is(err, fs.ErrNotExist) {
		return l, false
	}
	if err == nil {
		l.Idle, err = parseSeconds(string(data))
	}
	if err != nil {
		l.Err = fmt.Errorf("read %s: %w", conntrackKey, err)
	}
	return l, true
}

// parseSeconds reads the text of an unsigned sysctl in seconds.
func parseSeconds(text string) (time.Duration, error) {
	n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 32)
	if err != nil {
		return 0, err
	}
	return time.Duration(n) * time.Second, nil
}

// ipvsGetTimeout is IP_VS_SO_GET_TIMEOUT of linux/ip_vs.h. Its answer is three
// ints, seconds: TCP, TCP after a FIN, UDP.
const ipvsGetTimeout = 64 + 1024 + 64 + 6

func ipvs() Limit {
	l := Limit{Box: "ipvs", Key: "IP_VS_SO_GET_TIMEOUT"}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		l.Err = fmt.Errorf("read the timeouts of IPVS: %w", err)
		return l
	}
	defer unix.Close(fd)
	// An IPMreqn is three words, too, and spares the unsafe pointer.
	words, err := unix.GetsockoptIPMreqn(fd, unix.IPPROTO_IP, ipvsGetTimeout)
	if err != nil {
		l.Err = fmt.Errorf("read the timeouts of IPVS: %w", err)
		return l
	}
	l.Idle = time.Duration(binary.NativeEndian.Uint32(words.Multiaddr[:])) * time.Second
	return l
}

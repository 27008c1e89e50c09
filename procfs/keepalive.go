package procfs

import (
	"errors"
	"fmt"
	"time"

	"github.com/tcpka/tcpka/keepalive"
)

// The keepalive sysctls. See tcp(7) and Documentation/networking/ip-sysctl.rst.
const (
	KeyTime   = "net.ipv4.tcp_keepalive_time"
	KeyIntvl  = "net.ipv4.tcp_keepalive_intvl"
	KeyProbes = "net.ipv4.tcp_keepalive_probes"
)

// Value is the number that one of the keepalive sysctls holds or is to hold, in
// the kernel's unit.
type Value struct {
	Key string // KeyTime, KeyIntvl or KeyProbes
	N   int    // seconds; for KeyProbes, a count
}

// Keepalive reads the three sysctls. UserTimeout is zero: no sysctl holds one.
//
// Values that do harm are returned as they are. The kernel accepts a time and an
// intvl of 0 and below, and 0 probes.
//
// Equivalent to: sysctl net.ipv4.tcp_keepalive_{time,intvl,probes}
func (fs FS) Keepalive() (keepalive.Settings, error) {
	t, err := fs.readInt(KeyTime)
	if err != nil {
		return keepalive.Settings{}, err
	}
	intvl, err := fs.readInt(KeyIntvl)
	if err != nil {
		return keepalive.Settings{}, err
	}
	probes, err := fs.readInt(KeyProbes)
	if err != nil {
		return keepalive.Settings{}, err
	}
	return keepalive.Settings{
		Time:   time.Duration(t) * time.Second,
		Intvl:  time.Duration(intvl) * time.Second,
		Probes: probes,
	}, nil
}

// Get reads one of the three sysctls, and refuses any other key.
//
// Equivalent to: sysctl -n net.ipv4.tcp_keepalive_time
func (fs FS) Get(key string) (int, error) {
	if err := checkKey(key); err != nil {
		return 0, fmt.Errorf("get %w", err)
	}
	return fs.readInt(key)
}

func checkKey(key string) error {
	switch key {
	case KeyTime, KeyIntvl, KeyProbes:
		return nil
	}
	return fmt.Errorf("%q: not a keepalive sysctl", key)
}

// Values returns what c asks of the sysctls, in the order time, intvl, probes.
// It refuses what no sysctl holds: SO_KEEPALIVE, a user timeout, a fraction of a
// second. It does not look at ranges: that is [keepalive.Surface.Check].
func Values(c keepalive.Change) ([]Value, error) {
	if c.Enabled != nil {
		return nil, errors.New("keepalive on or off: no sysctl sets it, only a socket option")
	}
	if c.UserTimeout != nil {
		return nil, errors.New("user timeout: no sysctl sets it, only a socket option")
	}
	var values []Value
	for _, d := range []struct {
		key string
		d   *time.Duration
	}{{KeyTime, c.Time}, {KeyIntvl, c.Intvl}} {
		if d.d == nil {
			continue
		}
		if *d.d%time.Second != 0 {
			return nil, fmt.Errorf("%s %v: the kernel keeps whole seconds", d.key, *d.d)
		}
		values = append(values, Value{d.key, int(*d.d / time.Second)})
	}
	if c.Probes != nil {
		values = append(values, Value{KeyProbes, *c.Probes})
	}
	return values, nil
}

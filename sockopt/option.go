package sockopt

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// option is a socket option whose value is an int.
type option struct {
	name        string
	level, code int
}

var (
	soType     = option{"SO_TYPE", unix.SOL_SOCKET, unix.SO_TYPE}
	soProtocol = option{"SO_PROTOCOL", unix.SOL_SOCKET, unix.SO_PROTOCOL}

	soKeepalive    = option{"SO_KEEPALIVE", unix.SOL_SOCKET, unix.SO_KEEPALIVE}
	tcpKeepidle    = option{"TCP_KEEPIDLE", unix.IPPROTO_TCP, unix.TCP_KEEPIDLE}         // seconds
	tcpKeepintvl   = option{"TCP_KEEPINTVL", unix.IPPROTO_TCP, unix.TCP_KEEPINTVL}       // seconds
	tcpKeepcnt     = option{"TCP_KEEPCNT", unix.IPPROTO_TCP, unix.TCP_KEEPCNT}           // probes
	tcpUserTimeout = option{"TCP_USER_TIMEOUT", unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT} // milliseconds
)

func (o option) set(fd, value int) error {
	if err := unix.SetsockoptInt(fd, o.level, o.code, value); err != nil {
		return fmt.Errorf("set %s: %w", o.name, err)
	}
	return nil
}

// reader reads options of one socket until the first error, which it keeps.
type reader struct {
	fd  int
	err error
}

func (r *reader) get(o option) int {
	if r.err != nil {
		return 0
	}
	v, err := unix.GetsockoptInt(r.fd, o.level, o.code)
	if err != nil {
		r.err = fmt.Errorf("get %s: %w", o.name, err)
		return 0
	}
	return v
}

package procfs

import "time"

// MPTCPCloseTimeout is how long an MPTCP connection without subflows is kept
// before its program hears of it: net.mptcp.close_timeout, whole seconds. Where
// the kernel has no MPTCP or is older than the setting, the error is
// [os.ErrNotExist]. Source: net/mptcp/ctrl.c, mptcp_close_timeout.
func (fs FS) MPTCPCloseTimeout() (time.Duration, error) {
	n, err := fs.readInt("net.mptcp.close_timeout")
	return time.Duration(n) * time.Second, err
}

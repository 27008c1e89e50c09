// Package launch starts programs with TCP keepalive on every connection that
// they make or accept, whatever they are written in and without their doing: the
// kernel sets the socket options, by BPF programs on a cgroup that the programs
// start in. Statically linked programs and child processes are included.
//
// Not included are sockets that a program was given: [GiveInherited] sets those that it
// starts with. Nor are processes that leave the cgroup or are started by others, as with
// systemd-run or docker run.
//
// It needs Linux 5.9, the cgroup v2 hierarchy (beside that of version 1 is
// enough), CAP_BPF and CAP_NET_ADMIN, and the right to make a directory in the
// caller's cgroup: in short, root.
package launch

import (
	"errors"
	"math"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/launch/bpf"
	"github.com/tcpka/tcpka/keepalive"
)

// Group is a cgroup in which every TCP connection is given keepalive. It is a
// child of the caller's, so the limits on that hold for it, too.
type Group struct {
	parent, dir *os.File
}

// New makes a group. Its connections have keepalive on, unless change.Enabled is
// false, and the values of change; a nil value is left to the sysctl. What a
// program sets on a socket itself, before or after it is connected, wins; a value
// that the kernel refuses is not set.
//
// The subflows of an MPTCP connection get the values, and the MPTCP socket, which
// is what the program sees, does not say so. What the program sets on that wins,
// before it is connected from Linux 5.19 on, with CAP_PERFMON and a kernel that
// has type information (BTF).
//
// With force it does not: the program's setsockopt for an option that New was
// given, SO_KEEPALIVE included, is answered with success and not done. Options
// that are nil in change stay the program's.
//
// New fails with a [*keepalive.RangeError] for values that a socket does not
// accept, with [ErrNoCgroup], with [os.ErrPermission], and with
// [errors.ErrUnsupported] on a kernel that lacks what it needs.
//
// It also removes the empty groups that killed callers have left in the same
// cgroup.
func New(change keepalive.Change, force bool) (*Group, error) {
	if err := keepalive.Socket().Check(change); err != nil {
		return nil, err
	}
	parent, err := openOwn()
	if err != nil {
		return nil, err
	}
	programs, err := bpf.Load(options(change), force)
	if err != nil {
		parent.Close()
		return nil, err
	}
	defer programs.Close() // the cgroup holds them
	sweep(parent)
	dir, err := create(parent)
	if err != nil {
		parent.Close()
		return nil, err
	}
	g := &Group{parent: parent, dir: dir}
	if err := programs.Attach(dir); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	return g, nil
}

// options are in an order in which each takes effect at once: the values before
// the switch, which starts the timer. Go knows the numbers, which are others on
// some processors.
func options(c keepalive.Change) []bpf.Option {
	var list []bpf.Option
	add := func(level, name int, value, least, most int64) {
		list = append(list, bpf.Option{
			Level: int32(level), Name: int32(name), Value: int32(value), Min: int32(least), Max: int32(most),
		})
	}
	s := keepalive.Socket()
	if c.Intvl != nil {
		add(unix.SOL_TCP, unix.TCP_KEEPINTVL, int64(*c.Intvl/time.Second), int64(s.TimeMin/time.Second), int64(s.TimeMax/time.Second))
	}
	if c.Probes != nil {
		add(unix.SOL_TCP, unix.TCP_KEEPCNT, int64(*c.Probes), int64(s.ProbesMin), int64(s.ProbesMax))
	}
	if c.UserTimeout != nil {
		add(unix.SOL_TCP, unix.TCP_USER_TIMEOUT, int64(*c.UserTimeout/time.Millisecond),
			int64(s.UserTimeoutMin/time.Millisecond), int64(s.UserTimeoutMax/time.Millisecond))
	}
	if c.Time != nil {
		add(unix.SOL_TCP, unix.TCP_KEEPIDLE, int64(*c.Time/time.Second), int64(s.TimeMin/time.Second), int64(s.TimeMax/time.Second))
	}
	on := int64(1)
	if c.Enabled != nil && !*c.Enabled {
		on = 0
	}
	add(unix.SOL_SOCKET, unix.SO_KEEPALIVE, on, math.MinInt32, math.MaxInt32) // any int is a switch
	return list
}

// Start starts cmd in the group, as [exec.Cmd.Start] does, and from its first
// instruction on: no connection escapes. It needs clone3 (Linux 5.7).
func (g *Group) Start(cmd *exec.Cmd) error {
	attr := new(syscall.SysProcAttr)
	if cmd.SysProcAttr != nil {
		*attr = *cmd.SysProcAttr
	}
	attr.UseCgroupFD, attr.CgroupFD = true, int(g.dir.Fd())
	cmd.SysProcAttr = attr
	return cmd.Start()
}

// Close ends the group if nothing runs in it any more. Else the cgroup stays, and what
// runs in it goes on with keepalive; a later [New] removes it.
//
// The same happens if the process ends without Close.
func (g *Group) Close() error {
	var err error
	if rerr := remove(g.parent, g.dir); rerr != nil && !errors.Is(rerr, unix.EBUSY) && !errors.Is(rerr, unix.ENOENT) {
		err = &os.PathError{Op: "rmdir", Path: g.dir.Name(), Err: rerr}
	}
	return errors.Join(err, g.dir.Close(), g.parent.Close())
}

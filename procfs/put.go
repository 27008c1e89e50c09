package procfs

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/keepalive"
)

// ReadBackError is a sysctl that took a value without complaint and then held
// another: the kernel changed it, or someone else wrote at the same moment.
type ReadBackError struct {
	Key        string
	Wrote, Got int
}

func (e *ReadBackError) Error() string {
	return fmt.Sprintf("wrote %d, but it holds %d", e.Wrote, e.Got)
}

// Set writes the values of c that are not nil, in the order time, intvl, probes.
// See [Values] for what it refuses, and [FS.Put] for how it writes.
//
// Equivalent to: sysctl -w net.ipv4.tcp_keepalive_time=600
func (fs FS) Set(c keepalive.Change) error {
	values, err := Values(c)
	if err != nil {
		return fmt.Errorf("set %w", err)
	}
	return fs.Put(values...)
}

// Put writes the values in the order given, all or none. Each is read back; when
// one cannot be written, or does not hold what was written, those written before
// it are restored. What cannot be restored either is joined to the error.
//
// Put checks no ranges. What the kernel refuses answers to [unix.EINVAL]; but it
// accepts values that kill healthy connections, and [keepalive.Surface.Check] is
// there to keep them out.
//
// Writing takes CAP_NET_ADMIN over the namespace, or to be root in the user
// namespace that owns it. Test the error for [os.ErrPermission]; for
// [unix.EROFS], as in a container with a read-only /proc/sys; for
// [os.ErrNotExist]; and with errors.As for [*ReadBackError].
// Source: net/sysctl_net.c, net_ctl_permissions.
func (fs FS) Put(values ...Value) error {
	for _, v := range values {
		if err := checkKey(v.Key); err != nil {
			return fmt.Errorf("set %w", err)
		}
	}
	before := make([]Value, 0, len(values))
	for _, v := range values {
		n, err := fs.readInt(v.Key)
		if err != nil {
			return fs.putError("set", v, err)
		}
		before = append(before, Value{v.Key, n})
	}
	for i, v := range values {
		err := fs.write(v)
		if err == nil {
			err = fs.readBack(v)
		}
		if err != nil {
			touched := i
			if now, err := fs.readInt(v.Key); err != nil || now != before[i].N {
				touched++ // the write may have failed after it wrote
			}
			return errors.Join(fs.putError("set", v, err), fs.restore(before[:touched]))
		}
	}
	return nil
}

// restore writes values back, the last one first, and goes on past errors.
func (fs FS) restore(values []Value) error {
	var errs []error
	for _, v := range slices.Backward(values) {
		err := fs.write(v)
		if err == nil {
			err = fs.readBack(v)
		}
		if err != nil {
			errs = append(errs, fs.putError("restore", v, err))
		}
	}
	return errors.Join(errs...)
}

// write gives one sysctl its value in one write(2), in decimal: the kernel would
// read 0600 as octal. Without O_CREATE a file that is not there stays so.
func (fs FS) write(v Value) error {
	f, err := fs.root.OpenFile(sysctlPath(v.Key), os.O_WRONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	text := strconv.Itoa(v.N) + "\n"
	if fs.root.Live() {
		_, err := f.WriteString(text)
		return err
	}
	// A plain file would keep the end of a longer value. The one write covers it
	// with empty lines, so that whoever dies before they are cut off leaves the
	// new value, and before the write the old one.
	info, err := f.Stat()
	if err != nil {
		return err
	}
	padding := max(0, min(info.Size(), 4096)-int64(len(text)))
	if _, err := f.WriteString(text + strings.Repeat("\n", int(padding))); err != nil {
		return err
	}
	return f.Truncate(int64(len(text)))
}

func (fs FS) readBack(v Value) error {
	n, err := fs.readInt(v.Key)
	if err != nil {
		return err
	}
	if n != v.N {
		return &ReadBackError{Key: v.Key, Wrote: v.N, Got: n}
	}
	return nil
}

// putError is err with the operation first: "set tcp_keepalive_time: permission
// denied". The path in it is worth its room only where it is not the usual one.
func (fs FS) putError(op string, v Value, err error) error {
	if perr, ok := errors.AsType[*os.PathError](err); ok && fs.root.Live() {
		err = perr.Err
	}
	return fmt.Errorf("%s %s: %w", op, strings.TrimPrefix(v.Key, "net.ipv4."), err)
}

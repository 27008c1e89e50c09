package procfs

import (
	"os"

	"golang.org/x/sys/unix"
)

// Writable reports, by an error, that [FS.Put] may not write these values: the
// kernel and the file system decide when a sysctl is opened, so opening it and
// writing nothing tells. The errors are those of Put. A value that the kernel
// refuses is found out only by Put.
func (fs FS) Writable(values ...Value) error {
	for _, v := range values {
		f, err := fs.root.OpenFile(sysctlPath(v.Key), os.O_WRONLY|unix.O_NONBLOCK, 0)
		if err != nil {
			return fs.putError("set", v, err)
		}
		f.Close()
	}
	return nil
}

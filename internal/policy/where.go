package policy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Where are the two file systems that policies live in.
type Where struct {
	Cgroups string // the root of the cgroups, as this process sees it
	id      uint64 // of that cgroup
	folder  string // of tcpka, in bpffs
}

// bpffs is where systemd mounts it, and everybody else looks for it.
const bpffs = "/sys/fs/bpf"

// Obstacle is what stands in the way of policies on this machine, and what mends it.
type Obstacle struct {
	What, Fix string
	Err       error
}

func (o *Obstacle) Error() string {
	if o.Err != nil {
		return o.What + ": " + o.Err.Error()
	}
	return o.What
}

func (o *Obstacle) Unwrap() error { return o.Err }

// Find looks where they are.
func Find() (Where, error) {
	w := Where{folder: filepath.Join(bpffs, "tcpka")}
	for _, dir := range []string{"/sys/fs/cgroup/unified", "/sys/fs/cgroup"} {
		if isOn(dir, unix.CGROUP2_SUPER_MAGIC) {
			w.Cgroups = dir
			break
		}
	}
	if w.Cgroups == "" {
		return w, &Obstacle{What: "no cgroup v2 is mounted below /sys/fs/cgroup: policies go by its cgroups", Fix: "boot with systemd.unified_cgroup_hierarchy=1, or: mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified"}
	}
	if !isOn(bpffs, unix.BPF_FS_MAGIC) {
		return w, &Obstacle{What: "no bpffs is mounted on " + bpffs + ": that holds policies when tcpka has ended", Fix: "mount -t bpf -o mode=700 bpf " + bpffs}
	}
	h, _, err := unix.NameToHandleAt(unix.AT_FDCWD, w.Cgroups, 0)
	if err != nil || h.Size() != 8 {
		return w, fmt.Errorf("the ID of the cgroup %s is not known: %w", w.Cgroups, errors.Join(err, errors.ErrUnsupported))
	}
	w.id = binary.NativeEndian.Uint64(h.Bytes())
	return w, nil
}

func isOn(dir string, magic int64) bool {
	var st unix.Statfs_t
	return unix.Statfs(dir, &st) == nil && int64(uint32(st.Type)) == magic
}

func (w Where) pin() string { return filepath.Join(w.folder, "link") }

// trusted refuses a folder that others may write to: they could put their program there.
func (w Where) trusted() error {
	var st unix.Stat_t
	err := unix.Lstat(w.folder, &st)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fs.ErrNotExist
	case err != nil:
		return &fs.PathError{Op: "stat", Path: w.folder, Err: err}
	case st.Mode&unix.S_IFMT != unix.S_IFDIR || st.Uid != 0 || st.Mode&0o022 != 0:
		return &Obstacle{What: w.folder + " is not root's alone: whoever made it could put another program there", Fix: "rm -r " + w.folder}
	}
	return nil
}

// Matches are the cgroups there are now that a policy is for, as paths below the root;
// not those further down, which it is for, too.
func (w Where) Matches(p Policy) ([]string, error) {
	if p.Host {
		return []string{"/"}, nil
	}
	var found []string
	err := filepath.WalkDir(w.Cgroups, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) { // it went meanwhile
				return nil
			}
			return err
		}
		if !d.IsDir() || path == w.Cgroups {
			return nil
		}
		below := strings.TrimPrefix(path, w.Cgroups)
		if p.isFor(below) {
			found = append(found, below)
			return filepath.SkipDir
		}
		return nil
	})
	return found, err
}

// isFor reports whether the policy names this cgroup, by its path below the root.
func (p Policy) isFor(path string) bool {
	names := strings.Split(strings.Trim(path, "/"), "/")
	last := names[len(names)-1]
	for _, pattern := range p.Cgroups {
		if text, prefix := strings.CutSuffix(pattern, "*"); last == text || prefix && strings.HasPrefix(last, text) {
			return true
		}
	}
	for _, above := range names[:len(names)-1] {
		if !strings.HasSuffix(above, ".slice") || above == ".slice" {
			return false
		}
	}
	for _, unit := range p.Units {
		if last == unit {
			return true
		}
	}
	return false
}

// root opens the root of the cgroups.
func (w Where) root() (*os.File, error) { return os.Open(w.Cgroups) }

package launch

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrNoCgroup is returned where the caller's cgroup of version 2 cannot be seen:
// none is mounted, or another part of the tree, as in some containers.
var ErrNoCgroup = errors.New("no cgroup v2 that this process is in is mounted")

// openOwn opens the directory of the cgroup that the caller is in, wherever the
// hierarchy is mounted: /sys/fs/cgroup, or /sys/fs/cgroup/unified beside those
// of version 1. See cgroups(7).
func openOwn() (*os.File, error) {
	cgroup, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, err
	}
	mountinfo, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	path, ok := parseCgroup(cgroup)
	if !ok {
		return nil, ErrNoCgroup
	}
	err = ErrNoCgroup
	for _, m := range parseMountinfo(mountinfo) {
		dir, ok := m.locate(path)
		if !ok {
			continue
		}
		var f *os.File
		if f, err = openCgroup(dir); err == nil {
			return f, nil
		}
	}
	return nil, err
}

// openCgroup opens a directory and makes sure that no other mount hides it.
func openCgroup(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &st); err != nil || st.Type != unix.CGROUP2_SUPER_MAGIC {
		f.Close()
		return nil, fmt.Errorf("%s: %w", dir, ErrNoCgroup)
	}
	return f, nil
}

// parseCgroup finds in /proc/PID/cgroup the path in the hierarchy of version 2:
//
//	0::/user.slice/user-1000.slice/session-3.scope
func parseCgroup(data []byte) (path string, ok bool) {
	for line := range bytes.Lines(data) {
		if path, ok := strings.CutPrefix(strings.TrimSuffix(string(line), "\n"), "0::"); ok {
			return path, strings.HasPrefix(path, "/")
		}
	}
	return "", false
}

// mount is a mounted part of the cgroup v2 hierarchy: root, at point.
type mount struct{ root, point string }

// parseMountinfo finds the mounts of cgroup v2 in /proc/PID/mountinfo:
//
//	41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw
//
// See proc_pid_mountinfo(5).
func parseMountinfo(data []byte) []mount {
	const root, point = 3, 4
	var mounts []mount
	for line := range bytes.Lines(data) {
		before, after, _ := strings.Cut(string(line), " - ")
		fields := strings.Fields(before)
		if len(fields) > point && strings.HasPrefix(after, "cgroup2 ") {
			mounts = append(mounts, mount{unescape.Replace(fields[root]), unescape.Replace(fields[point])})
		}
	}
	return mounts
}

// unescape undoes what the kernel does to white space and backslashes in the
// mount table. Source: fs/proc_namespace.c, mangle.
var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`, `\043`, "#")

// locate returns the directory of the cgroup path, if the mount has it.
func (m mount) locate(path string) (dir string, ok bool) {
	below, ok := strings.CutPrefix(path, m.root)
	if !ok || below != "" && m.root != "/" && below[0] != '/' {
		return "", false
	}
	return filepath.Join(m.point, below), true
}

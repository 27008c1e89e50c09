package sockets

import (
	"bufio"
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// cgroupPaths turns the IDs of cgroups into paths. The zero value is ready.
//
// The ID of a cgroup is the inode number of its directory, so a walk over the
// hierarchy finds all of them, and needs no privilege. Source: fs/kernfs/inode.c,
// kernfs_init_inode; include/linux/cgroup.h, cgroup_id.
type cgroupPaths struct {
	paths map[uint64]string
}

// path returns the path below the mount point, "/" for that itself, or "" where
// it is not found: removed since, or outside the caller's cgroup namespace.
func (c *cgroupPaths) path(id uint64) string {
	if id == 0 {
		return ""
	}
	c.load()
	return c.paths[id]
}

// unknown is why path finds nothing of a socket.
func (c *cgroupPaths) unknown() string {
	if c.load(); len(c.paths) == 0 {
		return "no cgroup v2 is mounted here, which has the paths of cgroups"
	}
	return "their cgroups were removed, are outside this cgroup namespace, or the kernel does not tell them"
}

func (c *cgroupPaths) load() {
	if c.paths == nil {
		c.paths = map[uint64]string{}
		c.walk()
	}
}

func (c *cgroupPaths) walk() {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return
	}
	defer f.Close()
	root := ""
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if m := cgroup2Mount(lines.Bytes()); m != "" {
			root = m // the last one is on top
		}
	}
	var on unix.Statfs_t
	if root == "" || unix.Statfs(root, &on) != nil || int64(on.Type) != unix.CGROUP2_SUPER_MAGIC {
		return // nothing is mounted, or something else on top
	}
	filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil // gone, or out of reach
		}
		var st unix.Stat_t
		if unix.Lstat(path, &st) == nil {
			c.paths[st.Ino] = "/" + strings.TrimPrefix(strings.TrimPrefix(path, root), "/")
		}
		return nil
	})
}

// cgroup2Mount returns the mount point that a line of mountinfo names, if what
// is mounted is cgroup v2. See proc_pid_mountinfo(5).
func cgroup2Mount(line []byte) string {
	before, after, ok := bytes.Cut(line, []byte(" - "))
	fields := bytes.Fields(before)
	if !ok || len(fields) < 5 || !bytes.HasPrefix(after, []byte("cgroup2 ")) {
		return ""
	}
	return unescapeMount(string(fields[4]))
}

// unescapeMount undoes \040 for a space, and so on.
func unescapeMount(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

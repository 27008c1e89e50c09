package launch

import (
	"slices"
	"strings"
	"testing"
)

func TestTheOwnCgroupIsFound(t *testing.T) {
	const hybrid = "9:name=systemd:/\n4:memory:/a\n0::/user.slice/user-0.slice\n"
	for _, row := range []struct {
		name, cgroup, mountinfo string
		want                    []string
	}{
		{"unified", "0::/a/b\n", "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n",
			[]string{"/sys/fs/cgroup/a/b"}},
		{"the root of it", "0::/\n", "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
			[]string{"/sys/fs/cgroup"}},
		{"hybrid", hybrid, "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n" +
			"35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n" +
			"41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
			[]string{"/sys/fs/cgroup/unified/user.slice/user-0.slice"}},
		{"version 1 only", "9:name=systemd:/\n", "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n", nil},
		{"not mounted", hybrid, "", nil},
		{"a part of the tree, as in a container", "0::/docker/1\n", "30 23 0:26 /docker/1 /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n",
			[]string{"/sys/fs/cgroup"}},
		{"a part below", "0::/docker/1/x\n", "30 23 0:26 /docker/1 /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n",
			[]string{"/sys/fs/cgroup/x"}},
		{"another part", "0::/docker/12\n", "30 23 0:26 /docker/1 /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n", nil},
		{"outside the cgroup namespace", "0::/../other\n", "30 23 0:26 /docker/1 /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n", nil},
		{"two mounts", "0::/a\n", "30 23 0:26 /b /one rw - cgroup2 none rw\n31 23 0:26 / /two rw - cgroup2 none rw\n32 23 0:26 /a /three rw - cgroup2 none rw\n",
			[]string{"/two/a", "/three"}},
		{"white space", "0::/a b\n", `30 23 0:26 /a\040b /x\040y rw - cgroup2 none rw` + "\n", []string{"/x y"}},
		{"a file system named so", "0::/a\n", "30 23 0:26 / /x rw - ext4 cgroup2 rw\n", nil},
	} {
		var got []string
		if path, ok := parseCgroup([]byte(row.cgroup)); ok {
			for _, m := range parseMountinfo([]byte(row.mountinfo)) {
				if dir, ok := m.locate(path); ok {
					got = append(got, dir)
				}
			}
		}
		if !slices.Equal(got, row.want) {
			t.Errorf("%s: got %q, want %q", row.name, got, row.want)
		}
	}
}

func FuzzOwnCgroup(f *testing.F) {
	f.Add("0::/a\n", "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
	f.Add("0::/a/b\n", "30 23 0:26 /a /x\\040y rw - cgroup2 cgroup2 rw\n")
	f.Fuzz(func(t *testing.T, cgroup, mountinfo string) {
		path, ok := parseCgroup([]byte(cgroup))
		if !ok {
			return
		}
		for _, m := range parseMountinfo([]byte(mountinfo)) {
			if dir, ok := m.locate(path); ok && !strings.HasPrefix(path, m.root) {
				t.Errorf("%q is not below %q, and is said to be %q", path, m.root, dir)
			}
		}
	})
}

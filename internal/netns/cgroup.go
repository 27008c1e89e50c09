package netns

import (
	"bytes"
	"strings"
)

// parseCgroup finds in /proc/PID/cgroup the container that a process runs in:
// its ID of 64 hexadecimal digits, or for LXC its name; "" for none. Of
// containers in one another it is the innermost.
//
//	0::/system.slice/docker-<ID>.scope                   Docker under systemd
//	4:memory:/docker/<ID>                                Docker without
//	0::/kubepods.slice/.../cri-containerd-<ID>.scope     Kubernetes
//	0::/machine.slice/libpod-<ID>.scope/container        Podman
//	0::/lxc.payload.<name>/init.scope                    LXC
//	4:memory:/lxc/<name>                                 LXC before 4.0
//
// The monitors that run beside a container (libpod-conmon-<ID>.scope,
// lxc.monitor.<name>) are not in it. Without the right to see the whole path, as
// in a cgroup namespace, nothing is found. See cgroups(7).
func parseCgroup(data []byte) string {
	container := ""
	for line := range bytes.Lines(data) {
		// hierarchy:controllers:path
		parts := strings.SplitN(strings.TrimSuffix(string(line), "\n"), ":", 3)
		if len(parts) != 3 {
			continue
		}
		parent := ""
		for part := range strings.SplitSeq(parts[2], "/") {
			if name := containerOf(parent, part); name != "" {
				container = name
			}
			parent = part
		}
		if container != "" {
			return container
		}
	}
	return container
}

// containerOf returns the container that the cgroup name below parent is for.
func containerOf(parent, name string) string {
	if lxc, ok := strings.CutPrefix(name, "lxc.payload."); ok {
		return lxc
	}
	if parent == "lxc" {
		return name
	}
	name = strings.TrimSuffix(name, ".scope")
	runtime, last := "", name
	if i := strings.LastIndexAny(name, "-:"); i >= 0 {
		runtime, last = name[:i], name[i+1:]
	}
	if !isContainerID(last) || strings.HasSuffix(runtime, "conmon") {
		return ""
	}
	return last
}

func isContainerID(s string) bool {
	return len(s) == 64 && isHex(s)
}

func isHex(s string) bool { return strings.Trim(s, "0123456789abcdef") == "" }

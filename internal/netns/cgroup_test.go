package netns

import (
	"strings"
	"testing"
)

const (
	idA = "3f2a9c0d1e4b5f60718293a4b5c6d7e8f90123456789abcdef0123456789abcd"
	idB = "b5c6d7e8f90123456789abcdef0123456789abcd3f2a9c0d1e4b5f60718293a4"
)

func TestParseCgroup(t *testing.T) {
	tests := []struct {
		name, data, want string
	}{
		{"Docker under systemd", "0::/system.slice/docker-" + idA + ".scope\n", idA},
		{"Docker with cgroup v1", "12:pids:/docker/" + idA + "\n11:memory:/docker/" + idA + "\n0::/system.slice/containerd.service\n", idA},
		{"containerd in Kubernetes", "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod0f3c.slice/cri-containerd-" + idA + ".scope\n", idA},
		{"containerd with a driver of its own", "0::/system.slice/containerd.service/kubepods-besteffort-pod0f3c.slice:cri-containerd:" + idA + "\n", idA},
		{"CRI-O", "0::/kubepods.slice/kubepods-pod0f3c.slice/crio-" + idA + ".scope\n", idA},
		{"Kubernetes without systemd", "4:memory:/kubepods/besteffort/pod0f3c/" + idA + "\n", idA},
		{"Podman, below its scope", "0::/machine.slice/libpod-" + idA + ".scope/container\n", idA},
		{"Podman without systemd", "0::/libpod_parent/libpod-" + idA + "\n", idA},
		{"LXC", "0::/lxc.payload.web-1/init.scope\n", "web-1"},
		{"LXC before 4.0", "4:memory:/lxc/web-1/ns\n", "web-1"},
		{"a container in a container", "0::/docker/" + idA + "/system.slice/docker-" + idB + ".scope\n", idB},
		{"a container in LXC", "0::/lxc.payload.web-1/system.slice/docker-" + idB + ".scope\n", idB},
		{"a line without a container first", "0::/\n4:memory:/docker/" + idA + "\n", idA},
		{"Podman's monitor", "0::/machine.slice/libpod-conmon-" + idA + ".scope\n", ""},
		{"CRI-O's monitor", "0::/system.slice/crio-conmon-" + idA + ".scope\n", ""},
		{"LXC's monitor", "0::/lxc.monitor.web-1\n", ""},
		{"a service", "0::/system.slice/nginx.service\n", ""},
		{"a session", "0::/user.slice/user-1000.slice/session-3.scope\n", ""},
		{"a pod without a container", "0::/kubepods.slice/kubepods-pod0f3c.slice\n", ""},
		{"upper case is no ID", "0::/docker/" + strings.ToUpper(idA) + "\n", ""},
		{"a digit too few", "0::/docker/" + idA[1:] + "\n", ""},
		{"a cgroup namespace", "0::/\n", ""},
		{"the parent of LXC's cgroups", "4:memory:/lxc\n", ""},
		{"empty", "", ""},
		{"garbage", "docker-" + idA + ".scope", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := parseCgroup([]byte(tt.data)); got != tt.want {
				t.Errorf("parseCgroup(%q) = %q, want %q", tt.data, got, tt.want)
			}
		})
	}
}

func FuzzParseCgroup(f *testing.F) {
	for _, seed := range []string{
		"0::/system.slice/docker-" + idA + ".scope\n",
		"12:pids:/docker/" + idA + "\n0::/\n",
		"0::/lxc.payload.web-1/init.scope\n4:memory:/lxc/\n",
		"0::/a:b:" + idB,
		":::\n\x00::/lxc//",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got := parseCgroup(data)
		if strings.ContainsAny(got, "/\n") || !strings.Contains(string(data), got) {
			t.Fatalf("parseCgroup(%q) = %q", data, got)
		}
	})
}

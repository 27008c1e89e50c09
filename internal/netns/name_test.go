package netns

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNames(t *testing.T) {
	const current, host, a, b = 1, 2, 3, 4 // inode numbers
	tests := []struct {
		name    string
		entries []entry
		want    []string
	}{
		{
			"the host, and ours without a name",
			[]entry{{id: id{ino: current}, pid: 10, comm: "tcpka"}, {id: id{ino: host}, pid: 1, comm: "init"}},
			[]string{"current", "host"},
		},
		{
			"the host has no other name",
			[]entry{{id: id{ino: host}, pid: 1, mounts: []string{"/run/docker/netns/default"}}},
			[]string{"host"},
		},
		{
			"a mount before the container before the command",
			[]entry{
				{id: id{ino: current}, pid: 10, mounts: []string{"/run/netns/blue"}, container: idA},
				{id: id{ino: a}, pid: 11, container: idA, comm: "nginx"},
				{id: id{ino: b}, pid: 12, comm: "cat"},
			},
			[]string{"blue", "3f2a9c0d1e4b", "cat:12"},
		},
		{
			"ours by its container",
			[]entry{{id: id{ino: current}, pid: 10, container: "web-1"}},
			[]string{"web-1"},
		},
		{
			"the mount in /run/netns keeps the name that two mounts have",
			[]entry{
				{id: id{ino: a}, mounts: []string{"/run/docker/netns/blue"}},
				{id: id{ino: b}, mounts: []string{"/run/netns/blue"}},
			},
			[]string{"/run/docker/netns/blue", "blue"},
		},
		{
			"the second mount, where the first makes no name",
			[]entry{{id: id{ino: a}, mounts: []string{"/run/netns/123", "/run/docker/netns/blue"}}},
			[]string{"blue"},
		},
		{
			"names that mean something else",
			[]entry{
				{id: id{ino: a}, mounts: []string{"/run/netns/123"}},
				{id: id{ino: b}, mounts: []string{"/run/netns/host"}},
				{id: id{ino: 5}, mounts: []string{"/run/netns/current"}},
				{id: id{ino: 6}, mounts: []string{"/run/netns/all"}},
				{id: id{ino: 7}, pid: 20, container: "101", comm: "init"},
				{id: id{ino: 8}, pid: 21, comm: "kworker/0:1"},
			},
			[]string{"/run/netns/123", "/run/netns/host", "/run/netns/current", "/run/netns/all", "init:20", "/proc/21/ns/net"},
		},
		{
			"two namespaces in one container",
			[]entry{{id: id{ino: a}, pid: 11, container: idA, comm: "nginx"}, {id: id{ino: b}, pid: 12, container: idA, comm: "nginx"}},
			[]string{"3f2a9c0d1e4b", "nginx:12"},
		},
		{
			"a mount named like a command",
			[]entry{{id: id{ino: a}, pid: 11, comm: "nginx"}, {id: id{ino: b}, mounts: []string{"/run/netns/nginx:11"}}},
			[]string{"/proc/11/ns/net", "nginx:11"},
		},
		{
			"nothing but a process that has ended",
			[]entry{{id: id{ino: a}, pid: 11}},
			[]string{"/proc/11/ns/net"},
		},
		{
			"nothing but the path asked for",
			[]entry{{id: id{ino: a}, asked: "/some/where"}},
			[]string{"/some/where"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &survey{current: id{ino: current}, host: id{ino: host}}
			for _, e := range tt.entries {
				s.entries = append(s.entries, &e)
			}
			if diff := cmp.Diff(tt.want, s.names()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

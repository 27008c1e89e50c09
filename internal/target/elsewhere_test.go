package target

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpka/tcpka/sockets"
)

// aProc is a directory like /proc, with the comm and the cgroup of some processes.
func aProc(t *testing.T, processes map[string][2]string) string {
	proc := t.TempDir()
	for pid, files := range processes {
		if err := os.Mkdir(filepath.Join(proc, pid), 0o755); err != nil {
			t.Fatal(err)
		}
		for i, name := range []string{"comm", "cgroup"} {
			if err := os.WriteFile(filepath.Join(proc, pid, name), []byte(files[i]), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return proc
}

func TestNamesThatNoProcessHas(t *testing.T) {
	proc := aProc(t, map[string][2]string{
		"7": {"python3\n"}, "8": {"python3\n"}, "12": {"redis-server\n"}, "13": {"sshd\n"}, "14": {"a; b\n"}, "self": {"nginx\n"},
	})
	for _, tt := range []struct {
		comms []string
		want  string
	}{
		{nil, ""},
		{[]string{"sshd"}, ""},
		{[]string{"python", "sshd"}, ""},
		{[]string{"python"}, "no process that is seen is called python; did you mean python3?"},
		{[]string{"redis"}, "no process that is seen is called redis; did you mean redis-server?"},
		{[]string{"redis", "python", "pythn3"}, "no process that is seen is called redis or python or pythn3; did you mean redis-server, python3?"},
		{[]string{"nginx"}, "no process that is seen is called nginx"},
	} {
		if got := Uncalled(tt.comms, proc); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.comms, got, tt.want)
		}
	}
}

func TestProcessesThatAFilterNames(t *testing.T) {
	proc := aProc(t, map[string][2]string{
		"7":    {"nginx\n", "4:memory:/other\n0::/system.slice/nginx.service\n"},
		"12":   {"nginx\n", "0::/system.slice/nginx.service/worker\n"},
		"110":  {"sshd\n", "0::/system.slice/nginx.service2\n"},
		"self": {"sshd\n", "0::/\n"},
	})
	for _, tt := range []struct {
		name   string
		filter sockets.Filter
		want   []int
	}{
		{"none where it names none", sockets.Filter{Ports: []uint16{22}}, nil},
		{"by PID, whatever they are", sockets.Filter{PIDs: []int{110, 7, 7}}, []int{7, 110}},
		{"by name", sockets.Filter{Comms: []string{"nginx"}}, []int{7, 12}},
		{"by cgroup, and what is below it", sockets.Filter{Cgroups: []string{"/system.slice/nginx.service"}}, []int{7, 12}},
		{"the root has them all", sockets.Filter{Cgroups: []string{"/"}}, []int{7, 12, 110}},
		{"all conditions hold", sockets.Filter{PIDs: []int{12, 110}, Comms: []string{"nginx", "sshd"}, Cgroups: []string{"/system.slice/nginx.service"}}, []int{12}},
		{"one that is not there has no name", sockets.Filter{PIDs: []int{8}, Comms: []string{"nginx"}}, []int{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, named(tt.filter, proc)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

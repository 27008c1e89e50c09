package netns

import (
	"os"
	"testing"

	"github.com/tcpka/tcpka/internal/nstest"
)

func TestHostOf(t *testing.T) {
	const nsfs = 4
	var (
		initialPID = id{nsfs, initialPIDInode}
		otherPID   = id{nsfs, 4026532201}
		older      = id{nsfs, 4026531992} // as before Linux 6.18
		denied     = &os.PathError{Op: "stat", Path: "/proc/1/ns/net", Err: os.ErrPermission}
	)
	tests := []struct {
		name         string
		pidns, first id
		err          error
		want         id
	}{
		{"process 1 can be looked at", initialPID, older, nil, older},
		{"process 1 has moved to another", initialPID, id{nsfs, 4026532999}, nil, id{nsfs, 4026532999}},
		{"process 1 of a container proves nothing", otherPID, older, nil, id{}},
		{"process 1 cannot be looked at", initialPID, id{}, denied, id{nsfs, initialNetInode}},
		{"process 1 of a container cannot be looked at", otherPID, id{}, denied, id{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := hostOf(tt.pidns, tt.first, tt.err, nsfs); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// Where the tests run, as they run. Root can look at process 1, or is on a
// kernel that needs no look.
func TestRootHostIsProven(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	pidns, err := statID("/proc/self/ns/pid")
	check(t, err)
	here, err := statID(selfPath)
	check(t, err)
	first, err := statID("/proc/1/ns/net")
	if pidns.ino != initialPIDInode {
		nstest.Missing(t, "not in the initial PID namespace")
	}
	if err != nil && here.ino >= 0xF0000000 {
		nstest.Missing(t, "not in the host's network namespace, or no look at process 1 on an older kernel")
	}
	n, err2 := Current()
	check(t, err2)
	if wantHost := err != nil || first == here; (n.Name == "host") != wantHost {
		t.Errorf("it is called %q; process 1 is in %v, %v", n.Name, first, err)
	}
	h, err := Find("host")
	check(t, err)
	defer h.Close()
	if n.Name == "host" && h.id() != here {
		t.Errorf("Find of host: %+v", h.Namespace)
	}
}

func TestAPrivateNamespaceIsNotTheHost(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		n, err := Current()
		check(t, err)
		if n.Name == "host" {
			t.Errorf("got %+v", n)
		}
	})
}

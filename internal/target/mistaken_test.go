package target

import (
	"io"
	"os"
	"strings"
	"testing"

	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/sockets"
)

// What a filter names and is not there is told from what has no socket.
func TestAFilterThatNamesNothing(t *testing.T) {
	const no = 999_999_999 // above any pid_max
	if err := Mistaken(sockets.Filter{PIDs: []int{no}}); err == nil || cmdline.StatusOf(err, io.Discard) != 1 || err.Error() != "--pid: no process 999999999" {
		t.Errorf("got %v", err)
	}
	for _, pids := range [][]int{nil, {1}, {no, os.Getpid()}} {
		if err := Mistaken(sockets.Filter{PIDs: pids}); err != nil {
			t.Errorf("%v: %v", pids, err)
		}
	}
	if cgroupMount() == "" {
		nstest.Missing(t, "cgroup v2 is not mounted below /sys/fs/cgroup")
	}
	if err := Mistaken(sockets.Filter{Cgroups: []string{"/tcpka-nope"}}); err == nil || cmdline.StatusOf(err, io.Discard) != 1 || !strings.HasPrefix(err.Error(), "--cgroup: no cgroup /tcpka-nope below /sys/fs/cgroup") {
		t.Errorf("got %v", err)
	}
	if err := Mistaken(sockets.Filter{Cgroups: []string{"/tcpka-nope", "/"}}); err != nil {
		t.Error(err)
	}
}

package netns

import (
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
)

// seen is what List says of the namespaces given, in its order.
func seen(t *testing.T, want ...id) []Namespace {
	t.Helper()
	all, err := List()
	check(t, err)
	return slices.DeleteFunc(all, func(n Namespace) bool { return !slices.Contains(want, n.id()) })
}

func TestList(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		emptyRun(t)
		here, err := statID(selfPath)
		check(t, err)
		red := mounted(t, "/run/netns/red")
		blue := mounted(t, "/run/docker/netns/blue")
		digits := mounted(t, "/run/netns/123")
		check(t, os.WriteFile("/run/netns/uts", nil, 0o444))
		check(t, unix.Mount("/proc/self/ns/uts", "/run/netns/uts", "", unix.MS_BIND, ""))
		pid, process := process(t, unix.CLONE_NEWNET)

		want := []Namespace{
			{Name: "current", Dev: here.dev, Inode: here.ino, Current: true, PID: os.Getpid(), Path: selfPath},
			{Name: "/run/netns/123", Dev: here.dev, Inode: digits.ino, Path: "/run/netns/123"},
			{Name: "blue", Dev: here.dev, Inode: blue.ino, Path: "/run/docker/netns/blue"},
			{Name: fmt.Sprintf("cat:%d", pid), Dev: here.dev, Inode: process.ino, PID: pid, Path: procPath(pid)},
			{Name: "red", Dev: here.dev, Inode: red.ino, Path: "/run/netns/red"},
		}
		got := seen(t, here, red, blue, digits, process)
		for i := range got {
			got[i].Container = "" // the tests may run in one
			if got[i].Current {
				got[i].Name = "current"
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

func TestListNamesOneNamespaceOnce(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		emptyRun(t)
		ns := mounted(t, "/run/docker/netns/blue")
		check(t, os.WriteFile("/run/netns/red", nil, 0o444))
		check(t, unix.Mount("/run/docker/netns/blue", "/run/netns/red", "", unix.MS_BIND, ""))
		got := seen(t, ns)
		if len(got) != 1 || got[0].Name != "red" || got[0].Path != "/run/netns/red" {
			t.Errorf("got %+v", got)
		}
	})
}

// What the survey saw may be gone when it looks for names.
func TestAProcessThatEndsIsNotDescribed(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		pid, _ := process(t, unix.CLONE_NEWNET)
		e := &entry{id: id{1, 2}, pid: pid} // as if it had been in another
		e.describe()
		if e.comm != "" || e.container != "" {
			t.Errorf("got %+v", e)
		}
	})
}

package netns

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
)

func TestFind(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		emptyRun(t)
		here, err := statID(selfPath)
		check(t, err)
		red := mounted(t, "/run/netns/red")
		blue := mounted(t, "/run/docker/netns/blue")
		shadowed := mounted(t, "/run/docker/netns/red")
		digits := mounted(t, "/run/netns/123")
		check(t, os.WriteFile("/run/docker/netns/red2", nil, 0o444))
		check(t, unix.Mount("/run/netns/red", "/run/docker/netns/red2", "", unix.MS_BIND, ""))
		check(t, os.Symlink("netns/red", "/run/link"))
		pid, process := process(t, unix.CLONE_NEWNET)

		tests := []struct {
			what, spec string
			want       id
			name       string
		}{
			{"a name", "red", red, "red"},
			{"a name that a runtime gave", "blue", blue, "blue"},
			{"the second name of a namespace", "red2", red, "red"},
			{"a path", "/run/netns/red", red, "red"},
			{"a path through a link", "/run/link", red, "red"},
			{"a path of what shares its name", "/run/docker/netns/red", shadowed, "/run/docker/netns/red"},
			{"a path whose name is a number", "/run/netns/123", digits, "/run/netns/123"},
			{"a path of a process", procPath(pid), process, procPath(pid)},
			{"a PID", strconv.Itoa(pid), process, fmt.Sprintf("cat:%d", pid)},
			{"a PID with zeros before it", fmt.Sprintf("00%d", pid), process, fmt.Sprintf("cat:%d", pid)},
			{"our own PID", strconv.Itoa(os.Getpid()), here, "current"},
			{"ours", "current", here, "current"},
			{"a command and its PID", fmt.Sprintf("cat:%d", pid), process, fmt.Sprintf("cat:%d", pid)},
		}
		for _, tt := range tests {
			t.Run(tt.what, func(t *testing.T) {
				h, err := Find(tt.spec)
				if err != nil {
					t.Fatal(err)
				}
				defer h.Close()
				if h.id() != tt.want {
					t.Errorf("Find(%q) found %v, want %v", tt.spec, h.id(), tt.want)
				}
				if h.Name != tt.name && tt.name != "current" {
					t.Errorf("Find(%q) named it %q, want %q", tt.spec, h.Name, tt.name)
				}
			})
		}
	})
}

func TestFindTakesEveryNameThatListGives(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		emptyRun(t)
		for _, name := range []string{"red", "123", "host", "current", "all", "a b\n\x1b[31m", "nginx:1"} {
			mounted(t, filepath.Join("/run/netns", name))
			mounted(t, filepath.Join("/run/docker/netns", name))
		}
		process(t, unix.CLONE_NEWNET)
		all, err := List()
		check(t, err)
		if len(all) < 16 {
			t.Errorf("List found %d namespaces", len(all))
		}
		for _, n := range all {
			h, err := Find(n.Name)
			if errors.Is(err, os.ErrPermission) {
				continue // of a process outside
			}
			if err != nil {
				t.Errorf("Find(%q): %v", n.Name, err)
				continue
			}
			h.Close()
			if h.id() != n.id() {
				t.Errorf("Find(%q) found %v, want %v", n.Name, h.id(), n.id())
			}
		}
	})
}

func TestMatchFindsContainers(t *testing.T) {
	s := &survey{entries: []*entry{{id: id{1, 1}}, {id: id{1, 2}}, {id: id{1, 3}}, {id: id{1, 4}}}}
	all := []Namespace{{Name: "host"}, {Name: "cni-1", Container: idA}, {Name: idB[:12], Container: idB}, {Name: "init:20", Container: "web-1"}}
	for spec, want := range map[string]int{
		idA[:12]:    1,
		idA:         1,
		idA[:11]:    -1,
		idA + "0":   -1,
		idB[:12]:    2,
		idB[:20]:    2,
		"web-1":     3,
		"web":       -1,
		"":          -1,
		"host":      0,
		"fffffffff": -1,
	} {
		if got := s.match(all, spec); got != want {
			t.Errorf("%q found %d, want %d", spec, got, want)
		}
	}
}

func TestFindRefuses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	check(t, os.WriteFile(file, nil, 0o644))
	fifo := filepath.Join(dir, "fifo")
	check(t, unix.Mkfifo(fifo, 0o644))
	tests := []struct {
		what, spec string
		want       error
		text       string
	}{
		{"a plain file", file, ErrNotNetwork, "open " + file + ": not a network namespace"},
		{"a directory", dir + "/", ErrNotNetwork, ""},
		{"a fifo, without waiting for it", fifo, ErrNotNetwork, ""},
		{"a device", "/dev/null", ErrNotNetwork, ""},
		{"a namespace of another type", "/proc/self/ns/uts", ErrNotNetwork, "open /proc/self/ns/uts: not a network namespace"},
		{"a file of procfs", "/proc/self/stat", ErrNotNetwork, ""},
		{"a path that is not there", dir + "/nothing", os.ErrNotExist, "open " + dir + "/nothing: no such file or directory"},
		{"a name that is not there", "no\x1bthing", os.ErrNotExist, `no network namespace "no\x1bthing"`},
		{"no name", "", os.ErrNotExist, `no network namespace ""`},
		{"process 0", "0", os.ErrNotExist, "no process 0"},
		{"a number that is no PID", "99999999999999999999", os.ErrNotExist, "no process 99999999999999999999"},
	}
	for _, tt := range tests {
		t.Run(tt.what, func(t *testing.T) {
			h, err := Find(tt.spec)
			if err == nil {
				h.Close()
			}
			if !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			if tt.text != "" && err.Error() != tt.text {
				t.Errorf("got %q, want %q", err, tt.text)
			}
		})
	}
}

func TestNotFoundNamesWhatThereIs(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		emptyRun(t)
		mounted(t, "/run/netns/red")
		_, err := Find("rad")
		nf, ok := errors.AsType[*NotFoundError](err)
		if !ok || nf.Spec != "rad" || !slices.Contains(nf.Known, "red") {
			t.Errorf("got %#v", err)
		}
	})
}

func TestFindAProcessThatHasEnded(t *testing.T) {
	cmd := ended(t)
	_, err := Find(strconv.Itoa(cmd))
	nf, ok := errors.AsType[*NotFoundError](err)
	if !ok || !errors.Is(err, os.ErrNotExist) || nf.Spec != strconv.Itoa(cmd) {
		t.Errorf("got %v, want a NotFoundError", err)
	}
}

func TestHandleOutlivesTheProcess(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		var h *Handle
		var ns id
		t.Run("while it lives", func(t *testing.T) {
			var pid int
			pid, ns = process(t, unix.CLONE_NEWNET)
			var err error
			h, err = Find(strconv.Itoa(pid))
			check(t, err)
		})
		defer h.Close()
		check(t, h.Do(func() error {
			got, err := statID(selfPath)
			if err == nil && got != ns {
				err = fmt.Errorf("in %v, want %v", got, ns)
			}
			return err
		}))
	})
}

func TestOpenNoticesWhatHasChanged(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		emptyRun(t)
		old := mounted(t, "/run/netns/red")
		n := seen(t, old)[0]
		check(t, unix.Unmount("/run/netns/red", 0))
		if h, err := n.Open(); !errors.Is(err, ErrNotNetwork) {
			t.Errorf("without the mount: got %v, %v", h, err)
		}
		check(t, os.Remove("/run/netns/red"))
		mounted(t, "/run/netns/red")
		err := n.Do(func() error { return nil })
		if !errors.Is(err, os.ErrNotExist) || !strings.HasPrefix(err.Error(), `network namespace "red": `) {
			t.Errorf("with another: got %v", err)
		}
	})
}

package netns

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
)

// ended returns the PID of a process that has ended.
func ended(t *testing.T) int {
	t.Helper()
	cmd := exec.Command(nstest.Program(t, "true"))
	check(t, cmd.Run())
	return cmd.Process.Pid
}

func TestDo(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		emptyRun(t)
		ns := mounted(t, "/run/netns/red")
		nstest.Sysctl(t, "net.ipv4.tcp_keepalive_time", "1111")
		h, err := Find("red")
		check(t, err)
		defer h.Close()

		failed := errors.New("as asked")
		err = h.Do(func() error {
			if got, err := statID(selfPath); got != ns || err != nil {
				t.Errorf("in %v, %v; want %v", got, err, ns)
			}
			if got := keepaliveTime(t); got != "7200" {
				t.Errorf("the sysctl of the new namespace is %s", got)
			}
			nstest.Sysctl(t, "net.ipv4.tcp_keepalive_time", "2222")
			out, err := exec.Command(nstest.Program(t, "readlink"), "/proc/self/ns/net").Output()
			if want := fmt.Sprintf("net:[%d]\n", ns.ino); string(out) != want || err != nil {
				t.Errorf("a process started in it is in %q, %v; want %q", out, err, want)
			}
			return failed
		})
		if err != failed {
			t.Errorf("got %v, want the function's error", err)
		}
		if got := keepaliveTime(t); got != "1111" {
			t.Errorf("the sysctl outside is %s, want 1111", got)
		}
		check(t, h.Do(func() error {
			if got := keepaliveTime(t); got != "2222" {
				t.Errorf("the second time it is %s, want 2222", got)
			}
			return nil
		}))
	})
}

func TestDoLeavesTheOtherThreads(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		emptyRun(t)
		mounted(t, "/run/netns/red")
		h, err := Find("red")
		check(t, err)
		defer h.Close()
		before, err := statID("/proc/self/ns/net")
		check(t, err)

		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				for range 4 {
					err := h.Do(func() error {
						if unix.Gettid() == unix.Getpid() {
							return errors.New("on the first thread of the process")
						}
						return nil
					})
					if err != nil {
						t.Error(err)
					}
					if here, err := statID(selfPath); here != before || err != nil {
						t.Errorf("after Do the goroutine is in %v, %v", here, err)
					}
				}
			})
		}
		wg.Wait()

		if after, err := statID("/proc/self/ns/net"); after != before || err != nil {
			t.Errorf("the first thread was in %v and is in %v, %v", before, after, err)
		}
		for range 100 { // a thread ends shortly after Do
			if threadsIn(t, h.id()) == 0 {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Errorf("%d threads are still in the namespace", threadsIn(t, h.id()))
	})
}

// threadsIn counts the threads of this process that are in a namespace.
func threadsIn(t *testing.T, ns id) int {
	t.Helper()
	tasks, err := os.ReadDir("/proc/self/task")
	check(t, err)
	n := 0
	for _, task := range tasks {
		if got, err := statID("/proc/self/task/" + task.Name() + "/ns/net"); err == nil && got == ns {
			n++
		}
	}
	return n
}

func TestDoInsideDo(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		emptyRun(t)
		red, blue := mounted(t, "/run/netns/red"), mounted(t, "/run/netns/blue")
		all := seen(t, red, blue)
		if len(all) != 2 {
			t.Fatalf("List found %+v", all)
		}
		in := func(want id) {
			t.Helper()
			if got, err := statID(selfPath); got != want || err != nil {
				t.Errorf("in %v, %v; want %v", got, err, want)
			}
		}
		check(t, all[1].Do(func() error {
			in(red)
			err := all[0].Do(func() error { in(blue); return nil })
			in(red)
			return err
		}))
	})
}

func TestDoReturnsWhenTheFunctionDoesNot(t *testing.T) {
	if err := onOwnThread(func() error { runtime.Goexit(); return nil }); err == nil {
		t.Error("got no error")
	}
}

func TestDoInOurOwnNeedsNoPrivilege(t *testing.T) {
	asUser(t, func(t *testing.T) {
		n, err := Current()
		check(t, err)
		thread := -1
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		check(t, n.Do(func() error { thread = unix.Gettid(); return nil }))
		if thread != unix.Gettid() {
			t.Errorf("it ran on thread %d, not on the caller's", thread)
		}
		h, err := Find(strconv.Itoa(os.Getpid()))
		check(t, err)
		defer h.Close()
		check(t, h.Do(func() error { return nil }))
	})
}

// The user owns the namespace and may look at it, but not enter it.
func TestDoWithoutPrivilege(t *testing.T) {
	asUser(t, func(t *testing.T) {
		if _, err := os.Stat("/proc/self/ns/user"); err != nil {
			nstest.Missing(t, "no user namespaces")
		}
		pid, ns := process(t, unix.CLONE_NEWUSER|unix.CLONE_NEWNET)
		got := seen(t, ns)
		if len(got) != 1 || got[0].PID != pid {
			t.Fatalf("List says %+v", got)
		}
		h, err := Find(strconv.Itoa(pid))
		check(t, err)
		defer h.Close()
		ran := false
		err = h.Do(func() error { ran = true; return nil })
		if !errors.Is(err, os.ErrPermission) || err.Error() != fmt.Sprintf(`enter network namespace "cat:%d": operation not permitted`, pid) {
			t.Errorf("got %v", err)
		}
		if ran {
			t.Error("the function ran")
		}
	})
}

func TestFindWithoutPrivilege(t *testing.T) {
	asUser(t, func(t *testing.T) {
		if _, err := statID(procPath(1)); err == nil {
			t.Skip("process 1 belongs to the user of the tests")
		}
		if h, err := Find("1"); !errors.Is(err, os.ErrPermission) {
			t.Errorf("got %v, %v; want os.ErrPermission", h, err)
		}
		if _, err := List(); err != nil {
			t.Errorf("List: %v", err)
		}
	})
}

func TestDoAfterClose(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		emptyRun(t)
		mounted(t, "/run/netns/red")
		h, err := Find("red")
		check(t, err)
		check(t, h.Close())
		if err := h.Do(func() error { return nil }); !errors.Is(err, unix.EBADF) {
			t.Errorf("got %v", err)
		}
	})
}

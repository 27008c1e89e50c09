package launch

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/keepalive"
)

// given is what the tests give to connections; as values prints it, with
// keepalive on: "1 45 5 3 10000".
func given() keepalive.Change {
	return keepalive.Change{
		Time: new(45 * time.Second), Intvl: new(5 * time.Second), Probes: new(3), UserTimeout: new(10 * time.Second),
	}
}

func newGroup(t *testing.T, change keepalive.Change, force bool) *Group {
	t.Helper()
	g, err := New(change, force)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
	})
	return g
}

func role(name string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), roleEnv+"="+name)
	return cmd
}

// output starts cmd in g, or where the test is if g is nil, and returns what it
// prints.
func output(t *testing.T, g *Group, cmd *exec.Cmd) string {
	t.Helper()
	var out, problems strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &problems
	start := cmd.Start
	if g != nil {
		start = func() error { return g.Start(cmd) }
	}
	err := start()
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil || problems.Len() > 0 {
		t.Fatalf("%s: %v\n%s", cmd.Args, err, problems.String())
	}
	return strings.TrimSuffix(out.String(), "\n")
}

func TestRootConnectionsAreGivenKeepalive(t *testing.T) {
	t.Parallel()
	nstest.RunRoot(t, func(t *testing.T) {
		nstest.Cgroup(t)
		nstest.Sysctl(t, "net.ipv4.tcp_keepalive_probes", "8")
		const (
			kernel = "0 7200 75 8 0"
			all    = "1 45 5 3 10000"
		)
		for _, row := range []struct {
			name    string
			change  keepalive.Change
			role    string
			plain   string // without a group
			grouped string
			forced  string
		}{
			{"a program that says nothing", given(), "go-off", kernel, all, all},
			{"over IPv6", given(), "go-off-ipv6", kernel, all, all},
			{"without values keepalive is on, and the rest the sysctl's", keepalive.Change{}, "go-off",
				kernel, "1 7200 75 8 0", "1 7200 75 8 0"},
			{"one value", keepalive.Change{Probes: new(4)}, "go-off",
				kernel, "1 7200 75 4 0", "1 7200 75 4 0"},
			{"a Go program sets values of its own", given(), "go",
				"1 15 15 9 0", "1 15 15 9 10000", all},
			{"force overrides what is given and nothing else", keepalive.Change{Time: new(45 * time.Second)}, "go",
				"1 15 15 9 0", "1 15 15 9 0", "1 45 15 9 0"},
			{"a program that sets values before connect and listen", given(), "before",
				"0 33 75 8 4000", "1 33 5 3 4000", all},
			{"a program that says no before connect and listen", given(), "off-before",
				kernel, "0 45 5 3 10000", all},
			{"the least values", given(), "least-before",
				"0 1 1 1 0", "1 1 1 1 0", all},
			{"the largest values", given(), "most-before",
				"0 32767 32767 127 2147483647", "1 32767 32767 127 2147483647", all},
			{"what the kernel refuses is not set by the program", given(), "refused-before",
				kernel, all, all},
			{"any int but 0 switches keepalive on", keepalive.Change{Enabled: new(false)}, "odd-before",
				"1 7200 75 8 0", "1 7200 75 8 0", "0 7200 75 8 0"},
			{"a program that sets values on connections", given(), "after",
				"0 7200 7 8 0", "0 45 7 3 10000", all},
			{"keepalive can be forced off, too", keepalive.Change{Enabled: new(false)}, "go",
				"1 15 15 9 0", "1 15 15 9 0", "0 15 15 9 0"},
		} {
			for _, mode := range []struct {
				name  string
				group *Group
				want  string
			}{
				{"plain", nil, row.plain},
				{"grouped", newGroup(t, row.change, false), row.grouped},
				{"forced", newGroup(t, row.change, true), row.forced},
			} {
				got := output(t, mode.group, role(row.role))
				if want := mode.want + "\n" + mode.want; got != want {
					t.Errorf("%s, %s: connecting and accepting side\n got %q\nwant %q", row.name, mode.name, got, want)
				}
			}
		}
	})
}

// A program sets its options on the MPTCP socket, the group on the connections
// below it.
func TestRootMPTCP(t *testing.T) {
	t.Parallel()
	nstest.RunRoot(t, func(t *testing.T) {
		nstest.Cgroup(t)
		nstest.Program(t, "ss")
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP)
		if err != nil {
			nstest.Missing(t, "needs MPTCP")
		}
		defer unix.Close(fd)
		hasTime := unix.SetsockoptInt(fd, unix.SOL_TCP, unix.TCP_KEEPIDLE, 1) == nil
		change := keepalive.Change{Time: new(166*time.Minute + 59*time.Second), UserTimeout: new(time.Hour)}
		const (
			none  = "2 ends: "
			given = "2 ends: 166min 166min"
			own   = "2 ends: 333min 333min"
			one   = "2 ends: 166min 333min" // the other end is plain TCP, and has the time
			user  = ", user timeout 3600000"
		)
		plain, forced := newGroup(t, change, false), newGroup(t, change, true)
		for _, row := range []struct {
			name, role string
			want       string
			older      string // where MPTCP has no time: before Linux 6.10 and its backports
		}{
			{"a program that says nothing", "mptcp", given, given},
			{"a program that sets a time", "mptcp-time", own, given},
			{"a program that says no", "mptcp-off", none, none},
			{"a time, and the server does not speak MPTCP", "from-mptcp-time", own + user, one + user},
			{"a time, and the client does not speak MPTCP", "to-mptcp-time", own + user, one + user},
			{"no, and the client does not speak MPTCP", "to-mptcp-off", none + user, none + user},
			{"a user timeout, which an MPTCP listener refuses", "to-mptcp-user", given + user, given + user},
		} {
			want := row.want
			if !hasTime {
				want = row.older
			}
			if got := output(t, plain, role(row.role)); got != want {
				t.Errorf("%s: got %q, want %q", row.name, got, want)
			}
			if got := output(t, forced, role(row.role)); strings.TrimSuffix(got, user) != given {
				t.Errorf("%s, forced: got %q, want %q", row.name, got, given)
			}
		}
	})
}

// The helper that finds MPTCP sockets wants CAP_PERFMON, and nothing else does.
func TestRootWithCapBPFAndCapNetAdminOnly(t *testing.T) {
	t.Parallel()
	nstest.RunRoot(t, func(t *testing.T) {
		nstest.Cgroup(t)
		runtime.LockOSThread()
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var had [2]unix.CapUserData
		if err := unix.Capget(&header, &had[0]); err != nil {
			t.Fatal(err)
		}
		has := had
		has[0].Effective = 1 << unix.CAP_NET_ADMIN
		has[1].Effective = 1 << (unix.CAP_BPF - 32)
		if err := unix.Capset(&header, &has[0]); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := unix.Capset(&header, &had[0]); err != nil {
				t.Fatal(err)
			}
			runtime.UnlockOSThread()
		})
		if got := output(t, newGroup(t, given(), false), role("before")); got != "1 33 5 3 4000\n1 33 5 3 4000" {
			t.Errorf("got %q", got)
		}
	})
}

func TestRootProgramsOfAllKinds(t *testing.T) {
	t.Parallel()
	nstest.RunRoot(t, func(t *testing.T) {
		nstest.Cgroup(t)
		const want = "1 45 5 3 10000\n1 45 5 3 10000"
		t.Run("a grandchild", func(t *testing.T) {
			cmd := role("go-off")
			cmd.Args = []string{"sh", "-c", `sh -c "$0; exit" & wait`, fmt.Sprintf("/proc/%d/exe", os.Getpid())}
			cmd.Path = nstest.Program(t, "sh")
			if got := output(t, newGroup(t, given(), false), cmd); got != want {
				t.Errorf("got %q", got)
			}
		})
		t.Run("python", func(t *testing.T) {
			cmd := exec.Command(nstest.Program(t, "python3"), "testdata/pair.py")
			if got := output(t, newGroup(t, given(), false), cmd); got != want {
				t.Errorf("got %q", got)
			}
		})
		t.Run("a static C program", func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "pair")
			out, err := exec.Command(nstest.Program(t, "gcc"), "-static", "-o", file, "testdata/pair.c").CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if got := output(t, newGroup(t, given(), false), exec.Command(file)); got != want {
				t.Errorf("got %q", got)
			}
		})
		t.Run("nc, both sides, and ss sees the timers", func(t *testing.T) {
			nc, ss := nstest.Program(t, "nc"), nstest.Program(t, "ss")
			g := newGroup(t, given(), false)
			for _, step := range []struct {
				args  []string
				wait  string
				count int
			}{
				{[]string{"-l", "127.0.0.1", "7"}, "LISTEN", 1},
				{[]string{"127.0.0.1", "7"}, "ESTAB", 2},
			} {
				cmd := exec.Command(nc, step.args...)
				stdin, err := cmd.StdinPipe() // until it is closed they stay
				if err != nil {
					t.Fatal(err)
				}
				if err := g.Start(cmd); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait(); stdin.Close() })
				for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
					out := output(t, nil, exec.Command(ss, "-tnaoH"))
					if strings.Count(out, step.wait) == step.count {
						break
					}
					if time.Now().After(deadline) {
						t.Fatalf("want %d %s:\n%s", step.count, step.wait, out)
					}
				}
			}
			out := output(t, nil, exec.Command(ss, "-tnoH"))
			if n := len(regexp.MustCompile(`timer:\(keepalive,4[345]sec,0\)`).FindAllString(out, -1)); n != 2 {
				t.Errorf("%d keepalive timers, want 2:\n%s", n, out)
			}
		})
	})
}

func TestRootNothingElseIsTouched(t *testing.T) {
	t.Parallel()
	nstest.RunRoot(t, func(t *testing.T) {
		nstest.Cgroup(t)
		for _, force := range []bool{false, true} {
			if got := output(t, newGroup(t, given(), force), role("others")); got != "fine" {
				t.Errorf("force %t: got %q", force, got)
			}
		}
	})
}

// The kernel's type information is neither needed nor looked at.
func TestRootWithoutBTF(t *testing.T) {
	t.Parallel()
	nstest.RunRoot(t, func(t *testing.T) {
		nstest.Cgroup(t)
		if err := unix.Mount("tmpfs", "/sys/kernel", "tmpfs", 0, ""); err != nil {
			t.Fatal(err)
		}
		if got := output(t, newGroup(t, given(), false), role("go-off")); got != "1 45 5 3 10000\n1 45 5 3 10000" {
			t.Errorf("got %q", got)
		}
	})
}

func TestRootGroupsAreRemoved(t *testing.T) {
	t.Parallel()
	nstest.RunRoot(t, func(t *testing.T) {
		own := nstest.Cgroup(t)
		list := func() string {
			entries, err := os.ReadDir(own)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, e := range entries {
				if e.IsDir() {
					names = append(names, e.Name())
				}
			}
			return strings.Join(names, " ")
		}
		g := newGroup(t, given(), false)
		if got := list(); got != filepath.Base(g.dir.Name()) {
			t.Fatalf("there is %q, want %q", got, g.dir.Name())
		}
		if err := g.Close(); err != nil || list() != "" {
			t.Fatalf("after Close: %v, there is %q", err, list())
		}

		t.Run("one in which something runs stays, and is removed later", func(t *testing.T) {
			g := newGroup(t, given(), true)
			cmd := exec.Command("sleep", "60")
			if err := g.Start(cmd); err != nil {
				t.Fatal(err)
			}
			if err := g.Close(); err != nil {
				t.Error(err)
			}
			newGroup(t, given(), false).Close()
			if got := list(); got != filepath.Base(g.dir.Name()) {
				t.Errorf("while it runs there is %q, want %q", got, g.dir.Name())
			}
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			cmd.Wait()
			newGroup(t, given(), false).Close()
			if got := list(); got != "" {
				t.Errorf("afterwards there is %q", got)
			}
		})
		t.Run("one whose maker was killed", func(t *testing.T) {
			err := role("crash").Run()
			if e, ok := errors.AsType[*exec.ExitError](err); !ok || e.ExitCode() != -1 {
				t.Fatal(err)
			}
			if list() == "" {
				t.Fatal("it has left nothing")
			}
			newGroup(t, given(), false).Close()
			if got := list(); got != "" {
				t.Errorf("afterwards there is %q", got)
			}
		})
		t.Run("one whose maker was killed in another group", func(t *testing.T) {
			g := newGroup(t, given(), false)
			cmd := role("crash")
			if err := g.Start(cmd); err != nil {
				t.Fatal(err)
			}
			cmd.Wait()
			if err := g.Close(); err != nil || list() != "" {
				t.Errorf("after Close: %v, there is %q", err, list())
			}
		})
		t.Run("but nobody else's", func(t *testing.T) {
			for _, name := range []string{"tcpka-run-", "tcpka-run-0123456", "tcpka-run-0123456g", "tcpka-run-01234567x", "other"} {
				if err := os.Mkdir(filepath.Join(own, name), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			before := list()
			used := newGroup(t, given(), false)
			newGroup(t, given(), false).Close()
			if got := list(); !strings.Contains(got, filepath.Base(used.dir.Name())) {
				t.Errorf("%s is in use and was removed", used.dir.Name())
			}
			used.Close()
			if got := list(); got != before {
				t.Errorf("there was %s\n   now is %s", before, got)
			}
		})
	})
}

func TestRootManyAtOnce(t *testing.T) {
	t.Parallel()
	nstest.RunRoot(t, func(t *testing.T) {
		own := nstest.Cgroup(t)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 8 {
					g, err := New(given(), true)
					if err != nil {
						t.Error(err)
						return
					}
					if err := errors.Join(runIn(g, "true"), g.Close()); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if left, _ := filepath.Glob(own + "/tcpka-*"); len(left) > 0 {
			t.Errorf("left: %s", left)
		}
	})
}

func runIn(g *Group, name string) error {
	cmd := exec.Command(name)
	if err := g.Start(cmd); err != nil {
		return err
	}
	return cmd.Wait()
}

func TestValuesOutOfRangeAreRefused(t *testing.T) {
	_, err := New(keepalive.Change{Time: new(40000 * time.Second)}, false)
	if _, ok := errors.AsType[*keepalive.RangeError](err); !ok {
		t.Errorf("got %v", err)
	}
}

func TestWithoutPrivilege(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		_, err := New(keepalive.Change{}, false)
		if !errors.Is(err, os.ErrPermission) || err.Error() != "load the BPF programs: operation not permitted" {
			t.Errorf("got %v", err)
		}
	})
}

func TestWithoutCgroups(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		if err := unix.Mount("tmpfs", "/sys", "tmpfs", 0, ""); err != nil {
			t.Fatal(err)
		}
		if _, err := New(keepalive.Change{}, false); !errors.Is(err, ErrNoCgroup) && !errors.Is(err, os.ErrNotExist) {
			t.Errorf("got %v", err)
		}
	})
}

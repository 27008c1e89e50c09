package procfs

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/internal/rootfs"
	"github.com/tcpka/tcpka/keepalive"
)

// content returns the keepalive files of an image, as they lie there.
func content(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for name := range three("", "", "") {
		data, err := os.ReadFile(filepath.Join(dir, name))
		check(t, err)
		files[name] = string(data)
	}
	return files
}

func TestSetImage(t *testing.T) {
	tests := []struct {
		name   string
		change keepalive.Change
		want   map[string]string
	}{
		{"nothing", keepalive.Change{}, three("7200\n", "75\n", "9\n")},
		{"a shorter number leaves no end of the longer one", keepalive.Change{Time: new(600 * time.Second)}, three("600\n", "75\n", "9\n")},
		{"a longer number", keepalive.Change{Probes: new(100)}, three("7200\n", "75\n", "100\n")},
		{
			"all three",
			keepalive.Change{Time: new(60 * time.Second), Intvl: new(5 * time.Second), Probes: new(3)},
			three("60\n", "5\n", "3\n"),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fs, dir := image(t, three("7200\n", "75\n", "9\n"))
			if err := fs.Set(tt.change); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, content(t, dir)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestSetFollowsLinksInsideTheImageOnly(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "outside")
	write("7200\n")(t, outside)
	files := three("7200\n", "75\n", "->"+outside)
	files["elsewhere/time"] = "7200\n"
	files[ipv4+"tcp_keepalive_time"] = "->/elsewhere/time"
	fs, dir := image(t, files)

	if err := fs.Put(Value{KeyTime, 600}); err != nil {
		t.Error(err)
	}
	if got, _ := os.ReadFile(filepath.Join(dir, "elsewhere/time")); string(got) != "600\n" {
		t.Errorf("the file the link leads to holds %q, want 600", got)
	}
	if err := fs.Put(Value{KeyProbes, 5}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("through a link that leads out: got %v, want os.ErrNotExist", err)
	}
	if got, _ := os.ReadFile(outside); string(got) != "7200\n" {
		t.Errorf("the file outside holds %q", got)
	}
}

func TestSetRefuses(t *testing.T) {
	unchanged := three("7200\n", "75\n", "9\n")
	tests := []struct {
		name string
		put  func(fs FS) error
		want string
	}{
		{
			"a user timeout",
			func(fs FS) error {
				return fs.Set(keepalive.Change{Time: new(time.Minute), UserTimeout: new(time.Second)})
			},
			"set user timeout: no sysctl sets it, only a socket option",
		},
		{
			"another sysctl, before anything is written",
			func(fs FS) error { return fs.Put(Value{KeyTime, 600}, Value{"net.ipv4.tcp_retries2", 3}) },
			`set "net.ipv4.tcp_retries2": not a keepalive sysctl`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fs, dir := image(t, unchanged)
			if err := tt.put(fs); errText(err) != tt.want {
				t.Errorf("got error %v, want %q", err, tt.want)
			}
			if diff := cmp.Diff(unchanged, content(t, dir)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestSetCreatesNothing(t *testing.T) {
	root, err := rootfs.Open(t.TempDir())
	check(t, err)
	dir := root.Path("/proc/sys/net/ipv4")
	check(t, os.MkdirAll(dir, 0o755))
	if err := New(root).Put(Value{KeyTime, 600}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want os.ErrNotExist", err)
	}
	if err := New(root).write(Value{KeyTime, 600}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("write: got %v, want os.ErrNotExist", err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Errorf("%s was made", entries[0].Name())
	}
}

// The ranges of the kernel: net/ipv4/sysctl_net_ipv4.c, ipv4_net_table.
func TestPutReachesTheKernel(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		hz, err := HZ()
		if err != nil {
			t.Fatal(err)
		}
		most := math.MaxInt32 / hz
		tests := []struct {
			name string
			put  Value
			want error
		}{
			{"a time", Value{KeyTime, 600}, nil},
			{"an intvl", Value{KeyIntvl, 30}, nil},
			{"a number of probes", Value{KeyProbes, 4}, nil},
			{"as much as an int of ticks holds", Value{KeyTime, most}, nil},
			{"one second more than that", Value{KeyTime, most + 1}, unix.EINVAL},
			{"one second more than that, as intvl", Value{KeyIntvl, most + 1}, unix.EINVAL},
			{"as little as an int of ticks holds", Value{KeyTime, -most}, nil},
			{"one second less than that", Value{KeyTime, -most - 1}, unix.EINVAL},
			{"the largest C int", Value{KeyTime, math.MaxInt32}, unix.EINVAL},
			{"a time below 0", Value{KeyTime, -1}, nil},
			{"no time", Value{KeyTime, 0}, nil},
			{"no probes", Value{KeyProbes, 0}, nil},
			{"255 probes", Value{KeyProbes, keepalive.MaxSysctlProbes}, nil},
			{"256 probes", Value{KeyProbes, keepalive.MaxSysctlProbes + 1}, unix.EINVAL},
			{"probes below 0", Value{KeyProbes, -1}, unix.EINVAL},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				fs := FS{}
				before, err := fs.Get(tt.put.Key)
				check(t, err)
				want := tt.put.N
				if tt.want != nil {
					want = before
				}
				if err := fs.Put(tt.put); !errors.Is(err, tt.want) {
					t.Errorf("got error %v, want %v", err, tt.want)
				}
				if got, err := fs.Get(tt.put.Key); got != want || err != nil {
					t.Errorf("it holds %d, %v; want %d", got, err, want)
				}
			})
		}
	})
}

func TestPutWritesDecimal(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		nstest.Sysctl(t, KeyTime, "0600")
		if got, err := (FS{}).Get(KeyTime); got != 384 || err != nil {
			t.Errorf("after writing the text 0600: %d, %v; want the octal number 384", got, err)
		}
		if err := (FS{}).Put(Value{KeyTime, 600}); err != nil {
			t.Fatal(err)
		}
		if got, err := (FS{}).Get(KeyTime); got != 600 || err != nil {
			t.Errorf("after Put of 600: %d, %v", got, err)
		}
	})
}

func TestSetIsAllOrNothing(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		fs := FS{}
		err := fs.Set(keepalive.Change{Time: new(time.Minute), Intvl: new(time.Second), Probes: new(256)})
		if !errors.Is(err, unix.EINVAL) || errText(err) != "set tcp_keepalive_probes: invalid argument" {
			t.Errorf("256 probes: got %v", err)
		}
		got, err := fs.Keepalive()
		check(t, err)
		if diff := cmp.Diff(keepalive.Defaults(), got); diff != "" {
			t.Errorf("not restored, -want +got:\n%s", diff)
		}
	})
}

func TestSetOnAReadOnlyProcSys(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		check(t, unix.Mount("/proc/sys", "/proc/sys", "", unix.MS_BIND|unix.MS_REC, ""))
		if err := unix.Mount("", "/proc/sys", "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
			nstest.Missing(t, fmt.Sprintf("a read-only /proc/sys: %v", err))
		}
		err := FS{}.Put(Value{KeyTime, 600})
		if !errors.Is(err, unix.EROFS) || errText(err) != "set tcp_keepalive_time: read-only file system" {
			t.Errorf("got %v", err)
		}
	})
}

func TestPutWithoutPrivilege(t *testing.T) {
	if os.Geteuid() != 0 {
		testPutWithoutPrivilege(t)
		return
	}
	nstest.RunRoot(t, func(t *testing.T) {
		const nobody = 65534
		runtime.LockOSThread() // never unlocked: the thread ends with the test
		// Without the wrapper the system call changes this thread only. The
		// capabilities go with the user.
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, nobody, nobody, nobody); errno != 0 {
			t.Fatal(errno)
		}
		testPutWithoutPrivilege(t)
	})
}

// It writes the value that is there already, should it be allowed after all.
func testPutWithoutPrivilege(t *testing.T) {
	fs := FS{}
	n, err := fs.Get(KeyTime)
	check(t, err)
	err = fs.Put(Value{KeyTime, n})
	if !errors.Is(err, os.ErrPermission) || errText(err) != "set tcp_keepalive_time: permission denied" {
		t.Errorf("got %v", err)
	}
}

// stubborn puts another kernel file in the place of tcp_keepalive_time, one that
// holds 100 and takes 0 for another number: the timer slack of proc(5).
func stubborn(t *testing.T) FS {
	const path = "/proc/sys/net/ipv4/tcp_keepalive_time"
	check(t, unix.Mount("/proc/self/timerslack_ns", path, "", unix.MS_BIND, ""))
	t.Cleanup(func() { unix.Unmount(path, unix.MNT_DETACH) })
	fs := FS{}
	check(t, fs.Put(Value{KeyTime, 100}))
	return fs
}

func TestPutReadsBack(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		fs := stubborn(t)
		err := fs.Put(Value{KeyIntvl, 5}, Value{KeyTime, 0})
		got, ok := errors.AsType[*ReadBackError](err)
		if !ok || got.Key != KeyTime || got.Wrote != 0 || got.Got == 0 {
			t.Fatalf("got %v, want a ReadBackError", err)
		}
		if want := fmt.Sprintf("set tcp_keepalive_time: wrote 0, but it holds %d", got.Got); err.Error() != want {
			t.Errorf("got %q, want %q", err, want)
		}
		if n, err := fs.Get(KeyTime); n != 100 || err != nil {
			t.Errorf("time is %d, %v; want 100 again", n, err)
		}
		if n, err := fs.Get(KeyIntvl); n != 75 || err != nil {
			t.Errorf("intvl, written before, is %d, %v; want 75 again", n, err)
		}
	})
}

func TestRestoreGoesOnPastWhatItCannotRestore(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		fs := stubborn(t)
		err := fs.restore([]Value{{KeyIntvl, 5}, {KeyTime, 0}})
		if !strings.HasPrefix(errText(err), "restore tcp_keepalive_time: wrote 0, but it holds ") {
			t.Errorf("got %v", err)
		}
		if n, err := fs.Get(KeyIntvl); n != 5 || err != nil {
			t.Errorf("intvl is %d, %v; want 5", n, err)
		}
	})
}

func TestPutNamesTheFileInAnImage(t *testing.T) {
	fs, dir := image(t, three("7200\n", "garbage\n", "9\n"))
	err := fs.Put(Value{KeyTime, 600}, Value{KeyIntvl, 30})
	want := "set tcp_keepalive_intvl: read " + filepath.Join(dir, ipv4, "tcp_keepalive_intvl") + `: "garbage": not a whole number`
	if errText(err) != want {
		t.Errorf("got %q, want %q", err, want)
	}
	if got := content(t, dir)[ipv4+"tcp_keepalive_time"]; !strings.HasPrefix(got, "7200") {
		t.Errorf("tcp_keepalive_time is %q: written although what could not be restored came after it", got)
	}
}

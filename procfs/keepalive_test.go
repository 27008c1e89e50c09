package procfs

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/internal/rootfs"
	"github.com/tcpka/tcpka/keepalive"
)

func TestKeepalive(t *testing.T) {
	want := keepalive.Settings{Time: 600 * time.Second, Intvl: 30 * time.Second, Probes: 4}
	elsewhere := map[string]string{
		"elsewhere/net/ipv4/tcp_keepalive_time":   "600\n",
		"elsewhere/net/ipv4/tcp_keepalive_intvl":  "30\n",
		"elsewhere/net/ipv4/tcp_keepalive_probes": "4\n",
	}
	with := func(files map[string]string, name, content string) map[string]string {
		files = maps.Clone(files)
		files[name] = content
		return files
	}
	tests := []struct {
		name  string
		files map[string]string
		want  keepalive.Settings
	}{
		{name: "an image with the three", files: three("600\n", "30\n", "4\n"), want: want},
		{name: "values that do harm are shown", files: three("-1\n", "0\n", "0\n"), want: keepalive.Settings{Time: -time.Second}},
		{name: "a relative link", files: with(elsewhere, "proc/sys", "->../elsewhere"), want: want},
		{name: "an absolute link stays in the image", files: with(elsewhere, "proc/sys", "->/elsewhere"), want: want},
		{name: "a link that climbs too far stays in the image", files: with(elsewhere, "proc/sys", "->../../../../../../elsewhere"), want: want},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fs, _ := image(t, tt.files)
			got, err := fs.Keepalive()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestKeepaliveNamesTheFileItCannotRead(t *testing.T) {
	const probes = ipv4 + "tcp_keepalive_probes"
	path := func(dir string) string { return filepath.Join(dir, probes) }
	tests := []struct {
		name  string
		spoil func(t *testing.T, path string)
		want  string // after the path
	}{
		{"missing", func(*testing.T, string) {}, ": no such file or directory"},
		{"empty", write(""), ": empty"},
		{"garbled", write("garb\x00"), `: "garb\x00": not a whole number`},
		{"a directory", func(t *testing.T, p string) { check(t, os.Mkdir(p, 0o755)) }, ": not a regular file"},
		{"a fifo", func(t *testing.T, p string) { check(t, unix.Mkfifo(p, 0o644)) }, ": not a regular file"},
		{"a link to a file outside", func(t *testing.T, p string) {
			outside := filepath.Join(t.TempDir(), "outside")
			write("9\n")(t, outside)
			check(t, os.Symlink(outside, p))
		}, ": no such file or directory"},
		{"a link to itself", func(t *testing.T, p string) { check(t, os.Symlink(p, p)) }, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			files := three("600\n", "30\n", "")
			delete(files, probes)
			fs, dir := image(t, files)
			tt.spoil(t, path(dir))
			got, err := fs.Keepalive()
			if err == nil {
				t.Fatalf("got %v, want an error", got)
			}
			if want := path(dir) + tt.want; !strings.Contains(err.Error(), want) {
				t.Errorf("got %q, want it to contain %q", err, want)
			}
		})
	}
}

func write(content string) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		check(t, os.WriteFile(path, []byte(content), 0o644))
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestKeepaliveOfANewNamespace(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		got, err := FS{}.Keepalive()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(keepalive.Defaults(), got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

func TestGetReadsNothingElse(t *testing.T) {
	for _, key := range []string{"net.ipv4.tcp_retries2", "", "tcp_keepalive_time", "net.ipv4.tcp_keepalive_time/../tcp_retries2", "\x1b[31m"} {
		if n, err := (FS{}).Get(key); err == nil {
			t.Errorf("Get(%q) = %d, want an error", key, n)
		} else if strings.Contains(err.Error(), "\x1b") {
			t.Errorf("Get(%q): the error is not safe to print", key)
		}
	}
	fs, _ := image(t, three("600", "30", "4"))
	if _, err := fs.Get(KeyTime); err != nil {
		t.Error(err)
	}
}

func TestMissingKeyIsErrNotExist(t *testing.T) {
	root, err := rootfs.Open(t.TempDir())
	check(t, err)
	if _, err := New(root).Keepalive(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want os.ErrNotExist", err)
	}
}

func TestValues(t *testing.T) {
	tests := []struct {
		name   string
		change keepalive.Change
		want   []Value
		err    string
	}{
		{name: "nothing", change: keepalive.Change{}},
		{
			name:   "all three, in their order",
			change: keepalive.Change{Probes: new(4), Intvl: new(30 * time.Second), Time: new(10 * time.Minute)},
			want:   []Value{{KeyTime, 600}, {KeyIntvl, 30}, {KeyProbes, 4}},
		},
		{
			name:   "ranges are left to others",
			change: keepalive.Change{Time: new(-time.Second), Probes: new(0)},
			want:   []Value{{KeyTime, -1}, {KeyProbes, 0}},
		},
		{
			name:   "a fraction of a second",
			change: keepalive.Change{Probes: new(4), Intvl: new(1500 * time.Millisecond)},
			err:    "net.ipv4.tcp_keepalive_intvl 1.5s: the kernel keeps whole seconds",
		},
		{
			name:   "a user timeout",
			change: keepalive.Change{Time: new(time.Minute), UserTimeout: new(time.Duration)},
			err:    "user timeout: no sysctl sets it, only a socket option",
		},
		{
			name:   "on or off",
			change: keepalive.Change{Enabled: new(bool)},
			err:    "keepalive on or off: no sysctl sets it, only a socket option",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Values(tt.change)
			if errText(err) != tt.err {
				t.Errorf("got error %v, want %q", err, tt.err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

package middlebox

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/internal/rootfs"
)

// image is a root whose conntrack sysctl holds text; none is no file.
func image(t *testing.T, text string) rootfs.FS {
	t.Helper()
	dir := t.TempDir()
	if text != "none" {
		file := filepath.Join(dir, "proc/sys/net/netfilter/nf_conntrack_tcp_timeout_established")
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	root, err := rootfs.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func TestLocalOfAnImage(t *testing.T) {
	want := []Limit{{Box: "conntrack", Key: conntrackKey, Idle: 5 * 24 * time.Hour}}
	if diff := cmp.Diff(want, Local(image(t, "432000\n"))); diff != "" {
		t.Errorf("conntrack at its default (-want +got):\n%s", diff)
	}
	if got := Local(image(t, "none")); len(got) != 0 {
		t.Errorf("no conntrack: got %v, want nothing", got)
	}
	for _, text := range []string{"", "x", "-1", "432000 x", "99999999999"} {
		got := Local(image(t, text))
		if len(got) != 1 || got[0].Err == nil || got[0].Idle != 0 {
			t.Errorf("%q: got %v, want an error", text, got)
		}
	}
}

func TestLocalFollowsTheNamespace(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		if _, err := os.Stat("/proc/sys/" + strings.ReplaceAll(conntrackKey, ".", "/")); err != nil {
			nstest.Missing(t, "this kernel has no conntrack")
		}
		nstest.Sysctl(t, conntrackKey, "77")
		var got *Limit
		for _, l := range Local(rootfs.FS{}) {
			if l.Box == "conntrack" {
				got = &l
			}
		}
		if want := (Limit{Box: "conntrack", Key: conntrackKey, Idle: 77 * time.Second}); got == nil || *got != want {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

// Without IPVS the kernel does not know the option; with it, an ordinary user
// may not ask, and root gets a number.
func TestIPVS(t *testing.T) {
	l := ipvs()
	switch {
	case errors.Is(l.Err, unix.ENOPROTOOPT), errors.Is(l.Err, os.ErrPermission):
	case l.Err != nil:
		t.Error(l.Err)
	case l.Idle < time.Second || l.Idle > 366*24*time.Hour:
		t.Errorf("got %v for established connections", l.Idle)
	}
}

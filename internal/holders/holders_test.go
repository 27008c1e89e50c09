package holders

import (
	"os"
	"reflect"
	"testing"

	"golang.org/x/sys/unix"
)

func TestTheFilesOfARing(t *testing.T) {
	const head = "pos:\t0\nflags:\t02\nSqMask:\t0x3\n"
	for _, row := range []struct {
		name, info string
		want       []uint32
	}{
		{"none", head, nil},
		{"sockets among others", head + "UserFiles:\t3\n    0: socket:[5482194]\n    1: /dev/null\n    2: <none>\n   13: socket:[7]\nUserBufs:\t1\n    0: socket:[8]\n", []uint32{5482194, 7}},
		{"by protocol, as older kernels have it", head + "UserFiles:\t1\n    0: TCP\n", nil},
		{"a name before the files", "    0: socket:[9]\n" + head, nil},
	} {
		if got := parseRing([]byte(row.info)); !reflect.DeepEqual(got, row.want) {
			t.Errorf("%s: %v, want %v", row.name, got, row.want)
		}
	}
}

func FuzzRing(f *testing.F) {
	f.Add([]byte("UserFiles:\t1\n    0: socket:[5482194]\nUserBufs:\t0\n"))
	f.Fuzz(func(t *testing.T, info []byte) { parseRing(info) })
}

func TestSocketLinks(t *testing.T) {
	for in, want := range map[string]uint32{"socket:[1]": 1, "socket:[4294967295]": 1<<32 - 1} {
		if got, ok := parseSocketLink([]byte(in)); !ok || got != want {
			t.Errorf("%s: %d, %v", in, got, ok)
		}
	}
	for _, in := range []string{"", "socket:[]", "socket:[1", "socket:1]", "socket:[4294967296]", "socket:[-1]", "pipe:[1]", "/tmp/socket:[1]", "socket:[1] (deleted)"} {
		if got, ok := parseSocketLink([]byte(in)); ok {
			t.Errorf("%s: %d", in, got)
		}
	}
}

func FuzzDirents(f *testing.F) {
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		f.Fatal(err)
	}
	defer dir.Close()
	b := make([]byte, 4096)
	n, err := unix.Getdents(int(dir.Fd()), b)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b[:n])
	f.Fuzz(func(t *testing.T, b []byte) {
		for rest := b; ; {
			name, next := nextDirent(rest)
			if name == nil {
				return
			}
			if name[len(name)-1] != 0 || len(next) >= len(rest) {
				t.Fatalf("%q, and %d of %d bytes left", name, len(next), len(rest))
			}
			parseDigits(name[:len(name)-1])
			rest = next
		}
	})
}

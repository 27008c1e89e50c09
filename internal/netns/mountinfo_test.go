package netns

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestParseMountinfo(t *testing.T) {
	compare := cmp.AllowUnexported(mount{}, id{})
	tests := []struct {
		name string
		data string
		want []mount
	}{
		{
			name: "among others, with and without optional fields",
			data: "22 27 0:21 / /proc rw,relatime - proc proc rw\n" +
				"36 35 0:4 net:[4026532512] /run/netns/blue rw shared:1 - nsfs nsfs rw\n" +
				"37 35 0:4 net:[4026532513] /run/docker/netns/1a2b3c rw - nsfs nsfs rw",
			want: []mount{{id{4, 4026532512}, "/run/netns/blue"}, {id{4, 4026532513}, "/run/docker/netns/1a2b3c"}},
		},
		{
			name: "white space and a backslash in the name",
			data: `36 35 0:4 net:[7] /run/netns/a\040b\011c\012d\134040 rw - nsfs nsfs rw` + "\n",
			want: []mount{{id{4, 7}, "/run/netns/a b\tc\nd\\040"}},
		},
		{
			name: "a backslash that escapes nothing",
			data: `36 35 0:4 net:[7] /run/netns/a\9\04 rw - nsfs nsfs rw` + "\n",
			want: []mount{{id{4, 7}, `/run/netns/a\9\04`}},
		},
		{
			name: "a device with large numbers",
			data: "36 35 259:1048575 net:[7] /x rw - nsfs nsfs rw\n",
			want: []mount{{id{unix.Mkdev(259, 1048575), 7}, "/x"}},
		},
		{name: "a namespace of another type", data: "36 35 0:4 mnt:[4026532512] /run/snapd/ns/x.mnt rw - nsfs nsfs rw\n"},
		{name: "a mount on a deleted file", data: `36 35 0:4 net:[7] /run/netns/gone//deleted rw - nsfs nsfs rw` + "\n"},
		{name: "a directory of that name is no nsfs", data: "36 35 0:9 net:[7] /nsfs rw - tmpfs nsfs rw\n"},
		{name: "empty"},
		{name: "cut off", data: "36 35 0:4 net:[4026532512 - nsfs "},
		{name: "no numbers", data: "36 35 a:b net:[c] /run/netns/blue rw - nsfs nsfs rw\n"},
		{name: "binary", data: "\x00\xff - nsfs \x00\n - nsfs \n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, parseMountinfo([]byte(tt.data)), compare); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func FuzzParseMountinfo(f *testing.F) {
	for _, seed := range []string{
		"22 27 0:21 / /proc rw,relatime - proc proc rw\n36 35 0:4 net:[4026532512] /run/netns/blue rw shared:1 - nsfs nsfs rw\n",
		`36 35 0:4 net:[7] /run/netns/a\040b\011c\012d\134040 rw - nsfs nsfs rw`,
		`36 35 0:4 net:[7] /run/netns/a\0 rw - nsfs nsfs rw`,
		"36 35 0: net:[] / rw - nsfs nsfs rw",
		" - nsfs \n\x00 - nsfs ",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, m := range parseMountinfo(data) {
			if !strings.HasPrefix(m.point, "/") || strings.HasSuffix(m.point, "//deleted") {
				t.Fatalf("the mount point %q", m.point)
			}
		}
	})
}

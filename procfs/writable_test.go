package procfs

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
)

func TestWritableSaysWhatPutWouldMeet(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		var fs FS
		if err := fs.Writable(Value{KeyTime, 600}, Value{KeyProbes, 3}); err != nil {
			t.Errorf("root of its own namespace: %v", err)
		}
		if err := fs.Writable(Value{"net.ipv4.tcp_keepalive_tome", 600}); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("a misspelt key: %v", err)
		}
		before, _ := fs.Get(KeyTime)
		if err := unix.Mount("/proc/sys", "/proc/sys", "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount("", "/proc/sys", "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""); err != nil {
			t.Fatal(err)
		}
		if err := fs.Writable(Value{KeyTime, 600}); !errors.Is(err, unix.EROFS) {
			t.Errorf("a read-only /proc/sys: %v", err)
		}
		if after, err := fs.Get(KeyTime); after != before || err != nil {
			t.Errorf("time is %d (%v), was %d", after, err, before)
		}
	})
}

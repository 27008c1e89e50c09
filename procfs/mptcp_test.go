package procfs

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/tcpka/tcpka/internal/nstest"
)

func TestMPTCPCloseTimeout(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		if _, err := (FS{}).MPTCPCloseTimeout(); errors.Is(err, os.ErrNotExist) {
			nstest.Missing(t, "the kernel has no net.mptcp.close_timeout")
		}
		nstest.Sysctl(t, "net.mptcp.close_timeout", "7")
		got, err := FS{}.MPTCPCloseTimeout()
		check(t, err)
		if got != 7*time.Second {
			t.Errorf("%v, want 7 s", got)
		}
	})
}

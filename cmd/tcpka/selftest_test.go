//go:build linux

package main

import (
	"bytes"
	"os"
	"testing"

	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/internal/nstest"
)

// A setting that forbids namespaces is named. This one is the user namespace's.
func TestSelftestNamesTheSettingThatForbidsIt(t *testing.T) {
	nstest.Parallel(t)
	nstest.Run(t, func(t *testing.T) {
		const setting = "/proc/sys/user/max_net_namespaces"
		if err := os.WriteFile(setting, []byte("0"), 0); err != nil {
			t.Fatal(err)
		}
		var stdout, stderr bytes.Buffer
		status := execute([]string{"selftest"}, nil, &stdout, &stderr)
		want := `tcpka: error: make a private network namespace: unshare the network namespace: no space left on device
tcpka: hint: user.max_net_namespaces = 0 forbids namespaces here: run it outside
`
		if status != cmdline.StatusFailed || stdout.Len() > 0 || stderr.String() != want {
			t.Errorf("status %d, stdout %q, stderr:\n%swant:\n%s", status, &stdout, &stderr, want)
		}
	})
}

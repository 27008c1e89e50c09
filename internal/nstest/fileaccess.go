package nstest

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// LoseFileAccess takes from root, until the test ends, the power to read and
// write what file modes forbid to its owner. Nothing changes for others, who
// never had it. It holds for the goroutine that calls it; call it last before
// what is tested, because what the test has to clean up is cleaned up with the
// power back. See capabilities(7), CAP_DAC_OVERRIDE.
func LoseFileAccess(t testing.TB) {
	t.Helper()
	const powers = 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_DAC_READ_SEARCH
	runtime.LockOSThread()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var had [2]unix.CapUserData
	if err := unix.Capget(&header, &had[0]); err != nil {
		t.Fatal(err)
	}
	without := had
	without[0].Effective &^= powers
	if err := unix.Capset(&header, &without[0]); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Capset(&header, &had[0]); err != nil {
			t.Fatal(err)
		}
		runtime.UnlockOSThread()
	})
}

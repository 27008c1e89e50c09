package procfs

import (
	"slices"
	"testing"
)

func TestPerSecond(t *testing.T) {
	for _, tt := range []struct {
		tick int64
		want int
	}{{10_000_000, 100}, {4_000_000, 250}, {3_333_333, 300}, {1_000_000, 1000}, {976_563, 1024}, {0, 0}, {-1, 0}} {
		if got := perSecond(tt.tick); got != tt.want {
			t.Errorf("a tick of %d ns: %d a second, want %d", tt.tick, got, tt.want)
		}
	}
}

// That this is the kernel's HZ and no other number, TestPutReachesTheKernel
// proves: it writes the largest time that HZ allows, and one second more.
func TestHZ(t *testing.T) {
	hz, err := HZ()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains([]int{100, 250, 300, 1000, 1024}, hz) {
		t.Errorf("HZ is %d", hz)
	}
}

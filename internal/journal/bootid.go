package journal

import (
	"fmt"
	"os"
	"strings"
)

// BootID returns the random name of the present boot of this machine, the same
// in every namespace. See random(4), /proc/sys/kernel/random/boot_id.
func BootID() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("boot id: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

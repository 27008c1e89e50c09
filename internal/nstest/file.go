package nstest

import (
	"os"
	"testing"
	"time"
)

// ClockTick waits for the clock of files, which goes on with CONFIG_HZ.
func ClockTick() { time.Sleep(30 * time.Millisecond) }

func WriteFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

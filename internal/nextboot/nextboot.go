// Package nextboot is what the files in sysctl.d leave in force at the next boot.
package nextboot

import (
	"strconv"
	"strings"
	"time"

	"github.com/tcpka/tcpka/internal/sysctld"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/procfs"
)

// Keys are the three settings, in the order they are shown.
func Keys() []string { return []string{procfs.KeyTime, procfs.KeyIntvl, procfs.KeyProbes} }

// At is what a reader leaves in force, on the kernel's defaults, and the
// assignments that decide it: of each key the last that the kernel accepts.
func At(files *sysctld.Files, reader sysctld.Reader, hz int) (keepalive.Settings, map[string]sysctld.Assignment) {
	s, deciding := keepalive.Defaults(), map[string]sysctld.Assignment{}
	for _, key := range Keys() {
		for _, w := range files.Writes(reader, key) {
			n, ok := Takes(key, w.Value, hz)
			if !ok {
				continue
			}
			deciding[key] = w
			switch key {
			case procfs.KeyTime:
				s.Time = time.Duration(n) * time.Second
			case procfs.KeyIntvl:
				s.Intvl = time.Duration(n) * time.Second
			case procfs.KeyProbes:
				s.Probes = n
			}
		}
	}
	return s, deciding
}

// Numbers are settings as the sysctls hold them.
func Numbers(s keepalive.Settings) map[string]int {
	return map[string]int{
		procfs.KeyTime:   int(s.Time / time.Second),
		procfs.KeyIntvl:  int(s.Intvl / time.Second),
		procfs.KeyProbes: s.Probes,
	}
}

// Takes is the number that the kernel makes of a text written to a
// sysctl: its first word, decimal, octal after a 0, or hexadecimal after 0x. ok
// is false for what it refuses. Source: kernel/sysctl.c, proc_get_long.
func Takes(key, text string, hz int) (n int, ok bool) {
	word, _, _ := strings.Cut(strings.TrimSpace(text), " ")
	word, _, _ = strings.Cut(word, "\t")
	digits, negative := strings.CutPrefix(strings.ToLower(word), "-")
	if strings.HasPrefix(digits, "0b") || strings.HasPrefix(digits, "0o") || strings.ContainsAny(digits, "_+-") {
		return 0, false // Go's own ways to write a number
	}
	if negative && key == procfs.KeyProbes { // an unsigned byte, not even -0
		return 0, false
	}
	v, err := strconv.ParseInt(word, 0, 32)
	if err != nil {
		return 0, false
	}
	n = int(v)
	ch := keepalive.Change{Time: new(time.Duration(n) * time.Second)}
	if key == procfs.KeyProbes {
		ch = keepalive.Change{Probes: &n}
	}
	return n, keepalive.Kernel(hz).Check(ch) == nil
}

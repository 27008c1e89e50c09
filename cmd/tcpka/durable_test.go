//go:build linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tcpka/tcpka/internal/nstest"
)

// TestTheRecordIsOnDiskBeforeTheChange looks at the order of the system calls: a
// machine that loses its power must come up with the old value, or with a record
// of the new one.
func TestTheRecordIsOnDiskBeforeTheChange(t *testing.T) {
	strace := nstest.Program(t, "strace")
	dir := t.TempDir()
	sysctls := filepath.Join(dir, "proc/sys/net/ipv4")
	if err := os.MkdirAll(sysctls, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"time": "7200\n", "intvl": "75\n", "probes": "9\n"} {
		if err := os.WriteFile(filepath.Join(sysctls, "tcp_keepalive_"+name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	tcpka, err := exec.LookPath("tcpka")
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(t.TempDir(), "log")
	out, err := exec.Command(strace, "-f", "-y", "-s", "256", "-o", log, "-e", "trace=write,fsync,renameat,renameat2",
		tcpka, "set", "--root", dir, "--time", "600", "--persist").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	at := 0
	lines := strings.Split(string(text), "\n")
	for _, step := range []struct{ name, call, file string }{
		{"the record is written", "write(", "/journal.jsonl>"},
		{"it reaches the disk", "fsync(", "/journal.jsonl>"},
		{"the sysctl is written", "write(", "/tcp_keepalive_time>"},
		{"the boot file reaches the disk", "fsync(", "/etc/sysctl.d/.99-tcpka.conf"},
		{"it gets its name", "renameat", "99-tcpka.conf"},
		{"its directory reaches the disk", "fsync(", "/etc/sysctl.d>"},
		{"the record is marked", "write(", "/journal.jsonl>"},
		{"the mark reaches the disk", "fsync(", "/journal.jsonl>"},
	} {
		from := at
		for at < len(lines) && !(strings.Contains(lines[at], step.call) && strings.Contains(lines[at], step.file)) {
			at++
		}
		if at == len(lines) {
			t.Fatalf("after line %d not seen: %s\n%s", from, step.name, text)
		}
		at++
	}
}

package tcpka_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestRecipesPrintWhatTheySay runs every command of docs/recipes.md and looks for
// every line the page shows under it, in a machine with the kernel's defaults.
func TestRecipesPrintWhatTheySay(t *testing.T) {
	dir := t.TempDir()
	tcpka := filepath.Join(dir, "tcpka")
	if out, err := exec.Command("go", "build", "-o", tcpka, "./cmd/tcpka").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	root := filepath.Join(dir, "root")
	sysctls := filepath.Join(root, "proc/sys/net/ipv4")
	if err := os.MkdirAll(sysctls, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"time": "7200", "intvl": "75", "probes": "9"} {
		if err := os.WriteFile(filepath.Join(sysctls, "tcp_keepalive_"+name), []byte(value+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}

	page, err := os.ReadFile("docs/recipes.md")
	if err != nil {
		t.Fatal(err)
	}
	var command string
	var printed []string
	commands := 0
	for line := range strings.Lines(string(page)) {
		text, isCode := strings.CutPrefix(strings.TrimRight(line, "\n"), "    ")
		if !isCode {
			continue
		}
		if args, ok := strings.CutPrefix(text, "$ tcpka "); ok {
			command = args
			commands++
			out, err := exec.Command(tcpka, append(strings.Fields(args), "--root", root)...).Output()
			if err != nil {
				t.Errorf("tcpka %s: %v", command, err)
			}
			printed = nil
			for line := range strings.Lines(string(out)) {
				printed = append(printed, words(line))
			}
			continue
		}
		if !slices.Contains(printed, words(text)) {
			t.Errorf("tcpka %s does not print %q, but\n%s", command, text, strings.Join(printed, "\n"))
		}
	}
	if commands < 13 {
		t.Errorf("%d commands, and 13 recipes", commands)
	}
}

// words is a line without its columns' width.
func words(line string) string { return strings.Join(strings.Fields(line), " ") }

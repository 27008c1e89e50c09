package cmdline

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Of a rootless container the owner needs no sudo.
func TestRootless(t *testing.T) {
	proc := t.TempDir()
	for pid, ns := range map[string]string{"self": "user:[1]", "7": "user:[2]", "8": "user:[1]"} {
		dir := filepath.Join(proc, pid, "ns")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(ns, filepath.Join(dir, "user")); err != nil {
			t.Fatal(err)
		}
	}
	for args, want := range map[string]string{
		"show --netns 7 -o json": "7: show -o json",
		"show --netns=7":         "7: show",
		"show --netns 8":         ": ", // in our own user namespace
		"show --netns 9":         ": ", // not to be looked at
		"show --netns blue":      ": ",
		"show --netns":           ": ",
		"show":                   ": ",
	} {
		if pid, rest := rootless(strings.Fields(args), proc); pid+": "+strings.Join(rest, " ") != want {
			t.Errorf("%s: %q %q, want %q", args, pid, rest, want)
		}
	}
}

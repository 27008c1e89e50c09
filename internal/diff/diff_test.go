package diff_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpka/tcpka/internal/diff"
	"github.com/tcpka/tcpka/internal/nstest"
)

func TestUnified(t *testing.T) {
	for _, tt := range []struct{ name, old, new, want string }{
		{"nothing changed", "a\nb\n", "a\nb\n", ""},
		{"both empty", "", "", ""},
		{"a new file", "", "a\nb\n", "--- x\n+++ y\n@@ -0,0 +1,2 @@\n+a\n+b\n"},
		{"a file gone", "a\n", "", "--- x\n+++ y\n@@ -1 +0,0 @@\n-a\n"},
		{
			"one line in the middle", "1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n",
			"--- x\n+++ y\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n",
		},
		{
			"two that are near are one hunk", "1\n2\n3\n4\n5\n6\n7\n8\n", "0\n1\n2\n3\n4\n5\n6\n8\n",
			"--- x\n+++ y\n@@ -1,8 +1,8 @@\n+0\n 1\n 2\n 3\n 4\n 5\n 6\n-7\n 8\n",
		},
		{
			"two that are far are two", "1\n2\n3\n4\n5\n6\n7\n8\n9\n", "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n",
			"--- x\n+++ y\n@@ -1,3 +1,4 @@\n+0\n 1\n 2\n 3\n@@ -7,3 +8,4 @@\n 7\n 8\n 9\n+10\n",
		},
		{
			"an end without newline", "a\nb", "a\nb\nc\n",
			"--- x\n+++ y\n@@ -1,2 +1,3 @@\n a\n-b\n\\ No newline at end of file\n+b\n+c\n",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if d := cmp.Diff(tt.want, diff.Unified("x", "y", []byte(tt.old), []byte(tt.new))); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

// TestPatchAccepts hands what is made up to the program that is to read it.
func TestPatchAccepts(t *testing.T) {
	patch := nstest.Program(t, "patch")
	r := rand.New(rand.NewPCG(1, 2))
	for n := range 60 {
		var old, new []string
		for i := range r.IntN(40) {
			line := fmt.Sprintf("line %d\n", r.IntN(i/2+1))
			switch r.IntN(6) {
			case 0:
				old = append(old, line)
			case 1:
				new = append(new, line)
			default:
				old, new = append(old, line), append(new, line)
			}
		}
		a, b := strings.Join(old, ""), strings.Join(new, "")
		if n%3 == 0 {
			a = strings.TrimSuffix(a, "\n")
		}
		if n%4 == 0 {
			b = strings.TrimSuffix(b, "\n")
		}
		text := diff.Unified("file", "file", []byte(a), []byte(b))
		if (text == "") != (a == b) {
			t.Errorf("from %q to %q: %q", a, b, text)
		}
		if a == b || a == "" || b == "" { // patch makes and removes files by other rules
			continue
		}
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, []byte(a), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(patch, "--posix", file)
		cmd.Stdin = strings.NewReader(text)
		out, err := cmd.CombinedOutput()
		got, _ := os.ReadFile(file)
		if err != nil || string(got) != b {
			t.Errorf("%v: %s\nfrom %q to %q, got %q by\n%s", err, out, a, b, got, text)
		}
	}
}

func TestMuchChanged(t *testing.T) {
	var old, new strings.Builder
	for n := range 20000 {
		fmt.Fprintf(&old, "a %d\n", n)
		fmt.Fprintf(&new, "b %d\n", n)
	}
	text := diff.Unified("x", "y", []byte(old.String()), []byte(new.String()))
	if got := strings.Count(text, "\n"); got != 3+40000 {
		t.Errorf("%d lines", got)
	}
}

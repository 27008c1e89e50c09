package sshedit

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestReplaceOverwritesNobody has somebody else write to the file, by a rename, at any
// moment of a replacement. Whoever came first, what he wrote is there in the end: it
// was written after what was read, and is never replaced.
func TestReplaceOverwritesNobody(t *testing.T) {
	dir := t.TempDir()
	path, other := filepath.Join(dir, "config"), filepath.Join(dir, "other")
	won, lost := 0, 0
	for n := range 300 {
		for file, content := range map[string]string{path: "old\n", other: fmt.Sprintf("his %d\n", n)} {
			if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		o, err := openOriginal(path, dir, os.Geteuid())
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() {
			time.Sleep(time.Duration(rand.IntN(400)) * time.Microsecond)
			done <- os.Rename(other, path)
		}()
		err = o.replace([]byte("new\n"), 0)
		if err2 := <-done; err2 != nil {
			t.Fatal(err2)
		}
		switch {
		case err == nil:
			won++
		case errors.Is(err, ErrChanged):
			lost++
		default:
			t.Errorf("round %d: %v", n, err)
		}
		if got, _ := os.ReadFile(path); string(got) != fmt.Sprintf("his %d\n", n) {
			t.Fatalf("round %d: it has %q after %v", n, got, err)
		}
	}
	if left, _ := filepath.Glob(dir + "/.*"); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	t.Logf("%d times before him, %d times too late", won, lost)
}

// TestReplace has a file, or none, before and after.
func TestReplace(t *testing.T) {
	for _, before := range []string{"", "old\n"} {
		for _, after := range []string{"", "new\n"} {
			t.Run(fmt.Sprintf("from %q to %q", before, after), func(t *testing.T) {
				dir := t.TempDir()
				path := filepath.Join(dir, "sub", "config")
				content := func(s string) []byte {
					if s == "" {
						return nil
					}
					return []byte(s)
				}
				if before != "" {
					if err := errors.Join(os.Mkdir(filepath.Dir(path), 0o750), os.WriteFile(path, []byte(before), 0o604)); err != nil {
						t.Fatal(err)
					}
				}
				o, err := openOriginal(path, dir, os.Geteuid())
				if err != nil {
					t.Fatal(err)
				}
				if err := errors.Join(o.writable(), o.replace(content(after), 0o640)); err != nil {
					t.Fatal(err)
				}
				got, err := os.ReadFile(path)
				if string(got) != after || (err == nil) != (after != "") {
					t.Errorf("%q, %v", got, err)
				}
				if info, err := os.Stat(path); err == nil {
					want := map[bool]os.FileMode{true: 0o640, false: 0o604}[before == ""]
					if info.Mode() != want {
						t.Errorf("mode %v, want %v", info.Mode(), want)
					}
				}
			})
		}
	}
}

package leftover

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := []string{}
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

// TestSweepTakesWhatNobodyHolds has names that a killed run has left, and others.
func TestSweepTakesWhatNobodyHolds(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{".x1", ".x2", ".x3", "other"} {
		if err := os.WriteFile(at(name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("other", at(".x4")); err != nil {
		t.Fatal(err)
	}
	held, err := os.Open(at(".x2"))
	if err != nil {
		t.Fatal(err)
	}
	if err := Hold(held); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	ours := func(name string) bool { return name[:2] == ".x" }
	Sweep(root, ours)
	if diff := cmp.Diff([]string{".x2", ".x4", "other"}, names(t, dir)); diff != "" {
		t.Errorf("while one is held (-want +got):\n%s", diff)
	}
	held.Close()
	Sweep(root, ours)
	if diff := cmp.Diff([]string{".x4", "other"}, names(t, dir)); diff != "" {
		t.Errorf("after it is closed (-want +got):\n%s", diff)
	}
}

// TestHoldSeesThatItIsGone removes a file between its making and its marking.
func TestHoldSeesThatItIsGone(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "x"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	os.Remove(f.Name())
	if err := Hold(f); !os.IsNotExist(err) {
		t.Errorf("%v", err)
	}
}

// TestMkdirTempSweepsTheOthers has the directory of a run that was killed, one of a run
// that goes on, and one of another program.
func TestMkdirTempSweepsTheOthers(t *testing.T) {
	parent := t.TempDir()
	for _, name := range []string{"tcpka-123", "tcpka-mine"} {
		if err := os.MkdirAll(filepath.Join(parent, name, "sub"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	first, removeFirst, err := MkdirTemp(parent)
	if err != nil {
		t.Fatal(err)
	}
	// A child of the run does not keep it.
	child := exec.Command("sleep", "60")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { child.Process.Kill(); child.Wait() }()
	second, removeSecond, err := MkdirTemp(parent)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{filepath.Base(first), filepath.Base(second), "tcpka-mine"}
	slices.Sort(want)
	if diff := cmp.Diff(want, names(t, parent)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	removeFirst()
	removeSecond()
	if diff := cmp.Diff([]string{"tcpka-mine"}, names(t, parent)); diff != "" {
		t.Errorf("in the end (-want +got):\n%s", diff)
	}
}

// TestMkdirTempBesideOthers has many runs begin at once, each of which sweeps.
func TestMkdirTempBesideOthers(t *testing.T) {
	parent := t.TempDir()
	var runs sync.WaitGroup
	for range 8 {
		runs.Go(func() {
			for range 100 {
				dir, remove, err := MkdirTemp(parent)
				if err == nil {
					err = os.WriteFile(filepath.Join(dir, "file"), nil, 0o600)
					remove()
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	runs.Wait()
}

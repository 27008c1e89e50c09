//go:build linux

package calc_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every test and every row that docs/kernel.md names is there.
func TestTheKernelDocumentNamesRealTests(t *testing.T) {
	page, err := os.ReadFile("../docs/kernel.md")
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("not in the source tree: a test binary that was copied elsewhere")
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("`([a-z]+)\\.(Test\\w+)`").FindAllStringSubmatch(string(page), -1) {
		if !defines(t, m[1], m[2]) {
			t.Errorf("package %s has no %s", m[1], m[2])
		}
	}
	all := rows()
	for _, m := range regexp.MustCompile("`K ([^`…]+)`").FindAllStringSubmatch(string(page), -1) {
		if !anyRow(all, m[1]) {
			t.Errorf("no row begins with %q", m[1])
		}
	}
}

// defines reports whether a folder of that name has the test, wherever it lies.
func defines(t *testing.T, pkg, test string) (found bool) {
	err := filepath.WalkDir("..", func(name string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Base(filepath.Dir(name)) != pkg || !strings.HasSuffix(name, "_test.go") {
			return err
		}
		text, err := os.ReadFile(name)
		found = found || strings.Contains(string(text), "\nfunc "+test+"(t *testing.T) {")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func anyRow(all []row, prefix string) bool {
	for _, r := range all {
		if strings.HasPrefix(r.name, prefix) {
			return true
		}
	}
	return false
}

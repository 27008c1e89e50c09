// Package answertest is what the tests of answers share: golden files, and the times in them.
package answertest

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/olekukonko/tablewriter"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Golden compares got with testdata/NAME.
func Golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; -update accepts it):\n%s", file, diff)
	}
}

func S(n int) time.Duration { return time.Duration(n) * time.Second }

// Fits compares what write prints with testdata/NAME, and looks whether it is wider than
// 80 columns.
func Fits(t *testing.T, name string, write func(io.Writer) error) {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	Golden(t, name, b.String())
	for line := range strings.Lines(b.String()) {
		if n := tablewriter.DisplayWidth(strings.TrimSuffix(line, "\n")); n > 80 {
			t.Errorf("%s: a line of %d: %s", name, n, line)
		}
	}
}

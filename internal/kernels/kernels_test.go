package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpka/tcpka/internal/nstest"
)

// What can be tested without a guest. The rest is shown by running it.

func TestEndsAreTheOldestAndTheNewestOfEachSeries(t *testing.T) {

	for _, row := range []struct {
		name    string
		offered []string
		images  []string
		lacking []string
	}{
		{"numbers are compared as numbers", []string{"6.12.111-1~deb12u1", "6.1.192-2", "6.12.100-1~deb12u1", "6.1.98-1", "6.1.192-1", "6.12.9-1"},
			[]string{"6.1.98-1", "6.1.192-2", "6.12.9-1", "6.12.111-1~deb12u1"}, nil},
		{"a series is missing", []string{"6.12.9-1", "6.12.10-1"}, []string{"6.12.9-1", "6.12.10-1"}, []string{"6.1: apt does not offer it"}},
		{"one version", []string{"6.1.170-3", "6.12.9-1", "6.12.10-1"}, []string{"6.1.170-3", "6.12.9-1", "6.12.10-1"}, []string{"6.1: apt offers one version only"}},
		{"another series is run, too", []string{"6.1.1-1", "6.1.2-1", "6.12.1-1", "6.12.2-1", "7.0.1-1"},
			[]string{"6.1.1-1", "6.1.2-1", "6.12.1-1", "6.12.2-1", "7.0.1-1"}, nil},
	} {
		var offered []image
		for _, v := range row.offered {
			offered = append(offered, image{"linux-image-" + v, v})
		}
		images, lacking := ends(offered)
		var got []string
		for _, i := range images {
			got = append(got, i.version)
		}
		if diff := cmp.Diff(row.images, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", row.name, diff)
		}
		if diff := cmp.Diff(row.lacking, lacking); diff != "" {
			t.Errorf("%s: lacking: -want +got\n%s", row.name, diff)
		}
	}
}

func TestModulesNeedWhatTheySay(t *testing.T) {
	const info = "license=GPL\x00depends=inet_diag,x-tables\x00softdep=pre: crc32c libcrc post: later pre: again\x00depends=\x00name=a\x00"
	if diff := cmp.Diff([]string{"inet_diag", "x-tables", "crc32c", "libcrc", "again"}, needed(info)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// cpio(1) reads what was written.
func TestArchive(t *testing.T) {
	cpio := nstest.Program(t, "cpio")
	source := t.TempDir()
	if err := os.MkdirAll(filepath.Join(source, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"a": "", "sub/b": "seven b"} {
		if err := os.WriteFile(filepath.Join(source, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	a := newArchive(&b)
	a.dir("tmp", 0o1777)
	a.file("bin/program", 0o755, []byte("abc"))
	a.link("bin/other", "program")
	if err := a.tree("data", source); err != nil {
		t.Fatal(err)
	}
	if err := a.tree("none", source+"/none"); err != nil {
		t.Fatal(err)
	}
	if err := a.close(); err != nil {
		t.Fatal(err)
	}
	if b.Len()%4 != 0 {
		t.Errorf("%d bytes", b.Len())
	}
	to := t.TempDir()
	cmd := exec.Command(cpio, "-id", "--quiet", "--no-absolute-filenames")
	cmd.Dir, cmd.Stdin = to, &b
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("cpio: %v\n%s", err, out)
	}
	for name, want := range map[string]string{"bin/program": "abc", "bin/other": "abc", "data/a": "", "data/sub/b": "seven b"} {
		if got, err := os.ReadFile(filepath.Join(to, name)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for name, want := range map[string]string{"tmp": "dtrwxrwxrwx", "bin/program": "-rwxr-xr-x", "bin/other": "Lrwxrwxrwx", "data/a": "-rw-r--r--"} {
		if info, err := os.Lstat(filepath.Join(to, name)); err != nil || info.Mode().String() != want {
			t.Errorf("%s: %v, %v, want %s", name, info.Mode(), err, want)
		}
	}
}

func TestAnArchiveOfWhatIsNotThereFails(t *testing.T) {
	a := newArchive(new(bytes.Buffer))
	a.copy("init", t.TempDir()+"/none", 0o755)
	if err := a.close(); err == nil {
		t.Error("no error")
	}
}

// begun is what a guest prints, up to its last package.
const begun = `@kernels kernel 6.1.0 #1 SMP
@kernels timer sk_timer

@kernels begin calc
=== RUN   TestOne
    one_test.go:12: a note
--- PASS: TestOne (0.01s)
=== RUN   TestTwo
    two_test.go:12: sleep is not installed
--- SKIP: TestTwo (0.00s)
=== RUN   TestThree
        --- FAIL: TestThree/within (0.00s)
--- FAIL: TestThree (0.00s)
FAIL

@kernels end calc 3 exit status 1

@kernels begin sockets
--- PASS: TestFour (0.01s)
PASS

`

func TestFollow(t *testing.T) {
	tests := []test{{Name: "calc"}, {Name: "sockets"}}
	calc := &outcome{
		status: "exit status 1", seconds: "3", passed: 1, failed: []string{"TestThree"},
		skipped: []skip{{"TestTwo", "sleep is not installed"}}, said: "sleep is not installed",
	}
	for _, row := range []struct {
		name, rest string
		sockets    outcome
		problems   []string
		done       bool
	}{
		{"to the end", "@kernels end sockets 1 ok\n\n@kernels done\n", outcome{status: "ok", seconds: "1", passed: 1}, nil, true},
		{"the kernel complains", "@kernels end sockets 1 ok\n@kernels complaint BUG: soft lockup\n@kernels done\n",
			outcome{status: "ok", seconds: "1", passed: 1}, []string{"BUG: soft lockup"}, true},
		{"it stops after the last package", "@kernels end sockets 1 ok\n", outcome{status: "ok", seconds: "1", passed: 1}, nil, false},
		{"it stops within a package", "", outcome{status: "did not end", passed: 1}, nil, false},
	} {
		r := result{packages: map[string]*outcome{}}
		done := r.follow(strings.NewReader(strings.ReplaceAll(begun+row.rest, "\n", "\r\n")))
		if done != row.done {
			t.Errorf("%s: done is %t", row.name, done)
		}
		want := map[string]*outcome{"calc": calc, "sockets": &row.sockets}
		if diff := cmp.Diff(want, r.packages, cmp.AllowUnexported(outcome{}, skip{})); diff != "" {
			t.Errorf("%s: -want +got\n%s", row.name, diff)
		}
		if diff := cmp.Diff(row.problems, r.problems); diff != "" {
			t.Errorf("%s: problems: -want +got\n%s", row.name, diff)
		}
		if r.passed(tests) {
			t.Errorf("%s: it passed", row.name)
		}
		r.packages["calc"].status = "ok"
		if r.passed(tests) != (row.name == "to the end" || row.name == "it stops after the last package") {
			t.Errorf("%s: without the failure it is %t", row.name, r.passed(tests))
		}
	}
}

package sysctld

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/internal/rootfs"
)

// The programs themselves say what is right: they read a tree in private
// namespaces, and the kernel there must then hold what replaying
// [Files.Writes] gives.

func TestProgramsAgreeOnTheTrees(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		m := newMachine(t)
		tests := trees
		if m.version(t, Systemd) == "systemd 252" && m.version(t, Procps) == "sysctl from procps-ng 4.0.2" {
			tests = slices.Concat(trees, versionTrees)
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) { m.compare(t, tt.tree) })
		}
	})
}

// treesEnv is how many random trees are compared. Tree n is the same in every
// run.
const treesEnv = "TCPKA_SYSCTLD_TREES"

func TestProgramsAgreeOnRandomTrees(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		n := 250
		if s := os.Getenv(treesEnv); s != "" {
			var err error
			if n, err = strconv.Atoi(s); err != nil {
				t.Fatalf("%s: %v", treesEnv, err)
			}
		}
		m := newMachine(t)
		for i := range n {
			tr := randomTree(rand.New(rand.NewPCG(0, uint64(i))), m.dirs)
			t.Run(fmt.Sprint(i), func(t *testing.T) { m.compare(t, tr) })
		}
	})
}

// boot is how each reader is called at boot.
var boot = map[Reader][]string{Procps: {"--system"}}

// kernel is what a namespace starts with.
var kernel = map[string]string{
	key:                             "7200",
	"net.ipv4.tcp_keepalive_intvl":  "75",
	"net.ipv4.tcp_keepalive_probes": "9",
}

// covers are the mount points to cover each of directories with: an existing
// directory, since in a user namespace none can be made in those of the machine.
var covers = map[string]string{
	"/etc/sysctl.d":           "/etc",
	"/run/sysctl.d":           "/run",
	"/usr/local/lib/sysctl.d": "/usr/local/lib",
	"/usr/lib/sysctl.d":       "/usr/lib/sysctl.d",
	"/lib/sysctl.d":           "/lib/sysctl.d",
}

// A machine reads its files from a directory of the test.
type machine struct {
	root    string   // that directory
	dirs    []string // those of directories that are covered by one in root
	program map[Reader]string
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	m := &machine{root: t.TempDir(), program: map[Reader]string{
		Systemd: nstest.Program(t, "systemd-sysctl"),
		Procps:  nstest.Program(t, "sysctl"),
	}}
	for _, dir := range directories {
		cover := covers[dir]
		if real, err := filepath.EvalSymlinks(cover); err != nil || real != cover {
			continue // missing, or another one by a second name
		}
		from := m.root + cover
		if err := os.MkdirAll(from, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mount(from, cover, "", syscall.MS_BIND, ""); err != nil {
			t.Fatalf("cover %s: %v", cover, err)
		}
		m.dirs = append(m.dirs, dir)
	}
	return m
}

// install puts the tree in place of the one before.
func (m *machine) install(t *testing.T, tr tree) {
	t.Helper()
	for _, cover := range covers {
		dir := m.root + cover
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				t.Fatal(err)
			}
		}
	}
	tr.write(t, m.root)
}

// compare fails the test where a program does something else than we say.
func (m *machine) compare(t *testing.T, tr tree) {
	t.Helper()
	for path := range tr {
		if dir := filepath.Dir(path); filepath.Base(dir) == "sysctl.d" && !slices.Contains(m.dirs, dir) {
			nstest.Missing(t, "a directory to mount over for "+dir)
		}
	}
	m.install(t, tr)
	root, err := rootfs.Open(m.root)
	if err != nil {
		t.Fatal(err)
	}
	files, err := Load(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range Readers() {
		reset(t)
		for k := range kernel {
			for _, a := range files.Writes(r, k) {
				_ = os.WriteFile(procFile(k), []byte(a.Value+"\n"), 0) // the kernel may refuse
			}
		}
		want := running(t)
		reset(t)
		out := m.run(t, r, boot[r]...)
		if diff := cmp.Diff(running(t), want); diff != "" {
			t.Errorf("%s (-what it did +our answer):\n%s%s\nit said:\n%s", r, diff, tr, out)
		}
	}
}

// run calls a reader, and returns what it says.
func (m *machine) run(t *testing.T, r Reader, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, m.program[r], args...)
	cmd.Env = []string{"LC_ALL=C", "SYSTEMD_LOG_TARGET=console"}
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil || !cmd.ProcessState.Exited() {
		t.Fatalf("%s: %v\n%s", r, err, out)
	}
	return string(bytes.TrimSpace(out))
}

// version is the first line about a reader, without what a distribution adds.
func (m *machine) version(t *testing.T, r Reader) string {
	t.Helper()
	line, _, _ := strings.Cut(m.run(t, r, "--version"), "\n")
	version, _, _ := strings.Cut(line, " (")
	return version
}

func reset(t *testing.T) {
	t.Helper()
	for k, v := range kernel {
		nstest.Sysctl(t, k, v)
	}
}

func running(t *testing.T) map[string]string {
	t.Helper()
	values := map[string]string{}
	for k := range kernel {
		b, err := os.ReadFile(procFile(k))
		if err != nil {
			t.Fatal(err)
		}
		values[k] = strings.TrimSpace(string(b))
	}
	return values
}

func procFile(key string) string { return "/proc/sys/" + strings.ReplaceAll(key, ".", "/") }

// String is the tree as it can be read in a failure.
func (tr tree) String() string {
	var b strings.Builder
	for name, content := range tr {
		fmt.Fprintf(&b, "%s: %.400q\n", name, content)
	}
	return b.String()
}

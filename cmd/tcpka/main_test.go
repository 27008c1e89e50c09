//go:build linux

package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
)

// TestMain lets the test binary be tcpka itself and the helpers of the scripts,
// whichever name it is called by, and watches over the machine it runs on.
func TestMain(m *testing.M) {
	testscript.Main(watched{m}, map[string]func(){
		"tcpka":             main,
		"tcpka-stepped":     steppedMain,
		"nobody":            nobodyMain,
		"container":         containerMain,
		"tenant":            tenantMain,
		"neighbour-process": neighbourMain,
		"connection-holder": connectionMain,
		"signalled":         signalledMain,
		"connecting":        connectingMain,
	})
}

// watched runs the tests and fails where they changed something outside their
// private namespaces.
type watched struct{ m *testing.M }

func (w watched) Run() int {
	const inside = "TCPKA_TEST_WATCHED"
	if os.Getenv(inside) != "" { // a child, which may change what is its own
		return w.m.Run()
	}
	os.Setenv(inside, "1")
	sideBySide()
	before := machine()
	status := w.m.Run()
	if after := machine(); after != before {
		fmt.Fprintf(os.Stderr, "FAIL: the tests changed the machine\nbefore: %s\nafter:  %s\n", before, after)
		return 1
	}
	return status
}

// sideBySide lets more tests run at a time than there are processors, as far as the
// command line leaves it open: they wait for timers and other processes.
func sideBySide() {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		flag.Set("test.parallel", strconv.Itoa(4*runtime.GOMAXPROCS(0)))
	}
}

// machine is what tcpka could have changed on this machine: the settings, the
// boot file, the journal.
func machine() string {
	var b strings.Builder
	for _, name := range []string{"time", "intvl", "probes"} {
		text, err := os.ReadFile("/proc/sys/net/ipv4/tcp_keepalive_" + name)
		fmt.Fprintf(&b, "%s %q %v; ", name, text, err)
	}
	for _, name := range []string{"/etc/sysctl.d/99-tcpka.conf", "/var/lib/tcpka", "/var/lib/tcpka/journal.jsonl"} {
		var st unix.Stat_t
		err := unix.Lstat(name, &st)
		fmt.Fprintf(&b, "%s %v %d %d.%09d; ", name, err, st.Size, st.Mtim.Sec, st.Mtim.Nsec)
	}
	return b.String()
}

// TestScripts runs each of testdata/script in namespaces of its own, as their
// root: the kernel it changes is real and private.
func TestScripts(t *testing.T) {
	nstest.Parallel(t)
	runScripts(t, "testdata/script", func(t *testing.T, f func(*testing.T)) {
		nstest.Run(t, func(t *testing.T) {
			alone(t) // some are about all namespaces there are
			f(t)
		})
	})
}

// TestRootScripts runs each of testdata/root as the machine's root, in network
// and mount namespaces of its own.
func TestRootScripts(t *testing.T) {
	nstest.Parallel(t)
	runScripts(t, "testdata/root", nstest.RunRoot)
}

// TestRootPolicyScripts runs each of testdata/policy likewise, with a hierarchy of cgroups
// and a bpffs of its own.
func TestRootPolicyScripts(t *testing.T) {
	nstest.Parallel(t)
	runScripts(t, "testdata/policy", func(t *testing.T, f func(*testing.T)) {
		nstest.RunRoot(t, func(t *testing.T) {
			nstest.CgroupRoot(t)
			f(t)
		})
	})
}

// TestScriptsWithoutPrivilege runs each of testdata/denied. A user who may not
// change a namespace is another one than its root, and the root of a private
// user namespace cannot become one where he is the machine's root outside it: to
// him the kernel denies nothing. So he runs them without a user namespace.
func TestScriptsWithoutPrivilege(t *testing.T) {
	nstest.Parallel(t)
	room := nstest.Run
	if os.Geteuid() == 0 && initialUserNamespace() {
		room = nstest.RunRoot
	}
	runScripts(t, "testdata/denied", room)
}

func runScripts(t *testing.T, dir string, room func(*testing.T, func(*testing.T))) {
	files, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts in %s: %v", dir, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			nstest.Parallel(t)
			room(t, func(t *testing.T) {
				furnish(t)
				testscript.Run(t, testscript.Params{
					Files:               []string{file},
					Setup:               setUp,
					Cmds:                commands,
					Condition:           condition,
					RequireExplicitExec: true,
					RequireUniqueNames:  true,
					UpdateScripts:       os.Getenv("UPDATE") != "",
				})
			})
		})
	}
}

// setUp gives a script a home, and the PID of a process outside its namespaces.
func setUp(env *testscript.Env) error {
	home := filepath.Join(env.WorkDir, "home")
	env.Setenv("HOME", home)
	env.Setenv("LC_ALL", "C")
	env.Setenv("TZ", "UTC")
	env.Setenv("OUTSIDE", strconv.Itoa(os.Getppid()))
	return os.Mkdir(home, 0o700)
}

// furnish covers the directories that tcpka writes to by empty ones of the
// test's own. The root of a private user namespace may be the owner of those
// below.
func furnish(t *testing.T) {
	t.Helper()
	for _, dir := range []string{"/etc", "/run", "/var/lib"} {
		if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755"); err != nil {
			t.Fatalf("cover %s: %v", dir, err)
		}
	}
	for _, dir := range []string{"/etc/sysctl.d", "/run/netns"} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func initialUserNamespace() bool {
	b, err := os.ReadFile("/proc/self/uid_map")
	return err == nil && strings.Join(strings.Fields(string(b)), " ") == "0 0 4294967295"
}

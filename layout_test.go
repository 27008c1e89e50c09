package tcpka_test

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/tcpka/tcpka/"

// plan is the whole import plan: a package may import those of this module that
// are listed behind it. Vocabulary at the bottom, the kernel's surfaces side by
// side without knowing each other, the commands on top.
var plan = map[string][]string{
	"keepalive":         {},
	"calc":              {"keepalive"},
	"rootfs":            {},
	"internal/account":  {},
	"procfs":            {"keepalive", "rootfs"},
	"sockopt":           {"keepalive"},
	"netns":             {},
	"sysctld":           {"rootfs"},
	"sshconf":           {"internal/account"},
	"middlebox":         {"rootfs", "internal/nearest"},
	"launch":            {"keepalive", "launch/bpf"},
	"launch/bpf":        {},
	"journal":           {"rootfs"},
	"internal/diff":     {},
	"internal/report":   {"keepalive", "calc"},
	"internal/nearest":  {},
	"internal/snippet":  {"keepalive", "calc", "internal/nearest"},
	"sockets/bpf":       {},
	"sockets":           {"keepalive", "sockets/bpf"},
	"internal/room":     {},
	"internal/selftest": {"keepalive", "calc", "procfs", "rootfs", "internal/room", "internal/stall"},
	"internal/stall":    {},
	"internal/nstest":   {"internal/room", "internal/stall"},
	"internal/bench":    {"keepalive", "sockets", "sockets/bpf"},
	"internal/kernels":  {"internal/room"},
	"cmd/tcpka": {
		"keepalive", "calc", "procfs", "netns", "sysctld", "sshconf", "journal", "middlebox", "launch", "sockets",
		"internal/account", "rootfs", "internal/report", "internal/snippet", "internal/diff", "internal/nearest", "internal/selftest",
	},
}

// forTests may be imported by the tests of any package.
var forTests = []string{"internal/nstest", "internal/stall"}

// guests are the modules that code outside the tests may import, and where.
var guests = map[string][]string{
	"golang.org/x/sys":                   {"procfs", "sockopt", "netns", "sysctld", "journal", "middlebox", "launch", "launch/bpf", "sockets", "sockets/bpf", "rootfs", "sshconf", "internal/room", "internal/stall", "internal/selftest", "internal/nstest", "internal/bench", "internal/kernels", "cmd/tcpka"},
	"golang.org/x/term":                  {"cmd/tcpka"},
	"github.com/urfave/cli/v2":           {"cmd/tcpka"},
	"github.com/olekukonko/tablewriter":  {"internal/report"},
	"github.com/google/renameio/v2":      {"rootfs"},
	"github.com/cilium/ebpf":             {"launch/bpf", "sockets/bpf", "internal/bench"},
	"github.com/xhit/go-str2duration/v2": {"internal/report", "cmd/tcpka"},
}

func TestPackagesImportOnlyWhatThePlanAllows(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for d := json.NewDecoder(strings.NewReader(string(out))); d.More(); {
		var p struct {
			ImportPath                         string
			Imports, TestImports, XTestImports []string
		}
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(p.ImportPath, module)
		if name+"/" == module {
			continue // this test
		}
		allowed, planned := plan[name]
		if !planned {
			t.Errorf("package %s is not in the plan", name)
		}
		seen[name] = true
		for _, i := range p.Imports {
			checkImport(t, name, i, allowed)
		}
		for _, i := range append(p.TestImports, p.XTestImports...) {
			if i != p.ImportPath && strings.HasPrefix(i, module) {
				checkImport(t, name+" (test)", i, slices.Concat(allowed, forTests))
			}
		}
	}
	for name := range plan {
		if !seen[name] {
			t.Errorf("the plan has a package %s that does not exist", name)
		}
	}
}

func checkImport(t *testing.T, name, path string, allowed []string) {
	t.Helper()
	if own, ok := strings.CutPrefix(path, module); ok {
		if !slices.Contains(allowed, own) {
			t.Errorf("%s imports %s: not in the plan", name, own)
		}
		return
	}
	if host, _, _ := strings.Cut(path, "/"); !strings.Contains(host, ".") {
		return // the standard library
	}
	for guest, users := range guests {
		if path == guest || strings.HasPrefix(path, guest+"/") {
			if !slices.Contains(users, name) {
				t.Errorf("%s imports %s: not in the plan", name, path)
			}
			return
		}
	}
	t.Errorf("%s imports %s: a module without a reason", name, path)
}

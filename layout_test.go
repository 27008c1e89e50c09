package tcpka_test

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/tcpka/tcpka/"

// plan is the whole import plan: a package may import those of this module that
// are listed behind it. docs/architecture.md draws it.
var plan = map[string][]string{
	// Words and arithmetic.
	"keepalive": {},
	"calc":      {"keepalive"},

	// The kernel's surfaces, and other programs' files: side by side, without knowing each
	// other.
	"internal/leftover":    {},
	"internal/rootfs":      {"internal/leftover"},
	"internal/account":     {},
	"internal/nearest":     {},
	"procfs":               {"keepalive", "internal/rootfs"},
	"sockopt":              {"keepalive"},
	"sockets/bpf":          {},
	"internal/holders":     {},
	"sockets":              {"keepalive", "sockets/bpf", "internal/holders"},
	"internal/netns":       {},
	"internal/sysctld":     {"internal/rootfs", "internal/nearest"},
	"internal/journal":     {"internal/rootfs"},
	"internal/middlebox":   {"internal/rootfs", "internal/nearest"},
	"internal/launch/bpf":  {},
	"internal/launch":      {"keepalive", "internal/launch/bpf"},
	"internal/plantargets": {"keepalive", "calc", "internal/nearest"},
	"internal/sshconf":     {"internal/account", "internal/leftover", "internal/nearest"},
	"internal/sshclients":  {"internal/sshconf"},
	"internal/sshedit":     {"internal/account", "internal/leftover", "internal/sshconf"},
	"internal/sshproc":     {"internal/sshconf", "internal/sshedit"},
	"internal/stall":       {},
	"internal/room":        {},
	"internal/selftest":    {"keepalive", "calc", "procfs", "internal/rootfs", "internal/room", "internal/stall"},
	"internal/policy/bpf":  {},
	"internal/policy":      {"keepalive", "internal/policy/bpf", "internal/room"},

	// What the commands share.
	"internal/answer":     {"keepalive", "calc"},
	"internal/suggest":    {"keepalive", "calc"},
	"internal/cmdline":    {"keepalive", "calc", "internal/answer", "internal/suggest", "internal/nearest"},
	"internal/target":     {"keepalive", "calc", "procfs", "sockets", "internal/answer", "internal/cmdline", "internal/journal", "internal/nearest", "internal/netns", "internal/rootfs", "internal/holders"},
	"internal/basis":      {"keepalive", "calc", "internal/cmdline", "internal/target"},
	"internal/goal":       {"keepalive", "calc", "internal/cmdline", "internal/middlebox"},
	"internal/nextboot":   {"keepalive", "procfs", "internal/sysctld"},
	"internal/connection": {"keepalive", "calc", "procfs", "sockets", "internal/answer"},
	"internal/sshend":     {"calc", "sockets", "internal/account", "internal/sshconf", "internal/sshproc"},

	// What can be changed.
	"internal/change":             {"keepalive", "calc", "internal/answer", "internal/cmdline", "internal/journal", "internal/rootfs", "internal/suggest"},
	"internal/change/settings":    {"keepalive", "calc", "procfs", "internal/change", "internal/journal", "internal/netns", "internal/nextboot", "internal/rootfs", "internal/suggest", "internal/target"},
	"internal/change/bootfile":    {"keepalive", "calc", "procfs", "internal/change", "internal/cmdline", "internal/journal", "internal/nextboot", "internal/rootfs", "internal/sysctld"},
	"internal/change/connections": {"keepalive", "calc", "sockets", "internal/answer", "internal/change", "internal/cmdline", "internal/connection", "internal/journal", "internal/netns", "internal/target"},
	"internal/change/policy":      {"keepalive", "calc", "procfs", "sockets", "internal/answer", "internal/change", "internal/cmdline", "internal/journal", "internal/policy", "internal/suggest", "internal/target"},
	"internal/change/sshfiles":    {"calc", "internal/account", "internal/answer", "internal/basis", "internal/change", "internal/cmdline", "internal/journal", "internal/sshclients", "internal/sshconf", "internal/sshedit", "internal/sshend", "internal/sshproc", "internal/suggest"},

	// The commands.
	"internal/command/show":         {"keepalive", "calc", "internal/answer", "internal/cmdline", "internal/netns", "internal/nextboot", "internal/rootfs", "internal/sysctld", "internal/target"},
	"internal/command/show/paths":   {"internal/answer", "internal/cmdline", "internal/goal", "internal/middlebox", "internal/target", "internal/basis"},
	"internal/command/show/policy":  {"internal/answer", "internal/change/policy", "internal/cmdline", "internal/policy", "internal/rootfs", "internal/suggest", "internal/target"},
	"internal/command/show/sockets": {"sockets", "internal/answer", "internal/cmdline", "internal/connection", "internal/nearest", "internal/target"},
	"internal/command/show/ssh":     {"keepalive", "calc", "sockets", "internal/account", "internal/answer", "internal/basis", "internal/change/sshfiles", "internal/cmdline", "internal/connection", "internal/goal", "internal/middlebox", "internal/rootfs", "internal/sshclients", "internal/sshconf", "internal/sshend", "internal/sshproc"},
	"internal/command/explain":      {"keepalive", "calc", "internal/answer", "internal/basis", "internal/cmdline"},
	"internal/command/explain/ssh":  {"keepalive", "calc", "internal/answer", "internal/basis", "internal/cmdline", "internal/sshconf"},
	"internal/command/plan":         {"keepalive", "calc", "internal/answer", "internal/basis", "internal/cmdline", "internal/goal", "internal/middlebox", "internal/plantargets", "internal/suggest"},
	"internal/command/check":        {"keepalive", "calc", "sockets", "internal/answer", "internal/change/connections", "internal/cmdline", "internal/connection", "internal/goal", "internal/netns", "internal/nextboot", "internal/sshconf", "internal/sshend", "internal/suggest", "internal/sysctld", "internal/target"},
	"internal/command/set":          {"keepalive", "calc", "procfs", "sockets", "internal/answer", "internal/change", "internal/change/bootfile", "internal/change/connections", "internal/change/settings", "internal/cmdline", "internal/journal", "internal/sysctld", "internal/target"},
	"internal/command/set/policy":   {"keepalive", "sockets", "internal/change", "internal/change/policy", "internal/cmdline", "internal/nearest", "internal/policy", "internal/target"},
	"internal/command/set/sockets":  {"keepalive", "sockets", "internal/change", "internal/change/connections", "internal/cmdline", "internal/target"},
	"internal/command/set/ssh":      {"calc", "internal/account", "internal/basis", "internal/change", "internal/change/sshfiles", "internal/cmdline", "internal/rootfs", "internal/sshclients", "internal/sshconf", "internal/sshedit", "internal/sshproc", "internal/suggest"},
	"internal/command/run":          {"keepalive", "internal/account", "internal/cmdline", "internal/launch"},
	"internal/command/undo":         {"internal/change", "internal/change/bootfile", "internal/change/connections", "internal/change/policy", "internal/change/settings", "internal/change/sshfiles", "internal/cmdline", "internal/journal", "internal/rootfs", "internal/sshproc", "internal/target"},
	"internal/command/probe":        {"keepalive", "calc", "internal/answer", "internal/basis", "internal/cmdline", "internal/goal", "internal/middlebox", "internal/suggest", "internal/target"},
	"internal/command/selftest":     {"keepalive", "calc", "procfs", "internal/answer", "internal/cmdline", "internal/selftest"},
	"cmd/tcpka": {
		"internal/cmdline", "internal/middlebox", "internal/plantargets", "internal/target",
		"internal/command/show", "internal/command/show/paths", "internal/command/show/policy", "internal/command/show/sockets", "internal/command/show/ssh",
		"internal/command/explain", "internal/command/explain/ssh", "internal/command/plan", "internal/command/check",
		"internal/command/set", "internal/command/set/policy", "internal/command/set/sockets", "internal/command/set/ssh",
		"internal/command/run", "internal/command/undo", "internal/command/probe", "internal/command/selftest",
	},

	// What the tests share, and what only the maintainers run.
	"internal/nstest":     {"internal/room", "internal/stall"},
	"internal/answertest": {},
	"internal/sshtest":    {"internal/sshconf", "internal/nstest"},
	"internal/bench":      {"keepalive", "sockets", "sockets/bpf"},
	"internal/kernels":    {"internal/room"},
}

// testOnly may be imported by the tests of any package, and by no program. Any test may
// have settings, and an image.
var testOnly = []string{"internal/nstest", "internal/stall", "internal/answertest", "internal/sshtest"}

// wholeProgram are the tests of cmd/tcpka: they hold what it prints against what the
// libraries measure.
var wholeProgram = []string{"keepalive", "calc", "procfs", "sockets", "internal/sshend", "internal/sshproc", "internal/stall"}

// portable are the packages that build on every system; the others are for Linux. What a
// portable one has for Linux alone is in files that are named so.
var portable = []string{
	"keepalive", "calc", "internal/nearest", "internal/middlebox", "internal/plantargets", "internal/answer", "internal/suggest", "internal/cmdline",
	"internal/basis", "internal/goal", "internal/command/explain", "internal/command/explain/ssh", "internal/command/plan", "internal/command/show/paths", "cmd/tcpka",
}

// guests are the modules that code outside the tests may import, and where; nil is
// wherever Linux is.
var guests = map[string][]string{
	"golang.org/x/sys":                   nil,
	"golang.org/x/term":                  {"internal/cmdline"},
	"github.com/urfave/cli/v2":           {"cmd/tcpka", "internal/cmdline", "internal/basis", "internal/goal", "internal/target", "internal/change", "internal/command/..."},
	"github.com/olekukonko/tablewriter":  {"internal/answer", "internal/answertest"},
	"github.com/google/renameio/v2":      {"internal/rootfs"},
	"github.com/rogpeppe/go-internal":    {"internal/change/sshfiles"},
	"github.com/google/go-cmp":           {"internal/answertest"},
	"github.com/cilium/ebpf":             {"internal/launch/bpf", "internal/policy", "internal/policy/bpf", "sockets/bpf", "internal/bench"},
	"github.com/xhit/go-str2duration/v2": {"internal/answer", "internal/cmdline"},
}

// sources are the packages of this module, by the folder.
func sources(t *testing.T) map[string]source {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,GoFiles,IgnoredGoFiles,Imports,TestImports,XTestImports", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]source{}
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var p source
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		if name, ok := strings.CutPrefix(p.ImportPath, module); ok {
			all[name] = p
		}
	}
	return all
}

type source struct {
	ImportPath                         string
	GoFiles, IgnoredGoFiles            []string
	Imports, TestImports, XTestImports []string
}

func TestPackagesImportOnlyWhatThePlanAllows(t *testing.T) {
	all := sources(t)
	for name, p := range all {
		allowed, planned := plan[name]
		if !planned {
			t.Errorf("package %s is not in the plan", name)
		}
		for _, i := range p.Imports {
			checkImport(t, name, i, allowed)
		}
		tests := slices.Concat(allowed, testOnly, []string{"keepalive", "internal/rootfs"})
		if name == "cmd/tcpka" {
			tests = append(tests, wholeProgram...)
		}
		for _, i := range append(p.TestImports, p.XTestImports...) {
			if i != p.ImportPath && strings.HasPrefix(i, module) {
				checkImport(t, name+" (test)", i, tests)
			}
		}
	}
	for name, imports := range plan {
		if _, ok := all[name]; !ok {
			t.Errorf("the plan has a package %s that does not exist", name)
		}
		for _, i := range imports {
			if strings.HasPrefix(i, "internal/command/") && name != "cmd/tcpka" {
				t.Errorf("the plan has %s import a command, %s", name, i)
			}
			if strings.HasPrefix(i, "internal/change/") && !strings.HasPrefix(name, "internal/command/") {
				t.Errorf("the plan has %s import a surface, %s", name, i)
			}
			if storey(i) > storey(name) {
				t.Errorf("the plan has an arrow up, from %s to %s", name, i)
			}
			if !slices.Contains(all[name].Imports, module+i) && !slices.Contains(portable, name) {
				t.Errorf("the plan allows %s to import %s, and it does not", name, i)
			}
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
		if path != guest && !strings.HasPrefix(path, guest+"/") {
			continue
		}
		if users != nil && !slices.ContainsFunc(users, func(u string) bool {
			folder, all := strings.CutSuffix(u, "/...")
			return name == u || all && strings.HasPrefix(name, folder)
		}) {
			t.Errorf("%s imports %s: not in the plan", name, path)
		}
		return
	}
	t.Errorf("%s imports %s: a module without a reason", name, path)
}

// TestAPackageIsForLinuxAsAWhole looks for files that are for one system alone: only a
// portable package has some. Rows in assembly for each byte order are for Linux, too.
func TestAPackageIsForLinuxAsAWhole(t *testing.T) {
	for name, p := range sources(t) {
		for _, file := range append(p.GoFiles, p.IgnoredGoFiles...) {
			system := strings.HasSuffix(file, "_linux.go") || strings.HasSuffix(file, "_other.go")
			if system && !slices.Contains(portable, name) {
				t.Errorf("%s/%s: the package is for Linux, whatever its files are called", name, file)
			}
		}
	}
}

// TestADocumentComputesNothing: the files that have the documents of the commands, and
// write them, import no surface, and of the arithmetic only its words. What they show was
// computed before.
func TestADocumentComputesNothing(t *testing.T) {
	allowed := []string{module + "calc", module + "internal/answer", module + "internal/connection", module + "internal/suggest"}
	words := vocabulary(t)
	documents := 0
	for _, pattern := range []string{"internal/change/document*.go", "internal/command/*/document*.go", "internal/command/*/*/document*.go",
		"internal/command/show/sockets/csv.go", "internal/command/show/sockets/json.go", "internal/command/show/sockets/table.go", "internal/command/show/sockets/programs.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			documents++
			f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range f.Imports {
				path := strings.Trim(i.Path.Value, `"`)
				own := strings.HasPrefix(path, module) && !slices.Contains(allowed, path)
				if own || slices.Contains([]string{"os", "net", "golang.org/x/sys/unix"}, path) {
					t.Errorf("%s imports %s", file, path)
				}
			}
			ast.Inspect(f, func(n ast.Node) bool {
				s, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				if x, ok := s.X.(*ast.Ident); ok && x.Name == "calc" && !words[s.Sel.Name] {
					t.Errorf("%s has calc.%s, which computes", file, s.Sel.Name)
				}
				return true
			})
		}
	}
	if documents < 18 {
		t.Errorf("only %d files were looked at", documents)
	}
}

// vocabulary are the constants of package calc, and the types that are only words.
func vocabulary(t *testing.T) map[string]bool {
	t.Helper()
	words := map[string]bool{"Warning": true, "SSHSide": true}
	files, err := filepath.Glob("calc/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.CONST {
				for _, s := range g.Specs {
					for _, name := range s.(*ast.ValueSpec).Names {
						words[name.Name] = true
					}
				}
			}
		}
	}
	return words
}

// TestRoomsAreOfASize: what has grown beyond some 3,000 lines is two. Tests and generated
// files do not count.
func TestRoomsAreOfASize(t *testing.T) {
	for name, p := range sources(t) {
		lines, files := 0, 0
		for _, file := range p.GoFiles {
			text, err := os.ReadFile(filepath.Join(name, file))
			if err != nil {
				t.Fatal(err)
			}
			f, err := parser.ParseFile(token.NewFileSet(), file, text, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			if !ast.IsGenerated(f) {
				files++
				lines += bytes.Count(text, []byte("\n"))
			}
		}
		most := 3300
		if name == "cmd/tcpka" {
			most = 700
		}
		if lines > most || files > 25 {
			t.Errorf("%s has %d lines in %d files", name, lines, files)
		}
	}
}

// storey is how high a package is in the picture of docs/architecture.md.
func storey(name string) int {
	in := func(names ...string) bool { return slices.Contains(names, name) }
	switch {
	case in("cmd/tcpka"):
		return 6
	case strings.HasPrefix(name, "internal/command/"):
		return 5
	case strings.HasPrefix(name, "internal/change"):
		return 4
	case in("internal/target", "internal/connection", "internal/goal", "internal/basis", "internal/nextboot", "internal/sshend"):
		return 3
	case in("internal/cmdline", "internal/answer", "internal/suggest"):
		return 2
	case in("keepalive", "calc", "internal/nearest", "internal/rootfs", "internal/account", "internal/leftover"):
		return 0
	}
	return 1
}

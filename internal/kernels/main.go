// Command kernels runs the tests on other kernels: it boots Debian's under qemu
// with software emulation, one after the other, and prints which package passed
// on which. Nothing is installed and nothing needs root: packages are downloaded
// by apt and unpacked in a directory, and the guest is an archive of static test
// binaries with this program as its init (see guest.go).
//
// Without arguments it takes the oldest and the newest kernel of each series that
// apt offers: the keepalive timer moved inside stable series, and the two ends
// are the likeliest to differ. Arguments name images, as in
// linux-image-6.12.107+deb12-cloud-amd64.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// wanted are the series whose absence is worth a line.
var wanted = []string{"6.1", "6.12"}

// modules are what the tests use that these kernels do not have built in. What
// they depend on is found by itself.
var modules = []string{
	"inet_diag", "tcp_diag", "mptcp_diag", "unix_diag", "xfrm_user", "veth",
	"nf_tables", "nft_ct", "nft_chain_nat", "nft_masq", "nft_reject_ipv4", "nft_reject_ipv6", "ip_vs", "ip_vs_rr",
}

// What is run. The other packages ask nothing of the kernel, and the tests left
// out compute for minutes, run a command again for each system call in it, or
// count seconds from a login that takes seconds there.
const (
	packages = "./calc ./cmd/tcpka ./internal/change/... ./internal/command/... ./internal/connection ./internal/target ./internal/nstest ./internal/room ./internal/rootfs ./internal/selftest ./internal/journal " +
		"./internal/launch/... ./internal/middlebox ./internal/netns ./procfs ./sockets/... ./sockopt ./internal/sysctld"
	leftOut = "KilledAtEachStep|IsNotInterrupted|WhatCannotBeRestored|" +
		"Overflows|PlanByItsInverse|PlanIsTheBestOfAll|DiesAgreesWithTheSettings|RealOpenSSH"
)

func main() {
	if os.Getpid() == 1 {
		guest() // does not return
	}
	var r run
	flag.StringVar(&r.dir, "dir", "bin/kernels", "where packages, archives and logs are kept")
	flag.DurationVar(&r.limit, "limit", 30*time.Minute, "how long one kernel may take")
	flag.IntVar(&r.cpus, "cpus", 1, "processors of a guest; with more than one its clock is this machine's")
	packages := flag.String("packages", packages, "the packages whose tests are run, for go list")
	flag.StringVar(&r.tests, "run", "", "the tests, for go test -run")
	flag.StringVar(&r.skip, "skip", leftOut, "the tests left out, for go test -skip")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: kernels [flags] [IMAGE...]")
		flag.PrintDefaults()
	}
	flag.Parse()
	if err := r.kernels(strings.Fields(*packages), flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "kernels:", err)
		os.Exit(1)
	}
}

// A run is one call of this program.
type run struct {
	dir   string
	limit time.Duration
	cpus  int
	tests string
	skip  string
}

var errFailed = errors.New("not every test passed on every kernel")

func (r *run) kernels(packages, names []string) error {
	for _, program := range []string{"apt-get", "apt-cache", "dpkg", "xz", qemu} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%w (packages apt, dpkg, xz-utils, qemu-system-x86)", err)
		}
	}
	images, lacking, err := choose(names)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		return err
	}
	tests, err := r.build(packages)
	if err != nil {
		return err
	}
	var results []result
	for _, image := range images {
		fmt.Printf("%s (%s)\n", image.name, image.version)
		res, err := r.boot(image, tests)
		if err != nil {
			res.problems = append(res.problems, err.Error())
		}
		for _, p := range res.problems {
			fmt.Println("  failed:", p)
		}
		fmt.Printf("  log: %s\n", r.log(image))
		results = append(results, res)
	}
	print(os.Stdout, tests, results)
	for _, l := range lacking {
		fmt.Println("not run:", l)
	}
	for _, res := range results {
		if !res.passed(tests) {
			return errFailed
		}
	}
	return nil
}

// A test is a package's test binary.
type test struct {
	Name string // of the package, below the module: "calc"
	File string // on this machine
	Dir  string // the package's; its testdata goes with it
}

// build compiles the tests of packages, and this program as the guest's init.
func (r *run) build(packages []string) ([]test, error) {
	list := exec.Command("go", append([]string{"list", "-f",
		"{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}\t{{.Module.Path}}\t{{.Dir}}{{end}}"}, packages...)...)
	list.Stderr = os.Stderr
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	var tests []test
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if f[0] == f[1] {
			continue // the tests at the top need the source and a toolchain
		}
		name := strings.TrimPrefix(f[0], f[1]+"/")
		tests = append(tests, test{name, filepath.Join(r.dir, strings.ReplaceAll(name, "/", "_")+".test"), f[2]})
	}
	fmt.Printf("compiling the tests of %d packages\n", len(tests))
	if err := compile("build", "-o", r.init(), "github.com/tcpka/tcpka/internal/kernels"); err != nil {
		return nil, err
	}
	for _, t := range tests {
		if err := compile("test", "-c", "-o", t.File, t.Dir); err != nil {
			return nil, err
		}
	}
	return tests, nil
}

func (r *run) init() string { return filepath.Join(r.dir, "init") }

func compile(verb string, args ...string) error {
	cmd := exec.Command("go", append([]string{verb, "-trimpath", "-ldflags=-s -w"}, args...)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go %s: %w", verb, err)
	}
	return nil
}

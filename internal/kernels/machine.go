package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

const qemu = "qemu-system-x86_64"

// A result is what a kernel gave.
type result struct {
	image    image
	release  string // uname -r
	timer    string // the member that holds the keepalive timer
	packages map[string]*outcome
	problems []string // that are no test's
}

// An outcome is what became of the tests of a package.
type outcome struct {
	status  string // "ok", or what go test exited with
	seconds string
	passed  int
	failed  []string
	skipped []skip
	said    string // the last thing that a test logged
}

type skip struct{ test, reason string }

func (r result) passed(tests []test) bool {
	for _, t := range tests {
		if o := r.packages[t.Name]; o == nil || o.status != "ok" {
			return false
		}
	}
	return len(r.problems) == 0
}

func (r *run) log(i image) string { return filepath.Join(r.dir, i.version+".log") }

// boot runs the tests on one kernel.
func (r *run) boot(i image, tests []test) (result, error) {
	res := result{image: i, packages: map[string]*outcome{}}
	dir, err := r.unpacked(i.name, i.version)
	if err != nil {
		return res, err
	}
	kernel, err := one(dir, "boot/vmlinuz-*")
	if err != nil {
		return res, err
	}
	initrd := filepath.Join(r.dir, i.version+".cpio")
	if err := r.pack(initrd, dir, tests); err != nil {
		return res, err
	}
	defer os.Remove(initrd)

	ctx, cancel := context.WithTimeout(context.Background(), r.limit)
	defer cancel()
	console := filepath.Join(r.dir, i.version+".console")
	// Emulation even where the processor could do it: a result that depends on
	// the machine is none. With one processor the guest's clock counts the
	// instructions that it executed, 2 ns each, and jumps where there are none to
	// execute: however busy this machine is, the guest does not see it stand still.
	// The test of whether the guest came to its end is its last line: qemu exits
	// with 0 after a panic, too.
	clock := []string{"-accel", "tcg,thread=single", "-icount", "shift=1,sleep=off"}
	if r.cpus > 1 {
		clock = []string{"-accel", "tcg,thread=multi", "-smp", strconv.Itoa(r.cpus)}
	}
	cmd := exec.CommandContext(ctx, qemu, append(clock, "-m", "1536",
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-serial", "file:"+console, "-serial", "stdio",
		"-kernel", kernel, "-initrd", initrd, "-append", "console=ttyS0 quiet oops=panic panic=-1")...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return res, err
	}
	logged, err := os.Create(r.log(i))
	if err != nil {
		return res, err
	}
	defer logged.Close()
	if err := cmd.Start(); err != nil {
		return res, err
	}
	done := res.follow(io.TeeReader(out, logged))
	err = cmd.Wait()
	switch {
	case ctx.Err() != nil:
		return res, fmt.Errorf("it did not end within %v", r.limit)
	case err != nil:
		return res, fmt.Errorf("%s: %w", qemu, err)
	case !done:
		last, _ := os.ReadFile(console)
		return res, fmt.Errorf("the guest did not come to its end; the kernel's last words:\n%s", last[max(0, len(last)-2000):])
	}
	return res, nil
}

// late is what internal/nstest is told of the guest.
func (r *run) late() string {
	if r.cpus > 1 {
		return "500ms"
	}
	return ""
}

// pack writes the guest's file system.
func (r *run) pack(file, kernel string, tests []test) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	a := newArchive(w)
	for _, d := range []string{"dev", "etc/ssh", "etc/sysctl.d", "home", "lib", "proc", "root", "run", "sys", "usr/lib", "usr/local/lib", "var/lib"} {
		a.dir(d, 0o755)
	}
	a.dir("tmp", 0o1777)
	a.copy("init", r.init(), 0o755)
	a.file("etc/passwd", 0o644, []byte("root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n"))
	a.file("etc/group", 0o644, []byte("root:x:0:\nnogroup:x:65534:\n"))
	a.file("etc/hosts", 0o644, []byte("127.0.0.1 localhost\n::1 localhost\n"))
	if err := r.programs(a); err != nil {
		return err
	}

	o := orders{Late: r.late(), Run: r.tests, Skip: r.skip, Timeout: r.limit / 2}
	files, err := load(kernel, modules)
	if err != nil {
		return err
	}
	for _, m := range files {
		name := "modules/" + m.name + ".ko"
		a.file(name, 0o644, m.data)
		o.Modules = append(o.Modules, "/"+name)
	}
	for _, t := range tests {
		a.copy("tests/"+t.Name+"/test", t.File, 0o755)
		if err := a.tree("tests/"+t.Name+"/testdata", filepath.Join(t.Dir, "testdata")); err != nil {
			return err
		}
		o.Tests = append(o.Tests, t.Name)
	}
	data, err := json.Marshal(o)
	if err != nil {
		return err
	}
	a.file("orders", 0o644, data)
	if err := a.close(); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}

// follow reads what the guest prints, and reports whether it came to its end.
func (r *result) follow(out io.Reader) (done bool) {
	var name string
	now := new(outcome)
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := strings.TrimRight(lines.Text(), "\r")
		order, ours := strings.CutPrefix(line, mark)
		if !ours {
			now.line(line)
			continue
		}
		verb, rest, _ := strings.Cut(order, " ")
		switch verb {
		case "kernel":
			r.release = rest
			fmt.Println(" ", rest)
		case "timer":
			r.timer = rest
			fmt.Println("  the keepalive timer is", rest)
		case "begin":
			name, now = rest, new(outcome)
			now.status = "did not end"
			r.packages[name] = now
		case "end":
			f := strings.SplitN(rest, " ", 3)
			now.seconds, now.status = f[1], f[2]
			fmt.Printf("  %s: %s, %s s, %s\n", name, now.status, now.seconds, now.counts())
			for _, failed := range now.failed {
				fmt.Println("    failed:", failed)
			}
			now = new(outcome)
		case "complaint", "failed":
			r.problems = append(r.problems, rest)
		case "done":
			done = true
		}
	}
	if err := lines.Err(); err != nil {
		r.problems = append(r.problems, err.Error())
		io.Copy(io.Discard, out)
	}
	return done
}

var logged = regexp.MustCompile(`^ +[a-z0-9_]+_test\.go:[0-9]+: (.*)`)

// line takes up a line of go test -v. What a test says of itself comes before it.
func (o *outcome) line(line string) {
	kind, test, _ := strings.Cut(line, ": ")
	test, _, _ = strings.Cut(test, " ")
	switch kind {
	case "--- PASS":
		o.passed++
	case "--- FAIL":
		o.failed = append(o.failed, test)
	case "--- SKIP":
		o.skipped = append(o.skipped, skip{test, o.said})
	default:
		if m := logged.FindStringSubmatch(line); m != nil {
			o.said = m[1]
		}
	}
}

func (o *outcome) counts() string {
	s := fmt.Sprintf("%d passed", o.passed)
	if n := len(o.failed); n > 0 {
		s += fmt.Sprintf(", %d failed", n)
	}
	if n := len(o.skipped); n > 0 {
		s += fmt.Sprintf(", %d skipped", n)
	}
	return s
}

// print writes the table of packages and kernels, and below it what was skipped.
func print(w io.Writer, tests []test, results []result) {
	column := func(text string) { fmt.Fprintf(w, "  %-22s", text) }
	fmt.Fprintf(w, "\n%-18s", "")
	for _, r := range results {
		column(r.image.version)
	}
	fmt.Fprintf(w, "\n%-18s", "keepalive timer")
	for _, r := range results {
		column(r.timer)
	}
	fmt.Fprintln(w)
	skips := map[string][]string{} // by test and reason, the kernels
	var order []string
	for _, t := range tests {
		fmt.Fprintf(w, "%-18s", t.Name)
		for _, r := range results {
			o := r.packages[t.Name]
			switch {
			case o == nil:
				column("not run")
				continue
			case o.status == "ok":
				column(fmt.Sprintf("ok %d, skipped %d", o.passed, len(o.skipped)))
			default:
				column(fmt.Sprintf("FAILED %d of %d", len(o.failed), len(o.failed)+o.passed))
			}
			for _, s := range o.skipped {
				key := t.Name + "." + s.test + ": " + s.reason
				if skips[key] == nil {
					order = append(order, key)
				}
				skips[key] = append(skips[key], r.image.version)
			}
		}
		fmt.Fprintln(w)
	}
	for _, key := range order {
		on := ""
		if len(skips[key]) < len(results) {
			on = " (on " + strings.Join(skips[key], ", ") + ")"
		}
		fmt.Fprintf(w, "skipped: %s%s\n", key, on)
	}
}

package policy

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"github.com/tcpka/tcpka/internal/nstest"
)

// The test binary is tcpka for the proof, and the command that is killed.
func TestMain(m *testing.M) {
	switch {
	case slices.Equal(os.Args[1:], ProofArgs):
		values, err := ConnectForProof()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(values)
	case len(os.Args) == 3 && os.Args[1] == "write":
		if err := write(strings.Split(os.Args[2], "\n")...); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	default:
		os.Exit(m.Run())
	}
}

func write(texts ...string) error {
	w, err := Find()
	if err != nil {
		return err
	}
	s, err := w.Read()
	if err != nil {
		return err
	}
	defer s.Close()
	var all []Policy
	for _, text := range texts {
		if text == "" {
			continue
		}
		p, err := Parse(text)
		if err != nil {
			return err
		}
		all = append(all, p)
	}
	return w.Write(s, all, 250)
}

func TestSocketMaker(t *testing.T) { nstest.MakeSocket(t) }

func read(t *testing.T) (texts []string) {
	t.Helper()
	w, err := Find()
	if err != nil {
		t.Fatal(err)
	}
	s, err := w.Read()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if len(s.Policies) > 0 {
		if err := w.Prove(s); err != nil {
			t.Error(err)
		}
	}
	for _, p := range s.Policies {
		texts = append(texts, p.Text())
	}
	return texts
}

var (
	pool = Policy{Name: "pool", Cgroups: []string{"pool"}, Mode: IfOff, TimeSeconds: new(60)}
	db   = Policy{Name: "db", Units: []string{"db.service"}, Remote: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Ports: []uint16{5432},
		Mode: Cap, TimeSeconds: new(300), IntvlSeconds: new(30), Probes: new(3), UserTimeoutMS: new(390000)}
)

func TestRootPoliciesAreWrittenReadBackAndProved(t *testing.T) {
	nstest.RunRoot(t, func(t *testing.T) {
		root := nstest.CgroupRoot(t)
		slower := pool
		slower.TimeSeconds = new(90)
		for _, step := range []struct {
			name     string
			policies []string
		}{
			{"one", []string{pool.Text()}},
			{"the same again", []string{pool.Text()}},
			{"two", []string{pool.Text(), db.Text()}},
			{"another value", []string{slower.Text(), db.Text()}},
			{"the first is taken away", []string{db.Text()}},
			{"and is the last when it comes back", []string{db.Text(), pool.Text()}},
			{"none", nil},
			{"none again", nil},
		} {
			if err := write(step.policies...); err != nil {
				t.Fatalf("%s: %v", step.name, err)
			}
			if got := read(t); !slices.Equal(got, step.policies) {
				t.Errorf("%s:\n got %q\nwant %q", step.name, got, step.policies)
			}
		}
		if _, err := os.Stat("/sys/fs/bpf/tcpka"); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("no policy is left, and the folder is: %v", err)
		}
		if left, _ := filepath.Glob(root + "/" + proofPrefix + "*"); len(left) > 0 {
			t.Errorf("cgroups are left: %v", left)
		}
	})
}

// Where the program does not run what was before comes back.
func TestRootWhatIsNotProvedIsTakenBack(t *testing.T) {
	nstest.RunRoot(t, func(t *testing.T) {
		nstest.CgroupRoot(t)
		if err := write(pool.Text()); err != nil {
			t.Fatal(err)
		}
		had := ProofArgs
		defer func() { ProofArgs = had }()
		ProofArgs = []string{"-test.run=^$"} // prints other words
		err := write(pool.Text(), db.Text())
		if !errors.Is(err, ErrNotRunning) {
			t.Errorf("got %v, want that it does not run", err)
		}
		ProofArgs = had
		if got, want := read(t), []string{pool.Text()}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// A run that is killed leaves the old policies or the new ones, whole.
func TestRootKilledAtAnyMoment(t *testing.T) {
	nstest.RunRoot(t, func(t *testing.T) {
		nstest.CgroupRoot(t)
		states := [][]string{{pool.Text()}, {db.Text(), pool.Text()}, nil}
		began := time.Now()
		if err := exec.Command("/proc/self/exe", "write", strings.Join(states[0], "\n")).Run(); err != nil {
			t.Fatal(err)
		}
		whole := time.Since(began)
		at := 0
		for i := range 24 {
			next := states[(at+1)%len(states)]
			cmd := exec.Command("/proc/self/exe", "write", strings.Join(next, "\n"))
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(rand.N(whole))
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			got := read(t)
			slices.Sort(got)
			switch {
			case slices.Equal(got, next):
				at = (at + 1) % len(states)
			case !slices.Equal(got, states[at]):
				t.Fatalf("killed run %d:\n got %q\nwant %q\nor   %q", i, got, states[at], next)
			}
		}
	})
}

func TestRootWhatStandsInTheWayIsNamed(t *testing.T) {
	nstest.RunRoot(t, func(t *testing.T) {
		root := nstest.CgroupRoot(t)
		says := func(what string, err error, words ...string) {
			t.Helper()
			for _, word := range words {
				if err == nil || !strings.Contains(err.Error(), word) {
					t.Errorf("%s: got %v, want %q in it", what, err, word)
				}
			}
		}
		if err := os.Mkdir("/sys/fs/bpf/tcpka", 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod("/sys/fs/bpf/tcpka", 0o777); err != nil {
			t.Fatal(err)
		}
		says("a folder that others may write to", write(pool.Text()), "/sys/fs/bpf/tcpka", "root's alone")
		if err := os.Remove("/sys/fs/bpf/tcpka"); err != nil {
			t.Fatal(err)
		}

		p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Name: "somebody", Type: ebpf.SockOps, License: "GPL",
			Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 1), asm.Return()}})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		dir, err := os.Open(root)
		if err != nil {
			t.Fatal(err)
		}
		defer dir.Close()
		attach := link.RawAttachProgramOptions{Target: int(dir.Fd()), Program: p, Attach: ebpf.AttachCGroupSockOps}
		if err := link.RawAttachProgram(attach); err != nil {
			t.Fatal(err)
		}
		says("a program that lets no other be there", write(pool.Text()), "somebody")
		if err := link.RawDetachProgram(link.RawDetachProgramOptions{Target: int(dir.Fd()), Program: p, Attach: ebpf.AttachCGroupSockOps}); err != nil {
			t.Fatal(err)
		}
		attach.Flags = 1 << 1 // BPF_F_ALLOW_MULTI
		if err := link.RawAttachProgram(attach); err != nil {
			t.Fatal(err)
		}
		if err := write(pool.Text()); err != nil {
			t.Errorf("beside a program that lets others be there: %v", err)
		}

		if err := unix.Unmount("/sys/fs/bpf", unix.MNT_DETACH); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount("tmpfs", "/sys/fs/bpf", "tmpfs", 0, ""); err != nil {
			t.Fatal(err)
		}
		says("no bpffs", write(pool.Text()), "no bpffs is mounted on /sys/fs/bpf")
		if err := unix.Mount("tmpfs", "/sys/fs/cgroup", "tmpfs", 0, ""); err != nil {
			t.Fatal(err)
		}
		says("no cgroup v2", write(pool.Text()), "no cgroup v2 is mounted")
		if err := unix.Unmount("/sys/fs/cgroup", 0); err != nil {
			t.Fatal(err)
		}
	})
}

func TestNamesThatAreNone(t *testing.T) {
	for _, name := range []string{"", "-x", ".x", "a/b", "a b", "a\x1b", strings.Repeat("a", 65)} {
		if CheckName(name) == nil {
			t.Errorf("%q is taken for a policy's name", name)
		}
	}
	for _, pattern := range []string{"", "*", ".", "a/b", "a*b", "a**", "a\x00", strings.Repeat("a", 256)} {
		if CheckCgroup(pattern) == nil {
			t.Errorf("%q is taken for a cgroup's name", pattern)
		}
	}
	for _, pattern := range []string{"docker-*", "a.service", strings.Repeat("a", 255), "\xff\x1b[0m"} {
		if err := CheckCgroup(pattern); err != nil {
			t.Error(err)
		}
	}
}

func TestWhichCgroupsAreMeant(t *testing.T) {
	p := Policy{Units: []string{"db.service"}, Cgroups: []string{"docker-*", "pool"}}
	for path, want := range map[string]bool{
		"/system.slice/db.service":                 true,
		"/system.slice/system-db.slice/db.service": true,
		"/user.slice/user@1.service/db.service":    false,
		"/db.service":                              true,
		"/a/docker-1.scope":                        true,
		"/a/pool":                                  true,
		"/a/pools":                                 false,
	} {
		if got := p.isFor(path); got != want {
			t.Errorf("%s: got %t", path, got)
		}
	}
}

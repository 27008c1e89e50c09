package sockets_test

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/sockets"
)

// Other processes are this test binary with a role.
const (
	roleEnv = "TCPKA_SOCKETS_ROLE"
	nameEnv = "TCPKA_SOCKETS_NAME"
)

func TestMain(m *testing.M) {
	var err error
	switch os.Getenv(roleEnv) {
	case "":
		os.Exit(m.Run())
	case "hold": // keeps what it inherited until its input ends
		if name, ok := os.LookupEnv(nameEnv); ok {
			err = os.WriteFile("/proc/self/comm", []byte(name), 0)
		}
		fmt.Println("ready")
		io.Copy(io.Discard, os.Stdin)
	case "touch": // opens sockets, and ends
		for range 20 {
			if _, _, err = nstest.Listen(unix.AF_INET); err != nil {
				break
			}
		}
	case "start and end":
		for range 30 {
			cmd := exec.Command("/proc/self/exe")
			cmd.Env = []string{roleEnv + "=touch"}
			if err = cmd.Run(); err != nil {
				break
			}
		}
	case "list": // says what it sees, by the reader that it can use
		err = tell(sockets.Query{})
	case "list by BPF":
		err = tell(byKernel)
	case "retune": // the targets on its input, and two of its own
		err = retuneAndTell(os.Stdin)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// told is a list by another process.
type told struct {
	PID        int
	Own        uint64 // the cookie of a listener that it made
	Sockets    []sockets.Socket
	Source     sockets.Source
	WhyNotBPF  string
	Incomplete []sockets.Gap
}

func tell(q sockets.Query) error {
	q.Sysctl = keepalive.Defaults()
	q.Filter.States = sockets.AllStates
	fd, _, err := nstest.Listen(unix.AF_INET)
	if err != nil {
		return err
	}
	out := told{PID: os.Getpid()}
	if out.Own, err = unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE); err != nil {
		return err
	}
	report, err := sockets.List(q, func(s *sockets.Socket) error {
		c := *s
		c.Owners = slices.Clone(s.Owners)
		out.Sockets = append(out.Sockets, c)
		return nil
	})
	if err != nil {
		return fmt.Errorf("%+v", err)
	}
	out.Source, out.Incomplete = report.Source, report.Incomplete
	if report.WhyNotBPF != nil {
		out.WhyNotBPF = report.WhyNotBPF.Error()
	}
	return json.NewEncoder(os.Stdout).Encode(out)
}

func (l told) find(t *testing.T, cookie uint64) sockets.Socket {
	t.Helper()
	for _, s := range l.Sockets {
		if s.Cookie == cookie {
			return s
		}
	}
	t.Errorf("socket %#x is missing", cookie)
	return sockets.Socket{}
}

func role(t *testing.T, role string, attr *syscall.SysProcAttr) told {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{roleEnv + "=" + role}
	cmd.SysProcAttr = attr
	cmd.Stderr = os.Stderr
	b, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", role, err)
	}
	var l told
	if err := json.Unmarshal(b, &l); err != nil {
		t.Fatalf("%v in %q", err, b)
	}
	return l
}

// hold starts a process that shares the descriptor fd, as its 3.
func hold(t *testing.T, fd int, name string) *exec.Cmd {
	t.Helper()
	dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(dup), "")
	defer file.Close()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{roleEnv + "=hold", nameEnv + "=" + name}
	cmd.ExtraFiles = []*os.File{file}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); cmd.Wait() })
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("%q, %v", line, err)
	}
	return cmd
}

func TestRootSharedSocketHasAllItsOwners(t *testing.T) {
	nstest.RunRoot(t, func(t *testing.T) { shared(t, byKernel, byLibrary, byDiag) })
}

func TestSharedSocketHasAllItsOwners(t *testing.T) {
	nstest.Run(t, func(t *testing.T) { shared(t, byDiag) })
}

// The names are what programs may call themselves: escaping is not for here.
func shared(t *testing.T, readers ...sockets.Query) {
	fd, _ := listener(t, unix.AF_INET, 0)
	h := look(t, fd, sockets.Listen, [3]bool{})
	again, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 500)
	if err != nil {
		t.Fatal(err)
	}
	want := []sockets.Owner{{PID: os.Getpid(), FD: fd, Comm: comm()}, {PID: os.Getpid(), FD: again, Comm: comm()}}
	for _, name := range []string{"plain", "\x1b[2J\n) S 1 (x", "\xff\xfe\x80", "=cmd|' /C x'!A1", " ", "fifteen bytes.."} {
		cmd := hold(t, fd, name)
		want = append(want, sockets.Owner{PID: cmd.Process.Pid, FD: 3, Comm: name})
	}
	slices.SortFunc(want, func(a, b sockets.Owner) int { return cmp.Or(a.PID-b.PID, a.FD-b.FD) })
	for _, q := range readers {
		q.Filter.States = sockets.AllStates
		l := list(t, q)
		if got := l.sockets[h.cookie].Owners; !slices.Equal(got, want) {
			t.Errorf("%v: owners %#v\nwant %#v", q.Source, got, want)
		}
		if len(l.sockets) != 1 {
			t.Errorf("%v: %d sockets, want 1", q.Source, len(l.sockets))
		}
		q.Filter.Comms = []string{"\xff\xfe\x80"}
		if got := list(t, q).sockets[h.cookie].Owners; !slices.Equal(got, want) {
			t.Errorf("%v: by the name of one owner: %#v", q.Source, got)
		}
	}
}

func TestRootProcessesThatEnd(t *testing.T) {
	nstest.RunRoot(t, func(t *testing.T) { processesThatEnd(t, byKernel, byDiag) })
}

func TestProcessesThatEnd(t *testing.T) {
	nstest.Run(t, func(t *testing.T) { processesThatEnd(t, byDiag) })
}

func processesThatEnd(t *testing.T, readers ...sockets.Query) {
	// Another process starts them: one of this process's has all its sockets
	// until it executes.
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{roleEnv + "=start and end"}
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- cmd.Wait() }()
	all := furnish(t, 200)
	for {
		for _, q := range readers {
			q.Filter.States = sockets.AllStates
			list(t, q).compare(t, all)
		}
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
			return
		default:
		}
	}
}

// What each privilege shows of root's sockets to another user. The rows agree
// with the owner wherever they say anything.
func TestRootPrivileges(t *testing.T) {
	const (
		byBPF  = "no interface but BPF shows it; BPF would show them: CAP_BPF and CAP_PERFMON (sudo), and a kernel with BTF"
		ptrace = "CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH would show them (sudo)"
	)
	// 20 pairs and 7 listeners.
	for _, row := range []struct {
		name       string
		caps       []uintptr
		source     sockets.Source
		all        bool // owners and values
		incomplete []string
	}{
		{"none: own sockets, and what the timer tells", nil, sockets.Diag, false, []string{
			"the owners of 47 sockets: the descriptors of other users' processes cannot be read; " + ptrace,
			"the keepalive values of 47 sockets: their owners are not known; " + ptrace,
			"whether keepalive is on of 7 sockets: neither the values nor the timer tell; " + ptrace,
			"the origin of values that equal the sysctl of 1 socket: " + byBPF,
		}},
		{"half of what BPF wants is nothing", []uintptr{unix.CAP_BPF}, sockets.Diag, false, []string{
			"the owners of 47 sockets: the descriptors of other users' processes cannot be read; " + ptrace,
			"the keepalive values of 47 sockets: their owners are not known; " + ptrace,
			"whether keepalive is on of 7 sockets: neither the values nor the timer tell; " + ptrace,
			"the origin of values that equal the sysctl of 1 socket: " + byBPF,
		}},
		{"to list descriptors and not to read them", []uintptr{unix.CAP_DAC_READ_SEARCH}, sockets.Diag, false, []string{
			"the owners of 47 sockets: the descriptors of other users' processes cannot be read; " + ptrace,
			"the keepalive values of 47 sockets: their owners are not known; " + ptrace,
			"whether keepalive is on of 7 sockets: neither the values nor the timer tell; " + ptrace,
			"the origin of values that equal the sysctl of 1 socket: " + byBPF,
		}},
		{"to read descriptors and to borrow them", []uintptr{unix.CAP_SYS_PTRACE, unix.CAP_DAC_READ_SEARCH}, sockets.Diag, true, []string{
			"the origin of values that equal the sysctl of 37 sockets: " + byBPF,
		}},
		{"BPF", []uintptr{unix.CAP_BPF, unix.CAP_PERFMON}, sockets.BPF, true, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			nstest.RunRoot(t, func(t *testing.T) {
				all := furnish(t, 20)
				l := role(t, "list", &syscall.SysProcAttr{
					Credential:  &syscall.Credential{Uid: 65534, Gid: 65534},
					AmbientCaps: row.caps,
				})
				if len(l.Sockets) != len(all)+1 {
					t.Errorf("%d sockets, want %d", len(l.Sockets), len(all)+1)
				}
				if l.Source != row.source || (l.WhyNotBPF == "") != (row.source == sockets.BPF) {
					t.Errorf("source %v, %q", l.Source, l.WhyNotBPF)
				}
				own := l.find(t, l.Own)
				if len(own.Owners) != 1 || own.Owners[0].PID != l.PID || !own.ValuesKnown || own.Keepalive != sockets.Off || own.UID != 65534 {
					t.Errorf("its own socket: %+v", own)
				}
				for _, h := range all {
					s := l.find(t, h.cookie)
					if row.all {
						s.UID = uint32(os.Getuid())
						if diff := h.diff(s, l.Source); diff != "" {
							t.Errorf("%s\nlisted %+v\nowner %+v", diff, s, h)
						}
						continue
					}
					if len(s.Owners) != 0 || s.ValuesKnown || s.TimeFrom != sockets.FromUnknown || s.Settings != (keepalive.Settings{}) {
						t.Errorf("without privilege: %+v", s)
					}
					if s.Keepalive != sockets.Unknown && s.Keepalive != h.on || s.Keepalive == sockets.Unknown && h.state != sockets.Listen {
						t.Errorf("keepalive %v, the owner says %v: %+v", s.Keepalive, h.on, s)
					}
				}
				var got []string
				for _, g := range l.Incomplete {
					got = append(got, g.String())
				}
				if !slices.Equal(got, row.incomplete) {
					t.Errorf("incomplete:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(row.incomplete, "\n"))
				}
			})
		})
	}
}

// In a PID namespace of its own the reader sees its own processes only, by the
// numbers that they have there.
func TestRootPIDNamespace(t *testing.T) {
	nstest.RunRoot(t, func(t *testing.T) {
		all := furnish(t, 10)
		l := role(t, "list by BPF", &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID})
		if own := l.find(t, l.Own); l.PID != 1 || len(own.Owners) != 1 || own.Owners[0].PID != 1 {
			t.Errorf("process %d: its own socket: %+v", l.PID, own)
		}
		for _, h := range all {
			if s := l.find(t, h.cookie); len(s.Owners) != 0 || s.Settings != h.settings {
				t.Errorf("%+v", s)
			}
		}
		if len(l.Incomplete) != 1 || l.Incomplete[0].Sockets != len(all) {
			t.Errorf("incomplete: %v", l.Incomplete)
		}
	})
}

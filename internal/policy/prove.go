package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/policy/bpf"
	"github.com/tcpka/tcpka/internal/room"
)

// proofPrefix begins the name of every cgroup for a proof; 16 hexadecimal digits end it.
const proofPrefix = "tcpka-proof-"

// ProofArgs are the arguments with which this program, started again, has to call
// [ConnectForProof] and print what it says.
var ProofArgs = []string{"show", "policy", "--connect-for-proof"}

// ErrNotRunning says that the kernel has the policies and does not apply them.
var ErrNotRunning = errors.New("the kernel does not apply them")

// Prove makes a connection in a cgroup whose name nobody else knows, in a network
// namespace of its own, and looks whether it got what the program has for that name. There
// are kernels that have everything, and give it to nobody: 5.10 before 5.10.262, once a
// process is in a net_cls cgroup.
func (w Where) Prove(s *State) error {
	w.sweep()
	name := s.attached.Proof
	if !strings.HasPrefix(name, proofPrefix) || strings.Contains(name, "/") {
		return fmt.Errorf("the name of the cgroup for the proof is %q", name)
	}
	path := filepath.Join(w.Cgroups, name)
	if err := os.Mkdir(path, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("whether they are applied could not be tried: %w", err)
	}
	defer os.Remove(path)
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	cmd := exec.Command("/proc/self/exe", ProofArgs...)
	cmd.Args[0] = os.Args[0] // the tests of commands are several programs in one
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd()), Pdeathsig: syscall.SIGKILL}
	var problems bytes.Buffer
	cmd.Stderr = &problems
	got, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("whether they are applied could not be tried: %w %s", err, bytes.TrimSpace(problems.Bytes()))
	}
	v := bpf.ProofValues
	want := fmt.Sprintf("%d %d %d %d %d", 1, v.Time, v.Intvl, v.Probes, v.UserTimeout)
	if g := strings.TrimSpace(string(got)); g != want {
		return fmt.Errorf("%w: a connection that was made to try it has %s, and should have %s", ErrNotRunning, g, want)
	}
	return nil
}

// sweep removes the cgroups that killed runs have left. None is in use for a minute.
func (w Where) sweep() {
	entries, _ := os.ReadDir(w.Cgroups)
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), proofPrefix) {
			continue
		}
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > time.Minute {
			os.Remove(filepath.Join(w.Cgroups, e.Name()))
		}
	}
}

// ConnectForProof makes a connection and says what it has: keepalive, time, intvl, probes
// and user timeout. It needs root.
func ConnectForProof() (values string, err error) {
	aerr := room.Apart(func() {
		var client, server int
		if client, server, err = room.Pair(unix.AF_INET, nil); err != nil {
			return
		}
		defer unix.Close(client)
		defer unix.Close(server)
		var all []string
		for _, o := range [][2]int{{unix.SOL_SOCKET, unix.SO_KEEPALIVE}, {unix.SOL_TCP, unix.TCP_KEEPIDLE}, {unix.SOL_TCP, unix.TCP_KEEPINTVL},
			{unix.SOL_TCP, unix.TCP_KEEPCNT}, {unix.SOL_TCP, unix.TCP_USER_TIMEOUT}} {
			n, gerr := unix.GetsockoptInt(client, o[0], o[1])
			err = errors.Join(err, gerr)
			all = append(all, fmt.Sprint(n))
		}
		values = strings.Join(all, " ")
	})
	return values, errors.Join(aerr, err)
}

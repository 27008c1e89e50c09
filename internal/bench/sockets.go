package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The bars of a size: how many times faster than ss -tnop.
type size struct {
	sockets, rounds int
	aim, limit      float64
}

var sizes = []size{
	{2_000, 40, 2, 1},
	{20_000, 12, 8, 4},
	{200_000, 2, 60, 30}, // ss takes a quarter of a minute for each
}

// benchSockets measures the list of sockets beside ss -tnop: by turns, in one
// network namespace of their own, in which other processes hold both ends of all
// connections.
func benchSockets(tcpka string, large bool) error {
	ss, err := exec.LookPath("ss")
	if err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return errors.New("the sockets want root: BPF, and a network namespace")
	}
	for _, z := range sizes {
		if z.sockets > 20_000 && !large {
			fmt.Printf("%d sockets: only with -large\n", z.sockets)
			continue
		}
		if err := compare(z, tcpka, ss); err != nil {
			return err
		}
	}
	return nil
}

// withSockets runs f in a network namespace with n sockets that other processes
// hold. What f starts is there, too.
func withSockets(n int, f func() error) error {
	holder := exec.Command("/proc/self/exe", "hold", strconv.Itoa(n))
	holder.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	holder.Stderr = os.Stderr
	in, err := holder.StdinPipe()
	if err != nil {
		return err
	}
	out, err := holder.StdoutPipe()
	if err != nil {
		return err
	}
	if err := holder.Start(); err != nil {
		return err
	}
	defer holder.Wait()
	defer in.Close()
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		return fmt.Errorf("make the sockets: %q, %w", line, err)
	}
	return inNamespace(holder.Process.Pid, f)
}

func compare(z size, tcpka, ss string) error {
	return withSockets(z.sockets, func() error {
		if err := benchRetune(z.sockets); err != nil {
			return err
		}
		commands := [][]string{{tcpka, "show", "sockets"}, {ss, "-tnop"}}
		took := make([][]time.Duration, len(commands))
		for round := range z.rounds + 1 {
			for i, c := range commands {
				d, err := run(c)
				if err != nil {
					return err
				}
				if round > 0 {
					took[i] = append(took[i], d)
				}
			}
		}
		var kib [2]int
		for i, c := range commands {
			own, err := 0, error(nil)
			if kib[i], own, err = peak(c); err != nil {
				return err
			}
			slices.Sort(took[i])
			fmt.Printf("%d sockets: %-18s median %v, 10th percentile %v, peak %d KiB, %d of them without the pages of its files\n", z.sockets,
				filepath.Base(c[0])+" "+strings.Join(c[1:], " "), median(took[i]), took[i][len(took[i])/10].Round(time.Microsecond), kib[i], own)
		}
		fmt.Printf("%d sockets: %.1f times faster than ss -tnop (aim %g, limit %g), %.2f of its memory\n", z.sockets,
			float64(median(took[1]))/float64(median(took[0])), z.aim, z.limit, float64(kib[0])/float64(kib[1]))
		return nil
	})
}

// inNamespace runs f on a thread in the network namespace of a process. What it
// starts is there too.
func inNamespace(pid int, f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends
		ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
		if err == nil {
			err = unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET)
		}
		if err == nil {
			err = f()
		}
		done <- err
	}()
	return <-done
}

// peak runs a command and returns the most memory it had resident, and how much of
// what it had at its end is its own: no pages of files, which it shares with the
// page cache. Not rusage: that counts what this process had before the exec.
func peak(c []string) (kib, own int, err error) {
	cmd := exec.Command(c[0], c[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true} // this thread's: it stays locked
	if err := cmd.Start(); err != nil {
		return 0, 0, err
	}
	pid := cmd.Process.Pid
	var status unix.WaitStatus
	if _, err := unix.Wait4(pid, &status, 0, nil); err != nil {
		return 0, 0, err
	}
	if err := unix.PtraceSetOptions(pid, unix.PTRACE_O_TRACEEXIT|unix.PTRACE_O_EXITKILL); err != nil {
		return 0, 0, err
	}
	for signal := 0; ; {
		if err := unix.PtraceCont(pid, signal); err != nil {
			return 0, 0, err
		}
		if _, err := unix.Wait4(pid, &status, 0, nil); err != nil {
			return 0, 0, err
		}
		switch {
		case status.Exited() || status.Signaled():
			if status.ExitStatus() != 0 {
				err = fmt.Errorf("%s: status %d", c[0], status.ExitStatus())
			}
			return kib, own, err
		case status.TrapCause() == unix.PTRACE_EVENT_EXIT:
			signal = 0
			b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
			if err != nil {
				return 0, 0, err
			}
			for field, to := range map[string]*int{"VmHWM:": &kib, "RssAnon:": &own} {
				_, rest, _ := strings.Cut(string(b), field)
				fmt.Sscan(rest, to)
			}
		default:
			if signal = int(status.StopSignal()); signal == int(unix.SIGTRAP) {
				signal = 0
			}
		}
	}
}

// perHolder is how many sockets one process holds: fewer descriptors than it may
// have, and fewer connections than there are ephemeral ports.
const perHolder = 16_000

// hold keeps n sockets, in several processes, until its input ends.
func hold(n int) error {
	if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		return fmt.Errorf("ip link set lo up: %w: %s", err, out)
	}
	for i := 0; n > 0; i++ {
		part := min(n, perHolder)
		n -= part
		child := exec.Command("/proc/self/exe", "holdpart", strconv.Itoa(part), strconv.Itoa(i+1))
		child.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		child.Stdin, child.Stderr = os.Stdin, os.Stderr
		out, err := child.StdoutPipe()
		if err != nil {
			return err
		}
		if err := child.Start(); err != nil {
			return err
		}
		defer child.Wait()
		if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
			return fmt.Errorf("%q, %w", line, err)
		}
	}
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
	return nil
}

// holdPart makes both ends of n/2 connections to 127.0.0.address. Half of them
// have keepalive on.
func holdPart(n, address int) error {
	debug.SetGCPercent(-1)
	at := &unix.SockaddrInet4{Port: 5432, Addr: [4]byte{127, 0, 0, byte(address)}}
	listener, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(unix.Bind(listener, at), unix.Listen(listener, 128)); err != nil {
		return err
	}
	for i := range n / 2 {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		if i%2 == 0 {
			if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1); err != nil {
				return err
			}
		}
		if err := unix.Connect(fd, at); err != nil {
			return err
		}
		if _, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC); err != nil {
			return err
		}
	}
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
	return nil
}

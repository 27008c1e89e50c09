package sshproc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/sshconf"
)

// What keeps a daemon from being told. Test with [errors.Is].
var (
	// ErrNoDaemon is that no sshd listens with the file.
	ErrNoDaemon = errors.New("no sshd that listens with this file was found")

	// ErrSeveralDaemons is that it is not clear which one is meant.
	ErrSeveralDaemons = errors.New("several sshd listen with this file")
)

// A Daemon is an sshd that listens.
type Daemon struct {
	PID     int
	Service string // the unit of systemd that it belongs to, such as "ssh.service"; empty is none
	// Options are what its command line says after -o: they beat the file.
	Options []string

	again []string // what it is started with, as far as it matters to a reload
	pidfd int
	proc  string
}

// FindDaemon finds the one sshd that listens with a configuration, by what it says of
// itself in /proc: of the same mount namespace, and neither of several. A session of
// sshd, which a signal would end, is none. Close it after use.
//
// It is an error where the file was named by a relative path, and where the command
// line is too long to be seen whole.
func FindDaemon(file string) (*Daemon, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var found []*Daemon
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if d, err := openDaemon(pid, file); err == nil {
			found = append(found, d)
		}
	}
	if len(found) == 1 {
		return found[0], nil
	}
	var pids []string
	for _, d := range found {
		d.Close()
		pids = append(pids, strconv.Itoa(d.PID))
	}
	if len(found) == 0 {
		return nil, ErrNoDaemon
	}
	return nil, fmt.Errorf("%w: processes %s", ErrSeveralDaemons, strings.Join(pids, ", "))
}

var errOther = errors.New("another process")

// openDaemon holds on to a process and looks whether it is the daemon.
func openDaemon(pid int, file string) (*Daemon, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, err
	}
	d := &Daemon{PID: pid, pidfd: fd, proc: "/proc/" + strconv.Itoa(pid)}
	if err := d.check(file); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// Close lets go of the process.
func (d *Daemon) Close() { unix.Close(d.pidfd) }

func (d *Daemon) check(file string) error {
	exe, err := os.Readlink(d.proc + "/exe")
	if err != nil {
		return err
	}
	// After an upgrade it is gone from the disk.
	if filepath.Base(strings.TrimSuffix(exe, " (deleted)")) != "sshd" {
		return errOther
	}
	// Another user's is not the one that is meant, whatever it says of itself.
	p, _, err := readProcess(d.PID)
	if err != nil || p.Program != sshconf.SSHD || p.Role != RoleListener || p.UID != 0 && int(p.UID) != os.Geteuid() || cmp.Or(p.File, sshconf.SshdConfig) != file {
		return errOther
	}
	mine, err := namespaceOf("/proc/self/ns/mnt")
	if err != nil {
		return err
	}
	if its, err := namespaceOf(d.proc + "/ns/mnt"); err != nil || its != mine {
		return errOther
	}
	d.Options = p.Options
	d.again = append([]string{"-f", file}, rereadArgs(p.args)...)
	d.Service = d.service()
	if d.listening() == "" {
		return errOther
	}
	return nil
}

// rereadArgs are those of sshd's arguments that decide what it does when it reads its
// files again, its file apart.
func rereadArgs(args []string) []string {
	var all []string
	sshconf.EachOption(args, sshconf.SshdValues, func(name byte, value string) {
		switch name {
		case 'c', 'h', 'o', 'p':
			all = append(all, "-"+string(name), value)
		case '4', '6':
			all = append(all, "-"+string(name))
		}
	})
	return all
}

// service is the unit of systemd that the process is in.
func (d *Daemon) service() string {
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		return ""
	}
	text, err := os.ReadFile(d.proc + "/cgroup")
	if err != nil {
		return ""
	}
	return serviceOf(string(text))
}

// serviceOf finds the unit in /proc/PID/cgroup: see cgroups(7).
func serviceOf(cgroup string) string {
	for line := range strings.Lines(cgroup) {
		// Hierarchy 0 is version 2; in version 1 systemd's is called so.
		id, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, path, _ := strings.Cut(rest, ":")
		if name := filepath.Base(path); (id == "0" || controllers == "name=systemd") && (name == "ssh.service" || name == "sshd.service") {
			return name
		}
	}
	return ""
}

// listening are the inodes of its sockets that wait for connections; empty is none.
func (d *Daemon) listening() string {
	mine := socketInodes(d.PID)
	var all []string
	for _, name := range []string{"tcp", "tcp6"} {
		table, err := os.ReadFile(d.proc + "/net/" + name)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(table)) {
			// sl local remote st tx:rx tr:when retrnsmt uid timeout inode
			if f := strings.Fields(line); len(f) > 9 && f[3] == "0A" && mine[f[9]] {
				all = append(all, f[9])
			}
		}
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// Reload has the daemon read its files again, through systemd where that has started
// it, else by SIGHUP. See [Daemon.Ready] for what must be looked at before: a daemon
// that finds a mistake ends, and nobody can log in any more. It waits until the daemon
// listens again.
//
// Equivalent to: systemctl reload SERVICE, or kill -HUP PID.
func (d *Daemon) Reload(ctx context.Context, p sshconf.Programs) error {
	before := d.listening()
	if d.Service != "" {
		if _, err := p.Run(ctx, nil, sshconf.FindProgram("systemctl"), "reload", d.Service); err != nil {
			return fmt.Errorf("reload %s: %w", d.Service, err)
		}
	} else if err := unix.PidfdSendSignal(d.pidfd, unix.SIGHUP, nil, 0); err != nil {
		return fmt.Errorf("signal sshd %d: %w", d.PID, err)
	}
	// It runs itself anew, with the same number and with new sockets; those that
	// systemd has opened for it stay.
	const patience, same, step = 5 * time.Second, time.Second, 20 * time.Millisecond
	for waited := time.Duration(0); waited < patience; waited += step {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(step):
		}
		// A pidfd can be read from when its process has ended; see pidfd_open(2).
		ended := []unix.PollFd{{Fd: int32(d.pidfd), Events: unix.POLLIN}}
		if n, err := unix.Poll(ended, 0); err == nil && n > 0 {
			return fmt.Errorf("sshd %d has ended: start it again before you log out", d.PID)
		}
		if now := d.listening(); now != "" && (now != before || waited >= same) {
			return nil
		}
	}
	return fmt.Errorf("sshd %d does not listen %s after it was told to reload", d.PID, patience)
}

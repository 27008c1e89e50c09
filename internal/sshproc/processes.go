// Package sshproc finds the processes of ssh and sshd, and has a daemon read its files again.
package sshproc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/sshconf"
)

// Process is an ssh or an sshd that runs.
type Process struct {
	PID, Parent int
	UID         uint32 // the real one
	Program     sshconf.Program
	Role        Role
	Started     time.Time
	sshconf.CommandLine
	args []string // of an sshd that listens, without its own name

	// Title is what sshd, or a master of ssh, wrote over its command line: "bob@pts/0".
	// It may be any text.
	Title string
	// Files and Network are whether the process is in the caller's mount and network
	// namespaces.
	Files, Network Sight
	// Replaced is whether its program is no longer the one on the disk, so that its
	// release is not known.
	Replaced bool
	Dir      string // where it was started; empty is not known
}

// Role is what a process is there for.
type Role string

const (
	RoleSession  Role = "session"
	RoleMaster   Role = "master"   // of ssh: others go through its connection
	RoleListener Role = "listener" // of sshd
	RoleLogin    Role = "login"    // of sshd: nobody is logged in yet
	RoleMonitor  Role = "monitor"  // of sshd: the privileged half of a session
)

// Sight is whether two processes see the same.
type Sight int

const (
	NotKnown Sight = iota
	Same
	Other
)

// Processes lists the ssh and sshd that the caller sees, by the name of the process,
// which everybody can choose: what comes from it is for showing, and not to be
// trusted. Those that end meanwhile are left out.
func Processes() ([]Process, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	now, sinceBoot, err := clocks()
	if err != nil {
		return nil, err
	}
	sight := func(pid, kind string) Sight {
		own, err1 := namespaceOf("/proc/thread-self/ns/" + kind)
		link, err2 := namespaceOf("/proc/" + pid + "/ns/" + kind)
		switch {
		case err1 != nil || err2 != nil:
			return NotKnown
		case own == link:
			return Same
		}
		return Other
	}
	var all []Process
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		p, started, err := readProcess(pid)
		if err != nil {
			continue
		}
		p.Started = now.Add(started - sinceBoot)
		p.Files, p.Network = sight(name, "mnt"), sight(name, "net")
		all = append(all, p)
	}
	return all, nil
}

// namespaceOf is the text of a link in /proc/PID/ns, net:[4026531840] for one. What
// is no such text is an error: some releases of Linux, 6.12.100 is one, do not refuse
// what the caller may not see, and an empty text would be a namespace like any other.
// Source: fs/proc/namespaces.c, proc_ns_get_link, proc_ns_readlink.
func namespaceOf(path string) (string, error) {
	link, err := os.Readlink(path)
	if err == nil && !strings.Contains(link, ":[") {
		err = &os.PathError{Op: "readlink", Path: path, Err: unix.EACCES}
	}
	return link, err
}

// clocks are the same moment by the calendar and since the boot.
func clocks() (now time.Time, sinceBoot time.Duration, err error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return now, 0, fmt.Errorf("clock_gettime: %w", err)
	}
	return time.Now(), time.Duration(ts.Nano()), nil
}

var errNotSSH = errors.New("neither ssh nor sshd")

// readProcess reads one, and when after the boot it began.
func readProcess(pid int) (p Process, started time.Duration, err error) {
	base := fmt.Sprintf("/proc/%d/", pid)
	stat, err := readSome(base + "stat")
	if err != nil {
		return p, 0, err
	}
	// pid (comm) state ppid ... starttime; comm may have parentheses. See proc(5).
	open, end := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
	if open < 0 || end < open {
		return p, 0, errNotSSH
	}
	switch string(stat[open+1 : end]) {
	case "ssh":
		p.Program = sshconf.SSH
	case "sshd", "sshd-session", "sshd-auth":
		p.Program = sshconf.SSHD
	default:
		return p, 0, errNotSSH
	}
	fields := strings.Fields(string(stat[end+1:]))
	if len(fields) < 20 || fields[0] == "Z" {
		return p, 0, errNotSSH
	}
	p.PID = pid
	p.Parent, _ = strconv.Atoi(fields[1])
	ticks, err := strconv.ParseInt(fields[19], 10, 64)
	if err != nil {
		return p, 0, err
	}
	started = time.Duration(ticks) * (time.Second / 100) // USER_HZ
	status, err := readSome(base + "status")
	if err != nil {
		return p, 0, err
	}
	for line := range strings.Lines(string(status)) {
		if ids, ok := strings.CutPrefix(line, "Uid:"); ok && len(strings.Fields(ids)) > 0 {
			uid, _ := strconv.ParseUint(strings.Fields(ids)[0], 10, 32)
			p.UID = uint32(uid)
		}
	}
	cmdline, err := readSome(base + "cmdline")
	if err != nil {
		return p, 0, err
	}
	if exe, err := os.Readlink(base + "exe"); err == nil {
		p.Replaced = strings.HasSuffix(exe, " (deleted)")
	}
	p.Dir, _ = os.Readlink(base + "cwd")
	p.parseCommandLine(cmdline)
	return p, started, nil
}

// HasChildren reports whether the process has started others, as ssh has where it goes
// through a proxy or a jump host.
func (p Process) HasChildren() bool {
	children, err := readSome(fmt.Sprintf("/proc/%d/task/%d/children", p.PID, p.PID))
	return err == nil && len(bytes.TrimSpace(children)) > 0
}

// readSome reads a file of procfs, up to what is enough.
func readSome(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, 128<<10))
}

// ListensAt is the path of the socket at which a master waits for others to go through
// its connection, or empty. What may not be looked at is empty, too.
func (p Process) ListensAt() string {
	mine := socketInodes(p.PID)
	table, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/unix", p.PID))
	if err != nil {
		return ""
	}
	const listening = "00010000" // __SO_ACCEPTCON
	for line := range strings.Lines(string(table)) {
		// Num RefCount Protocol Flags Type St Inode Path
		if f := strings.Fields(line); len(f) > 7 && f[3] == listening && mine[f[6]] {
			return f[7]
		}
	}
	return ""
}

// socketInodes are the sockets that a process has open, by their inodes; none where
// that may not be seen. See proc(5), /proc/PID/fd.
func socketInodes(pid int) map[string]bool {
	dir := fmt.Sprintf("/proc/%d/fd/", pid)
	links, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	inodes := map[string]bool{}
	for _, l := range links {
		link, err := os.Readlink(dir + l.Name())
		if inode, ok := strings.CutPrefix(link, "socket:["); err == nil && ok {
			inodes[strings.TrimSuffix(inode, "]")] = true
		}
	}
	return inodes
}

package ssh

import (
	"cmp"
	"errors"
	"os"
	"os/user"
	"slices"
	"strings"
	"time"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/account"
	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/basis"
	"github.com/tcpka/tcpka/internal/connection"
	"github.com/tcpka/tcpka/internal/sshconf"
	"github.com/tcpka/tcpka/internal/sshend"
	"github.com/tcpka/tcpka/internal/sshproc"
	"github.com/tcpka/tcpka/sockets"
)

// sshScene is the ssh and sshd that run, and their connections.
type sshScene struct {
	processes   []sshproc.Process
	byPID       map[int]*sshproc.Process
	connections map[int]connection.Socket // the first that each has opened
	here        []connection.Socket       // those with the ends of this session

	v        basis.Values
	versions map[sshconf.Program]string
	users    map[uint32]*user.User // those that were looked up; nil is unknown

	// Until then the files of processes are read, and their users looked up: anybody
	// can start as many as they like, with files of any size.
	until time.Time
}

// patience is how long the files of everything that runs may take.
const patience = 5 * time.Second

// lookAtSSH finds processes and sockets. What may not be seen is not there.
func lookAtSSH(v basis.Values, versions map[sshconf.Program]string, session sshconf.Connection, peer sockets.Endpoint) (sshScene, error) {
	scene := sshScene{v: v, versions: versions, until: time.Now().Add(patience), byPID: map[int]*sshproc.Process{}, users: map[uint32]*user.User{}, connections: map[int]connection.Socket{}}
	var err error
	if scene.processes, err = sshproc.Processes(); err != nil {
		return scene, err
	}
	slices.SortFunc(scene.processes, func(a, b sshproc.Process) int { return cmp.Compare(a.PID, b.PID) })
	var pids []int
	for i := range scene.processes {
		scene.byPID[scene.processes[i].PID] = &scene.processes[i]
		pids = append(pids, scene.processes[i].PID)
	}
	d := connection.Describer{Netns: strings.TrimPrefix(v.Source, "namespace "), Kernel: v.Kernel, Always: true}
	keep := func(s *sockets.Socket) connection.Socket {
		row := *d.Describe(s)
		row.Owners = slices.Clone(row.Owners)
		return row
	}
	query := sockets.Query{Sysctl: v.Settings}
	if len(pids) > 0 {
		query.Filter = sockets.Filter{PIDs: pids}
		_, err = sockets.List(query, func(s *sockets.Socket) error {
			for _, o := range s.Owners {
				// A program opens its own connection before those it forwards.
				if before, ok := scene.connections[o.PID]; scene.byPID[o.PID] != nil && (!ok || o.FD < descriptor(before, o.PID)) {
					scene.connections[o.PID] = keep(s)
				}
			}
			return nil
		})
	}
	if session.Addr != "" && peer.Port != 0 {
		// Its owner may not be seen; the ends are, by everybody.
		query.Filter = sockets.Filter{Remote: []sockets.Endpoint{peer}, Local: []sockets.Endpoint{{Port: uint16(session.LocalPort)}}}
		_, errHere := sockets.List(query, func(s *sockets.Socket) error {
			scene.here = append(scene.here, keep(s))
			return nil
		})
		err = errors.Join(err, errHere)
	}
	return scene, err
}

func descriptor(s connection.Socket, pid int) int {
	for _, o := range s.Owners {
		if o.PID == pid {
			return o.FD
		}
	}
	return 1 << 30
}

// running describes each process that has a connection of SSH, or waits for some, in
// this network namespace, or where that may not be seen in any.
func (scene *sshScene) running(wanted func(sshproc.Process) bool) []Process {
	halves := map[int]bool{} // monitors whose session is listed
	for _, p := range scene.processes {
		if p.Role == sshproc.RoleSession && p.Program == sshconf.SSHD {
			halves[p.Parent] = true
		}
	}
	all := []Process{}
	for _, p := range scene.processes {
		if p.Network == sshproc.Other || p.Control || p.Role == sshproc.RoleMonitor && halves[p.PID] || !wanted(p) || p.Program == sshconf.SSH && p.Destination == "" && p.Title == "" {
			continue
		}
		all = append(all, scene.describe(p))
	}
	slices.SortStableFunc(all, func(a, b Process) int { return cmp.Compare(a.Side, b.Side) })
	return all
}

func (scene *sshScene) describe(p sshproc.Process) Process {
	d := Process{
		PID: p.PID, UID: p.UID, Role: string(p.Role), Age: answer.Seconds(time.Since(p.Started).Round(time.Second)),
		Sources: map[string]string{}, Unsure: map[string]string{}, Warnings: []calc.Warning{},
	}
	if p.Role == sshproc.RoleMonitor {
		d.Role = string(sshproc.RoleSession)
	}
	who := scene.user(p.UID)
	if who != nil {
		d.User = &who.Username
	}
	if socket, ok := scene.connections[p.PID]; ok && p.Role != sshproc.RoleListener {
		d.Socket = &Socket{Socket: socket}
	}
	if p.Program == sshconf.SSH {
		scene.describeClient(&d, p, who)
	} else {
		scene.describeServer(&d, p)
	}
	return d
}

// reader is with whose rights the files of a process are read: root does not open, for
// what calls itself ssh, a file that its user could not. nil is the caller's own. why is
// empty, or says why they are not read.
func (scene *sshScene) reader(uid uint32) (as *user.User, why string) {
	switch {
	case time.Now().After(scene.until):
		return nil, "its files were not read: those of the others took too long"
	case os.Geteuid() != 0 || uid == 0:
		return nil, ""
	}
	if as = scene.user(uid); as == nil {
		why = "its files are not read, as its user is not known here"
	}
	return as, why
}

// noneKnown says of every keyword why it is not known.
func noneKnown(d *Process, why string) {
	for _, k := range sshend.KeywordsOf(d.Side) {
		d.Unsure[string(k)] = why
	}
}

// user is the user with a number, or nil.
func (scene *sshScene) user(uid uint32) *user.User {
	who, known := scene.users[uid]
	if !known && time.Now().Before(scene.until) {
		who, _ = account.ByID(uid)
		scene.users[uid] = who
	}
	return who
}

// ownProcess reports whether the sockets of a process can be seen where it has some.
func ownProcess(p sshproc.Process) bool {
	return p.Network == sshproc.Same && (os.Geteuid() == 0 || int(p.UID) == os.Geteuid())
}

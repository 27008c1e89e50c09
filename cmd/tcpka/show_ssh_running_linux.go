package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/account"
	"github.com/tcpka/tcpka/internal/report"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/sockets"
	"github.com/tcpka/tcpka/sshconf"
)

// sshScene is the ssh and sshd that run, and their connections.
type sshScene struct {
	processes   []sshconf.Process
	byPID       map[int]*sshconf.Process
	connections map[int]report.Socket // the first that each has opened
	here        []report.Socket       // those with the ends of this session

	v        values
	versions map[sshconf.Program]string
	users    map[uint32]*user.User // those that were looked up; nil is unknown

	// Until then the files of processes are read, and their users looked up: anybody
	// can start as many as they like, with files of any size.
	until time.Time
}

// patience is how long the files of everything that runs may take.
const patience = 5 * time.Second

// lookAtSSH finds processes and sockets. What may not be seen is not there.
func lookAtSSH(v values, versions map[sshconf.Program]string, session sshconf.Connection, peer sockets.Endpoint) (sshScene, error) {
	scene := sshScene{v: v, versions: versions, until: time.Now().Add(patience), byPID: map[int]*sshconf.Process{}, users: map[uint32]*user.User{}, connections: map[int]report.Socket{}}
	var err error
	if scene.processes, err = sshconf.Processes(); err != nil {
		return scene, err
	}
	slices.SortFunc(scene.processes, func(a, b sshconf.Process) int { return cmp.Compare(a.PID, b.PID) })
	var pids []int
	for i := range scene.processes {
		scene.byPID[scene.processes[i].PID] = &scene.processes[i]
		pids = append(pids, scene.processes[i].PID)
	}
	d := describer{netns: strings.TrimPrefix(v.source, "namespace "), kernel: v.kernel, always: true}
	keep := func(s *sockets.Socket) report.Socket {
		row := *d.describe(s)
		row.Owners = slices.Clone(row.Owners)
		return row
	}
	query := sockets.Query{Sysctl: v.settings}
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

func descriptor(s report.Socket, pid int) int {
	for _, o := range s.Owners {
		if o.PID == pid {
			return o.FD
		}
	}
	return 1 << 30
}

// running describes each process that has a connection of SSH, or waits for some, in
// this network namespace, or where that may not be seen in any.
func (scene *sshScene) running(wanted func(sshconf.Process) bool) []report.SSHProcess {
	halves := map[int]bool{} // monitors whose session is listed
	for _, p := range scene.processes {
		if p.Role == sshconf.RoleSession && p.Program == sshconf.SSHD {
			halves[p.Parent] = true
		}
	}
	all := []report.SSHProcess{}
	for _, p := range scene.processes {
		if p.Network == sshconf.Other || p.Control || p.Role == sshconf.RoleMonitor && halves[p.PID] || !wanted(p) || p.Program == sshconf.SSH && p.Destination == "" && p.Title == "" {
			continue
		}
		all = append(all, scene.describe(p))
	}
	slices.SortStableFunc(all, func(a, b report.SSHProcess) int { return cmp.Compare(a.Side, b.Side) })
	return all
}

func (scene *sshScene) describe(p sshconf.Process) report.SSHProcess {
	d := report.SSHProcess{
		PID: p.PID, UID: p.UID, Role: string(p.Role), Age: report.Seconds(time.Since(p.Started).Round(time.Second)),
		Sources: map[string]string{}, Unsure: map[string]string{}, Warnings: []calc.Warning{},
	}
	if p.Role == sshconf.RoleMonitor {
		d.Role = string(sshconf.RoleSession)
	}
	who := scene.user(p.UID)
	if who != nil {
		d.User = &who.Username
	}
	if socket, ok := scene.connections[p.PID]; ok && p.Role != sshconf.RoleListener {
		d.Socket = &report.SSHSocket{Socket: socket}
	}
	if p.Program == sshconf.SSH {
		scene.describeClient(&d, p, who)
	} else {
		scene.describeServer(&d, p)
	}
	return d
}

func (scene *sshScene) describeClient(d *report.SSHProcess, p sshconf.Process, who *user.User) {
	d.Side = calc.SSHClient
	d.Destination = new(report.Foreign(cmp.Or(p.Destination, p.Title)))
	listensAt := p.ListensAt()
	switch {
	case listensAt != "":
		d.Role = string(sshconf.RoleMaster)
	case d.Socket == nil && ownProcess(p) && p.Title == "" && !p.HasChildren():
		d.Role = "through_master"
	}
	if d.Role == "through_master" {
		return // it has what its master has
	}
	if p.Title != "" {
		scene.unknown(d, sshconf.ClientKeywords, "a master in the background does not show its command line any more")
		return
	}
	c := sshconf.Client{Options: p.Options}
	if who != nil {
		c = sshconf.NewClient(hostOf(p.Destination), who.Username, who.HomeDir)
		c.Options = p.Options
		c.User = cmp.Or(p.User, c.User)
	}
	if p.File != "" {
		c.UserFile, c.SystemFile = p.File, ""
		if strings.EqualFold(p.File, "none") {
			c.UserFile = ""
		} else if !filepath.IsAbs(p.File) && p.Dir != "" {
			c.UserFile = filepath.Join(p.Dir, p.File)
		}
	}
	if scene.late(d, sshconf.ClientKeywords) {
		return
	}
	as, known := scene.ownerOf(p.UID)
	if !known {
		scene.unknown(d, sshconf.ClientKeywords, "its files are not read, as its user is not known here")
		return
	}
	c.As = as
	found, err := sshconf.FindClient(c)
	scene.settle(d, p, found, err, sshconf.ClientKeywords, moment{p.Started.Add(clockError), "since it began"})
	if d.Role == string(sshconf.RoleMaster) && len(d.Unsure) > 0 {
		d.Warnings = append(d.Warnings, calc.Warning{ID: "master_keeps_values", Text: "new sessions go through this master, with the values it began with, until ssh -O stop ends it: " + cmp.Or(listensAt, string(*d.Destination))})
	}
}

// ownerOf is whose rights the files of a process are read with: root does not open, for
// what calls itself ssh, a file that its user could not. nil is the caller's own.
func (scene *sshScene) ownerOf(uid uint32) (as *user.User, known bool) {
	if os.Geteuid() != 0 || uid == 0 {
		return nil, true
	}
	as = scene.user(uid)
	return as, as != nil
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

// hostOf is a destination without what a URI has around it.
func hostOf(dest string) string {
	rest, isURI := strings.CutPrefix(dest, "ssh://")
	if !isURI {
		return dest
	}
	rest, _, _ = strings.Cut(rest, "/")
	if i := strings.LastIndexByte(rest, ':'); i > strings.LastIndexByte(rest, ']') {
		rest = rest[:i]
	}
	return rest
}

func (scene *sshScene) describeServer(d *report.SSHProcess, p sshconf.Process) {
	d.Side = calc.SSHServer
	if p.Title != "" && p.Role != sshconf.RoleListener {
		d.Destination = new(report.Foreign(p.Title))
	}
	if p.Role == sshconf.RoleLogin { // nothing of this holds yet
		return
	}
	listener, accepted := &p, p.Started
	for range 4 { // session, monitor, listener
		if listener == nil || listener.Role == sshconf.RoleListener {
			break
		}
		accepted = listener.Started
		listener = scene.byPID[listener.Parent]
	}
	since := moment{p.Started.Add(clockError), "since it began"}
	server := sshconf.Server{File: sshdConfig}
	if listener != nil {
		server.Options = listener.Options
		server.File = cmp.Or(listener.File, sshdConfig)
		since = filesRead(*listener, accepted, p.Role == sshconf.RoleListener)
		if d.Role == "listener" {
			d.Destination = nil
		}
	}
	if p.Role != sshconf.RoleListener {
		name, _, _ := strings.Cut(p.Title, "@")
		server.User = name
		if d.Socket != nil {
			server.Addr, server.LocalAddr, server.LocalPort = d.Socket.Remote.Addr().Unmap().String(), d.Socket.Local.Addr().Unmap().String(), int(d.Socket.Local.Port())
			server.Host = server.Addr
		}
	}
	switch {
	case strings.EqualFold(server.File, "none"):
		server.File = ""
	case !filepath.IsAbs(server.File): // sshd works in / by now; see its chdir in sshd.c, main
		scene.unknown(d, sshconf.ServerKeywords, "its file, "+server.File+", was named by a relative path")
		return
	}
	if scene.late(d, sshconf.ServerKeywords) {
		return
	}
	reader := uint32(0) // of the file that it has if nobody says so
	if listener != nil {
		reader = listener.UID
	}
	as, known := scene.ownerOf(reader)
	if !known {
		scene.unknown(d, sshconf.ServerKeywords, "its files are not read, as its user is not known here")
		return
	}
	server.As = as
	found, err := sshconf.FindServer(server)
	scene.settle(d, p, found, err, sshconf.ServerKeywords, since)
	if listener == nil {
		for _, k := range sshconf.ServerKeywords {
			if _, set := d.Unsure[string(k)]; !set {
				d.Unsure[string(k)] = "the sshd that let it in is gone, and with it its command line"
			}
		}
	}
}

// moment is when a process has read its files, and how that is said.
type moment struct {
	time.Time
	text string // "since it began"
}

// The clock of processes is coarser than that of files, by some hundredths.
const clockError = 100 * time.Millisecond

// filesRead is when the files were read whose values a process has: by the sshd that
// listens, when it began or at its last reload, before it has accepted the session. A
// session keeps what was read then.
func filesRead(listener sshconf.Process, accepted time.Time, itself bool) moment {
	began, read := listener.Started.Add(clockError), listener.LastRead()
	switch {
	case read.IsZero() && itself:
		return moment{began, "since it began; whether it was told to reload since is not known"}
	case read.IsZero():
		return moment{began, "since its sshd began; whether that was told to reload before this session is not known"}
	case itself:
		return moment{read, "since it last read its files"}
	case !read.After(began), accepted.After(read.Add(clockError)): // it has not been told yet, or before
		return moment{read, "since its sshd last read its files"}
	}
	return moment{began, "since its sshd began, and was read again only after this session had begun"}
}

// late reports whether there is no time for more files, and says so.
func (scene *sshScene) late(d *report.SSHProcess, keywords []sshconf.Keyword) bool {
	if time.Now().Before(scene.until) {
		return false
	}
	scene.unknown(d, keywords, "its files were not read: those of the others took too long")
	return true
}

// unknown says of every keyword why it is not known.
func (scene *sshScene) unknown(d *report.SSHProcess, keywords []sshconf.Keyword, why string) {
	for _, k := range keywords {
		d.Unsure[string(k)] = why
	}
}

// settle puts what was found into the document: the command line for sure, the files
// as far as they are the ones that the process has read.
func (scene *sshScene) settle(d *report.SSHProcess, p sshconf.Process, found sshconf.Findings, err error, keywords []sshconf.Keyword, since moment) {
	why := ""
	switch changed := changedSince(found.Files, since.Time); {
	case err != nil:
		why = err.Error()
	case p.Files == sshconf.Other:
		why = "it sees other files than tcpka does"
	case int(p.UID) != os.Geteuid() && mayNotRead(found.Files) != "":
		why = mayNotRead(found.Files) + " may not be read"
	case changed != "":
		why = changed + " has changed " + since.text
	}
	var counts []sshconf.Setting
	for _, set := range found.Settings {
		keyword := string(set.Keyword)
		certain := set.File == sshconf.FromCommandLine
		switch {
		case certain:
		case why != "":
			d.Unsure[keyword] = why
		case set.Unsure != "":
			d.Unsure[keyword] = set.Unsure
		}
		if p.Files == sshconf.Other && !certain {
			continue
		}
		if set.Line != 0 {
			counts = append(counts, set)
			d.Sources[keyword] = set.Source()
		}
	}
	if err != nil {
		scene.unknown(d, keywords, why)
	}
	side := d.Side
	end := calc.SSH{Side: side, CountMax: calc.DefaultSSHCountMax, TCPKeepAlive: true}
	if err := readEnd(&end, sshconf.OptionsOf(counts)); err != nil {
		scene.unknown(d, keywords, err.Error())
		return
	}
	if version, err := calc.ParseSSHVersion(scene.versions[p.Program]); err == nil && !p.Replaced && p.Files != sshconf.Other {
		end.Version = version
	}
	if _, unsure := d.Unsure[string(keywords[0])]; !unsure || p.Files != sshconf.Other {
		d.Interval = new(report.Seconds(end.Interval))
		d.CountMax, d.TCPKeepAlive = &end.CountMax, &end.TCPKeepAlive
		if period, ok := end.Refresh(); ok {
			d.Refresh = new(report.Seconds(period))
		}
		scene.detection(d, p, end)
		for _, w := range end.Warnings(scene.v.kernel, scene.v.settings) {
			if slices.Contains([]string{"count_zero_drops_idle", "count_zero_never_drops", "probes_at_twice_the_interval"}, w.ID) {
				d.Warnings = append(d.Warnings, w)
			}
		}
	}
	if d.Socket != nil && d.TCPKeepAlive != nil && d.Socket.Keepalive != report.SwitchUnknown && *d.TCPKeepAlive != (d.Socket.Keepalive == report.SwitchOn) {
		d.Warnings = append(d.Warnings, calc.Warning{ID: "socket_differs", Text: fmt.Sprintf("TCPKeepAlive would be %t with these files, and on its socket SO_KEEPALIVE is %t", *d.TCPKeepAlive, d.Socket.Keepalive == report.SwitchOn)})
	}
}

// mayNotRead is the first file that is kept from the caller. Its owner reads it, and ssh
// goes by it.
func mayNotRead(files []string) string {
	for _, path := range files {
		if err := unix.Faccessat(unix.AT_FDCWD, path, unix.R_OK, unix.AT_EACCESS); errors.Is(err, unix.EACCES) {
			return path
		}
	}
	return ""
}

// detection is when a peer that is gone is noticed, by OpenSSH or by TCP: by the socket,
// where it is seen. An ssh of one's own without a socket goes through a proxy.
func (scene *sshScene) detection(d *report.SSHProcess, p sshconf.Process, end calc.SSH) {
	settings := scene.v.settings
	switch s := d.Socket; {
	case s != nil:
		if s.Keepalive != report.SwitchUnknown {
			end.TCPKeepAlive = s.Keepalive == report.SwitchOn
		}
		if s.ValuesKnown {
			settings = s.Settings
		}
	case p.Role == sshconf.RoleListener: // those that it lets in will have one
	case p.Program == sshconf.SSH && ownProcess(p):
		if gone := end.Detection(); !gone.Never {
			d.Detection, d.DetectionBy = new(report.Seconds(gone.Exact)), new(gone.DecidedBy)
		}
		return
	default:
		d.Unsure[string(sshconf.TCPKeepAlive)] = cmp.Or(d.Unsure[string(sshconf.TCPKeepAlive)], "its socket may not be seen")
	}
	if gone := peerGone(end, scene.v.kernel, settings); !gone.Never {
		d.Detection, d.DetectionBy = new(report.Seconds(gone.Exact)), new(gone.DecidedBy)
	}
}

// ownProcess reports whether the sockets of a process can be seen where it has some.
func ownProcess(p sshconf.Process) bool {
	return p.Network == sshconf.Same && (os.Geteuid() == 0 || int(p.UID) == os.Geteuid())
}

// peerGone is when the end of a peer is noticed of which nothing comes any more.
func peerGone(end calc.SSH, k calc.Kernel, set keepalive.Settings) calc.Prediction {
	for _, s := range end.Situations(k, set) {
		if s.ID == calc.SSHPeerGone {
			return s.Prediction
		}
	}
	return calc.Prediction{Never: true}
}

// changedSince is the first file, or directory of included files, that has changed
// since then, as far as ctime tells, or was there and is gone.
func changedSince(files []string, since time.Time) string {
	look := map[string]bool{}
	for i, f := range files {
		look[f] = true
		if i > 0 && filepath.Dir(f) != filepath.Dir(files[0]) && strings.HasSuffix(filepath.Dir(f), ".d") {
			look[filepath.Dir(f)] = true
		}
	}
	for _, path := range slices.Sorted(maps.Keys(look)) {
		var st syscall.Stat_t
		if err := syscall.Stat(path, &st); err != nil {
			continue
		}
		if time.Unix(st.Ctim.Unix()).After(since) {
			return path
		}
	}
	return ""
}

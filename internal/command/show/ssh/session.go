package ssh

import (
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/connection"
	"github.com/tcpka/tcpka/internal/sshconf"
	"github.com/tcpka/tcpka/internal/sshend"
	"github.com/tcpka/tcpka/internal/sshproc"
	"github.com/tcpka/tcpka/keepalive"
)

// session judges the session that tcpka was called in, if it was in one: by what sshd
// would use for it now, and by its socket as it is.
func (scene *sshScene) session(server *Side) *Session {
	d := &Session{Warnings: []calc.Warning{}}
	if !scene.locate(d) {
		return nil
	}
	warn := func(id, text string) { d.Warnings = append(d.Warnings, calc.Warning{ID: id, Text: text}) }
	if d.Socket == nil {
		warn("session_gone", "no such connection is here any more, or it is in another network namespace: SSH_CONNECTION may be that of an earlier session, as in a tmux or screen that was left")
	}
	end := calc.SSH{Side: calc.SSHServer, CountMax: calc.DefaultSSHCountMax, TCPKeepAlive: true}
	if server.Version != nil {
		if version, err := calc.ParseSSHVersion(*server.Version); err == nil {
			end.Version = version
		}
	}
	known := server.Interval != nil
	if known {
		end.Interval, end.CountMax, end.TCPKeepAlive = time.Duration(*server.Interval), *server.CountMax, *server.TCPKeepAlive
	}
	if p := scene.sessionProcess(); p != nil {
		d.PID = &p.PID
		// Its own values are those of its start: what runs beats what the files say now.
		if own := scene.describe(*p); own.Interval != nil {
			known = true
			end.Interval, end.CountMax = time.Duration(*own.Interval), *own.CountMax
			for _, k := range sshconf.ServerKeywords {
				if why := own.Unsure[string(k)]; why != "" {
					warn("session_values_not_sure", "what this session began with is not sure: "+why)
					break
				}
			}
		}
	}
	if !known {
		warn("sshd_not_known", "what sshd uses is not known, so this is its socket alone")
	}
	settings := scene.v.Settings
	bySocket(&end, &settings, d.Socket)
	scene.judge(d, end, settings)
	return d
}

// locate finds the ends of the session and its socket. It reports whether there is one.
func (scene *sshScene) locate(d *Session) bool {
	client, clientPort, server, serverPort, ok := sshend.SSHConnection()
	if ok {
		d.Client, d.Server = answer.Foreign(joinPort(client, clientPort)), answer.Foreign(joinPort(server, serverPort))
	} else { // sudo takes it away, and leaves the parents
		p := scene.sessionAbove()
		if p == nil {
			return false
		}
		s, ok := scene.connections[p.PID]
		if !ok {
			return false
		}
		scene.here = []connection.Socket{s}
		d.Client, d.Server = answer.Foreign(s.Remote.String()), answer.Foreign(s.Local.String())
	}
	if len(scene.here) > 0 {
		d.Socket = &Socket{Socket: scene.here[0]}
	}
	return true
}

// bySocket has the socket decide, as far as it is seen, on what files and sysctls say
// only of new ones. nil is not seen at all.
func bySocket(end *calc.SSH, settings *keepalive.Settings, s *Socket) {
	if s == nil {
		return
	}
	if s.Keepalive != connection.SwitchUnknown {
		end.TCPKeepAlive = s.Keepalive == connection.SwitchOn
	}
	if s.ValuesKnown {
		*settings = s.Settings
	}
}

// judge says whether the session survives, and when its end is noticed.
func (scene *sshScene) judge(d *Session, end calc.SSH, settings keepalive.Settings) {
	if period, ok := end.Refresh(); ok {
		d.Survives, d.SurvivesBy = new(answer.Seconds(period)), new("ssh")
	}
	// A TCP probe comes only after that much silence, SSH's own probes included.
	if period, ok := end.RefreshTCP(scene.v.Kernel, settings); ok && (d.Survives == nil || period < time.Duration(*d.Survives)) {
		d.Survives, d.SurvivesBy = new(answer.Seconds(period)), new("tcp")
	}
	if gone := end.PeerGone(scene.v.Kernel, settings); !gone.Never {
		d.Detection, d.DetectionBy = new(answer.Seconds(gone.Exact)), new(gone.DecidedBy)
	}
}

// sessionProcess is the sshd above this process, or the one that has its socket.
func (scene *sshScene) sessionProcess() *sshproc.Process {
	if p := scene.sessionAbove(); p != nil {
		return p
	}
	for _, s := range scene.here {
		for _, o := range s.Owners {
			if p := scene.byPID[o.PID]; p != nil && p.Role == sshproc.RoleSession {
				return p
			}
		}
	}
	return nil
}

// sessionAbove is the sshd that this process is a descendant of.
func (scene *sshScene) sessionAbove() *sshproc.Process {
	if self, _ := os.Readlink("/proc/self"); self != strconv.Itoa(os.Getpid()) {
		return nil // what is mounted there numbers processes in another way
	}
	for pid, steps := os.Getppid(), 0; pid > 1 && steps < 64; steps++ {
		if p := scene.byPID[pid]; p != nil && p.Program == sshconf.SSHD && p.Role == sshproc.RoleSession {
			return p
		}
		pid = parentOf(pid)
	}
	return nil
}

// parentOf is a process's parent, or 0. See proc(5), /proc/PID/stat.
func parentOf(pid int) int {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 2 {
		return 0
	}
	parent, _ := strconv.Atoi(fields[1])
	return parent
}

func joinPort(addr, port string) string {
	if strings.Contains(addr, ":") {
		addr = "[" + addr + "]"
	}
	return addr + ":" + port
}

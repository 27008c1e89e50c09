package ssh

import (
	"cmp"
	"path/filepath"
	"strings"
	"time"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/sshconf"
	"github.com/tcpka/tcpka/internal/sshend"
	"github.com/tcpka/tcpka/internal/sshproc"
)

func (scene *sshScene) describeServer(d *Process, p sshproc.Process) {
	d.Side = calc.SSHServer
	if p.Title != "" && p.Role != sshproc.RoleListener {
		d.Destination = new(answer.Foreign(p.Title))
	}
	if p.Role == sshproc.RoleLogin { // nothing of this holds yet
		return
	}
	listener, accepted := scene.listenerOf(p)
	reader, since := uint32(0), sshend.Moment{Time: p.Started.Add(sshend.ClockError), Text: "since it began"}
	if listener != nil {
		reader, since = listener.UID, sshend.FilesRead(*listener, accepted, p.Role == sshproc.RoleListener)
	}
	v, why := serverOf(p, listener, d.Socket)
	if why == "" {
		v.As, why = scene.reader(reader)
	}
	if why != "" {
		noneKnown(d, why)
		return
	}
	found, err := sshconf.FindServer(v)
	scene.settle(d, p, found, err, since)
	if listener == nil {
		for _, k := range sshconf.ServerKeywords {
			if _, set := d.Unsure[string(k)]; !set {
				d.Unsure[string(k)] = "the sshd that let it in is gone, and with it its command line"
			}
		}
	}
}

// listenerOf is the sshd that listens and has let a process in, or is it, and when it
// did; nil is that it is gone.
func (scene *sshScene) listenerOf(p sshproc.Process) (listener *sshproc.Process, accepted time.Time) {
	listener, accepted = &p, p.Started
	for range 4 { // session, monitor, listener
		if listener == nil || listener.Role == sshproc.RoleListener {
			break
		}
		accepted = listener.Started
		listener = scene.byPID[listener.Parent]
	}
	return listener, accepted
}

// serverOf is the configuration that a process goes by, and its connection. Without a
// listener it is that of an sshd without arguments. why is empty, or says why its file
// cannot be found.
func serverOf(p sshproc.Process, listener *sshproc.Process, socket *Socket) (v sshconf.Server, why string) {
	v.File = sshend.SshdConfig
	if listener != nil {
		v.Options, v.File = listener.Options, cmp.Or(listener.File, sshend.SshdConfig)
	}
	switch {
	case strings.EqualFold(v.File, "none"):
		v.File = ""
	case !filepath.IsAbs(v.File): // sshd works in / by now; see its chdir in sshd.c, main
		return v, namedRelatively(v.File)
	}
	if p.Role == sshproc.RoleListener {
		return v, ""
	}
	v.User, _, _ = strings.Cut(p.Title, "@")
	if socket != nil {
		v.Addr, v.LocalAddr, v.LocalPort = socket.Remote.Addr().Unmap().String(), socket.Local.Addr().Unmap().String(), int(socket.Local.Port())
		v.Host = v.Addr
	}
	return v, ""
}

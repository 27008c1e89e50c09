package main

import (
	"cmp"
	"path/filepath"
	"strings"
	"time"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/report"
	"github.com/tcpka/tcpka/sshconf"
)

func (scene *sshScene) describeServer(d *report.SSHProcess, p sshconf.Process) {
	d.Side = calc.SSHServer
	if p.Title != "" && p.Role != sshconf.RoleListener {
		d.Destination = new(report.Foreign(p.Title))
	}
	if p.Role == sshconf.RoleLogin { // nothing of this holds yet
		return
	}
	listener, accepted := scene.listenerOf(p)
	reader, since := uint32(0), moment{p.Started.Add(clockError), "since it began"}
	if listener != nil {
		reader, since = listener.UID, filesRead(*listener, accepted, p.Role == sshconf.RoleListener)
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
func (scene *sshScene) listenerOf(p sshconf.Process) (listener *sshconf.Process, accepted time.Time) {
	listener, accepted = &p, p.Started
	for range 4 { // session, monitor, listener
		if listener == nil || listener.Role == sshconf.RoleListener {
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
func serverOf(p sshconf.Process, listener *sshconf.Process, socket *report.SSHSocket) (v sshconf.Server, why string) {
	v.File = sshdConfig
	if listener != nil {
		v.Options, v.File = listener.Options, cmp.Or(listener.File, sshdConfig)
	}
	switch {
	case strings.EqualFold(v.File, "none"):
		v.File = ""
	case !filepath.IsAbs(v.File): // sshd works in / by now; see its chdir in sshd.c, main
		return v, namedRelatively(v.File)
	}
	if p.Role == sshconf.RoleListener {
		return v, ""
	}
	v.User, _, _ = strings.Cut(p.Title, "@")
	if socket != nil {
		v.Addr, v.LocalAddr, v.LocalPort = socket.Remote.Addr().Unmap().String(), socket.Local.Addr().Unmap().String(), int(socket.Local.Port())
		v.Host = v.Addr
	}
	return v, ""
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

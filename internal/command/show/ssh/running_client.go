package ssh

import (
	"cmp"
	"os/user"
	"path/filepath"
	"strings"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/sshconf"
	"github.com/tcpka/tcpka/internal/sshend"
	"github.com/tcpka/tcpka/internal/sshproc"
)

func (scene *sshScene) describeClient(d *Process, p sshproc.Process, who *user.User) {
	d.Side = calc.SSHClient
	d.Destination = new(answer.Foreign(cmp.Or(p.Destination, p.Title)))
	listensAt := p.ListensAt()
	switch {
	case listensAt != "":
		d.Role = string(sshproc.RoleMaster)
	case d.Socket == nil && ownProcess(p) && p.Title == "" && !p.HasChildren():
		d.Role = "through_master"
		return // it has what its master has
	}
	c, why := clientOf(p, who)
	if why == "" {
		c.As, why = scene.reader(p.UID)
	}
	if why != "" {
		noneKnown(d, why)
		return
	}
	found, err := sshconf.FindClient(c)
	scene.settle(d, p, found, err, sshend.Moment{Time: p.Started.Add(sshend.ClockError), Text: "since it began"})
	if d.Role == string(sshproc.RoleMaster) && len(d.Unsure) > 0 {
		d.Warnings = append(d.Warnings, calc.Warning{ID: "master_keeps_values", Text: "new sessions go through this master, with the values it began with, until ssh -O stop ends it: " + cmp.Or(listensAt, string(*d.Destination))})
	}
}

// clientOf is what a process was called for. who is its user, nil is not known. why is
// empty, or says why its files cannot be found.
func clientOf(p sshproc.Process, who *user.User) (c sshconf.Client, why string) {
	if p.Title != "" {
		return c, "a master in the background does not show its command line any more"
	}
	if who != nil {
		c = sshconf.NewClient(hostOf(p.Destination), who.Username, who.HomeDir)
		c.User = cmp.Or(p.User, c.User)
	}
	c.Options = p.Options
	switch {
	case p.File == "":
	case strings.EqualFold(p.File, "none"):
		c.UserFile, c.SystemFile = "", ""
	case filepath.IsAbs(p.File):
		c.UserFile, c.SystemFile = p.File, ""
	case p.Dir == "": // may not be seen
		return c, namedRelatively(p.File)
	default:
		c.UserFile, c.SystemFile = filepath.Join(p.Dir, p.File), ""
	}
	return c, ""
}

func namedRelatively(file string) string {
	return "its file, " + file + ", was named by a relative path"
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

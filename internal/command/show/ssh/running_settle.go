package ssh

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/connection"
	"github.com/tcpka/tcpka/internal/sshconf"
	"github.com/tcpka/tcpka/internal/sshend"
	"github.com/tcpka/tcpka/internal/sshproc"
)

// settle puts what was found into the document: the command line for sure, the files
// as far as they are the ones that the process has read.
func (scene *sshScene) settle(d *Process, p sshproc.Process, found sshconf.Findings, err error, since sshend.Moment) {
	why := doubt(p, found, err, since)
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
		if set.Line != 0 && (certain || p.Files != sshproc.Other) {
			counts = append(counts, set)
			d.Sources[keyword] = set.Source()
		}
	}
	if err != nil {
		noneKnown(d, why)
	}
	end := calc.SSH{Side: d.Side, CountMax: calc.DefaultSSHCountMax, TCPKeepAlive: true}
	if err := sshend.ReadEnd(&end, sshconf.OptionsOf(counts)); err != nil {
		noneKnown(d, err.Error())
		return
	}
	if version, err := calc.ParseSSHVersion(scene.versions[p.Program]); err == nil && !p.Replaced && p.Files != sshproc.Other {
		end.Version = version
	}
	if _, unsure := d.Unsure[string(sshend.KeywordsOf(d.Side)[0])]; !unsure || p.Files != sshproc.Other {
		scene.predict(d, p, end)
	}
}

// doubt is why the files may not be what the process has read; empty is that they are.
func doubt(p sshproc.Process, found sshconf.Findings, err error, since sshend.Moment) string {
	changed, closed := sshend.ChangedSince(found, since.Time), ""
	if int(p.UID) != os.Geteuid() {
		closed = mayNotRead(found.Files)
	}
	switch {
	case err != nil:
		return err.Error()
	case p.Files == sshproc.Other:
		return "it sees other files than tcpka does"
	case closed != "":
		return closed + " may not be read"
	case changed != "":
		return changed + " " + since.Text
	}
	return ""
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

// predict says what the values lead to.
func (scene *sshScene) predict(d *Process, p sshproc.Process, end calc.SSH) {
	d.Interval = new(answer.Seconds(end.Interval))
	d.CountMax, d.TCPKeepAlive = &end.CountMax, &end.TCPKeepAlive
	d.Refresh = refreshes(end.Refresh())
	scene.detection(d, p, end)
	for _, w := range end.Warnings(scene.v.Kernel, scene.v.Settings) {
		if slices.Contains([]string{"count_zero_drops_idle", "count_zero_never_drops", "probes_at_twice_the_interval"}, w.ID) {
			d.Warnings = append(d.Warnings, w)
		}
	}
	if s := d.Socket; s != nil && s.Keepalive != connection.SwitchUnknown && end.TCPKeepAlive != (s.Keepalive == connection.SwitchOn) {
		d.Warnings = append(d.Warnings, calc.Warning{ID: "socket_differs", Text: fmt.Sprintf("TCPKeepAlive would be %t with these files, and on its socket SO_KEEPALIVE is %t", end.TCPKeepAlive, s.Keepalive == connection.SwitchOn)})
	}
}

// detection is when a peer that is gone is noticed, by OpenSSH or by TCP: by the socket,
// where it is seen. An ssh of one's own without a socket goes through a proxy.
func (scene *sshScene) detection(d *Process, p sshproc.Process, end calc.SSH) {
	settings := scene.v.Settings
	switch {
	case d.Socket != nil:
		bySocket(&end, &settings, d.Socket)
	case p.Role == sshproc.RoleListener: // those that it lets in will have one
	case p.Program == sshconf.SSH && ownProcess(p):
		end.Proxied = true
	default:
		d.Unsure[string(sshconf.TCPKeepAlive)] = cmp.Or(d.Unsure[string(sshconf.TCPKeepAlive)], "its socket may not be seen")
	}
	if gone := end.PeerGone(scene.v.Kernel, settings); !gone.Never {
		d.Detection, d.DetectionBy = new(answer.Seconds(gone.Exact)), new(gone.DecidedBy)
	}
}

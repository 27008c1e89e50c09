package ssh

import (
	"bufio"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/answer"
)

// Document is the answer of tcpka show ssh.
type Document struct {
	Schema string `json:"schema"`
	// Destination is who the client would connect to; null stands for a host that
	// no file names.
	Destination *string `json:"destination"`
	// Client and Server are null where only a file was looked at, and Server where a
	// destination was asked for.
	Client *Side `json:"client"`
	Server *Side `json:"server"`
	// Session is the one that tcpka was called in; null: in none.
	Session *Session `json:"session"`
	// Files are those of other programs, or the one that was asked for.
	Files []File `json:"files"`
	// Unread are files that are there and could not be read.
	Unread  []FileError `json:"unread"`
	Running []Process   `json:"running"`
}

// Side is what one side has in force. What is not known is null, and Error says
// why.
type Side struct {
	Version      *string         `json:"version"`
	Interval     *answer.Seconds `json:"interval_seconds"`
	CountMax     *int            `json:"count_max"`
	TCPKeepAlive *bool           `json:"tcp_keepalive"` // as it is set
	// Proxied: ssh goes through ProxyCommand or ProxyJump. It has no socket of its own, so
	// TCPKeepAlive does nothing.
	Proxied bool `json:"proxied"`

	Detection         *answer.Seconds `json:"detection_seconds"` // null: never, or not known
	DetectionEarliest *answer.Seconds `json:"detection_earliest_seconds"`
	DetectionLatest   *answer.Seconds `json:"detection_latest_seconds"`
	Refresh           *answer.Seconds `json:"refresh_seconds"` // null: no SSH probes go out
	// PeerGone is when an idle session ends of whose peer nothing comes any more, by SSH or
	// by TCP as it is here; null: never, or not known.
	PeerGone   *answer.Seconds `json:"peer_gone_seconds"`
	PeerGoneBy *string         `json:"peer_gone_by"`

	// Sources are the lines that decide, by keyword: "/etc/ssh/sshd_config:12". A
	// keyword that no file sets is not there, nor one whose line is not known.
	Sources map[string]string `json:"sources"`
	// Unsure says why another line may decide, by keyword.
	Unsure map[string]string `json:"unsure"`
	// Approximate: the program is not there to ask, and the files were read alone.
	Approximate bool `json:"approximate"`
	// Paths are the middleboxes that were asked about.
	Paths    []Path         `json:"paths"`
	Error    *string        `json:"error"`
	Warnings []calc.Warning `json:"warnings"`
}

// NotReloaded is the ID of the warning that sshd has not read its files as they are.
const NotReloaded = "not_reloaded"

// Path is whether an idle session survives a middlebox. Refresh null: it sends
// nothing that counts there.
type Path struct {
	Name    string          `json:"name"`
	Idle    answer.Seconds  `json:"idle_seconds"`
	Refresh *answer.Seconds `json:"refresh_seconds"`
	Held    bool            `json:"held"`
}

func (d Document) Table(w *bufio.Writer, s answer.Style) {
	pages := 0
	next := func(title string) {
		if pages++; pages > 1 {
			fmt.Fprintln(w)
		}
		if title != "" {
			fmt.Fprintf(w, "%s\n\n", s.Paint(answer.Bold, answer.Escape(title)))
		}
	}
	if d.Session != nil {
		next("")
		d.Session.page(w, s)
	}
	if d.Client != nil {
		next("")
		name := "ssh"
		if d.Destination != nil {
			name += " " + *d.Destination
		}
		d.Client.page(w, s, name, "ServerAlive", "server")
	}
	if d.Server != nil {
		next("")
		d.Server.page(w, s, "sshd", "ClientAlive", "client")
	}
	switch {
	case d.Client != nil && d.Server != nil && slices.ContainsFunc(d.Server.Warnings, func(w calc.Warning) bool { return w.ID == NotReloaded }):
		fmt.Fprintln(w)
		answer.Wrap(w, s, "", "Both hold for new connections, those of sshd once it has read its files: one that is there already keeps what it began with.")
	case d.Client != nil && d.Server != nil:
		fmt.Fprintln(w)
		answer.Wrap(w, s, "", "Both hold for new connections: one that is there already keeps what it began with.")
	case d.Client != nil:
		fmt.Fprintln(w)
		answer.Wrap(w, s, "", "It holds for new connections: one that is there already keeps what it began with.")
	}
	for _, group := range sameFile(d.Files) {
		title := string(group[0].Path)
		if len(group) > 1 && group[0].Path != group[1].Path {
			title = filepath.Dir(title)
		}
		next(title)
		writeFiles(w, s, group)
	}
	for _, f := range d.Unread {
		fmt.Fprintln(w)
		answer.Wrap(w, s, "not read: ", answer.Escape(string(f.Error)))
	}
	if len(d.Running) > 0 {
		next("running")
		writeRunning(w, s, d.Running)
	}
}

// sameFile are the sessions in groups: those of one file, and those of a directory in
// which each has a file of its own.
func sameFile(files []File) [][]File {
	var groups [][]File
	for _, f := range files {
		if n := len(groups); n > 0 {
			before := groups[n-1][0]
			if before.Path == f.Path || before.Format == f.Format && f.Format == "putty" && filepath.Dir(string(before.Path)) == filepath.Dir(string(f.Path)) {
				groups[n-1] = append(groups[n-1], f)
				continue
			}
		}
		groups = append(groups, []File{f})
	}
	return groups
}

// page is one side in full.
func (d Side) page(w *bufio.Writer, s answer.Style, program, option, peer string) {
	title := s.Paint(answer.Bold, answer.Escape(program))
	if d.Version != nil {
		title += ", " + answer.Escape(*d.Version)
	}
	fmt.Fprintln(w, title)
	fmt.Fprintln(w)
	if d.Error != nil {
		answer.Wrap(w, s, "not known: ", answer.Escape(*d.Error))
		return
	}
	tcp := yesNo(*d.TCPKeepAlive)
	if d.Proxied && *d.TCPKeepAlive {
		tcp += ", without effect"
	}
	rows := [][]string{
		{option + "Interval", d.Interval.Both(), d.source(option + "Interval")},
		{option + "CountMax", strconv.Itoa(*d.CountMax), d.source(option + "CountMax")},
		{"TCPKeepAlive", tcp, d.source("TCPKeepAlive")},
	}
	answer.WriteTable(w, s, []string{"SETTING", "IN FORCE", "DECIDED BY"}, rows)
	fmt.Fprintln(w)
	say := func(format string, args ...any) { answer.Wrap(w, s, "", fmt.Sprintf(format, args...)) }
	probesTCP := *d.TCPKeepAlive && !d.Proxied
	switch {
	case d.endsIdle():
		say("An idle session ends after %s, whether the %s is alive or dead.", d.Detection.Both(), peer)
	case d.Detection != nil:
		if *d.DetectionEarliest == *d.DetectionLatest {
			say("A dead %s is noticed %s after it was last heard.", peer, d.Detection.Both())
		} else {
			say("A dead %s is noticed after %s, %s after it was last heard.", peer, d.Detection.Both(), answer.Between(*d.DetectionEarliest, *d.DetectionLatest))
		}
	case d.Refresh != nil && d.PeerGone != nil && *d.PeerGoneBy != calc.ByProbes:
		say("A dead %s is never dropped by %s. TCP ends the session %s after it was last heard, when a probe is not acknowledged (%s).", peer, program, d.PeerGone.Brief().Both(), *d.PeerGoneBy)
	case probesTCP:
		say("A dead %s is left to TCP keepalive: tcpka show.", peer)
	default:
		say("A dead %s is never noticed while the session is idle.", peer)
	}
	switch {
	case d.Refresh != nil:
		say("An idle path is refreshed every %s.", d.Refresh.Both())
	case !probesTCP:
		say("An idle path is not refreshed.")
	}
	for _, p := range d.Paths {
		if p.Held {
			say("%s, which forgets after %s, keeps it.", answer.Escape(p.Name), p.Idle.Both())
		}
	}
	if d.Approximate {
		say("It is not installed, so it could not be asked: this is what the files say.")
	}
	for _, keyword := range slices.Sorted(maps.Keys(d.Unsure)) {
		say("%s: the line is not sure: %s", keyword, answer.Escape(d.Unsure[keyword]))
	}
	answer.WriteWarnings(w, s, d.Warnings)
}

// endsIdle reports whether a living peer that has nothing to say is dropped: the end is
// decided, and no probe goes out.
func (d Side) endsIdle() bool { return d.Detection != nil && d.Refresh == nil }

// source is where a keyword is set.
func (d Side) source(keyword string) string {
	switch at, ok := d.Sources[keyword]; {
	case d.Unsure[keyword] != "" && ok:
		return at + ", not sure"
	case d.Unsure[keyword] != "":
		return "not sure"
	case ok:
		return at
	}
	return "default"
}

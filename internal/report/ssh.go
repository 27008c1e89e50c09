package report

import (
	"bufio"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/tcpka/tcpka/calc"
)

// SSH is the answer of tcpka show ssh.
type SSH struct {
	Schema string `json:"schema"`
	// Destination is who the client would connect to; null stands for a host that
	// no file names.
	Destination *string `json:"destination"`
	Client      SSHSide `json:"client"`
	Server      SSHSide `json:"server"`
}

// SSHSide is what one side has in force. What is not known is null, and Error says
// why.
type SSHSide struct {
	Version      *string  `json:"version"`
	Interval     *Seconds `json:"interval_seconds"`
	CountMax     *int     `json:"count_max"`
	TCPKeepAlive *bool    `json:"tcp_keepalive"`

	Detection         *Seconds `json:"detection_seconds"` // null: never, or not known
	DetectionEarliest *Seconds `json:"detection_earliest_seconds"`
	DetectionLatest   *Seconds `json:"detection_latest_seconds"`
	Refresh           *Seconds `json:"refresh_seconds"` // null: no SSH probes go out

	// Sources are the lines that decide, by keyword: "/etc/ssh/sshd_config:12". A
	// keyword that no file sets is not there, nor one whose line is not known.
	Sources map[string]string `json:"sources"`
	// Unsure says why another line may decide, by keyword.
	Unsure map[string]string `json:"unsure"`
	// Approximate: the program is not there to ask, and the files were read alone.
	Approximate bool           `json:"approximate"`
	Error       *string        `json:"error"`
	Warnings    []calc.Warning `json:"warnings"`
}

// NewSSHSide puts what is predicted for one end into the document. A version that
// is empty is not known.
func NewSSHSide(end calc.SSH, version string) SSHSide {
	d := UnknownSSHSide("")
	d.Error = nil
	if version != "" {
		d.Version = &version
	}
	d.Interval, d.CountMax, d.TCPKeepAlive = new(Seconds(end.Interval)), &end.CountMax, &end.TCPKeepAlive
	if p := NewPrediction(end.Detection()); !p.Never {
		d.Detection, d.DetectionEarliest, d.DetectionLatest = p.Seconds, p.Earliest, p.Latest
	}
	if period, ok := end.Refresh(); ok {
		d.Refresh = new(Seconds(period))
	}
	return d
}

// UnknownSSHSide is a side about which nothing is known, and why.
func UnknownSSHSide(why string) SSHSide {
	return SSHSide{Sources: map[string]string{}, Unsure: map[string]string{}, Error: &why, Warnings: []calc.Warning{}}
}

func (d SSH) table(w *bufio.Writer, s Style) {
	client, server := "ssh", "sshd"
	if d.Destination != nil {
		client += " " + *d.Destination
	}
	d.Client.page(w, s, client, "ServerAlive", "server")
	fmt.Fprintln(w)
	d.Server.page(w, s, server, "ClientAlive", "client")
	fmt.Fprintln(w, "\nBoth hold for new connections: one that is there already keeps what it began with.")
}

// page is one side in full.
func (d SSHSide) page(w *bufio.Writer, s Style, program, option, peer string) {
	title := s.paint(bold, Escape(program))
	if d.Version != nil {
		title += ", " + Escape(*d.Version)
	}
	fmt.Fprintln(w, title)
	fmt.Fprintln(w)
	if d.Error != nil {
		fmt.Fprintf(w, "not known: %s\n", Escape(*d.Error))
		return
	}
	rows := [][]string{
		{option + "Interval", d.Interval.Both(), d.source(option + "Interval")},
		{option + "CountMax", strconv.Itoa(*d.CountMax), d.source(option + "CountMax")},
		{"TCPKeepAlive", map[bool]string{true: "yes", false: "no"}[*d.TCPKeepAlive], d.source("TCPKeepAlive")},
	}
	writeTable(w, []string{"SETTING", "IN FORCE", "DECIDED BY"}, rows)
	fmt.Fprintln(w)
	switch {
	case d.Detection != nil:
		fmt.Fprintf(w, "A dead %s is noticed after %s, between %s and %s s after it was last heard.\n", peer, d.Detection.Both(), d.DetectionEarliest, d.DetectionLatest)
	case *d.TCPKeepAlive:
		fmt.Fprintf(w, "A dead %s is left to TCP keepalive: tcpka show.\n", peer)
	default:
		fmt.Fprintf(w, "A dead %s is never noticed while the session is idle.\n", peer)
	}
	switch {
	case d.Refresh != nil:
		fmt.Fprintf(w, "An idle path is refreshed every %s.\n", d.Refresh.Both())
	case !*d.TCPKeepAlive:
		fmt.Fprintln(w, "An idle path is not refreshed.")
	}
	if d.Approximate {
		fmt.Fprint(w, "It is not installed, so it could not be asked: this is what the files say.\n")
	}
	for _, keyword := range slices.Sorted(maps.Keys(d.Unsure)) {
		fmt.Fprintf(w, "%s: the line is not sure: %s\n", keyword, Escape(d.Unsure[keyword]))
	}
	writeWarnings(w, s, d.Warnings)
}

// source is where a keyword is set.
func (d SSHSide) source(keyword string) string {
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

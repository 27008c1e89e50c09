package ssh

import (
	"bufio"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/answer"
)

// File is what a file says of one session, or for OpenSSH of one block. What the
// file does not say is the default of the program, or for OpenSSH null.
type File struct {
	Kind    string          `json:"kind"`    // the program: "putty"
	Format  string          `json:"format"`  // of the file: "reg"
	Path    answer.Foreign  `json:"path"`    //
	Session *answer.Foreign `json:"session"` // null: the file is one session, or for all
	Host    *answer.Foreign `json:"host"`    // null is not known

	Interval     *answer.Seconds `json:"interval_seconds"` // 0 is off; null is not known, or not set in a block of OpenSSH
	CountMax     *int            `json:"count_max"`        // OpenSSH alone
	TCPKeepAlive *bool           `json:"tcp_keepalive"`    // null: not set, or no such setting
	Typed        *answer.Seconds `json:"typed_seconds"`    // a text that is typed into the shell; null: no such setting

	Refresh *answer.Seconds `json:"refresh_seconds"` // null: nothing is sent, or it is not known
	// Detects is whether the program itself notices a peer that no longer answers.
	Detects           bool            `json:"detects"`
	Detection         *answer.Seconds `json:"detection_seconds"` // null: never, or not known
	DetectionEarliest *answer.Seconds `json:"detection_earliest_seconds"`
	DetectionLatest   *answer.Seconds `json:"detection_latest_seconds"`

	// PeerGone is when a peer of which nothing comes any more is noticed by TCP, where
	// the program runs on this host; null: never, or not known.
	PeerGone   *answer.Seconds `json:"peer_gone_seconds"`
	PeerGoneBy *string         `json:"peer_gone_by"`

	// Sources are the lines that say so, by the key of the file: "F:12".
	Sources  map[string]answer.Foreign `json:"sources"`
	Warnings []calc.Warning            `json:"warnings"`
}

// FileError is a file that could not be read.
type FileError struct {
	Path  answer.Foreign `json:"path"`
	Error answer.Foreign `json:"error"`
}

var kinds = map[string]string{
	"ssh": "ssh", "sshd": "sshd", "putty": "PuTTY", "kitty": "KiTTY", "winscp": "WinSCP", "teraterm": "Tera Term",
	"securecrt": "SecureCRT", "xshell": "Xshell", "mobaxterm": "MobaXterm", "dropbear": "Dropbear",
}

// writeFiles is a row for each session, and below what there is to say of them,
// once for each thing.
func writeFiles(w *bufio.Writer, s answer.Style, files []File) {
	var rows [][]string
	notes, sessions := []string(nil), map[string][]string{}
	for _, f := range files {
		openssh := f.Kind == "ssh" || f.Kind == "sshd"
		name := "all"
		switch {
		case f.Session != nil:
			name = short(string(*f.Session))
		case openssh:
			name = "outside any block"
		}
		row := []string{kinds[f.Kind], name, intervalText(f.Interval, openssh), "", dash, "never"}
		switch {
		case f.CountMax != nil:
			row[3] = strconv.Itoa(*f.CountMax)
		case openssh:
			row[3] = dash
		}
		if f.TCPKeepAlive != nil {
			row[4] = yesNo(*f.TCPKeepAlive)
		}
		switch {
		case f.Detection != nil:
			row[5] = f.Detection.Both()
		case openssh && f.Interval == nil:
			row[5] = dash
		case f.Detects:
			row[5] = "not known"
		case f.PeerGone != nil:
			row[5] = f.PeerGone.Brief().Both() + ", by TCP"
		}
		rows = append(rows, append(row, lineNumbers(f.Sources)))
		for _, warning := range f.Warnings {
			if sessions[warning.Text] == nil {
				notes = append(notes, warning.Text)
			}
			sessions[warning.Text] = append(sessions[warning.Text], name)
		}
	}
	header := []string{"PROGRAM", "SESSION", "SENDS EVERY", "COUNT", "TCP KEEPALIVE", "DEAD PEER AFTER", "LINES"}
	if !slices.ContainsFunc(files, func(f File) bool { return f.Kind == "ssh" || f.Kind == "sshd" }) {
		header = slices.Delete(header, 3, 4)
		for i := range rows {
			rows[i] = slices.Delete(rows[i], 3, 4)
		}
	}
	answer.WriteTable(w, s, header, rows)
	if len(notes) > 0 {
		fmt.Fprintln(w)
	}
	warning := s.Paint(answer.Yellow, "warning:") + " "
	for _, note := range notes {
		of := sessions[note]
		switch {
		case len(of) == len(files):
			answer.Wrap(w, s, warning, answer.Escape(note))
		case len(of) > 3:
			answer.Wrap(w, s, warning, answer.Escape(fmt.Sprintf("%s and %d more: %s", strings.Join(of[:2], ", "), len(of)-2, note)))
		default:
			answer.Wrap(w, s, warning, answer.Escape(strings.Join(of, ", ")+": "+note))
		}
	}
}

// short is a text that may be of any length, as much of it as a table has room for.
func short(s string) string {
	const most = 60
	for i := range s {
		if i >= most {
			return s[:i] + "..."
		}
	}
	return s
}

// dash stands for what is not there.
const dash = "-"

func intervalText(d *answer.Seconds, openssh bool) string {
	switch {
	case d == nil && openssh:
		return dash
	case d == nil:
		return "not known"
	case *d == 0:
		return "off"
	}
	return d.Both()
}

func yesNo(b bool) string { return map[bool]string{true: "yes", false: "no"}[b] }

// lineNumbers are the lines of sources in one file.
func lineNumbers(sources map[string]answer.Foreign) string {
	var lines []int
	for _, at := range slices.Collect(maps.Values(sources)) {
		if i := strings.LastIndexByte(string(at), ':'); i >= 0 {
			if n, err := strconv.Atoi(string(at[i+1:])); err == nil {
				lines = append(lines, n)
			}
		}
	}
	slices.Sort(lines)
	var texts []string
	for _, n := range slices.Compact(lines) {
		texts = append(texts, strconv.Itoa(n))
	}
	if len(texts) == 0 {
		return "defaults"
	}
	return strings.Join(texts, ", ")
}

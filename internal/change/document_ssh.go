package change

import (
	"bufio"
	"fmt"
	"strings"

	"github.com/tcpka/tcpka/internal/answer"
)

// TargetSSH is the target of a [Change] of a file of ssh, sshd or another client.
const TargetSSH = "ssh"

// SSHChange is what is special to a change of SSH.
type SSHChange struct {
	Diff string `json:"diff"` // unified; empty where nothing changes
	// Approximate: ssh or sshd is not there to ask, and the files were read alone.
	Approximate bool `json:"approximate"`
	// Reloaded is whether sshd has read its files again; null: that was not asked
	// for.
	Reloaded *bool `json:"reloaded"`
	// Kept are lines that go on deciding for some hosts or connections.
	Kept []string `json:"kept"`
	// Refresh is how often another client than OpenSSH sends something; null in it:
	// nothing is sent.
	Refresh *OldNew `json:"refresh_seconds,omitempty"`
	// Instructions are what to do by hand, and File what to import, where the file
	// is not changed.
	Instructions []string `json:"instructions,omitempty"`
	File         *string  `json:"file,omitempty"`
}

func (d SSHChange) table(w *bufio.Writer, s answer.Style, dryRun bool) {
	if d.Approximate {
		fmt.Fprintln(w, "It is not installed, so it could not be asked: this is what the files say.")
	}
	switch {
	case d.Reloaded == nil:
	case dryRun:
		fmt.Fprintln(w, "sshd would read its files again.")
	case *d.Reloaded:
		fmt.Fprintln(w, "sshd has read its files again: new connections have it, and whatever else was changed in them.")
	}
	if r := d.Refresh; r != nil {
		fmt.Fprintf(w, "\nAn idle path is refreshed %s%s.\n", answer.OrNever(r.New, "every "), r.before())
	}
	if dryRun && d.Diff != "" {
		fmt.Fprintf(w, "\n%s", EscapeLines(d.Diff))
	}
	if len(d.Kept) > 0 {
		fmt.Fprintln(w, "\nOther values stay, for some:")
		answer.Bullets(w, s, d.Kept)
	}
	if len(d.Instructions) > 0 {
		fmt.Fprintln(w, "Files of this format are not changed in place. By hand:")
	}
	for _, step := range d.Instructions {
		fmt.Fprintf(w, "- %s\n", answer.Escape(step))
	}
	if d.File != nil {
		fmt.Fprintf(w, "\n%s", EscapeLines(*d.File))
	}
}

// EscapeLines is [answer.Escape] for each line: their ends, those of Windows too, and tabs
// stay, so that what was meant for a program can be given to it.
func EscapeLines(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		body := strings.TrimRight(line, "\r\n")
		for i, part := range strings.Split(body, "\t") {
			if i > 0 {
				b.WriteByte('\t')
			}
			b.WriteString(answer.Escape(part))
		}
		b.WriteString(line[len(body):])
	}
	return b.String()
}

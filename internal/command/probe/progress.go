package probe

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/internal/middlebox"
)

// How often the progress is shown: on a terminal in place, elsewhere by a line.
const (
	progressInPlace = time.Second
	progressByLine  = time.Minute
)

// progress shows how a long measurement goes, on stderr.
type progress struct {
	w        io.Writer
	terminal *os.File // nil: it is none
	refines  bool     // there may be more rounds
	next     time.Time
	shown    int // columns of the line in place
}

func newProgress(s *cmdline.Invocation, refines bool) *progress {
	p := &progress{w: s.Stderr, refines: refines, next: time.Now().Add(progressByLine)}
	if p.terminal = cmdline.Terminal(s.Stderr); p.terminal != nil {
		p.next = time.Now().Add(progressInPlace)
	}
	return p
}

func (p *progress) tell(now middlebox.Progress) {
	if time.Now().Before(p.next) {
		return
	}
	if p.terminal == nil {
		p.next = time.Now().Add(progressByLine)
		fmt.Fprintln(p.w, p.lines(now)[1])
		return
	}
	p.next = time.Now().Add(progressInPlace)
	columns, _ := cmdline.TerminalSize(p.terminal)
	text := fitting(p.lines(now), columns-1)
	fmt.Fprintf(p.w, "\r%s%s", text, strings.Repeat(" ", max(p.shown-len(text), 0)))
	p.shown = len(text)
}

// lines say how it goes, each with fewer words than the one before. All of it is
// ASCII.
func (p *progress) lines(now middlebox.Progress) []string {
	left := "at most " + human(now.Left) + " left"
	if p.refines {
		left += " in this round"
	}
	known := soFar(now.Bounds)
	middle := fmt.Sprintf("tcpka: %s, %s silent, %s", known, answer.Count(now.Silent, "connection"), left)
	return []string{
		middle + " (Ctrl-C ends it with this)",
		middle,
		fmt.Sprintf("tcpka: %s, %d silent, %s", known, now.Silent, left),
		fmt.Sprintf("tcpka: %s, %s left", known, human(now.Left)),
		fmt.Sprintf("%s, %s left", known, human(now.Left)),
		human(now.Left) + " left",
	}
}

// fitting is the first line that has room, or what of the last one has.
func fitting(lines []string, columns int) string {
	for _, l := range lines {
		if len(l) <= columns {
			return l
		}
	}
	return lines[len(lines)-1][:max(columns, 0)]
}

// done takes the line in place away.
func (p *progress) done() {
	if p.shown > 0 {
		fmt.Fprintf(p.w, "\r%s\r", strings.Repeat(" ", p.shown))
	}
}

func soFar(b middlebox.Bounds) string {
	switch {
	case b.Survived > 0 && b.Failed > 0:
		return fmt.Sprintf("survived %s, not %s", human(b.Survived), human(b.Failed))
	case b.Survived > 0:
		return "survived " + human(b.Survived)
	case b.Failed > 0:
		return "failed at " + human(b.Failed)
	}
	return "nothing known yet"
}

func human(d time.Duration) string { return answer.Seconds(max(d, 0)).Human() }

package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/xhit/go-str2duration/v2"
	"golang.org/x/term"

	"github.com/tcpka/tcpka/middlebox"
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

func (s *session) newProgress(refines bool) *progress {
	p := &progress{w: s.stderr, refines: refines, next: time.Now().Add(progressByLine)}
	if f, ok := s.stderr.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.terminal, p.next = f, time.Now().Add(progressInPlace)
	}
	return p
}

func (p *progress) tell(now middlebox.Progress) {
	if time.Now().Before(p.next) {
		return
	}
	text := fmt.Sprintf("tcpka: %s, %s silent, at most %s left", soFar(now.Bounds), count(now.Silent, "connection"), human(now.Left))
	if p.refines {
		text += " in this round"
	}
	if p.terminal == nil {
		p.next = time.Now().Add(progressByLine)
		fmt.Fprintln(p.w, text)
		return
	}
	p.next = time.Now().Add(progressInPlace)
	text += " (Ctrl-C ends it with this)"
	if columns, _, err := term.GetSize(int(p.terminal.Fd())); err == nil && columns > 0 {
		text = text[:min(len(text), columns-1)] // all of it is ASCII
	}
	fmt.Fprintf(p.w, "\r%s%s", text, strings.Repeat(" ", max(p.shown-len(text), 0)))
	p.shown = len(text)
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

func human(d time.Duration) string { return str2duration.String(max(d, 0).Round(time.Second)) }

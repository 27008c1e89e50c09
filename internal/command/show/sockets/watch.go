package sockets

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/internal/connection"
)

// interval is the value of --watch, which may be left out: as with a switch, it
// can then only follow an equals sign.
type interval struct{ text string }

func (i *interval) Set(text string) error { i.text = text; return nil }

func (i *interval) String() string { return i.text }

func (i *interval) Get() any { return i.text }

func (i *interval) IsBoolFlag() bool { return true } // for package flag

const (
	defaultInterval = 2 * time.Second
	minInterval     = 100 * time.Millisecond
)

func watchOf(c *cli.Context) (time.Duration, error) {
	text, ok := cmdline.Given(c, "watch")
	switch {
	case !ok || text == "false":
		return 0, nil
	case text == "true":
		return defaultInterval, nil
	}
	d, err := cmdline.ParseDuration(text, time.Millisecond)
	if err == nil && d < minInterval {
		err = fmt.Errorf("at least %v", minInterval)
	}
	if err != nil {
		return 0, cmdline.Misuse("--watch=%s: %w", text, err)
	}
	return d, nil
}

// watchSockets looks again and again, and draws over what it drew before.
func watchSockets(s *cmdline.Invocation, l listing) error {
	screen := cmdline.Terminal(s.Stdout)
	if screen == nil || os.Getenv("TERM") == "dumb" {
		return cmdline.Misuse("--watch draws on a terminal, and the output is none").
			WithHint("for one look, leave out --watch; for programs there is -o jsonl")
	}
	signals := make(chan os.Signal, 8)
	// What was ignored before, as by trap '' INT, stays so: it would not end this.
	watched := slices.DeleteFunc([]os.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT, unix.SIGTSTP}, signal.Ignored)
	signal.Notify(signals, append(watched, unix.SIGWINCH)...)
	defer signal.Stop(signals)

	stage := stage{screen: screen, keyboard: s.Stdin}
	if err := stage.enter(); err != nil {
		return writeError{err}
	}
	defer stage.leave()
	keys := stage.keys()
	for {
		frame, err := frame(s, l, screen, keys != nil)
		if err == nil {
			_, err = screen.Write(frame)
		}
		if err != nil {
			return err
		}
		select {
		case <-time.After(l.watch):
		case key := <-keys:
			if key == 'q' {
				return nil
			}
		case got := <-signals:
			switch got {
			case unix.SIGWINCH: // draw it anew
			case unix.SIGTSTP:
				stage.leave()
				stop()
				if err := stage.enter(); err != nil {
					return writeError{err}
				}
			default: // end by it, so that the shell knows
				stage.leave()
				signal.Reset(got)
				unix.Kill(os.Getpid(), got.(syscall.Signal))
				select {}
			}
		}
	}
}

// stop stops the process, and returns when it goes on. The signal is sent to this
// thread, which takes it before it does anything else.
func stop() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	unix.Tgkill(os.Getpid(), unix.Gettid(), unix.SIGSTOP)
}

// stage is the terminal while it is drawn on: its other screen, without a cursor
// and without an echo of what is typed. See console_codes(4), termios(3).
type stage struct {
	screen, keyboard *os.File
	before           *unix.Termios // nil: the keyboard is none
	entered          bool
}

func (st *stage) enter() error {
	if st.keyboard != nil {
		if t, err := unix.IoctlGetTermios(int(st.keyboard.Fd()), unix.TCGETS); err == nil {
			before := *t
			st.before = &before
			t.Lflag &^= unix.ICANON | unix.ECHO
			unix.IoctlSetTermios(int(st.keyboard.Fd()), unix.TCSETS, t)
		}
	}
	st.entered = true
	_, err := st.screen.WriteString("\x1b[?1049h\x1b[?25l")
	return err
}

func (st *stage) leave() {
	if !st.entered {
		return
	}
	st.entered = false
	st.screen.WriteString("\x1b[?25h\x1b[?1049l")
	if st.before != nil {
		unix.IoctlSetTermios(int(st.keyboard.Fd()), unix.TCSETS, st.before)
	}
}

// keys gives the keys that are pressed, or none.
func (st *stage) keys() <-chan byte {
	if st.before == nil {
		return nil
	}
	keys := make(chan byte)
	go func() {
		for b := make([]byte, 1); ; {
			if n, err := st.keyboard.Read(b); n == 0 || err != nil {
				return
			}
			keys <- b[0]
		}
	}()
	return keys
}

// frame is one picture: as much as the screen holds, and what it does not. With keys
// they are looked at.
func frame(s *cmdline.Invocation, l listing, screen *os.File, keys bool) ([]byte, error) {
	width, height := cmdline.TerminalSize(screen)
	style := s.Style()
	top := &urgent{order: l.order, most: height}
	var body bytes.Buffer
	var w Writer = top
	if l.summary {
		w = NewPrograms(&body, "table", style, l.All)
	}
	end, err := walk(s, l, w)
	if err != nil {
		return nil, err
	}
	if l.summary {
		err = w.End(end)
	} else {
		table := NewTable(&body, style, Options{Netns: l.All, Fit: width, Ends: true})
		for i := range top.rows() {
			if err == nil {
				err = table.Socket(&top.kept[i])
			}
		}
		err = errors.Join(err, table.End(end))
	}
	if err != nil {
		return nil, err
	}
	lines := []string{watchTitle(l, top, end), ""}
	for line := range strings.Lines(body.String()) {
		lines = append(lines, strings.TrimSuffix(line, "\n"))
	}
	all := len(lines)
	bottom := notices(end)
	lines = lines[:min(all, max(height-len(bottom)-1, 1))]
	status := watchStatus(keys, answer.Count(all-len(lines), "more line"), all-len(lines))
	if !l.summary { // a line for each, below three others
		rest := end.Summary.Total - max(len(lines)-3, 0)
		status = watchStatus(keys, answer.Count(rest, "more socket"), rest)
	}
	for _, notice := range bottom {
		lines = append(lines, answer.Escape(notice))
	}
	lines = append(lines[:min(len(lines), max(height-1, 1))], status)
	lines = lines[:min(len(lines), height)]

	frame := []byte("\x1b[H")
	for i, line := range lines {
		if i > 0 {
			frame = append(frame, '\n')
		}
		frame = append(answer.AppendClipped(frame, line, width), "\x1b[K"...)
	}
	return append(frame, "\x1b[J"...), nil
}

// watchStatus says how to end it, and how much there is that does not fit.
func watchStatus(keys bool, rest string, n int) string {
	status := "Ctrl-C ends"
	if keys {
		status = "q or Ctrl-C ends"
	}
	switch {
	case n == 1:
		status += "; " + rest + " does not fit"
	case n > 1:
		status += "; " + rest + " do not fit"
	}
	return status
}

func watchTitle(l listing, top *urgent, end End) string {
	title := fmt.Sprintf("every %v, %s   ", l.watch, time.Now().Format(time.TimeOnly))
	sum := end.Summary
	title += fmt.Sprintf("sockets: %d, keepalive on: %d, off: %d", sum.Total, sum.On, sum.Off)
	if sum.Unknown > 0 {
		title += fmt.Sprintf(", not known: %d", sum.Unknown)
	}
	if !l.summary {
		title += fmt.Sprintf(", being probed: %d", top.probing)
	}
	return title
}

// urgent keeps the sockets that fit on a screen: first those that will end soon.
type urgent struct {
	order   order
	most    int
	probing int
	kept    []connection.Socket
}

func (u *urgent) Socket(row *connection.Socket) error {
	if urgency(row) == 0 {
		u.probing++
	}
	if u.kept = append(u.kept, keep(row)); len(u.kept) >= 4*u.most {
		u.rows()
	}
	return nil
}

func (u *urgent) End(End) error { return nil }

// rows returns them in their order.
func (u *urgent) rows() []connection.Socket {
	slices.SortStableFunc(u.kept, func(a, b connection.Socket) int { return u.compare(&a, &b) })
	u.kept = u.kept[:min(len(u.kept), u.most)]
	return u.kept
}

// urgency is 0 for a socket whose probes go unanswered, 1 for one whose data
// does, 2 for the others.
func urgency(s *connection.Socket) int {
	switch {
	case s.Unanswered == 0:
		return 2
	case s.Timer == connection.TimerKeepalive:
		return 0
	case s.Timer == connection.TimerRetransmit || s.Timer == connection.TimerProbe0:
		return 1
	}
	return 2
}

func (u *urgent) compare(a, b *connection.Socket) int {
	class := urgency(a)
	if c := cmp.Compare(class, urgency(b)); c != 0 {
		return c
	}
	known := func(x, y bool) int { // what is known first
		switch {
		case x == y:
			return 0
		case x:
			return -1
		}
		return 1
	}
	switch {
	case class < 2:
		return cmp.Or(known(a.Dies.Known, b.Dies.Known), cmp.Compare(a.Dies.Exact, b.Dies.Exact))
	case u.order.by != nil:
		return u.order.compare(a, b)
	}
	return cmp.Or(known(a.NextKnown, b.NextKnown), cmp.Compare(a.Next, b.Next), compareEnds(a.Local, b.Local), compareEnds(a.Remote, b.Remote))
}
